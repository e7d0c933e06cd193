import FoundationEssentials
import Testing

/// The README shows screens of the console; this holds each to its golden screen. WEIR_RECORD_GOLDENS=1 writes the screens into the README
/// instead.
@Suite struct ReadmeTests {
    let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("README.md")

    /// A block between a marker and the end of its code.
    private struct Block {
        var golden: String
        var body: Range<String.Index>
    }

    private func blocks(_ text: String) throws -> [Block] {
        var blocks: [Block] = [], rest = text.startIndex
        while let marker = text[rest...].firstRange(of: "<!-- golden: ") {
            let start = try #require(text[marker.upperBound...].firstRange(of: "```text\n")).upperBound
            let end = try #require(text[start...].firstRange(of: "\n```")).lowerBound
            blocks.append(Block(golden: String(text[marker.upperBound...].prefix { $0 != " " }), body: start..<end))
            rest = end
        }
        return blocks
    }

    private func screen(_ golden: String) throws -> String {
        let recorded = try String(contentsOf: Golden.directory.appendingPathComponent("\(golden).txt"), encoding: .utf8)
        var lines = recorded.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.hasPrefix("====") }
            .map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    @Test func theScreensAreTheGoldens() throws {
        var text = try String(contentsOf: readme, encoding: .utf8)
        let blocks = try blocks(text)
        // One for each flow: triage, savepoint, cancel, restart, demonstration.
        #expect(blocks.count >= 5 && Set(blocks.map(\.golden)).count == blocks.count)
        // The last first, so that the places of the others stay.
        for block in blocks.reversed() {
            let wanted = try screen(block.golden)
            if Golden.isRecording {
                text.replaceSubrange(block.body, with: wanted)
            } else {
                #expect(String(text[block.body]) == wanted, "\(block.golden)")
            }
        }
        if Golden.isRecording { try text.write(to: readme, atomically: true, encoding: .utf8) }
    }
}
