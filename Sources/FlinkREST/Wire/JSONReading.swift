internal import JSON

// Lenient reading of Flink's answers: what is missing, of another type, "NaN", infinite or out of range is absent, never an error.
extension JSONValue {
    subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self, let value = members[key], value != .null else { return nil }
        return value
    }

    /// The first of several names that a field has had.
    subscript(_ key: String, or other: String) -> JSONValue? { self[key] ?? self[other] }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var flag: Bool? {
        switch self {
        case .bool(let flag): flag
        case .string("true"): true
        case .string("false"): false
        default: nil
        }
    }

    /// A whole number of any sign; also one that is written as a text or with a fraction of zero.
    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value.rounded(.towardZero))
        case .string(let text): Int64(text)
        default: nil
        }
    }

    /// A finite number; also one that is written as a text.
    var real: Double? {
        let value: Double? =
            switch self {
            case .integer(let value): Double(value)
            case .number(let value): value
            case .string(let text): Double(text)
            default: nil
            }
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// A number that is not negative: -1 is Flink's "not yet" or "none".
    var count: Int64? { integer.flatMap { $0 >= 0 ? $0 : nil } }

    var smallCount: Int? { count.flatMap { Int(exactly: $0) }.flatMap { $0 <= Int(Int32.max) ? $0 : nil } }

    var items: [JSONValue]? {
        if case .array(let items) = self { items } else { nil }
    }

    var members: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// The counts of an object such as `tasks`.
    var counts: [String: Int] { (members ?? [:]).compactMapValues(\.smallCount) }
}

/// A word of Flink's that a later version may have more of: kept as it came when it is not known.
public enum FlinkWord<Known: RawRepresentable & Sendable & Equatable>: Sendable, Equatable where Known.RawValue == String {
    case known(Known)
    case unknown(String)

    init(_ text: String) { self = Known(rawValue: text).map(FlinkWord.known) ?? .unknown(shortened(text, to: 100)) }

    public var known: Known? {
        if case .known(let value) = self { value } else { nil }
    }

    public var text: String {
        switch self {
        case .known(let value): value.rawValue
        case .unknown(let text): text
        }
    }
}

/// Texts of JSON that were cut off at a limit. Pure.
enum CutJSON {
    /// Closes what is open, so that the beginning can be read: a text that was cut is ended there, a member or element that was only
    /// begun is dropped. nil when there is nothing to close or no beginning of JSON at all.
    static func closed(_ bytes: [UInt8]) -> [UInt8]? {
        var scan = Scan()
        for (index, byte) in bytes.enumerated() { scan.take(byte, at: index) }
        guard !scan.stack.isEmpty, let first = bytes.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }), first == 0x7b || first == 0x5b else {
            return nil
        }
        var kept: [UInt8]
        var open: [UInt8]
        if scan.isInString, !scan.isKey {
            kept = wholeText(bytes, from: scan.stringStart)
            kept.append(0x22)
            open = scan.stack
        } else {
            kept = Array(bytes.prefix(scan.safeEnd))
            open = scan.safeStack
        }
        for opener in open.reversed() { kept.append(opener == 0x7b ? 0x7d : 0x5d) }
        return kept
    }

    /// Drops half an escape or half a character at the end.
    private static func wholeText(_ bytes: [UInt8], from start: Int) -> [UInt8] {
        var end = bytes.count
        // At most six bytes before the end can an escape have begun that is not whole: a backslash that an even number precedes.
        var index = end - 1
        while index > start, index >= end - 6 {
            guard bytes[index] == 0x5c else {
                index -= 1
                continue
            }
            var run = index
            while run > start, bytes[run] == 0x5c { run -= 1 }
            let isEscape = (index - run) % 2 == 1
            if isEscape {
                let needs = index + 1 < end && bytes[index + 1] == 0x75 ? 6 : 2
                if index + needs > end { end = index }
            }
            break
        }
        if end - 6 > start, isHighSurrogate(bytes[end - 6..<end]) { end -= 6 }
        var lead = end - 1
        while lead > start, lead > end - 4, bytes[lead] & 0xc0 == 0x80 { lead -= 1 }
        if lead > start, bytes[lead] >= 0xc0 {
            let length = bytes[lead] >= 0xf0 ? 4 : bytes[lead] >= 0xe0 ? 3 : 2
            if lead + length > end { end = lead }
        }
        return Array(bytes.prefix(max(end, start + 1)))
    }

    /// `\uD800` to `\uDBFF`: half a character, which is no text without its other half.
    private static func isHighSurrogate(_ escape: ArraySlice<UInt8>) -> Bool {
        guard let text = String(validating: escape, as: UTF8.self), text.hasPrefix("\\u"), let code = UInt32(text.dropFirst(2), radix: 16) else { return false }
        return (0xD800..<0xDC00).contains(code)
    }

    private struct Scan {
        /// Openers of the containers that are open.
        var stack: [UInt8] = []
        var isInString = false
        var isKey = false
        var stringStart = 0
        /// Everything before this reads as whole members and elements, when `safeStack` is closed.
        var safeEnd = 0
        var safeStack: [UInt8] = []
        private var isEscaped = false
        private var awaitsKey = false

        mutating func take(_ byte: UInt8, at index: Int) {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5c {
                    isEscaped = true
                } else if byte == 0x22 {
                    isInString = false
                    if !isKey { mark(index + 1) }
                }
                return
            }
            switch byte {
            case 0x22: (isInString, isKey, stringStart) = (true, stack.last == 0x7b && awaitsKey, index)
            case 0x7b, 0x5b:
                stack.append(byte)
                awaitsKey = byte == 0x7b
                mark(index + 1)
            case 0x7d, 0x5d:
                if !stack.isEmpty { stack.removeLast() }
                mark(index + 1)
            case 0x3a: awaitsKey = false
            case 0x2c:
                // What stands before the comma is whole.
                mark(index)
                awaitsKey = stack.last == 0x7b
            default: break
            }
        }

        private mutating func mark(_ end: Int) { (safeEnd, safeStack) = (end, stack) }
    }
}
