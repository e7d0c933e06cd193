/// OSC 9: the escape sequence that makes a terminal, even at the other end of SSH, show a desktop notification.
enum NotificationSequence {
    /// Maximum number of characters shown.
    static let countMax = 200

    /// Bytes to send. Only printable text remains, so that nothing in it ends the sequence or begins another. It never begins with a digit, which
    /// some terminals take for another kind of OSC 9. tmux knows no notifications and is asked to pass this one through.
    static func bytes(for text: String, isTmux: Bool, isUTF8: Bool) -> [UInt8] {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(countMax) {
            let isPrintable = (0x20..<0x7f).contains(scalar.value) || isUTF8 && scalar.value >= 0xa0 && isPlain(scalar)
            scalars.append(isPrintable ? scalar : "?")
        }
        let plain = Array("\u{1b}]9;weir: \(String(scalars))\u{07}".utf8)
        guard isTmux else { return plain }
        return Array("\u{1b}Ptmux;".utf8) + plain.flatMap { $0 == 0x1b ? [0x1b, 0x1b] : [$0] } + Array("\u{1b}\\".utf8)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
