import FoundationEssentials
import Testing

/// The README shows the console; this holds it to the golden screen. WEIR_RECORD_GOLDENS=1 writes the screen into the README instead.
@Suite struct ReadmeTests {
    let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("README.md")

    @Test func theScreenIsTheGolden() throws {
        let text = try String(contentsOf: readme, encoding: .utf8)
        let marker = try #require(text.firstRange(of: "<!-- golden: "))
        let name = text[marker.upperBound...].prefix { $0 != " " }
        let golden = try String(contentsOf: Golden.directory.appendingPathComponent("\(name).txt"), encoding: .utf8)
        let screen = golden.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.hasPrefix("====") }
            .map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
        let start = try #require(text[marker.upperBound...].firstRange(of: "```text\n")).upperBound
        let end = try #require(text[start...].firstRange(of: "\n```")).lowerBound
        var wanted = Array(screen)
        while wanted.last == "" { wanted.removeLast() }
        if Golden.isRecording {
            let updated = text[..<start] + wanted.joined(separator: "\n") + text[end...]
            return try String(updated).write(to: readme, atomically: true, encoding: .utf8)
        }
        #expect(text[start..<end].split(separator: "\n", omittingEmptySubsequences: false).map(String.init) == wanted)
    }
}
