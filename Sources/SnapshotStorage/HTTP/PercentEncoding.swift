/// The percent-encoding that signatures agree on: everything but letters, digits and `-._~` (RFC 3986). Pure.
enum PercentEncoding {
    /// A key or path: slashes stay.
    static func path(_ text: String) -> String { encoded(text, keepingSlashes: true) }

    /// A name or value of a query.
    static func query(_ text: String) -> String { encoded(text, keepingSlashes: false) }

    private static func encoded(_ text: String, keepingSlashes: Bool) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) || keepingSlashes && byte == 0x2f {
                bytes.append(byte)
            } else {
                bytes += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2d || byte == 0x2e || byte == 0x5f || byte == 0x7e
    }

    /// nil = what it encodes is no text, or it is cut short.
    static func decoded(_ text: some StringProtocol, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x2b, plusIsSpace {
                bytes.append(0x20)
            } else if byte == 0x25 {
                guard let high = rest.popFirst().flatMap(value), let low = rest.popFirst().flatMap(value) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x37
        case 0x61...0x66: digit - 0x57
        default: nil
        }
    }
}

/// A name and value of a query, not encoded.
struct QueryItem: Hashable, Sendable {
    var name: String
    var value: String
    init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }

    static func text(_ items: [QueryItem]) -> String {
        items.map { "\(PercentEncoding.query($0.name))=\(PercentEncoding.query($0.value))" }.joined(separator: "&")
    }

    /// The items of an encoded query; nil = it is none.
    static func parse(_ text: some StringProtocol) -> [QueryItem]? {
        var items: [QueryItem] = []
        for part in text.drop(while: { $0 == "?" }).split(separator: "&") {
            let name = part.prefix { $0 != "=" }
            guard let plainName = PercentEncoding.decoded(name, plusIsSpace: false),
                let plainValue = PercentEncoding.decoded(part.dropFirst(name.count).dropFirst(), plusIsSpace: false)
            else { return nil }
            items.append(QueryItem(plainName, plainValue))
        }
        return items
    }
}
