/// JSON text without characters that act on a terminal or are invisible. Writes characters that `JSONEncoder` leaves unescaped, DEL, C1 controls,
/// bidirectional and other format characters, line and paragraph separators, as `\uXXXX`: the same value, harmless to print.
public enum VisibleJSON {
    /// - Parameter json: valid JSON in UTF-8. C0 controls in its strings are already escaped, as JSON requires.
    public static func escaped(_ json: [UInt8]) -> [UInt8] {
        // JSON outside strings is ASCII without DEL, so every match is inside a string.
        guard json.contains(where: { $0 >= 0x7f }) else { return json }
        var result: [UInt8] = []
        result.reserveCapacity(json.count + 64)
        for scalar in String(decoding: json, as: UTF8.self).unicodeScalars {
            if scalar.value >= 0x7f, acts(scalar) {
                for unit in UTF16.encode(scalar) ?? .init() { result += escape(unit) }
            } else {
                result += UTF8.encode(scalar) ?? .init()
            }
        }
        return result
    }

    private static func acts(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    private static func escape(_ unit: UInt16) -> [UInt8] {
        let digits = String(unit, radix: 16)
        return Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
    }
}
