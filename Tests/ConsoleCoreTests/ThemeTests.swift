import CellGrid
import FoundationEssentials
import Glibc
import TestKit
import Testing

@testable import ConsoleCore

@Suite struct ThemeTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func files() throws -> [(name: String, text: String)] {
        let folder = root.appendingPathComponent("themes")
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".toml") }.map { String($0.dropLast(5)) }
            .sorted().map { name in
                (name, try String(contentsOf: folder.appendingPathComponent(name + ".toml"), encoding: .utf8))
            }
    }

    /// The compiled-in copies are the files, byte for byte. To refresh them after a change of a file:
    ///     WEIR_RECORD_GOLDENS=1 swift test --filter builtinThemesAreTheFiles
    @Test func builtinThemesAreTheFiles() throws {
        let files = try Self.files()
        if Golden.isRecording {
            let target = Self.root.appendingPathComponent("Sources/ConsoleCore/Themes/BuiltinThemes.swift")
            try Self.source(files).write(to: target, atomically: true, encoding: .utf8)
            return
        }
        #expect(files.map(\.name) == Theme.builtinNames)
        for (name, text) in files { #expect(Theme.builtinSource(name) == text, "\(name) differs from its file") }
    }

    private static func source(_ files: [(name: String, text: String)]) -> String {
        func variable(_ name: String) -> String {
            let words = name.split(separator: "-")
            return (words.prefix(1).map(String.init) + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }).joined() + "Source"
        }
        let quotes = "\"\"\""
        var text = """
            // Made from themes/*.toml, so that a binary without its files has its themes. Do not edit: change the files, then run
            //     WEIR_RECORD_GOLDENS=1 swift test --filter builtinThemesAreTheFiles

            extension Theme {
                /// The names of the themes that are compiled in.
                public static let builtinNames: [String] = [
                    \(files.map { "\"\($0.name)\"," }.joined(separator: "\n        "))
                ]

                /// The text of a theme that is compiled in.
                public static func builtinSource(_ name: String) -> String? {
                    switch name {

            """
        for file in files { text += "        case \"\(file.name)\": \(variable(file.name))\n" }
        text += "        default: nil\n        }\n    }\n}\n"
        // Indented as the formatter leaves it.
        for file in files {
            let lines = "\(file.text)\n\(quotes)#".split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "    \($0)" }
            text += "\nprivate let \(variable(file.name)) = #\(quotes)\n\(lines.joined(separator: "\n"))\n"
        }
        return text
    }

    @Test(arguments: Theme.builtinNames) func shippedThemesLoad(_ name: String) throws {
        let source = try #require(Theme.builtinSource(name))
        let theme = try Theme.parse(bytes: Array(source.utf8), name: name + ".toml")
        #expect(theme.name == name)
        #expect(theme.warnings.isEmpty)
        for depth in ColorDepth.allCases {
            let sheet = theme.styleSheet(depth: depth)
            for role in StyleRole.allCases {
                for color in [sheet[role].foreground, sheet[role].background] {
                    switch (depth, color) {
                    case (.none, .default), (_, .default), (.colors16, .index16), (.colors256, .index16), (.colors256, .index256), (.direct, _): break
                    case (.colors8, .index16(let index)): #expect(index < 8)
                    default: Issue.record("\(name) gives \(color) to \(role.name) at depth \(depth)")
                    }
                }
            }
        }
    }

    @Test(arguments: Theme.builtinNames) func severitiesCanBeToldApartWithoutColour(_ name: String) throws {
        let theme = try #require(Theme.builtin(name))
        for family in ["severity.", "ckpt.", "link."] {
            let marks = StyleRole.allCases.filter { $0.name.hasPrefix(family) }.map(theme.mark)
            #expect(Set(marks).count == marks.count && !marks.contains(.empty))
        }
        // The selected row and production stand out in monochrome.
        let mono = theme.styleSheet(depth: .none)
        #expect(mono[.select] != mono[.text] && mono[.envProd] != mono[.envLab])
    }

    @Test(arguments: Theme.builtinNames) func selectedAndDangerousTextIsReadable(_ name: String) throws {
        let theme = try #require(Theme.builtin(name))
        for depth in ColorDepth.allCases {
            for role in StyleRole.allCases {
                let style = theme.styleSheet(depth: depth)[role]
                #expect(style.foreground == .default || style.foreground != style.background, "\(role.name) is invisible at depth \(depth)")
            }
        }
    }

    /// The check that `weir themes check` makes: contrast, eyes, marks, colours of small terminals. Its thresholds are met by all.
    @Test(arguments: Theme.builtinNames) func shippedThemesPassTheirCheck(_ name: String) throws {
        let theme = try #require(Theme.builtin(name)), source = try #require(Theme.builtinSource(name))
        let report = theme.check(source: source, file: name)
        #expect(report.findings == [], "\(report.text)")
        // Where the colours are the theme's own there is something to measure.
        #expect((report.leastContrast == nil) == ["base", "base16", "solarized-16"].contains(name))
    }

    @Test func twelveThemesShipAndTheirBackgroundsAreTheTerminals() throws {
        #expect(Theme.builtinNames.count == 12)
        for name in Theme.builtinNames {
            let theme = try #require(Theme.builtin(name))
            for depth in ColorDepth.allCases { #expect(theme.styleSheet(depth: depth)[.text].background == .default, "\(name) paints the background") }
        }
    }

    @Test func themesAreMadeForTheEyesThatTheirNamesTell() throws {
        #expect(try #require(Theme.builtin("deuteranopia-light")).madeFor == [.deuteranopia, .protanopia])
        #expect(try #require(Theme.builtin("tritanopia-dark")).madeFor == [.tritanopia])
        #expect(try #require(Theme.builtin("slate")).madeFor == [])
    }

    @Test func lighterThemesRepaintWhatTheyInherit() throws {
        let light = try #require(Theme.builtin("slate-light"))
        let dark = try #require(Theme.builtin("slate"))
        #expect(light.styleSheet(depth: .colors256)[.severityOK].foreground == .index256(22))
        #expect(dark.styleSheet(depth: .colors256)[.severityOK].foreground == .index256(150))
        #expect(light.variant == .light)
    }

    static let bad: [(String, String)] = [
        ("schema = 1\nname = \"x\"\ncolour = 3\n", "x.toml:3: unknown key \"colour\""),
        ("schema = 1\nvision = [\"normal\"]\n", "x.toml:2: vision must be a list of \"protanopia\""),
        ("schema = 1\nvision = \"tritanopia\"\n", "x.toml:2: vision must be a list of"),
        ("schema = 1\n[roles]\n\"text\" = { fg = \"pinkish\" }\n", "x.toml:3: fg of \"text\" must be a colour"),
        ("schema = 1\n[roles]\n\"text\" = { colour = \"red\" }\n", "x.toml:3: unknown key \"colour\" in \"text\""),
        ("schema = 1\n[roles]\n\"text\" = { attr = [\"shiny\"] }\n", "x.toml:3: unknown attribute in \"text\""),
        ("schema = 1\n[roles]\n\"text\" = { attr = \"bold\" }\n", "x.toml:3: attr of \"text\" must be a list"),
        ("schema = 1\n[roles]\n\"text\" = \"red\"\n", "x.toml:3: \"text\" must be a table"),
        ("schema = 1\n[roles]\n\"severity.ok\" = { mark = \"good\" }\n", "x.toml:3: mark of \"severity.ok\" must be at most 2 ASCII"),
        ("schema = 1\n[roles]\n\"severity.ok\" = { mark = \"\\u001b[\" }\n", "x.toml:3: mark of \"severity.ok\" must be at most 2 ASCII"),
        ("schema = 1\n[roles]\n\"severity.ok\" = { mark = \"!!\" }\n", "have the same mark"),
        ("schema = 1\n[roles]\n\"text\" = { bg = \"red\" }\n", "x.toml:3: \"text\" has a background"),
        ("schema = 1\n[palette]\nink = \"blue\"\n", "x.toml:3: colour \"ink\" must be"),
        ("schema = 1\n[palette]\nink = { rgb = \"#12345\" }\n", "x.toml:3: rgb of \"ink\" must be"),
        ("schema = 1\n[palette]\nink = { x256 = 256 }\n", "x.toml:3: x256 of \"ink\" must be"),
        ("schema = 1\n[palette]\nink = { x16 = \"pink\" }\n", "x.toml:3: x16 of \"ink\" must be"),
        ("schema = 1\n[palette]\nink = { x24 = 1 }\n", "x.toml:3: unknown key \"x24\""),
        ("schema = 1\n[palette]\nred = \"#ff0000\"\n", "x.toml:3: \"red\" is the name of a terminal colour"),
        ("schema = 1\n[palette]\nink = { }\n", "x.toml:3: colour \"ink\" says nothing"),
        ("schema = 1\n[glyphs]\nprofile = \"emoji\"\n", "x.toml:3: profile must be"),
        ("schema = 1\n[glyphs]\nfont = \"x\"\n", "x.toml:3: unknown key \"font\""),
        ("schema = 1\nroles = 3\n", "x.toml:2: roles must be a table"),
        ("schema = 1\nvariant = \"sepia\"\n", "x.toml:2: variant must be"),
        ("schema = 2\n", "x.toml:1: is of schema 2"),
        ("name = \"x\"\n", "x.toml: says no schema"),
        ("schema = 1\ninherits = 7\n", "x.toml:2: inherits must be"),
        ("schema = 1\ninherits = \"nowhere\"\n", "x.toml:2: inherits \"nowhere\", which is not a theme; known: base"),
        ("schema = 1\n\n= broken\n", "x.toml:3: is not TOML"),
        ("schema = 1\nname = \"never ends\n", "x.toml:2: is not TOML"),
        ("schema = 1\nname = \"a\0b\"\n", "x.toml:2: contains a NUL"),
    ]

    @Test(arguments: bad) func invalidThemesAreRejectedWithTheirLine(_ text: String, _ problem: String) {
        do {
            let theme = try Theme.parse(bytes: Array(text.utf8), name: "x.toml")
            Issue.record("\(theme.name) was taken")
        } catch {
            #expect(error.description.contains(problem), "\(error)")
        }
    }

    /// A theme for a later version may have roles that this one does not know.
    @Test func unknownRolesAreWarningsWithTheirLine() throws {
        let text = "schema = 1\n\n[roles]\n\"text\" = { }\n\"severity.worst\" = { fg = \"red\" }\n[env]\nproduction = { }\n"
        let theme = try Theme.parse(toml: text, name: "x.toml")
        #expect(theme.warnings.count == 2)
        #expect(theme.warnings[0].hasPrefix("x.toml:5: unknown role \"severity.worst\"; known: severity.ok"))
        #expect(theme.warnings[1].hasPrefix("x.toml:7: unknown class \"production\""))
        let report = theme.check(source: text, file: "x.toml")
        #expect(report.isGood && report.findings.map(\.rule) == [.note, .note])
    }

    @Test func bytesThatAreNotUTF8AreNamed() {
        var bytes = Array("schema = 1\nname = \"".utf8)
        bytes += [0xff, 0x22]
        #expect(throws: ThemeError(file: "x.toml", line: 2, problem: "is not UTF-8 (byte 19); save it as UTF-8")) {
            _ = try Theme.parse(bytes: bytes, name: "x.toml")
        }
        #expect(throws: ThemeError.self) { _ = try Theme.parse(bytes: [UInt8](repeating: 0x20, count: Theme.bytesMax + 1), name: "x.toml") }
    }

    @Test func inheritingInACircleIsAnError() {
        let texts = ["a": "schema = 1\ninherits = \"b\"\n", "b": "schema = 1\n\ninherits = \"a\"\n"]
        #expect(throws: ThemeError(file: "b", line: 3, problem: "themes inherit in a circle: a > b > a")) {
            _ = try Theme.parse(toml: texts["a"] ?? "", name: "a") { texts[$0] }
        }
        #expect(throws: ThemeError.self) {
            _ = try Theme.parse(toml: "schema = 1\ninherits = \"self\"\n", name: "self") { _ in "schema = 1\ninherits = \"self\"\n" }
        }
    }

    @Test func solidBackgroundsAreAllowedWithAWarning() throws {
        let theme = try Theme.parse(toml: "schema = 1\nsolid = true\n[roles]\ntext = { bg = \"blue\" }\n", name: "x")
        #expect(theme.warnings.count == 1)
        #expect(theme.styleSheet(depth: .colors16)[.text].background == .index16(4))
        #expect(theme.styleSheet(depth: .none)[.text].attributes.contains(.reverse))
    }

    @Test func coloursAreComputedForSmallerTerminals() throws {
        let theme = try Theme.parse(
            toml:
                "schema = 1\n[palette]\nhot = \"#ff0000\"\nlow = { x16 = \"bright-red\" }\n[roles]\ntext = { fg = \"hot\" }\nmark = { fg = \"low\" }\n",
            name: "x")
        #expect(theme.styleSheet(depth: .direct)[.text].foreground == .rgb(red: 255, green: 0, blue: 0))
        #expect(theme.styleSheet(depth: .colors256)[.text].foreground == .index256(196))
        #expect(theme.styleSheet(depth: .colors16)[.text].foreground == .index16(9))
        #expect(theme.styleSheet(depth: .colors8)[.text] == Style(foreground: .index16(1), attributes: .bold))
        #expect(theme.styleSheet(depth: .none)[.text] == Style())
        #expect(theme.styleSheet(depth: .colors8)[.mark].attributes.contains(.bold))
        // Terminals with direct colour have no sixteen; the first eight they know.
        #expect(theme.styleSheet(depth: .direct)[.mark] == Style(foreground: .index16(1), attributes: .bold))
    }

    /// What a colour said and cannot say any more, an attribute says.
    @Test func withoutItsColoursARoleHasTheAttributesOfBase() throws {
        let slate = try #require(Theme.builtin("slate"))
        #expect(slate.styleSheet(depth: .colors256)[.textDim].attributes == [])
        for depth in [ColorDepth.colors16, .colors8, .none] { #expect(slate.styleSheet(depth: depth)[.textDim].attributes == .dim, "\(depth)") }
        #expect(slate.styleSheet(depth: .none)[.severityUnknown].attributes == .dim)
    }

    @Test func everyPrefixOfAThemeIsTakenOrRefusedWithoutATrap() throws {
        let bytes = Array(try #require(Theme.builtinSource("slate")).utf8)
        for count in stride(from: 0, to: bytes.count, by: 7) { _ = try? Theme.parse(bytes: Array(bytes.prefix(count)), name: "x") }
        var random = SeededGenerator(seed: 0x7e3e)
        for _ in 0..<400 {
            var flipped = bytes
            flipped[Int.random(in: 0..<flipped.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = try? Theme.parse(bytes: flipped, name: "x")
        }
    }
}

@Suite struct ThemeCheckTests {
    private func report(_ text: String) throws -> ThemeReport { try Theme.parse(toml: text, name: "x").check(source: text, file: "x.toml") }

    /// Reference values: black on white is 21, and #777777 on white 4.48 by WCAG 2; #ff0000 and #00ff00 are 170.6 apart in CIELAB.
    @Test func contrastAndDistanceAreThoseOfTheirDefinitions() throws {
        func color(_ text: String) throws -> LinearColor { LinearColor(try #require(ThemeColor.RGB(text))) }
        #expect(abs(try color("#000000").contrast(to: try color("#ffffff")) - 21) < 0.001)
        #expect(abs(try color("#777777").contrast(to: try color("#ffffff")) - 4.478) < 0.001)
        let red = try color("#ff0000"), green = try color("#00ff00")
        #expect(abs(red.distance(to: green) - 170.6) < 0.3)
        #expect(red.distance(to: red) == 0)
        // Eyes without one kind of cone see less of a difference, each in its own pair; greys stay greys to all.
        #expect(ColorVision.deuteranopia.seen(red).distance(to: ColorVision.deuteranopia.seen(green)) < 120)
        let blue = try color("#0000ff"), teal = try color("#008080")
        #expect(ColorVision.tritanopia.seen(blue).distance(to: ColorVision.tritanopia.seen(teal)) < blue.distance(to: teal) / 2)
        let grey = try color("#808080")
        for vision in ColorVision.allCases { #expect(vision.seen(grey).distance(to: grey) < 1, "\(vision)") }
    }

    @Test func faintTextIsFoundWithItsLine() throws {
        let report = try report("schema = 1\nvariant = \"dark\"\n[palette]\nink = \"#555555\"\n[roles]\ntext = { fg = \"ink\" }\n")
        #expect(!report.isGood)
        let finding = try #require(report.findings.first)
        #expect(finding.rule == .contrast && finding.line == 6 && finding.text.hasPrefix("text: #555555 on #282c34 has a contrast of 1.8"))
        #expect(report.leastContrast?.role == .text)
        #expect(report.text.contains("FAILED") && report.text.contains("  x.toml:6: text: "))
    }

    /// The colour of a palette that an heir repaints is to blame where the role is inherited.
    @Test func inheritedRolesPointAtTheColour() throws {
        let report = try report("schema = 1\nvariant = \"dark\"\ninherits = \"slate\"\n[palette]\ngood = \"#203020\"\n")
        #expect(report.findings.contains { $0.rule == .contrast && $0.line == 5 && $0.text.hasPrefix("severity.ok") })
    }

    @Test func redAndGreenAloneAreFound() throws {
        let text =
            "schema = 1\nvariant = \"dark\"\n[roles]\n\"link.ok\" = { fg = \"#90c050\" }\n\"link.slow\" = { fg = \"#ffffff\" }\n\"link.down\" = { fg = \"#d8a068\" }\n"
        let found = try report(text).findings.filter { $0.rule == .distance }
        #expect(found.contains { $0.line == 6 && $0.text.contains("link.ok and link.down look alike with ") })
        #expect(!found.contains { $0.text.contains("look alike: ") }, "other eyes tell them apart")
    }

    /// A theme that says whom it is for is held to more.
    @Test func aThemeForADeficiencyIsCheckedMoreStrictly() throws {
        let roles =
            "[palette]\npale = { rgb = \"#8fc8ff\", x256 = 117, x16 = \"bright-white\" }\n[roles]\n\"link.ok\" = { fg = \"#5fafff\" }\n\"link.slow\" = { fg = \"pale\" }\n\"link.down\" = { fg = \"#ff8700\" }\n"
        let lenient = try report("schema = 1\nvariant = \"dark\"\n" + roles)
        #expect(lenient.isGood, "\(lenient.text)")
        let strict = try report("schema = 1\nvariant = \"dark\"\nvision = [\"deuteranopia\"]\n" + roles)
        #expect(strict.findings.allSatisfy { $0.text.contains("with deuteranopia") } && !strict.isGood, "\(strict.text)")
    }

    @Test func colorsThatAreTheBackgroundOfSomeTerminalsAreFound() throws {
        let found = try report("schema = 1\n[roles]\ntext = { fg = \"bright-black\" }\n\"select\" = { fg = \"white\", bg = \"yellow\" }\n").findings
        #expect(found.contains { $0.rule == .terminal && $0.line == 3 && $0.text.contains("text is bright-black") })
        #expect(found.contains { $0.rule == .terminal && $0.line == 4 && $0.text.contains("white on yellow") })
    }

    @Test func whatNothingTellsApartWithoutColourIsFound() throws {
        let found = try report("schema = 1\n[roles]\n\"select\" = { fg = \"cyan\", attr = [] }\n\"dialog.danger\" = { attr = [] }\n").findings
        #expect(found.contains { $0.rule == .mono && $0.line == 4 && $0.text.contains("dialog.danger and dialog look the same") })
        // `select` has lost its colour, and base speaks for it.
        #expect(!found.contains { $0.text.contains("select and text") })
    }
}
