import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// With a thousand jobs in twenty contexts a key costs what it costs with two: lists are put in order when what they are made of changes, not
/// for every key or frame. What `weir-bench console` takes the time of, this counts.
@Suite struct LongListTests {
    private static func contexts() -> [ContextDescription] {
        (0..<20).map { ContextDescription(name: "ctx\($0)", class: .lab, address: "/run/\($0).sock") }
    }

    private static func jobs(_ context: Int) -> [JobReport] {
        (0..<50).map { index in
            var job = Sample.running(JobID(high: UInt64(context + 1), low: UInt64(index + 1)), name: "job-\(context)-\(index)")
            job.throughput.recordsReadPerSecond = Double((index * 37 + context * 11) % 100)
            if index % 10 == 0 { job.state = .restarting }
            return job
        }
    }

    private func console() -> ScriptedConsole {
        var console = ScriptedConsole(Self.contexts())
        for context in 0..<20 { console.report(Self.jobs(context), context: "ctx\(context)") }
        // As the loop does before each frame.
        console.model.arrange()
        return console
    }

    /// How often lists were put in order by what is done.
    private func cost(_ console: inout ScriptedConsole, _ body: (inout ScriptedConsole) -> Void) -> Int {
        let before = console.model.rowCache.count
        body(&console)
        return console.model.rowCache.count - before
    }

    private func send(_ key: String, _ console: inout ScriptedConsole) {
        if let key = KeyPress(key) { console.send(.key(key)) }
    }

    @Test func `moving costs nothing`() {
        var console = console()
        #expect(console.model.overviewRows.count == 1000)
        let spent = cost(&console) { console in
            for key in ["j", "j", "k", "pgdn", "pgdn", "G", "g", "pgup", "j", "?", "q", "a", "escape", ":", "escape"] {
                send(key, &console)
                _ = console.screen
            }
        }
        #expect(spent == 0)
        #expect(console.model.listPosition.index == 1)
    }

    @Test func `a filter and an order cost one arrangement a key`() {
        var console = console()
        #expect(cost(&console) { send("/", &$0) } == 0)
        for letter in ["j", "o", "b", "-", "7", "-"] { #expect(cost(&console) { send(letter, &$0) } == 1) }
        #expect(console.model.overviewRows.count == 50)
        #expect(cost(&console) { send("enter", &$0) } == 0)
        #expect(cost(&console) { send("o", &$0) } == 1)
        #expect(console.screen.contains("by context"))
    }

    @Test func `reports and seconds cost one a frame, however many come`() {
        var console = console()
        let spent = cost(&console) { console in
            for context in 0..<20 { console.report(Self.jobs(context), context: "ctx\(context)") }
            console.advance(1000)
        }
        #expect(spent == 0)
        #expect(cost(&console) { $0.model.arrange() } == 1)
        #expect(cost(&console) { $0.model.arrange() } == 0)
        console.report(Self.jobs(3), context: "ctx3")
        #expect(cost(&console) { send("j", &$0) } == 1, "a key is about the rows as they are")
        #expect(cost(&console) { send("space", &$0) } == 1)
        #expect(cost(&console) { $0.advance(5000) } == 0, "frozen")
    }

    @Test func `kept rows equal rows made anew`() {
        var console = console()
        let keys = ["j", "o", "O", "space", "space", "enter", "3", "j", "1", "G", "[", "]", "k", "5", "q", "pgdn", "!", "@", "1"]
        for (step, key) in (keys + keys).enumerated() {
            if step % 4 == 0 { console.report(Self.jobs(step % 20), context: "ctx\(step % 20)") }
            console.press(key)
            // Ages are those of the last second.
            console.advance(1000)
            let model = console.model
            let isSame =
                model.overviewRows.map(\.id) == model.arrangedOverview.map(\.id) && model.checkpointRows == model.arrangedCheckpoints
                && model.historyRows == model.arrangedHistory
            #expect(isSame, "\(step) \(key)")
        }
    }

    @Test func `a long past is filtered and scrolled without being read again`() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press(":")
        console.type("history")
        console.press("enter")
        var question = HistoryQuestion(HistoryScope())
        for page in 0..<5 {
            let rows = (0..<500).map { row -> RememberedCheckpoint in
                let id = UInt64(100_000 - page * 500 - row)
                return RememberedCheckpoint(
                    context: "lab", job: Sample.job, jobName: "orders", report: Sample.checkpoint(id, ago: Int64(100_000 - id) * 1000), fate: .unlisted,
                    firstSeenAt: Sample.start,
                    lastSeenAt: Sample.start)
            }
            console.send(.history(question, rows, total: 100_000))
            question.until = rows.last?.report.triggeredAt
            send("G", &console)
        }
        #expect(console.model.historyRows.count == PastCheckpoints.rowsMax && console.screen.contains("the newest 2000 of 100000"))
        _ = console.take()
        #expect(cost(&console) { console in for key in ["g", "j", "pgdn", "G", "k"] { send(key, &console) } } == 0)
        #expect(cost(&console) { console in for key in ["/", "9", "9", "7"] { send(key, &console) } } == 3)
        #expect(console.effects.isEmpty, "there is no more to read")
    }
}
