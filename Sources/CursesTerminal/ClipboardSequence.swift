/// OSC 52: the escape sequence that puts text into a terminal's clipboard, even at the other end of SSH. Base64 only, so that no byte of the text
/// reaches the terminal as such.
enum ClipboardSequence {
    /// Maximum base64 payload of common terminals.
    static let payloadLimit = 74_000

    /// Bytes to send; nil when the text is too long. Sent twice inside tmux, plain and wrapped for passing through: tmux accepts either, depending
    /// on its `set-clipboard` and `allow-passthrough`.
    static func bytes(for text: String, isTmux: Bool) -> [UInt8]? {
        let payload = base64(Array(text.utf8))
        guard payload.count <= payloadLimit else { return nil }
        let plain = Array("\u{1b}]52;c;".utf8) + payload + [0x07]
        guard isTmux else { return plain }
        let doubled = plain.flatMap { $0 == 0x1b ? [0x1b, 0x1b] : [$0] }
        return plain + Array("\u{1b}Ptmux;".utf8) + doubled + Array("\u{1b}\\".utf8)
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Encodes by RFC 4648, section 4, with padding.
    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).map { start + $0 < bytes.count ? Int(bytes[start + $0]) : 0 }
            let bits = group[0] << 16 | group[1] << 8 | group[2]
            for digit in 0..<4 {
                output.append(digit <= bytes.count - start ? alphabet[bits >> (18 - 6 * digit) & 63] : 0x3d)
            }
        }
        return output
    }
}
