import Testing

@testable import CellGrid

@Suite struct KeyPressTests {
    @Test(arguments: ["S", "s", "ctrl-l", "f5", "f12", "space", "up", "pgdn", "esc", "enter", "backspace", "backtab", "?", "[", "é", "日"])
    func printsWhatItParses(_ text: String) throws {
        #expect(try #require(KeyPress(text)).description == text)
    }

    @Test(arguments: ["", "ctrl-", "ctrl-L", "ctrl-é", "f0", "f64", "f05", "nothing", "\u{1b}", "\u{7f}", "\u{9b}", " "])
    func refuses(_ text: String) { #expect(KeyPress(text) == nil) }

    @Test func namedKeysAreNotCharacters() {
        #expect(KeyPress("tab") == .named(.tab))
        #expect(KeyPress("space") == .character(" "))
        for named in KeyPress.Named.allCases { #expect(KeyPress(named.rawValue) == .named(named)) }
    }
}

@Suite struct StyleTests {
    @Test func everyRoleHasItsOwnName() {
        #expect(Set(StyleRole.allCases.map(\.name)).count == StyleRole.allCases.count)
        for (index, role) in StyleRole.allCases.enumerated() {
            #expect(role.index == index)
            #expect(StyleRole(name: role.name) == role)
            #expect(StyleID(role).role == role)
            #expect(StyleID(.text, under: role).overlay == role)
        }
        #expect(StyleRole(name: "text.unknown") == nil)
    }

    @Test func overlayAddsAttributesAndWinsColours() {
        let sheet = StyleSheet { role in
            switch role {
            case .select: Style(background: .index16(4), attributes: .reverse)
            case .severityCrit: Style(foreground: .index16(1), attributes: .bold)
            default: Style()
            }
        }
        #expect(
            sheet[StyleID(.severityCrit, under: .select)] == Style(foreground: .index16(1), background: .index16(4), attributes: [.bold, .reverse]))
    }

    @Test(arguments: GlyphProfile.allCases) func everyGlyphIsOneColumn(_ profile: GlyphProfile) {
        var glyphs = GlyphProfile.Line.allCases.map(profile.line) + [profile.bar.full, profile.bar.empty]
        for left in -1...(profile.sparkLevels + 1) { glyphs.append(profile.spark(left, left)) }
        glyphs.append(profile.spark(nil, 3))
        for glyph in glyphs {
            #expect(TextWidth.columns(of: glyph) == 1)
            if profile == .ascii { #expect(glyph.isASCII) }
        }
    }
}
