// Goal: the executable keeps its promises to shells: exit codes, streams, and a job that survives kill -9 exactly.
// Method: the built `weir` in a private directory with its own runtime and state folders. Skipped where it was not built.

import EngineHost
import FoundationEssentials
import Glibc
import StreamModel
import TestKit
import Testing

@testable import CommandLineApp
@testable import HostEnvironment

@Suite(.enabled(if: weirExecutable != nil, "the executable was not built")) struct ProcessTests {
    private let sandbox = Sandbox()

    /// Waits until an engine answers at the standard socket.
    private func waitForEngine() throws {
        #expect(try eventually { try weir(["status"], in: sandbox).status == 0 })
    }

    @Test func exitCodes() throws {
        #expect(try weir(["--help"], in: sandbox).status == 0)
        #expect(try weir(["restart", "--help"], in: sandbox).output.contains("EXAMPLE"))
        #expect(try weir(["--version"], in: sandbox).output == WeirVersion.current + "\n")
        for wrong in [
            ["bogus"], ["cancel"], ["checkpoints", "x", "--limit", "0"], ["cancel", "x", "--keep", "--discard"], ["savepoint", "x", "--timeout", "soon"],
        ] {
            let result = try weir(wrong, in: sandbox)
            #expect(result.status == 1, "\(wrong)")
            #expect(result.output.isEmpty && !result.errors.isEmpty, "\(wrong)")
        }
        let dead = try weir(["status"], in: sandbox)
        #expect(dead.status == 2)
        #expect(dead.errors.contains("there is no socket"))
        #expect(try weir(["inspect", sandbox["nothing"]], in: sandbox).status == 5)
        let long = try weir(["status", "--socket", "/" + String(repeating: "x", count: 107)], in: sandbox)
        #expect(long.status == 2)
        #expect(long.errors.contains("108 bytes"))
    }

    @Test func theLogIsShownAndFollowed() throws {
        let engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        defer { engine.kill9() }
        try waitForEngine()
        #expect(try weir(["submit", "shaky", "--set", "interval=50ms"], in: sandbox).status == 0)
        #expect(try eventually { try weir(["log", "shaky"], in: sandbox).output.contains("info   job         shaky: RUNNING, attempt 1") })
        let follower = try WeirProcess(["log", "shaky", "--follow", "--json", "--limit", "1"], in: sandbox, label: "follower")
        #expect(eventually { follower.output.hasSuffix("\n") })
        #expect(try weir(["fault", "shaky", "fail", "1"], in: sandbox).status == 0)
        #expect(eventually { follower.output.contains("failed: ") && follower.output.contains("is complete, after a failed one") }, "\(follower.output)")
        let lines = try follower.output.split(separator: "\n").map { try JSONDecoder().decode(EngineLogEntry.self, from: Data($0.utf8)) }
        #expect(lines.map(\.sequence) == Array(Set(lines.map(\.sequence))).sorted(), "each line once, in order")
        #expect(lines.contains { $0.level == .warning && $0.subject == .checkpoint })
        kill(follower.processID, SIGKILL)
        _ = follower.wait()
        let all = try weir(["log", "--limit", "1000"], in: sandbox)
        #expect(
            all.status == 0 && all.output.contains("engine      started: version") && all.output.contains("operation   shaky: fault of 'shaky'"),
            "\(all.output)")
        let nobody = try weir(["log", "nobody"], in: sandbox)
        #expect(nobody.status == 3 && nobody.errors.contains("nobody"))
        #expect(try weir(["--flink", "http://127.0.0.1:9", "log"], in: sandbox).status == 1)
    }

    @Test func engineAndCommands() throws {
        let engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        try waitForEngine()
        let second = try weir(["engine", "--state", sandbox["other"]], in: sandbox)
        #expect(second.status == 3)
        #expect(second.errors.contains("pid \(engine.processID)"))
        #expect(try weir(["submit", "orders", "--set", "interval=50ms"], in: sandbox).status == 0)
        #expect(try weir(["submit", "orders"], in: sandbox).status == 3)
        #expect(try weir(["savepoint", "nobody", "--wait"], in: sandbox).status == 3)
        let savepoint = try weir(["savepoint", "orders", "--wait", "--json"], in: sandbox)
        #expect(savepoint.status == 0, "\(savepoint.errors)")
        #expect(savepoint.output.contains("\"state\":\"completed\""))
        #expect(try weir(["checkpoint", "orders", "--wait"], in: sandbox).status == 0)
        let fault = try weir(["fault", "orders", "crash"], in: sandbox)
        #expect(fault.status == 3)
        #expect(try weir(["restart", "orders"], in: sandbox).status == 3)
        #expect(try weir(["cancel", "orders", "--keep", "--wait"], in: sandbox).status == 0)
        let rows = try weir(["checkpoints", "orders", "--json"], in: sandbox).output
        let kept = try JSONDecoder().decode([CheckpointReport].self, from: Data(rows.utf8)).filter { $0.isRestorable && !$0.kind.isSavepoint }
        let chosen = try #require(kept.last)
        let restart = try weir(["restart", "orders", "--from", "\(chosen.id)", "--wait"], in: sandbox)
        #expect(restart.status == 0, "\(restart.output)\(restart.errors)")
        #expect(restart.output.hasPrefix("VERDICT RESUMED+DURABLE"))
        #expect(restart.output.contains("engine reports \(chosen.id), chosen \(chosen.id), path matches"))
        let jobs = try weir(["jobs"], in: sandbox)
        #expect(jobs.output.split(separator: "\n").count == 3)
        for text in [jobs.output, restart.output, try weir(["status"], in: sandbox).output, try weir(["audit"], in: sandbox).output] {
            #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == 10 }, "no control bytes in a pipe")
        }
        #expect(engine.terminate() == 0)
        #expect(!FileManager.default.fileExists(atPath: sandbox["weir/engine.sock"]))
    }

    @Test func aKilledEngineComesBackWithItsJobsAndItsOperations() throws {
        var engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        try waitForEngine()
        #expect(try weir(["submit", "shaky", "--set", "interval=50ms"], in: sandbox).status == 0)
        #expect(try weir(["checkpoint", "shaky", "--wait"], in: sandbox).status == 0)
        // A savepoint that takes for ever is under way when the engine dies.
        #expect(try weir(["fault", "shaky", "slow 60s"], in: sandbox).status == 0)
        let waiting = try weir(["savepoint", "shaky", "--wait", "--timeout", "2s", "--operation", "interrupted"], in: sandbox)
        #expect(waiting.status == 4, "\(waiting.errors)")
        engine.kill9()
        #expect(try weir(["status"], in: sandbox).errors.contains("stale"))
        engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        try waitForEngine()
        #expect(try eventually { try weir(["jobs"], in: sandbox).output.contains("RUNNING") })
        let operations = try weir(["operations", "--json"], in: sandbox).output
        let settled = try JSONDecoder().decode([OperationReport].self, from: Data(operations.utf8)).first { $0.request.id == OperationID("interrupted") }
        #expect(settled?.state == .failed)
        #expect(settled?.error?.contains("the engine ended before the savepoint") == true, "\(operations)")
        #expect(engine.errors.contains("is back"))
        #expect(engine.terminate() == 0)
    }

    private func job(_ name: String) throws -> JobReport? {
        let jobs = try weir(["jobs", "--json"], in: sandbox).output
        // DecodingError: an engine that is not up yet answers nothing.
        return (try? JSONDecoder().decode([JobReport].self, from: Data(jobs.utf8)))?.first { $0.name == name }
    }

    @Test func `a job without progress in three killed engines stays down until it is restarted`() throws {
        var engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        try waitForEngine()
        #expect(try weir(["submit", "shaky", "--set", "interval=1h"], in: sandbox).status == 0)
        #expect(try weir(["checkpoint", "shaky", "--wait"], in: sandbox).status == 0)
        for _ in 1...3 {
            engine.kill9()
            engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
            #expect(try eventually { try job("shaky")?.state == .running })
        }
        for round in 1...2 {
            engine.kill9()
            engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
            try waitForEngine()
            let kept = try #require(try job("shaky"))
            #expect(kept.state == .failed && kept.lastFailure?.message.contains("the engine died 3 times in a row") == true, "\(kept)")
            #expect(engine.errors.contains("job 'shaky' (\(kept.id.short)) is not started") == (round == 1), "\(engine.errors)")
        }
        let status = try weir(["status"], in: sandbox)
        #expect(status.output.contains("FAILED") && status.output.contains("the engine died 3 times in a row"), "\(status.output)")
        let restart = try weir(["restart", "shaky"], in: sandbox)
        #expect(restart.status == 0, "\(restart.output)\(restart.errors)")
        #expect(try eventually { try job("shaky").map { $0.state == .running && $0.restored?.chosen == true } == true })
        engine.kill9()
        engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        #expect(try eventually { try job("shaky")?.state == .running }, "counted anew")
        #expect(engine.terminate() == 0)
    }

    // The whole way: nobody knows which of the jobs it is, until one engine has started them one at a time.
    @Test func `a job that kills every engine is found and the others are served`() throws {
        var engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        try waitForEngine()
        #expect(try weir(["submit", "orders", "--set", "interval=100ms"], in: sandbox).status == 0)
        #expect(try weir(["checkpoint", "orders", "--wait"], in: sandbox).status == 0)
        // Its client may or may not get an answer.
        _ = try weir(["submit", "shaky", "--name", "poison", "--set", "kill-at=0"], in: sandbox)
        #expect(engine.wait() == nil)
        var starts = 0
        repeat {
            engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
            starts += 1
            try #require(starts <= 5, "\(engine.errors)")
        } while try engine.dies(unless: { try job("poison")?.state == .failed })
        #expect(starts >= 3)
        let poison = try #require(try job("poison"))
        #expect(poison.lastFailure?.message.contains("the engine died 3 times in a row") == true, "\(poison)")
        let before = try #require(try job("orders"))
        #expect(before.state != .failed && before.state != .canceled)
        #expect(try eventually { try job("orders").map { $0.state == .running && $0.counts.completed > before.counts.completed } == true })
        #expect(engine.terminate() == 0)
    }

    // Whoever runs it again wants it to go on: its kills are not held against it.
    @Test func `a run is gone on with after any number of kills`() throws {
        let command = ["run", "orders", "--output", sandbox["out"], "--interval", "1h", "--set", "rate=1000"]
        // A label of its own: the commands that look begin its files anew.
        var run = try WeirProcess(command, in: sandbox, label: "killed")
        for _ in 1...4 {
            #expect(try eventually { try job("orders")?.state == .running })
            run.kill9()
            run = try WeirProcess(command, in: sandbox, label: "killed")
        }
        #expect(try eventually { try job("orders")?.state == .running }, "\(run.errors)")
        // It is told on another way than the state.
        #expect(eventually { run.errors.contains("resuming job") }, "\(run.errors)")
        run.kill9()
    }

    @Test(arguments: [3, 11, 42] as [UInt64]) func wordsAreCountedExactlyThroughKills(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var counts: [String: Int] = [:]
        var text = ""
        for _ in 0..<20_000 {
            let word = ["weir", "River", "DAM", "flow", "x\(random.next() % 50)y"][Int(random.next() % 5)]
            text += word + (random.next() % 9 == 0 ? "\n" : " ")
            for part in word.lowercased().split(whereSeparator: { !$0.isLetter }) { counts[String(part), default: 0] += 1 }
        }
        let input = try sandbox.write("in.txt", text)
        let command = ["run", "wordcount", "--input", input, "--output", sandbox["out"], "--interval", "50ms", "--rate", "3000"]
        for _ in 0..<3 {
            let run = try WeirProcess(command, in: sandbox)
            let end = EngineInstant.now() + Milliseconds(Int64(random.next() % 300))
            while EngineInstant.now() < end { pause(milliseconds: 1) }
            run.kill9()
        }
        let last = try weir(command, in: sandbox)
        #expect(last.status == 0, "seed \(seed): \(last.errors)")
        let lines = sandbox.names(in: "out").filter { $0.hasPrefix("part-") }.flatMap { sandbox.read("out/" + $0).split(separator: "\n").map(String.init) }
        #expect(lines.sorted() == counts.map { "\($0.key)\t\($0.value)" }.sorted(), "seed \(seed)")
        let again = try weir(command, in: sandbox)
        #expect(again.status == 0)
        #expect(again.errors.contains("already finished by job"), "seed \(seed): \(again.errors)")
    }

    @Test func aRunStartsFromAChosenCheckpoint() throws {
        let input = try sandbox.write("in.txt", (0..<6000).map { "word line \($0)\n" }.joined())
        let command = ["run", "wordcount", "--input", input, "--output", sandbox["out"], "--interval", "50ms", "--rate", "5000"]
        let first = try WeirProcess(command, in: sandbox)
        // No engine yet is no answer yet.
        #expect(eventually { ((try? checkpoints(of: "wordcount")) ?? []).count { $0.isRestorable } >= 3 })
        let listed = try #require(try checkpoints(of: "wordcount").first { $0.isRestorable }?.path)
        first.kill9()
        let chosen = try #require(oldestCheckpoint(beside: listed))
        let other = try weir(Array(command.dropLast()) + ["4000"], in: sandbox)
        #expect(other.status == 3, "other arguments are other work: \(other.errors)")
        // The chosen checkpoint is the oldest that the dead job left; it goes away when newer ones complete.
        let run = try weir(command + ["--from", chosen], in: sandbox)
        #expect(run.status == 0, "\(run.errors)")
        let lines = sandbox.names(in: "out").filter { $0.hasPrefix("part-") }.flatMap { sandbox.read("out/" + $0).split(separator: "\n").map(String.init) }
        #expect(lines.sorted() == ["line\t6000", "word\t6000"])
    }

    // A kill says nothing about what was wanted: the same command goes on, with and without the snapshot's name.
    @Test(arguments: [true, false]) func aKilledRunFromASnapshotGoesOn(repeatsTheSnapshot: Bool) throws {
        let command = ["run", "orders", "--output", sandbox["out"], "--interval", "50ms", "--set", "count=12000", "--set", "rate=4000"]
        let first = try WeirProcess(command, in: sandbox)
        // No engine yet is no answer yet.
        #expect(eventually { ((try? checkpoints(of: "orders")) ?? []).count { $0.isRestorable } >= 3 })
        let listed = try #require(try checkpoints(of: "orders").first { $0.isRestorable }?.path)
        first.kill9()
        let chosen = try #require(oldestCheckpoint(beside: listed))
        let second = try WeirProcess(command + ["--from", chosen], in: sandbox)
        let oldJob = try #require(URL(filePath: chosen).pathComponents.dropLast().last)
        #expect(
            eventually {
                ((try? checkpoints(of: "orders")) ?? []).count { $0.isRestorable && $0.path?.contains(oldJob) == false } >= 3
            })
        second.kill9()
        let third = try weir(command + (repeatsTheSnapshot ? ["--from", chosen] : []), in: sandbox)
        #expect(third.status == 0, "\(third.errors)")
        #expect(third.errors.contains("resuming job"), "\(third.errors)")
        #expect(third.errors.contains("which started from \(chosen)") == repeatsTheSnapshot)
        let lines = sandbox.names(in: "out").filter { $0.hasPrefix("part-") }.flatMap { sandbox.read("out/" + $0).split(separator: "\n").map(String.init) }
        #expect(lines.count == 12_000 && Set(lines).count == 12_000)
    }

    // Two operators press the same key; and one of them just after the engine was killed and started again.
    @Test(arguments: [false, true]) func twoRestartsAtOnceLeaveOneJob(afterKill: Bool) throws {
        let rounds = ProcessInfo.processInfo.environment["WEIR_ROUNDS"].flatMap(Int.init) ?? 1
        for round in 0..<rounds {
            let name = "twice-\(round)", output = sandbox["out-\(round)"]
            var engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
            try waitForEngine()
            let submit = [
                "submit", "orders", "--name", name, "--set", "interval=50ms", "--set", "rate=3000", "--set", "count=12000", "--set", "output=\(output)",
            ]
            #expect(try weir(submit, in: sandbox).status == 0)
            #expect(eventually { ((try? checkpoints(of: name)) ?? []).contains(where: \.isRestorable) })
            if afterKill {
                engine.kill9()
                engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
                // No pause for the job: it is INITIALIZING when the restarts come.
                #expect(try eventually { try weir(["status"], in: sandbox).status == 0 })
            }
            let restart = ["restart", name, "--cancel-first", "--wait"]
            let both = try ["a", "b"].map { try WeirProcess(restart, in: sandbox, label: "restart-\($0)-\(round)") }
            let statuses = both.map { $0.wait() }
            #expect(statuses.contains(0) || afterKill, "\(both.map(\.errors))")
            for (process, status) in zip(both, statuses) where status != 0 {
                // Refused beside the other; or the other came just after it, and restarted what this one had launched.
                let reasons = status == 3 ? ["under way", "no checkpoint or savepoint left", "as you saw it"] : ["job is CANCELED"]
                #expect(reasons.contains { process.errors.contains($0) }, "\(status ?? -1): \(process.errors)")
            }
            let jobs = try JSONDecoder().decode([JobReport].self, from: Data(weir(["jobs", "--json"], in: sandbox).output.utf8))
            #expect(jobs.filter { $0.name == name && !$0.state.isTerminal }.count <= 1)
            #expect(
                try eventually(seconds: 60) {
                    let jobs = try JSONDecoder().decode([JobReport].self, from: Data(weir(["jobs", "--json"], in: sandbox).output.utf8))
                    return jobs.first { $0.name == name }?.state == .finished
                })
            let lines = sandbox.names(in: "out-\(round)").filter { $0.hasPrefix("part-") }
                .flatMap { sandbox.read("out-\(round)/" + $0).split(separator: "\n").map(String.init) }
            #expect(lines.count == 12_000 && Set(lines).count == 12_000, "\(lines.count) lines, \(Set(lines).count) distinct")
            #expect(engine.terminate() == 0)
        }
    }

    private func oldestCheckpoint(beside path: String) -> String? {
        let directory = URL(filePath: path).deletingLastPathComponent().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let whole = names.filter { FileManager.default.fileExists(atPath: "\(directory)/\($0)/_metadata") }
        let numbers = whole.compactMap { $0.hasPrefix("chk-") ? UInt64($0.dropFirst(4)) : nil }
        return numbers.min().map { "\(directory)/chk-\($0)" }
    }

    private func checkpoints(of job: String) throws -> [CheckpointReport] {
        try JSONDecoder().decode([CheckpointReport].self, from: Data(weir(["checkpoints", job, "--json"], in: sandbox).output.utf8))
    }

    @Test func theDemoProvesItselfWithoutATerminal() throws {
        let demo = try weir(["demo"], in: sandbox)
        #expect(demo.status == 0, "\(demo.output)\(demo.errors)")
        #expect(demo.output.contains("VERDICT RESUMED+DURABLE"))
        #expect(demo.output.contains("0 duplicates, 0 lost"))
        #expect(demo.output.hasSuffix("nothing counted twice\n"))
    }
}
