// Goal: whatever operators ask at once, one job of a lineage lives, its output is exact, and whoever lost is told why. Method: a service in this
// process, several jobs side by side, two operators that ask in the same moment; the output is counted from its files, and compared with
// sums that are computed without the engine. WEIR_ROUNDS says how often (1 without it).

import ControlProtocol
import Dataflow
import Dispatch
import FoundationEssentials
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineHost

/// How often the rounds of this file are run.
private let rounds = ProcessInfo.processInfo.environment["WEIR_ROUNDS"].flatMap(Int.init) ?? 1

/// A bounded job of `orders`, and what it has to write: a line an order.
private struct Orders: Sendable {
    let name: String
    let directory: String
    let count: Int

    var arguments: [String: String] {
        ["interval": "20ms", "rate": "8000", "count": "\(count)", "output": directory]
    }

    /// The cents of all orders, by the generator's formula.
    private var cents: Int64 {
        (0..<UInt64(count)).reduce(0) { sum, sequence in
            var mixed = sequence &* 0x9E37_79B9_7F4A_7C15
            mixed ^= mixed >> 29
            return sum + Int64(mixed % 50_000) + 1
        }
    }

    /// What is wrong with the output; nil = nothing.
    func problem() throws -> String? {
        var lines = 0
        var sums: [Substring: Set<Int64>] = [:]
        let files = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("part-") }
        for file in files {
            for line in String(decoding: try Data(contentsOf: URL(filePath: directory + "/" + file)), as: UTF8.self).split(separator: "\n") {
                let fields = line.split(separator: "\t")
                guard fields.count == 2 else { return "\(name): \(file) has the line '\(line)'" }
                lines += 1
                sums[fields[0], default: []].insert(Int64(fields[1]) ?? -1)
            }
        }
        let distinct = sums.values.reduce(0) { $0 + $1.count }, total = sums.values.reduce(0) { $0 + ($1.max() ?? 0) }
        return lines == count && distinct == count && total == cents
            ? nil : "\(name): \(lines) lines, \(distinct) distinct, \(total) cents; due are \(count) and \(cents)"
    }
}

/// What two operators do at once to a running job.
private struct Pair: CustomStringConvertible {
    let first, second: OperationRequest.Kind

    static let kinds: [OperationRequest.Kind] = [
        .savepoint(directory: nil), .checkpoint, .stop(drain: false, directory: nil), .cancel(.keep), .restart(RestartOptions()), .restart(cancelsFirst),
    ]
    static var cancelsFirst: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        return options
    }
    static let all: [Pair] = kinds.indices.flatMap { first in kinds[first...].map { Pair(first: kinds[first], second: $0) } }

    var description: String { [first, second].map { $0.verb + ($0.launch?.cancelsFirst == true ? " --cancel-first" : "") }.joined(separator: " and ") }
}

@Suite struct LineageTests {
    private let sandbox = Sandbox()

    private func engine() throws -> TestEngine { try TestEngine(sandbox["state"]) }

    private func submit(_ orders: Orders, to engine: TestEngine) throws -> JobReport {
        try engine.submit("orders", orders.arguments, parallelism: 1, name: orders.name)
    }

    private func live(_ engine: TestEngine, lineageOf name: String) -> [JobReport] {
        engine.service.currentReport().jobs.filter { $0.name == name && !$0.state.isTerminal }
    }

    /// All at the same moment, each from a thread of its own.
    private func atOnce(_ kinds: [OperationRequest.Kind], on job: JobID, of engine: TestEngine) -> [Result<OperationReport, ControlFailure>] {
        let results = Mutex<[Result<OperationReport, ControlFailure>]>([])
        DispatchQueue.concurrentPerform(iterations: kinds.count) { index in
            let result: Result<OperationReport, ControlFailure>
            do throws(ControlFailure) { result = .success(try engine.operate(job, kinds[index])) } catch { result = .failure(error) }
            results.withLock { $0.append(result) }
        }
        return results.withLock { $0 }
    }

    /// Brings a job that ended under the operations to the end of its input, and says what is wrong then.
    private func finish(_ orders: Orders, on engine: TestEngine) throws -> String? {
        let isDone = try eventually(seconds: 60) {
            let jobs = engine.service.currentReport().jobs.filter { $0.name == orders.name }
            let lives = jobs.filter { !$0.state.isTerminal }
            if lives.count > 1 { throw TestFailure("\(orders.name): \(lives.map(\.id.short)) live at once") }
            guard lives.isEmpty, let newest = jobs.first else { return false }
            if newest.state == .finished, try orders.problem() == nil { return true }
            do throws(ControlFailure) { _ = try engine.operate(newest.id, .restart(RestartOptions())) } catch {
                // An operation may be under way still, or have just launched the next job.
                if error.kind != .refused { throw error }
            }
            return false
        }
        return try isDone ? orders.problem() : "\(orders.name) did not finish"
    }

    @Test func everyPairOfConcurrentOperationsLeavesOneJobAndExactOutput() throws {
        for round in 0..<rounds {
            let engine = try engine()
            defer { engine.close() }
            // All pairs side by side, each on a job of its own.
            let problems = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: Pair.all.count) { index in
                let pair = Pair.all[index]
                let orders = Orders(name: "pair-\(round)-\(index)", directory: sandbox["out-\(round)-\(index)"], count: 8_000)
                let found: [String]
                do { found = try play(pair, on: orders, engine) } catch { found = ["\(error)"] }
                problems.withLock { $0 += found.map { "\(pair): \($0)" } }
            }
            let found = problems.withLock { $0 }
            #expect(found.isEmpty, "round \(round): \(found.joined(separator: "\n"))")
            if !found.isEmpty { return }
        }
    }

    /// What is wrong after both operations were asked for at once, and after the job has come to its end.
    private func play(_ pair: Pair, on orders: Orders, _ engine: TestEngine) throws -> [String] {
        let id = try submit(orders, to: engine).id
        guard try eventually(seconds: 60, { try engine.job(id).counts.completed >= 1 }) else { return ["no checkpoint"] }
        var problems: [String] = []
        for result in atOnce([pair.first, pair.second], on: id, of: engine) {
            switch result {
            case .failure(let failure):
                if failure.kind != .refused || !failure.message.contains(id.short) { problems.append("the refusal names no job: \(failure.message)") }
            case .success(let report):
                guard let ended = try engine.ended(report.request.id) else { return ["\(report.request.kind.verb) does not end"] }
                if ended.state != .completed, ended.error == nil { problems.append("\(report.request.kind.verb) is \(ended.state) without a reason") }
            }
        }
        let lives = live(engine, lineageOf: orders.name)
        if lives.count > 1 { problems.append("\(lives.map(\.id.short)) live at once") }
        if let problem = try finish(orders, on: engine) { problems.append(problem) }
        return problems
    }

    @Test func oneOfTwoConcurrentRestartsIsRefusedWithTheOthersId() throws {
        for round in 0..<rounds {
            let engine = try engine()
            defer { engine.close() }
            let orders = Orders(name: "twice-\(round)", directory: sandbox["twice-\(round)"], count: 8_000)
            let job = try submit(orders, to: engine)
            try engine.waitForCheckpoints(1, of: job.id)
            let results = atOnce([OperationRequest.Kind](repeating: .restart(Pair.cancelsFirst), count: 3), on: job.id, of: engine)
            let accepted = results.compactMap { try? $0.get() }  // The others are looked at below.
            // One after the other is fine, too: each then restarts what the one before has launched.
            #expect(!accepted.isEmpty)
            for case .failure(let failure) in results {
                #expect(failure.message.contains("restart ") && failure.message.contains("under way"), "\(failure.message)")
            }
            for report in accepted { #expect(try engine.ended(report.request.id)?.state == .completed) }
            #expect(live(engine, lineageOf: orders.name).count <= 1)
            #expect(try finish(orders, on: engine) == nil)
        }
    }

    // Eight jobs come back at once, so that most are INITIALIZING for a while; each is restarted in that moment, by two operators.
    @Test func aRestartOfARecoveringJobLaunchesNoTwin() throws {
        for round in 0..<rounds {
            let work = (0..<8).map { Orders(name: "back-\(round)-\($0)", directory: sandbox["back-\(round)-\($0)"], count: 6_000) }
            var engine = try engine()
            let jobs = try work.map { try submit($0, to: engine) }
            for job in jobs { try engine.waitForCheckpoints(1, of: job.id) }
            engine.close()
            engine = try TestEngine(sandbox["state"], recovers: false)
            defer { engine.close() }
            let recovery = DispatchGroup(), service = engine.service
            DispatchQueue.global().async(group: recovery) { service.recover() }
            for (index, job) in jobs.enumerated() {
                let results = atOnce([.restart(Pair.cancelsFirst), .restart(RestartOptions())], on: job.id, of: engine)
                for case .success(let report) in results { #expect(try engine.ended(report.request.id) != nil) }
                #expect(live(engine, lineageOf: work[index].name).count <= 1)
            }
            recovery.wait()
            for orders in work { #expect(try finish(orders, on: engine) == nil) }
        }
    }

    // The socket answers before the engine has come to its jobs.
    @Test func requestsDuringRecoveryAreCarriedOutAfterwards() throws {
        var engine = try engine()
        let work = ["early-a", "early-b"].map { Orders(name: $0, directory: sandbox[$0], count: 8_000) }
        let jobs = try work.map { try submit($0, to: engine) }
        for job in jobs { try engine.waitForCheckpoints(1, of: job.id) }
        engine.close()
        engine = try TestEngine(sandbox["state"], recovers: false)
        defer { engine.close() }
        let restart = try engine.operate(jobs[0].id, .restart(Pair.cancelsFirst))
        let cancel = try engine.operate(jobs[1].id, .cancel(.keep))
        #expect(!restart.state.isTerminal && !cancel.state.isTerminal)
        var refusal: ControlFailure?
        do throws(ControlFailure) { _ = try engine.operate(jobs[1].id, .savepoint(directory: nil)) } catch { refusal = error }
        #expect(refusal?.kind == .refused)
        engine.service.recover()
        #expect(try engine.ended(restart.request.id)?.state == .completed)
        #expect(try engine.ended(cancel.request.id)?.state == .completed)
        #expect(live(engine, lineageOf: "early-b").isEmpty)
        for orders in work { #expect(try finish(orders, on: engine) == nil) }
    }

    @Test func anInitializingJobCanBeCancelled() throws {
        let orders = Orders(name: "early", directory: sandbox["early"], count: 100_000)
        var engine = try engine()
        let job = try submit(orders, to: engine)
        try engine.waitForCheckpoints(1, of: job.id)
        engine.close()
        engine = try TestEngine(sandbox["state"], recovers: false)
        defer { engine.close() }
        // The launch is under way for as long as the queue of launches is held up.
        let gate = DispatchSemaphore(value: 0)
        engine.service.launches.async { gate.wait() }
        let recovery = DispatchGroup(), service = engine.service
        DispatchQueue.global().async(group: recovery) { service.recover() }
        #expect(try eventually { try engine.job(job.id).state == .initializing })
        let cancel = try engine.operate(job.id, .cancel(.keep))
        #expect(!cancel.state.isTerminal)
        gate.signal()
        recovery.wait()
        #expect(try engine.ended(cancel.request.id)?.state == .completed)
        #expect(try engine.job(job.id).state == .canceled)
        #expect(try engine.checkpoints(job.id).contains { $0.isRestorable }, "its checkpoints are kept")
    }

    // A record that an older version, or a disk that was full, has left behind.
    @Test func oneOfTwoLiveRecordsOfALineageRecovers() throws {
        var engine = try engine()
        let orders = Orders(name: "two", directory: sandbox["two"], count: 8_000)
        let job = try submit(orders, to: engine)
        try engine.waitForCheckpoints(1, of: job.id)
        let restart = try engine.complete(job.id, .restart(Pair.cancelsFirst))
        let new = try #require(restart.newJob)
        engine.close()
        let path = sandbox["state/jobs/\(job.id).json"]
        var record = try JSONDecoder().decode(JobRecord.self, from: Data(contentsOf: URL(filePath: path)))
        #expect(record.isTerminal)
        record.report.state = .running
        try Data(ControlCodec.json(record).utf8).write(to: URL(filePath: path))
        engine = try self.engine()
        defer { engine.close() }
        #expect(try engine.job(job.id).state == .canceled)
        #expect(engine.said.contains { $0.contains(job.id.short) && $0.contains("does not come back: job \(new.short)") }, "\(engine.said)")
        #expect(try finish(orders, on: engine) == nil)
    }

    @Test func aRestartOfAJobWithoutCheckpointsCancelsNothing() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", ["interval": "1h", "rate": "100"])
        #expect(try eventually { try engine.job(job.id).state == .running })
        var refusal: ControlFailure?
        do throws(ControlFailure) { _ = try engine.operate(job.id, .restart(Pair.cancelsFirst)) } catch { refusal = error }
        #expect(refusal?.message.contains("has no checkpoint or savepoint left") == true, "\(String(describing: refusal))")
        #expect(try engine.job(job.id).state == .running)
    }

    // Reading a large snapshot takes longer than the job needs for as many checkpoints as it retains: here the verification waits for 20 of them.
    @Test func aSnapshotIsKeptDuringALongVerification() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", ["interval": "10ms", "rate": "1000"], parallelism: 1)
        try engine.waitForCheckpoints(3, of: job.id)
        let gate = DispatchSemaphore(value: 0)
        engine.service.inspections.verify { _ in gate.wait() }
        let chosen = try #require(try engine.job(job.id).latestCompleted)
        let answer = Mutex<Result<OperationReport, ControlFailure>?>(nil)
        DispatchQueue.global().async {
            let result: Result<OperationReport, ControlFailure>
            do throws(ControlFailure) {
                var options = Pair.cancelsFirst
                options.path = chosen.path
                result = .success(try engine.operate(job.id, .restart(options)))
            } catch { result = .failure(error) }
            answer.withLock { $0 = result }
        }
        #expect(try eventually { try engine.job(job.id).counts.completed >= Int(chosen.id.rawValue) + 20 }, "ten are retained")
        #expect(answer.withLock { $0 } == nil, "the verification still waits")
        gate.signal()
        #expect(eventually { answer.withLock { $0 } != nil })
        let accepted = try #require(answer.withLock { $0 }).get()
        let ended = try #require(try engine.ended(accepted.request.id))
        #expect(ended.state == .completed && ended.path == chosen.path, "\(ended.error ?? "")")
        let new = try #require(ended.newJob)
        #expect(try eventually { try engine.job(new).restored?.checkpoint == chosen.id })
    }

    // A job that came from a snapshot and has none of its own goes back there.
    @Test func aRestartWithoutOwnCheckpointsUsesTheLaunchSnapshot() throws {
        let engine = try engine()
        defer { engine.close() }
        let first = try engine.submit("orders", ["interval": "20ms", "rate": "1000"])
        try engine.waitForCheckpoints(1, of: first.id)
        let savepoint = try #require(try engine.complete(first.id, .savepoint(directory: sandbox["saves"])).path)
        _ = try engine.complete(first.id, .cancel(.keep))
        let job = try engine.submit("orders", ["interval": "1h", "rate": "100"], name: "slow", from: RestartOptions(path: savepoint))
        #expect(try eventually { try engine.job(job.id).state == .running })
        let restart = try engine.complete(job.id, .restart(Pair.cancelsFirst))
        #expect(restart.state == .completed && restart.path == savepoint, "\(restart.error ?? "")")
    }
}
