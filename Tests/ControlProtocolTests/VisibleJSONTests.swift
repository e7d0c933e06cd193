// Goal: JSON that is printed or kept holds the exact value, and nothing that acts on a terminal or hides in it.
// Method: every scalar that could, through the encoder and back through two decoders.

import FoundationEssentials
import JSON
import StreamModel
import Testing

@testable import ControlProtocol

@Suite struct VisibleJSONTests {
    private static func acts(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    @Test func `every control, DEL, bidi and format character is escaped and comes back`() throws {
        let scalars = (UInt32(0)...0x10ffff).compactMap(Unicode.Scalar.init).filter(Self.acts)
        #expect(["\u{7f}", "\u{85}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{ad}", "\u{e0001}", "\u{2028}", "\u{1b}"].allSatisfy(scalars.contains))
        for scalar in scalars {
            let text = "a\(String(Character(scalar)))b"
            let json = try ControlCodec.json([text])
            #expect(!json.unicodeScalars.contains(where: Self.acts), "U+\(String(scalar.value, radix: 16)) in \(json.debugDescription)")
            #expect(try JSONValue.parse(Array(json.utf8), maximumDepth: 4) == .array([.string(text)]))
            #expect(try JSONDecoder().decode([String].self, from: Data(json.utf8)) == [text])
        }
    }

    @Test func `other text stays as it is`() throws {
        let text = "日本語 e\u{301} \u{1F600} ä / \" \\ ~"
        let json = try ControlCodec.json([text: text])
        #expect(json == #"{"日本語 é 😀 ä / \" \\ ~":"日本語 é 😀 ä / \" \\ ~"}"#.replacing("é", with: "e\u{301}"))
        #expect(try JSONDecoder().decode([String: String].self, from: Data(json.utf8)) == [text: text])
    }

    @Test func `keys, frames and reports are escaped too`() throws {
        let name = "x\u{202e}\u{85}\u{7f}\u{2066}y"
        #expect(try ControlCodec.json([name: 1]) == #"{"x\u202e\u0085\u007f\u2066y":1}"#)
        let request = try ControlCodec.encode(.jobs, id: .string(name))
        #expect(request.allSatisfy { (0x20..<0x7f).contains($0) || $0 == 0x0a })
    }
}
