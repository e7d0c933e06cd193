// Goal: what a screen says does not depend on the colours of the terminal. Method: every screen at every size, painted through themes for 256
// colours and for none; the styles of the roles stand in one file, so that another colour changes that file and no golden screen.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct ColorDepthTests {
    static let sizes = GoldenScreenTests.sizes.prefix(4)
    static let severities: Set<StyleRole> = [
        .severityOK, .severityRun, .severityWarn, .severityCrit, .severityUnknown, .checkpointOK, .checkpointRun, .checkpointFailed, .checkpointSavepoint,
        .checkpointGone, .linkOK, .linkSlow, .linkStale, .linkDown,
    ]

    /// What a frame looks like on a terminal: its characters, and the sequences that are sent.
    private func painted(_ frame: CellBuffer, _ sheet: StyleSheet) -> (text: [UInt8], sequences: Set<String>) {
        var text: [UInt8] = [], sequences: Set<String> = [], rest = Array(FrameText.ansi(frame, sheet).utf8)[...]
        while let byte = rest.first {
            if byte == 0x1b, let end = rest.firstIndex(of: UInt8(ascii: "m")) {
                sequences.insert(String(decoding: rest[rest.startIndex...end], as: UTF8.self))
                rest = rest[(end + 1)...]
            } else {
                text.append(byte)
                rest = rest.dropFirst()
            }
        }
        return (text, sequences)
    }

    @Test(arguments: Scene.all) func everyDepthPaintsTheSameCharacters(_ scene: Scene) throws {
        let theme = try #require(Theme.builtin("base16"))
        let sheets = [ColorDepth.colors256, .none].map { ($0, theme.styleSheet(depth: $0)) }
        for size in Self.sizes {
            for glyphs in [GlyphProfile.braille, .ascii] {
                var console = scene.console(size)
                console.send(.resize(size))
                let frame = console.frame(size, glyphs: glyphs)
                var texts: [[UInt8]] = []
                for (depth, sheet) in sheets {
                    let painted = painted(frame, sheet)
                    texts.append(painted.text)
                    let styles = Set((0..<size.rows).flatMap { frame[row: $0].map(\.style) })
                    let wanted = Set(styles.map { SequencePainter.sequence(sheet[$0]) })
                    #expect(painted.sequences.subtracting(wanted).subtracting(["\u{1b}[0m"]).isEmpty, "\(scene.name) \(size) \(depth)")
                    if depth == .none {
                        let isPlain = painted.sequences.allSatisfy { $0.dropFirst(2).dropLast().split(separator: ";").allSatisfy { (Int($0) ?? 99) < 10 } }
                        #expect(isPlain, "\(scene.name) \(size): \(painted.sequences)")
                    }
                }
                #expect(texts[0] == texts[1], "\(scene.name) \(size)")
            }
        }
    }

    /// Runs of one severity: the row they stand in, and what they say. A mark belongs to the words behind it.
    private func runs(_ frame: CellBuffer) -> [(row: String, text: String, role: StyleRole)] {
        var all: [(row: String, text: String, role: StyleRole)] = []
        for row in 0..<frame.size.rows {
            let cells = frame[row: row]
            let line = cells.map(\.text).joined()
            var text = "", last: StyleRole?
            func end() {
                let said = text.split(separator: " ").joined(separator: " ")
                if let last, !said.isEmpty { all.append((line, said, last)) }
            }
            for (column, cell) in cells.enumerated() {
                let role = Self.severities.contains(cell.style.role) ? cell.style.role : nil
                let isGap = role == nil && cell.text == " " && column + 1 < cells.count && cells[cells.startIndex + column + 1].style.role == last
                if role != last, !isGap { end(); text = "" }
                if isGap { text += " " } else { last = role }
                if role != nil { text += cell.text }
            }
            end()
        }
        return all
    }

    /// Of severities, of checkpoints and of links each: "ok" is well in all three. A single glyph is a place in a strip of them, whose rows say more.
    @Test func withoutColourTheSameWordsNeverMeanTwoThings() throws {
        var meanings: [String: [StyleRole: String]] = [:]
        for scene in Scene.all {
            for size in Self.sizes {
                var console = scene.console(size)
                console.send(.resize(size))
                for run in runs(console.frame(size, glyphs: .ascii)) where run.text.count > 1 {
                    meanings["\(run.role.name.prefix { $0 != "." }): \(run.text)", default: [:]][run.role] = run.row
                }
            }
        }
        for (text, roles) in meanings.sorted(by: { $0.key < $1.key }) where roles.count > 1 {
            Issue.record("\"\(text)\": \(roles.map { "\($0.key.name) in \"\($0.value)\"" }.joined(separator: "; "))")
        }
        #expect(meanings.count > 50)
    }

    @Test func theStylesOfTheRolesAreAsRecorded() throws {
        let columns: [(String, ColorDepth)] = [
            ("base16", .colors256), ("base16", .colors8), ("base16", .none), ("slate", .direct), ("slate", .colors256), ("slate", .none),
        ]
        var text = "role".padded(20) + columns.map { "\($0.0) \($0.1.label)".padded(30) }.joined().trimmed + "\n"
        let sheets = try columns.map { try #require(Theme.builtin($0.0)).styleSheet(depth: $0.1) }
        for role in StyleRole.allCases {
            text +=
                role.name.padded(20) + sheets.map { SequencePainter.sequence($0[role]).dropFirst(2).dropLast().description.padded(30) }.joined().trimmed + "\n"
        }
        try Golden.check("styles", text)
    }

    @Test func aScaleGoesFromItsLowestToItsHighestStep() throws {
        for name in Theme.builtinNames {
            let theme = try #require(Theme.builtin(name))
            for depth in ColorDepth.allCases {
                let sheet = theme.styleSheet(depth: depth)
                let steps = (0...9).map { sheet[StyleRole.graphScale(Double($0) / 10)] }
                let count = Set(steps.map { SequencePainter.sequence($0) }).count
                if ["base", "base16", "console", "solarized-16"].contains(name) {
                    #expect(count == 1 && steps[0] == sheet[.graphLine], "\(name) \(depth)")
                } else {
                    let wanted = depth == .direct ? 10...10 : depth == .colors256 ? 4...10 : 1...1
                    #expect(wanted.contains(count), "\(name) \(depth): \(count)")
                }
                // No step is told from the line by attributes: the height says it.
                #expect(steps.allSatisfy { $0.attributes == sheet[.graphLine].attributes }, "\(name) \(depth)")
            }
        }
        #expect(StyleRole.graphScale(0) == .graphScale0 && StyleRole.graphScale(1) == .graphScale9 && StyleRole.graphScale(.nan) == .graphScale0)
        #expect(StyleRole.graphScale(0.55) == .graphScale5 && StyleRole.graphScale(7) == .graphScale9 && StyleRole.graphScale(-1) == .graphScale0)
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
    fileprivate var trimmed: String { String(reversed().drop { $0 == " " }.reversed()) }
}
