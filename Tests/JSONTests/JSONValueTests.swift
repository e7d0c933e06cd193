// Goal: the parser takes exactly JSON, names the offset of what is not, and never traps.
// Method: tables of good and bad texts, every prefix and every flipped bit of a rich text, and FoundationEssentials' decoder as
// the second opinion.

import FoundationEssentials
@testable import JSON
import Testing

private func parse(_ text: String, depth: Int = 32) throws(JSONSyntaxError) -> JSONValue {
    try JSONValue.parse(Array(text.utf8), maximumDepth: depth)
}

@Suite struct JSONValueTests {
    static let good: [(String, JSONValue)] = [
        ("null", .null), (" true ", .bool(true)), ("false\t", .bool(false)), ("0", .integer(0)), ("-0", .integer(0)), ("-17", .integer(-17)),
        ("9223372036854775807", .integer(.max)), ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.5", .number(1.5)),
        ("2e3", .number(2000)), ("-2.5E-1", .number(-0.25)), ("\"\"", .string("")), (#""a\"\\\/\b\f\n\r\t""#, .string("a\"\\/\u{8}\u{c}\n\r\t")),
        (#""\u00e4\uD83D\uDE00""#, .string("\u{e4}\u{1F600}")), ("[]", .array([])), ("[1 , [ ] ]", .array([.integer(1), .array([])])),
        ("{}", .object([:])), (#"{ "a" : {"b":null} }"#, .object(["a": .object(["b": .null])])), (#"{"a":1,"a":2}"#, .object(["a": .integer(2)])),
    ]

    @Test(arguments: good) func takes(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    static let bad: [(String, JSONSyntaxError.Problem, Int)] = [
        ("", .unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("nul", .unexpectedEnd, 3), ("nulL", .unexpectedByte, 3), ("01", .invalidNumber, 0),
        ("-", .invalidNumber, 0), ("1.", .invalidNumber, 0), ("1e", .invalidNumber, 0), ("1e999", .invalidNumber, 0), (".5", .unexpectedByte, 0),
        ("+1", .unexpectedByte, 0), ("\"a", .unexpectedEnd, 2), ("\"\\x\"", .invalidEscape, 2), ("\"\\ud800\"", .invalidEscape, 7),
        ("\"\\udc00\"", .invalidEscape, 7), ("\"\\u12g4\"", .invalidEscape, 5), ("\"\t\"", .controlCharacter, 1), ("[1,]", .unexpectedByte, 3),
        ("[1 2]", .unexpectedByte, 3), ("{a:1}", .unexpectedByte, 1), ("{\"a\" 1}", .unexpectedByte, 5), ("{\"a\":1,}", .unexpectedByte, 7),
        ("{} x", .trailingBytes, 3), ("'a'", .unexpectedByte, 0), ("NaN", .unexpectedByte, 0),
    ]

    @Test(arguments: bad) func refuses(text: String, problem: JSONSyntaxError.Problem, offset: Int) {
        let error = #expect(throws: JSONSyntaxError.self) { try parse(text) }
        #expect(error == JSONSyntaxError(problem: problem, offset: offset), "\(text)")
    }

    @Test func refusesBytesThatAreNotUTF8() {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONValue.parse([0x22, 0xC3, 0x28, 0x22], maximumDepth: 4) }
        #expect(error?.problem == .invalidUTF8)
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        _ = try parse(nested(32))
        let error = #expect(throws: JSONSyntaxError.self) { try parse(nested(33)) }
        #expect(error?.problem == .tooDeep)
        // No recursion beyond the bound, however long the text.
        #expect(throws: JSONSyntaxError.self) { try parse(String(repeating: "[{\"a\":", count: 100_000)) }
    }

    static let rich = #"{"id":-12,"m":["\u00e4\n",true,null,1.25e2,{}],"z":{"k":"v/w","q":[[],[1]]}}"#

    @Test func everyPrefixIsRefused() {
        let bytes = Array(Self.rich.utf8)
        for end in 0..<bytes.count {
            #expect(throws: JSONSyntaxError.self, "prefix of \(end)") { try JSONValue.parse(Array(bytes[..<end]), maximumDepth: 32) }
        }
    }

    @Test func everyFlippedBitAgreesWithFoundation() {
        let bytes = Array(Self.rich.utf8)
        for bit in 0..<(bytes.count * 8) {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            let ours = (try? JSONValue.parse(flipped, maximumDepth: 32)) != nil
            let theirs = (try? JSONDecoder().decode(AnyJSON.self, from: Data(flipped))) != nil
            // We may be the stricter one (raw control characters), never the laxer one.
            #expect(!ours || theirs, "bit \(bit): \(String(decoding: flipped, as: UTF8.self))")
        }
    }
}

/// Takes any JSON value, for the comparison.
private struct AnyJSON: Decodable {
    init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: AnyKey.self) {
            for key in container.allKeys { _ = try container.decode(AnyJSON.self, forKey: key) }
        } else if var container = try? decoder.unkeyedContainer() {
            while !container.isAtEnd { _ = try container.decode(AnyJSON.self) }
        }
    }
    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
