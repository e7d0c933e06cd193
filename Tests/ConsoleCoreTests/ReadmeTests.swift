import FoundationEssentials
import Testing

/// The README and the article about screens show the console; this holds each block to its golden screen. WEIR_RECORD_GOLDENS=1 writes the
/// screens into the documents instead.
@Suite struct ReadmeTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let readme = root.appendingPathComponent("README.md")
    private static let article = root.appendingPathComponent("Sources/ConsoleApp/ConsoleApp.docc/Screens.md")

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

    /// - Parameter least: how many screens the document shows at least.
    private func check(_ document: URL, least: Int) throws {
        var text = try String(contentsOf: document, encoding: .utf8)
        let blocks = try blocks(text)
        #expect(blocks.count >= least && Set(blocks.map(\.golden)).count == blocks.count)
        // The last first, so that the places of the others stay.
        for block in blocks.reversed() {
            let wanted = try screen(block.golden)
            if Golden.isRecording {
                text.replaceSubrange(block.body, with: wanted)
            } else {
                #expect(String(text[block.body]) == wanted, "\(block.golden)")
            }
        }
        if Golden.isRecording { try text.write(to: document, atomically: true, encoding: .utf8) }
    }

    @Test func theReadmeShowsAGolden() throws {
        try check(Self.readme, least: 1)
        #expect(try String(contentsOf: Self.readme, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).count <= 200)
    }

    /// One for each flow: triage, savepoint, cancel, restart, demonstration.
    @Test func theArticleShowsAGoldenOfEachFlow() throws { try check(Self.article, least: 5) }
}
