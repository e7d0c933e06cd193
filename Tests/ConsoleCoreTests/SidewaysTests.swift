import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: what is wider than the window can be looked at, and nothing is cut off without a mark. Method: long texts from engines on every kind of
/// screen, the keys that move the window, and the frames compared.
@Suite struct SidewaysTests {
    private static let long = "java.lang.IllegalStateException: " + (1...30).map { "word\($0)" }.joined(separator: " ") + " THE-END"

    private func console(_ size: Size = Size(columns: 80, rows: 24)) -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(size: size))
        let request = OperationRequest(id: OperationID(random: 3), kind: .cancel(.keep), job: Sample.job, by: "mira@ops2")
        let failed = OperationReport(request: request, jobName: "orders", state: .failed, acceptedAt: console.now, endedAt: console.now, error: Self.long)
        console.report([Sample.running()], operations: [failed])
        console.model.messages = []
        return console
    }

    private func row(_ console: ScriptedConsole) throws -> String {
        try #require(
            console.screen.split(separator: "\n").map(String.init).first { $0.contains("java.lang") || $0.contains("word") || $0.contains("THE-END") },
            "\(console.screen)")
    }

    @Test func aWideRowIsMarkedAndScrollsToItsEnd() throws {
        var console = console()
        console.press("6")
        // Without the title, which has the time in it.
        func body() -> String { String(console.screen.split(separator: "\n").dropFirst().joined(separator: "\n")) }
        let first = body()
        #expect(try row(console).hasSuffix(">"))
        var steps = 0
        while !console.screen.contains("THE-END"), steps < 40 {
            console.press("l")
            steps += 1
            #expect(try row(console).hasPrefix("<"), "\(console.screen)")
            #expect(console.screen.contains("?") && console.screen.contains("S savepoint"), "hints stay")
        }
        #expect(try row(console).hasSuffix("THE-END"), "\(console.screen)")
        console.press("l")
        #expect(console.lastMessage == "already at the right end")
        // Another screen begins at its left end, and this one is found as it was left.
        console.press("1")
        #expect(!console.screen.contains("THE-END"))
        for _ in 0..<steps { console.press("6", "h") }
        console.model.messages = []
        #expect(body() == first)
        console.press("left")
        #expect(console.lastMessage == "already at the left end")
    }

    @Test func hiddenColumnsScrollIntoView() {
        var console = console()
        console.send(.audit(Sample.audit))
        console.press("!")
        #expect(!console.screen.contains("REASON"))
        for _ in 0..<3 { console.press("right") }
        #expect(console.screen.contains("REASON") && console.screen.contains("INC-2201"), "\(console.screen)")
    }

    @Test func whatFitsDoesNotMove() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 160, rows: 50)))
        console.report([Sample.running()])
        console.press("6")
        let first = console.screen
        console.press("l")
        #expect(console.lastMessage == "nothing here is wider than the window" && console.model.hiddenColumns == 0)
        console.model.messages = []
        #expect(console.screen == first)
    }

    @Test func onAChartTheKeysStepThroughTime() {
        var console = console()
        for _ in 0..<20 {
            console.advance(1000)
            console.report([Sample.running()])
        }
        console.press("enter", "4", "h")
        #expect(console.model.frozen != nil && console.model.hiddenColumns == 0)
        console.press("l", "l")
        #expect(console.model.frozen == nil)
    }

    @Test func fortyColumnsAreMovedToo() throws {
        var console = console(Size(columns: 40, rows: 6))
        var job = Sample.running(name: String(repeating: "long-name-", count: 9) + "LAST")
        job.state = .failing
        console.report([job])
        #expect(console.screen.split(separator: "\n").contains { $0.hasSuffix(">") }, "\(console.screen)")
        for _ in 0..<20 where !console.screen.contains("LAST") { console.press("l") }
        #expect(console.screen.contains("LAST") && console.screen.contains("need 60x15"), "\(console.screen)")
    }

    /// Marks take the place of a cell and leave no half of a wide character; at no place is anything but cells written.
    @Test(arguments: [39, 40, 80, 81, 119, 120]) func wideCharactersAreNotHalved(columns: Int) throws {
        var console = console(Size(columns: columns, rows: 24))
        console.report([Sample.running(name: String(repeating: "\u{53d7}\u{6ce8}", count: 60))])
        for keys in [["1"], ["3"], ["6"], ["7"]] {
            for key in keys { console.press(key) }
            for _ in 0..<5 {
                let frame = console.frame(console.model.size)
                for row in 0..<frame.size.rows {
                    let cells = Array(frame[row: row])
                    for (column, cell) in cells.enumerated() where cell.width == 2 { #expect(column + 1 < cells.count && cells[column + 1].isContinuation) }
                    for (column, cell) in cells.enumerated() where cell.isContinuation { #expect(column > 0 && cells[column - 1].width == 2) }
                }
                console.press("l")
            }
        }
    }
}
