// Goal: what the environment says about a terminal is read as documented. Method: tables; the environment is a dictionary.

import CellGrid
import Testing

@testable import CursesTerminal

@Suite struct TerminalTraitsTests {
    func traits(_ environment: [String: String]) -> TerminalTraits { TerminalTraits { environment[$0] } }

    @Test func `an unset or empty TERM is refused with a hint`() {
        for environment in [[:], ["TERM": ""]] as [[String: String]] {
            let error = #expect(throws: TerminalError.typeUnset) { try traits(environment).candidates() }
            #expect(error?.description.contains("weir status") == true)
        }
    }

    @Test(arguments: ["dumb", "unknown"]) func `a terminal without cursor addressing is refused`(name: String) {
        #expect(throws: TerminalError.typeTooSimple(name)) { try traits(["TERM": name]).candidates() }
    }

    @Test func `a terminal missing from the database has two fallback types`() throws {
        #expect(try traits(["TERM": "foot-extra"]).candidates() == ["foot-extra", "xterm-256color", "vt100"])
    }

    @Test(
        arguments: [
            (nil, 8, false, ColorDepth.colors8), (nil, 16, false, .colors16), (nil, 256, false, .colors256), (nil, 0, false, .none),
            (nil, -1, false, .none), (nil, 88, false, .colors16), (nil, 0x1000000, true, .direct), (ColorDepth.colors16, 256, false, .colors16),
            (ColorDepth.none, 256, false, .none), (ColorDepth.direct, 256, false, .colors256), (ColorDepth.colors256, 8, false, .colors8),
        ] as [(ColorDepth?, Int, Bool, ColorDepth)])
    func `the depth is the requested one, limited by the terminal`(asked: ColorDepth?, colors: Int, isDirect: Bool, expected: ColorDepth) {
        #expect(traits(["TERM": "x"]).depth(asked: asked, colors: colors, isDirect: isDirect) == expected)
    }

    @Test func `NO_COLOR counts when it is not empty, and a flag is stronger`() {
        #expect(traits(["NO_COLOR": "1"]).depth(asked: nil, colors: 256, isDirect: false) == .none)
        #expect(traits(["NO_COLOR": ""]).depth(asked: nil, colors: 256, isDirect: false) == .colors256)
        #expect(traits(["NO_COLOR": "1"]).depth(asked: .colors16, colors: 256, isDirect: false) == .colors16)
    }

    @Test func `Esc waits longer over SSH, and ESCDELAY wins`() {
        #expect(traits([:]).escapeDelay == 25)
        #expect(traits(["SSH_TTY": "/dev/pts/1"]).escapeDelay == 80)
        #expect(traits(["ESCDELAY": "300"]).hasOwnEscapeDelay)
        #expect(!traits(["ESCDELAY": "soon"]).hasOwnEscapeDelay)
    }

    @Test(arguments: [
        ("xterm-256color", true, false, GlyphProfile.braille), ("xterm-256color", false, false, .ascii), ("xterm-256color", true, true, .ascii),
        ("linux", true, false, .block), ("linux-16color", true, false, .block), ("vt100", true, false, .ascii),
    ])
    func `glyphs follow the character set and the terminal`(term: String, isUTF8: Bool, asksForASCII: Bool, expected: GlyphProfile) {
        #expect(TerminalTraits.glyphs(term: term, isUTF8: isUTF8, asksForASCII: asksForASCII) == expected)
    }

    @Test func `a hostile TERM does not reach the terminal through the message`() {
        let message = TerminalError.typeUnknown("\u{1b}[2Jx\u{202e}").description
        #expect(message.unicodeScalars.allSatisfy { (32...126).contains($0.value) })
    }
}

@Suite struct ClipboardSequenceTests {
    /// RFC 4648, section 10.
    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")])
    func `base64 follows the standard`(text: String, expected: String) {
        #expect(String(decoding: ClipboardSequence.base64(Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test func `no byte of the text reaches the terminal unencoded`() throws {
        let bytes = try #require(ClipboardSequence.bytes(for: "\u{1b}]0;evil\u{07}\u{9b}31m", isTmux: false))
        #expect(bytes.starts(with: Array("\u{1b}]52;c;".utf8)) && bytes.last == 0x07)
        #expect(bytes.dropFirst(7).dropLast().allSatisfy { (0x2b...0x7a).contains($0) })
    }

    @Test func `inside tmux the sequence comes plain and wrapped`() throws {
        let bytes = try #require(ClipboardSequence.bytes(for: "hi", isTmux: true))
        #expect(String(decoding: bytes, as: UTF8.self) == "\u{1b}]52;c;aGk=\u{07}\u{1b}Ptmux;\u{1b}\u{1b}]52;c;aGk=\u{07}\u{1b}\\")
    }

    @Test func `text beyond the limit is not sent`() {
        #expect(ClipboardSequence.bytes(for: String(repeating: "x", count: 55_000), isTmux: false) != nil)
        #expect(ClipboardSequence.bytes(for: String(repeating: "x", count: 56_000), isTmux: false) == nil)
    }
}

@Suite struct NotificationSequenceTests {
    private func text(_ text: String, isTmux: Bool = false, isUTF8: Bool = true) -> String {
        String(decoding: NotificationSequence.bytes(for: text, isTmux: isTmux, isUTF8: isUTF8), as: UTF8.self)
    }

    @Test func `the text is framed, and passed through tmux`() {
        #expect(text("orders: FAILED") == "\u{1b}]9;weir: orders: FAILED\u{07}")
        #expect(text("hi", isTmux: true) == "\u{1b}Ptmux;\u{1b}\u{1b}]9;weir: hi\u{07}\u{1b}\\")
    }

    @Test(arguments: [
        "a\u{07}b", "a\u{1b}\\b", "a\u{9c}b", "a\u{9b}31mb", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b", "a\u{e000}b", "a\u{7f}b", "4;1;50",
    ])
    func `nothing in the text ends the sequence or begins another`(_ hostile: String) {
        for isUTF8 in [true, false] {
            let bytes = NotificationSequence.bytes(for: hostile, isTmux: false, isUTF8: isUTF8)
            #expect(bytes.first == 0x1b && bytes.last == 0x07 && bytes.starts(with: Array("\u{1b}]9;weir: ".utf8)))
            let inside = String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self).unicodeScalars
            #expect(inside.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) && $0.properties.generalCategory != .format }, "\(inside)")
            #expect(String(decoding: bytes, as: UTF8.self).contains("?") || hostile == "4;1;50" || hostile.contains("\\"))
        }
    }

    @Test func `non-ASCII letters stay if the terminal can show them`() {
        #expect(text("Größe 日本") == "\u{1b}]9;weir: Größe 日本\u{07}")
        #expect(text("Größe", isUTF8: false) == "\u{1b}]9;weir: Gr??e\u{07}")
    }

    @Test func `a long text is truncated`() {
        #expect(NotificationSequence.bytes(for: String(repeating: "x", count: 10_000), isTmux: false, isUTF8: true).count < 300)
    }
}
