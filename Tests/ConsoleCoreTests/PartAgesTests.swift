import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Every number is as old as it says: what a report took from older answers is marked, the rest is not.
@Suite struct PartAgesTests {
    /// A report of now whose parts were learned so many seconds ago.
    private func job(state: Int64 = 1, checkpoints: Int64 = 1, flow: Int64 = 1, at now: WallTime, _ jobState: JobState = .running) -> JobReport {
        func ago(_ seconds: Int64) -> WallTime { WallTime(milliseconds: now.milliseconds - seconds * 1000) }
        var job = Sample.running(state: jobState)
        job.freshness = ReportFreshness(state: ago(state), checkpoints: ago(checkpoints), flow: ago(flow))
        return job
    }

    private func line(_ name: String, _ console: ScriptedConsole) -> String {
        console.screen.split(separator: "\n").first { $0.hasPrefix(" \(name)") || $0.contains("│ \(name) ") }.map(String.init) ?? ""
    }

    @Test func `fresh parts carry no mark`() {
        var console = ScriptedConsole()
        console.report([job(at: console.now)])
        #expect(!console.screen.contains("~"))
        console.press("enter")
        #expect(!console.screen.contains("~"))
    }

    @Test func `an unwatched job raises no false alarm`() {
        var console = ScriptedConsole()
        let seen = console.now
        console.advance(40_000)
        var job = job(at: console.now)
        job.freshness?.checkpoints = seen
        console.report([job])
        #expect(!console.screen.contains("newest completed #") && console.effects.allSatisfy { $0 != .bell }, "\(console.screen)")
        // Nor before it was looked at for the first time.
        job.freshness?.checkpoints = nil
        (job.latestCompleted, job.latestSavepoint) = (nil, nil)
        console.report([job])
        #expect(!console.screen.contains("nothing to restore") && console.effects.allSatisfy { $0 != .bell }, "\(console.screen)")
        (job.latestCompleted, job.latestSavepoint) = (Sample.running().latestCompleted, Sample.running().latestSavepoint)
        // Looked at now, it has none since.
        job.freshness?.checkpoints = console.now
        console.report([job])
        #expect(console.screen.contains("CKPT newest completed #4120 is 40s old"), "\(console.screen)")
    }

    @Test func `figures that a cluster does not report are not made up`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        var job = job(at: console.now)
        for index in job.vertices.indices { job.vertices[index].stateBytes = ByteCount(0) }
        (job.latestFailed, job.budget.cumulative, job.restartStrategyWords) = (nil, 3, "not known yet")
        console.report([job])
        console.press("enter")
        #expect(
            console.screen.contains("STATE size in memory not reported") && console.screen.contains("last       older than the history"), "\(console.screen)")
        console.press("5")
        #expect(console.screen.contains("strategy not known yet"))
        console.press("7")
        #expect(!console.screen.contains("prefer checkpoint"), "\(console.screen)")
        console.press("4")
        #expect(console.screen.split(separator: "\n").contains { $0.contains("state in memory ") && $0.contains(" - ") }, "\(console.screen)")
    }

    @Test func `an unauthenticated endpoint says so`() {
        var open = ContextDescription(name: "lab", class: .lab, address: "http://jm:8081")
        open.isUnauthenticated = true
        var console = ScriptedConsole([open])
        console.report([job(at: console.now)])
        console.press("@")
        #expect(console.screen.contains("http://jm:8081  unauthenticated: anybody may run jobs"), "\(console.screen)")
    }

    @Test func `the overview marks old parts`() {
        var console = ScriptedConsole()
        console.report([job(checkpoints: 40, at: console.now)])
        let row = console.screen.split(separator: "\n").first { $0.contains("orders") } ?? ""
        #expect(row.contains(" 118.4k ~ok"), "\(row)")
        console.report([job(flow: 20, at: console.now)])
        #expect(console.screen.contains("~118.4k"))
        // What has ended changes no more.
        console.report([job(checkpoints: 40, flow: 40, at: console.now, .finished)])
        #expect(!console.screen.contains("~"))
    }

    @Test func `the job's screens show the age of each part`() {
        for size in [Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)] {
            var console = ScriptedConsole(options: ConsoleOptions(size: size))
            console.report([job(at: console.now)])
            console.press("enter")
            console.report([job(flow: 33, at: console.now)])
            #expect(line("IN", console).contains("~40s old"), "with the ten seconds that Flink's own metrics may be old: \(size.columns)")
            #expect(!line("TASKS", console).contains("~"))
            console.report([job(state: 21, checkpoints: 61, at: console.now)])
            #expect(line("TASKS", console).contains("~20s old") && !line("IN", console).contains("~20s"))
            #expect(console.screen.contains("~1m old"), "of the checkpoints")
        }
    }

    @Test func `below the full size too`() {
        var console = ScriptedConsole()
        console.report([job(at: console.now)])
        console.press("enter")
        console.report([job(checkpoints: 61, at: console.now)])
        console.send(.resize(Size(columns: 40, rows: 8)))
        #expect(console.screen.contains("CKPT~1m "))
    }

    @Test func `a sheet warns of old checkpoint data`() {
        var console = ScriptedConsole()
        console.report([job(checkpoints: 61, at: console.now)])
        console.press("enter", "C")
        #expect(console.screen.contains("checkpoint data is 1m old"))
    }
}
