/// A parsed JSON text. Pure: bytes in, value or a syntax error with its offset out; never exceeds the given depth.
///
/// Requests are read through this tree, not through `Decodable`, so that errors name a field exactly and depth is bounded before anything is
/// built.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// The last of duplicate keys counts.
    case object([String: JSONValue])

    /// Type of the value, for messages.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// Parses one whole JSON text (RFC 8259), with optional white space around it.
    public static func parse(_ bytes: [UInt8], maximumDepth: Int) throws(JSONSyntaxError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth)
        return try parser.parseText()
    }
}

/// Syntax error with its position (byte offset from the start of the frame).
public struct JSONSyntaxError: Error, Equatable, Sendable {
    public enum Problem: String, Sendable {
        case unexpectedEnd = "ends too early"
        case unexpectedByte = "has an unexpected byte"
        case invalidNumber = "has a malformed number"
        case invalidEscape = "has a malformed escape"
        case controlCharacter = "has a raw control character in a string"
        case invalidUTF8 = "is not UTF-8"
        case trailingBytes = "has bytes after its end"
        case tooDeep = "nests too deep"
    }
    public var problem: Problem
    public var offset: Int
}

/// A recursive-descent parser with recursion bounded by `maximumDepth`.
private struct JSONParser {
    let bytes: [UInt8]
    let maximumDepth: Int
    var position = 0
    var depth = 0

    init(bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func parseText() throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        let value = try parseValue()
        skipSpace()
        guard position == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private func error(_ problem: JSONSyntaxError.Problem) -> JSONSyntaxError { JSONSyntaxError(problem: problem, offset: position) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private func peek() throws(JSONSyntaxError) -> UInt8 {
        guard position < bytes.count else { throw error(.unexpectedEnd) }
        return bytes[position]
    }

    private mutating func parseValue() throws(JSONSyntaxError) -> JSONValue {
        switch try peek() {
        case UInt8(ascii: "{"): return try parseObject()
        case UInt8(ascii: "["): return try parseArray()
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "-"), 0x30...0x39: return try parseNumber()
        default: throw error(.unexpectedByte)
        }
    }

    private mutating func parseWord(_ word: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        for byte in word.utf8 {
            guard try peek() == byte else { throw error(.unexpectedByte) }
            position += 1
        }
        return value
    }

    private mutating func enter() throws(JSONSyntaxError) {
        guard depth < maximumDepth else { throw error(.tooDeep) }
        depth += 1
        position += 1
        skipSpace()
    }

    private mutating func parseArray() throws(JSONSyntaxError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        if try peek() == UInt8(ascii: "]") { return leave(.array(elements)) }
        while true {
            elements.append(try parseValue())
            skipSpace()
            if try peek() == UInt8(ascii: "]") { return leave(.array(elements)) }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func parseObject() throws(JSONSyntaxError) -> JSONValue {
        try enter()
        var members: [String: JSONValue] = [:]
        if try peek() == UInt8(ascii: "}") { return leave(.object(members)) }
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw error(.unexpectedByte) }
            let key = try parseString()
            skipSpace()
            try expect(UInt8(ascii: ":"))
            members[key] = try parseValue()
            skipSpace()
            if try peek() == UInt8(ascii: "}") { return leave(.object(members)) }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func leave(_ value: JSONValue) -> JSONValue {
        position += 1
        depth -= 1
        return value
    }

    private mutating func expect(_ byte: UInt8) throws(JSONSyntaxError) {
        guard try peek() == byte else { throw error(.unexpectedByte) }
        position += 1
        skipSpace()
    }

    private mutating func parseString() throws(JSONSyntaxError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw JSONSyntaxError(problem: .invalidUTF8, offset: start)
                }
                return string
            case UInt8(ascii: "\\"):
                position += 1
                text.append(contentsOf: try parseEscape())
            case 0..<0x20: throw error(.controlCharacter)
            default:
                text.append(byte)
                position += 1
            }
        }
    }

    private mutating func parseEscape() throws(JSONSyntaxError) -> [UInt8] {
        let byte = try peek()
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"): return Array(String(Character(try parseScalar())).utf8)
        default:
            position -= 1
            throw error(.invalidEscape)
        }
    }

    /// Parses one scalar after `\u`, combining a surrogate pair; half a pair is an error.
    private mutating func parseScalar() throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try parseHexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first) else { throw error(.invalidEscape) }
        guard try peek() == UInt8(ascii: "\\") else { throw error(.invalidEscape) }
        position += 1
        guard try peek() == UInt8(ascii: "u") else { throw error(.invalidEscape) }
        position += 1
        let second = try parseHexadecimal()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw error(.invalidEscape) }
        return scalar
    }

    private mutating func parseHexadecimal() throws(JSONSyntaxError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = try peek()
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { throw error(.invalidEscape) }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private mutating func parseNumber() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        let failure = JSONSyntaxError(problem: .invalidNumber, offset: start)
        var isInteger = true
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let wholeDigits = skipDigits()
        guard wholeDigits > 0 else { throw failure }
        if wholeDigits > 1, bytes[position - wholeDigits] == UInt8(ascii: "0") { throw failure }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard skipDigits() > 0 else { throw failure }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            position += 1
            if position < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[position]) { position += 1 }
            guard skipDigits() > 0 else { throw failure }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw failure }
        return .number(value)
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        return position - start
    }
}
