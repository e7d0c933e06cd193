import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: what a row has no room for is left out where it is seen to be left out, and nothing is written over anything else. Method: long
/// names and small sizes on the console without a terminal.
@Suite struct FittingTests {
    private func console(_ context: ContextDescription, _ job: JobReport, at size: Size = Size(columns: 80, rows: 24)) -> ScriptedConsole {
        var console = ScriptedConsole([context])
        console.send(.resize(size))
        console.send(.engine(context: context.name, .link(.up(roundTrip: 1240))))
        console.send(.engine(context: context.name, .report(Sample.engine([job], at: console.now), receivedAt: console.now)))
        console.press("enter")
        return console
    }

    private func firstRow(_ console: ScriptedConsole) -> String { String(console.screen.split(separator: "\n", omittingEmptySubsequences: false)[0]) }

    @Test func `a title keeps the name, the state and the link when all of them are long`() {
        let context = ContextDescription(name: "prod-eu-frankfurt-1", class: .prod, address: "x")
        var console = console(context, Sample.running(name: "fraud-scoring-by-customer", state: .initializing))
        #expect(firstRow(console).contains("INITIALIZING") && firstRow(console).contains("rtt 1.2s age 0s 12:04:31"), "\(firstRow(console))")
        console.send(.engine(context: context.name, .link(.down(reason: "refused", retryAt: console.now + .seconds(58), attempts: 20))))
        let title = firstRow(console)
        #expect(title.contains("[PROD][LOCK]") && title.contains(" INITIALIZING ") && title.contains(" down, retry in 58 s (21st try) 12:04:31"), "\(title)")
        #expect(title.contains("fr~er"), "the job has a name: \(title)")
        console.press("space")
        #expect(firstRow(console).hasSuffix("12:04:31 FROZEN") && firstRow(console).contains("INITIALIZING"), "\(firstRow(console))")
    }

    @Test func `a plain title ends before the clock`() throws {
        var console = console(ContextDescription(name: "lab", class: .lab, address: "x"), Sample.running(name: String(repeating: "long-name-", count: 9)))
        console.press("S", "6", "enter")
        let title = firstRow(console)
        #expect(title.contains("savepoint of long-name-") && title.contains("~ 12:04:3"), "\(title)")
    }

    @Test func `no line of the help is cut`() {
        for columns in [40, 80, 100, 120] {
            var console = ScriptedConsole()
            console.send(.resize(Size(columns: columns, rows: 24)))
            let lines = HelpScreen(console.model).lines
            let texts = lines.map(\.text.string).joined(separator: " ")
            for entry in CommandLine.commands { #expect(texts.contains(entry.summary.string)) }
            console.press("?")
            var seen = ""
            for _ in 0..<30 {
                seen += console.screen.split(separator: "\n").dropFirst().dropLast().joined(separator: "\n") + "\n"
                console.press("pgdn")
            }
            for line in lines where !line.text.isEmpty { #expect(seen.contains(line.text.string), "\(columns): \(line.text)") }
        }
    }

    @Test func `the compact screen says where it is cut`() {
        var job = Sample.running(state: .failed)
        job.lastFailure = FailureReport(
            at: Sample.start, message: "sink: no space left on device while writing part 17", vertex: "sink", subtask: 1, attempt: 1)
        let console = console(ContextDescription(name: "lab", class: .lab, address: "x"), job, at: Size(columns: 40, rows: 6))
        let row = console.screen.split(separator: "\n")[1]
        #expect((row.hasSuffix(">") || row.hasSuffix("DISK FULL: free some space")), "\(row)")
    }

    @Test func `a path that depends on where the engine runs is not sent`() {
        var console = console(ContextDescription(name: "lab", class: .lab, address: "x"), Sample.running())
        for line in ["savepoint backups", "restore chk-12", "savepoint ./x"] {
            console.press(":")
            console.type(line)
            console.press("enter")
            #expect(console.sentOperations.isEmpty && console.model.modals.isEmpty)
            #expect(console.lastMessage.contains("is not an absolute path or URL"), "\(console.lastMessage)")
        }
        console.press(":")
        console.type("savepoint s3://bucket/sp")
        console.press("enter")
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: "s3://bucket/sp")])
    }

    @Test func `the write key offers a dump of any screen`() {
        var console = console(ContextDescription(name: "lab", class: .lab, address: "x"), Sample.running())
        console.press("w")
        #expect(console.screen.contains(":dump weir-job-120431.txt"))
        _ = console.take()
        console.press("enter")
        #expect(console.effects.contains(.dump(path: "weir-job-120431.txt", .text)))
    }

    @Test(arguments: [true, false]) func `a sheet offers to keep the checkpoints where the engine can`(_ can: Bool) {
        var console = console(ContextDescription(name: "lab", class: .lab, address: "x"), Sample.running(retention: .deleteOnCancellation))
        var capabilities = EngineCapabilities()
        capabilities.canOverrideRetention = can
        console.send(.engine(context: "lab", .capabilities(capabilities)))
        console.press("C")
        #expect(
            console.screen.contains("k keep checkpoints") == can && console.screen.contains("s savepoint first")
                && console.screen.contains("sending is locked"), "\(console.screen)")
    }

    @Test func `the lock of a production job is explained at any width`() {
        var console = console(ContextDescription(name: "prod-eu", class: .prod, address: "x"), Sample.running())
        #expect(console.screen.contains(" :unlock for XCR") && !console.screen.contains("locked: ~"), "\(console.screen)")
        console.press("C")
        #expect(console.screen.contains("Enter locked: prod-eu is locked: Esc, then :unlock"), "\(console.screen)")
        console.press("esc")
        console.send(.resize(Size(columns: 120, rows: 40)))
        #expect(console.screen.contains("X C R locked: :unlock"))
    }

    @Test func `typed text shows its completions`() {
        var console = console(ContextDescription(name: "lab", class: .lab, address: "x"), Sample.running())
        console.press(":")
        #expect(console.screen.contains(" Tab: savepoint (S)  checkpoint (B)  cancel (C)"), "\(console.screen)")
        console.type("go ")
        #expect(console.screen.contains(" Tab: overview  job  checkpoints  metrics  failures  operations  config  cont~"), "\(console.screen)")
        console.type("nowhere")
        #expect(console.screen.contains(" Enter runs it  Esc leaves"))
        console.press("esc", "/")
        #expect(console.screen.contains("fields, with Tab: id: "), "\(console.screen)")
        console.press("esc")
        #expect(console.screen.contains("? help"))
        console.press("T")
        #expect(console.screen.contains("Enter keeps  Esc goes back"))
    }
}
