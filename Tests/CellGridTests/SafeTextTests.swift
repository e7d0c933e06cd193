import TestKit
import Testing

@testable import CellGrid

/// What comes out of `SafeText` is checked against a grammar written down here a second time, on hand-picked attacks and on
/// 100,000 generated strings.
@Suite struct SafeTextTests {
    static let attacks: [(String, String)] = [
        ("orders", "orders"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("a\u{1b}]0;title\u{7}b", "ab"),
        ("a\u{1b}]52;c;cGF5bG9hZA==\u{1b}\\b", "ab"),
        ("a\u{1b}Pq payload \u{1b}\\b", "ab"),
        ("a\u{9b}31mb", "ab"),
        ("a\u{9d}0;x\u{9c}b", "ab"),
        ("a\u{1b}(Bb", "ab"),
        ("a\u{1b}cb", "ab"),
        ("a\u{1b}[3\nb", "a\u{fffd}b"),
        ("a\u{1b}]never ended", "a"),
        ("line\nbreak\tand\rbell\u{7}", "line\u{fffd}break\u{fffd}and\u{fffd}bell\u{fffd}"),
        ("del\u{7f}", "del\u{fffd}"),
        ("evil\u{202e}txt.exe", "evil\u{fffd}txt.exe"),
        ("zero\u{200b}width\u{200d}join\u{feff}", "zero\u{fffd}width\u{fffd}join\u{fffd}"),
        ("\u{2028}\u{2029}", "\u{fffd}\u{fffd}"),
        ("tag\u{e0041}", "tag\u{fffd}"),
        ("private\u{e000}\u{f0000}", "private\u{fffd}\u{fffd}"),
        ("non" + [0xffff, 0xfdd0].compactMap(Unicode.Scalar.init).map { String(Character($0)) }.joined(), "non\u{fffd}\u{fffd}"),
        ("soft\u{ad}hyphen", "soft\u{fffd}hyphen"),
        ("hangul\u{3164}filler", "hangul\u{fffd}filler"),
        ("\u{301}first", "\u{fffd}first"),
        ("e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", "e\u{301}\u{302}\u{303}\u{304}"),
        ("heart\u{2764}\u{fe0f}", "heart\u{2764}"),
        ("日本語", "日本語"),
    ]

    @Test(arguments: attacks) func becomes(_ input: String, _ output: String) {
        #expect(SafeText(input).string.unicodeScalars.elementsEqual(output.unicodeScalars))
        #expect(Self.violation(SafeText(input)) == nil)
    }

    @Test func bytesThatAreNotUTF8BecomeMarks() {
        #expect(SafeText(bytes: [0x61, 0xff, 0x62]).string == "a\u{fffd}b")
        // An overlong slash and a lone surrogate.
        #expect(!SafeText(bytes: [0xc0, 0xaf]).string.contains("/"))
        #expect(Self.violation(SafeText(bytes: [0xed, 0xa0, 0x80, 0x1b, 0x5b, 0x6d])) == nil)
    }

    @Test func literalsAndInterpolationsAreMadeSafe() {
        let name = "job\u{1b}[2J\u{202e}"
        let text: SafeText = "name \(name)\u{200b}"
        #expect(text.string == "name job\u{fffd}\u{fffd}")
    }

    @Test func longTextIsTruncated() {
        let text = SafeText(String(repeating: "x", count: 10_000))
        #expect(text.columns == SafeText.scalarsMax + 3)
        #expect(text.string.hasSuffix("..."))
        #expect(SafeText("abcdef", limit: 3).string == "abc...")
    }

    @Test func truncationKeepsWholeCharacters() {
        let text: SafeText = "a日本語e\u{301}x"
        #expect(text.columns == 9)
        #expect(text.prefix(columns: 4).string == "a日")
        #expect(text.prefix(columns: 5, ending: "~").string == "a日~")
        #expect(text.suffix(columns: 2).string == "e\u{301}x")
        #expect(text.suffix(columns: 5, beginning: "..").string == "..e\u{301}x")
        #expect(text.padded(4).string == "a日 ")
        #expect(text.padded(leading: 11).string == "  a日本語e\u{301}x")
        for width in 0...12 { #expect(text.padded(width).columns == width) }
    }

    @Test func hundredThousandHostileStringsStayInTheGrammar() {
        var random = SeededGenerator(seed: 0x5afe)
        for round in 0..<100_000 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...24, using: &random) { scalars.append(random.hostileScalar()) }
            let input = String(scalars)
            let text = SafeText(input, limit: 40)
            if let violation = Self.violation(text) {
                Issue.record("seed 0x5afe, round \(round): \(violation) from \(input.unicodeScalars.map { String($0.value, radix: 16) })")
                return
            }
            #expect(text.columns == TextWidth.columns(of: text.string))
            #expect(SafeText(text.string, limit: 100) == text, "made safe twice is made safe once")
        }
    }

    @Test func hostileBytesStayInTheGrammar() {
        var random = SeededGenerator(seed: 0xb17e)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Self.violation(SafeText(bytes: bytes)) == nil)
        }
    }

    /// What is wrong with a text; nil = it is in the grammar.
    static func violation(_ text: SafeText) -> String? {
        var marks = 0
        var hasBase = false
        for scalar in text.string.unicodeScalars {
            let value = scalar.value
            switch scalar.properties.generalCategory {
            case .control, .format, .privateUse, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator:
                return "U+\(String(value, radix: 16)) is not allowed"
            case .nonspacingMark, .enclosingMark:
                if !hasBase { return "a mark without a base" }
                marks += 1
                if marks > 4 { return "five marks" }
                if (0xfe00...0xfe0f).contains(value) || (0xe0100...0xe01ef).contains(value) || value == 0x34f { return "a selector or joiner" }
            default:
                if [0x115f, 0x3164, 0xffa0].contains(value) { return "a filler" }
                if TextWidth.columns(of: scalar) > 0 { (marks, hasBase) = (0, true) }
            }
        }
        return nil
    }
}

extension SeededGenerator {
    /// Mostly what attacks are made of.
    mutating func hostileScalar() -> Unicode.Scalar {
        let ranges: [ClosedRange<UInt32>] = [
            0x00...0x1f, 0x1b...0x1b, 0x20...0x7e, 0x5b...0x5f, 0x7f...0x9f, 0x300...0x36f, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f,
            0x4e00...0x4e20, 0x1f600...0x1f64f, 0x1f1e6...0x1f1ff, 0xe000...0xe010, 0xe0000...0xe0080, 0xfe00...0xfe0f, 0xfff0...0xffff,
            0x1100...0x11ff, 0x0...0x10ffff,
        ]
        while true {
            let range = ranges[Int.random(in: 0..<ranges.count, using: &self)]
            if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &self)) { return scalar }
        }
    }
}
