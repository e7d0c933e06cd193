import FoundationEssentials
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: what happens around the edges of a job's life: memory of ended attempts, inputs that end one after the other, requests that are
// refused or come too late, checkpoints that expire. Method: real threads and files, jobs built for the purpose.

/// A job described by a closure.
struct ClosureJob: StreamJob {
    var name = "closure"
    let body: @Sendable (StreamEnvironment) throws -> Void
    func build(_ environment: StreamEnvironment) throws { try body(environment) }

    func launch(in place: Sandbox, parallelism: Int = 2) -> JobLaunch {
        JobLaunch(id: .random, job: self, parallelism: parallelism, storageRoot: place("checkpoints"), submittedAt: WallTime(milliseconds: 0))
    }
}

/// Counts the living instances of something.
final class Living: Sendable {
    private let count = Atomic<Int>(0)
    var isEmpty: Bool { count.load(ordering: .acquiring) == 0 }

    final class Token: Sendable {
        private let living: Living
        init(_ living: Living) {
            self.living = living
            living.count.wrappingAdd(1, ordering: .relaxed)
        }
        deinit { living.count.wrappingSubtract(1, ordering: .releasing) }
    }
}

/// An endless source whose readers hold a token each. A reader lives as long as the memory of its subtask.
private struct HoldingSource: Source {
    let living: Living
    static var splitType: String { "nothing" }
    func makeReader(subtask: Int, parallelism: Int) throws -> Reader { Reader(token: Living.Token(living)) }

    struct Reader: SourceReader {
        let token: Living.Token
        var position: UInt64 = 0
        var progress: InputProgress? { nil }
        mutating func read(into out: Emitter<UInt64>, at now: EngineInstant) throws -> SourceStatus {
            position += 1
            out.emit(position)
            return .waiting(until: now + 1)
        }
        func splits() -> [[UInt8]] { [] }
        mutating func restore(_ splits: [[UInt8]]) throws {}
    }
}

@Suite struct LifecycleTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    /// 640,000 channels take far longer to make.
    @Test(arguments: ["cancel", "suspend"]) func aDeploymentIsBrokenOff(by request: String) throws {
        let job = ClosureJob { environment in
            environment.read(GeneratorSource<UInt64> { $0.sequence }, name: "numbers").uid("numbers")
                .key { $0 % 100 }
                .aggregate(Count<UInt64>()).uid("count")
                .discard()
        }
        let running = try RunningJob.launch(job.launch(in: place, parallelism: 800)) { _ in }
        let outcome = Mutex<JobState?>(nil), asked = ContinuousClock.now
        let completion: @Sendable (Result<JobReport, JobError>) -> Void = { result in outcome.withLock { $0 = (try? result.get())?.state ?? .failed } }
        if request == "cancel" { running.cancel(CancelRetention.keep, completion: completion) } else { running.suspend(completion: completion) }
        #expect(eventually { outcome.withLock { $0 } != nil })
        #expect(ContinuousClock.now - asked < .seconds(2))
        #expect(outcome.withLock { $0 } == (request == "cancel" ? .canceled : .suspended))
    }

    @Test func theMemoryOfAnEndedAttemptIsFreed() throws {
        let living = Living()
        let job = ClosureJob { environment in
            environment.checkpoints.interval = 20
            environment.restartStrategy = .fixedDelay(attempts: 5, delay: 10)
            environment.allowsFaults = true
            environment.read(HoldingSource(living: living), name: "numbers").uid("numbers")
                .key { $0 % 100 }
                .aggregate(Count<UInt64>()).uid("count")
                .discard()
        }
        let probe = try JobProbe(job.launch(in: place))
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("crash")
        try probe.wait("the restart") { $0.restarts == 1 && $0.counts.restored == 1 }
        try probe.cancel()
        // The last threads end after the last report.
        #expect(eventually { living.isEmpty }, "the operators are not freed")
    }

    // One split for three subtasks: two of them have nothing to read. The job's checkpoints must not depend on them.
    @Test func subtasksWithoutInputDoNotEndTheCheckpoints() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.splits) = (20_000, 30_000, 1)
        let first = try JobProbe(job.launch(parallelism: 3))
        try first.wait("three checkpoints after two sources have ended") { report in
            report.counts.completed >= 3 && report.vertices[0].finishedSubtasks == 2
        }
        try first.cancel()
        var launch = job.launch(parallelism: 2, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(first.report.latestCompleted?.path))
        let report = try JobProbe(launch).waitForEnd()
        #expect(report.state == .finished)
        #expect(try place.lines("out") == job.expected)
        #expect(report.audit?.duplicates == 0 && report.audit?.lost == 0)
    }

    @Test(arguments: [false, true])
    func aStopSucceedsAfterSomeSourcesHaveEnded(drain: Bool) throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.splits) = (20_000, 20_000, 1)
        let probe = try JobProbe(job.launch(parallelism: 2))
        try probe.wait("a checkpoint after a source has ended") { $0.counts.completed >= 1 && $0.vertices[0].finishedSubtasks == 1 }
        #expect(try probe.stop(drain: drain).kind == .synchronousSavepoint)
        #expect(try probe.waitForEnd().state == .finished)
        let counted = try place.lines("out").reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
        #expect(counted == (drain ? Int(probe.job.sourcePosition()) : 0))
    }

    // What was emitted at the end is not emitted again by a job that starts from a savepoint taken after it.
    @Test func aDrainedSavepointHoldsNothingToEmitTwice() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate) = (40_000, 20_000)
        let first = try JobProbe(job.launch())
        try first.wait("records") { $0.counts.completed >= 1 && $0.throughput.recordsRead > 2000 }
        let savepoint = try first.stop(drain: true)
        _ = try first.waitForEnd()
        job.rate = nil
        var launch = job.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(savepoint.path))
        _ = try JobProbe(launch).waitForEnd()
        let counted = try place.lines("out").reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
        #expect(counted == Int(job.records))
    }

    // A second stop is refused; it must not be mistaken for one that has drained the job and failed.
    @Test func aRefusedStopWithDrainDisturbsNothing() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.tolerable) = (40_000, 20_000, 100)
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("slow 300ms")
        let first = Mutex<Result<CheckpointReport, JobError>?>(nil)
        probe.job.stop(drain: false, directory: nil, by: "test", started: { _ in }, completion: { result in first.withLock { $0 = result } })
        let second = try probe.request("the second stop") {
            probe.job.stop(drain: true, directory: nil, by: "test", started: { _ in }, completion: $0)
        }
        #expect(throws: JobError.self) { try second.get() }
        #expect(try probe.waitForEnd().state == .finished)
        #expect(probe.report.restarts == 0)
        #expect(throws: Never.self) { try first.withLock { try #require($0).get() } }
    }

    @Test func aFailedStopLetsTheJobContinue() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.tolerable) = (40_000, 20_000, 100)
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        // The file where the savepoint's directory should be made.
        try "in the way".write(toFile: place("blocked"), atomically: true, encoding: .utf8)
        let stop = try probe.request("stop") {
            probe.job.stop(drain: false, directory: place("blocked"), by: "test", started: { _ in }, completion: $0)
        }
        #expect(throws: JobError.self) { try stop.get() }
        #expect(probe.report.state == .running)
        let completed = probe.report.counts.completed
        try probe.wait("checkpoints after the failed stop") { $0.counts.completed > completed + 1 }
        #expect(try probe.waitForEnd().state == .finished)
        #expect(try place.lines("out") == job.expected)
    }

    @Test func anExpiredCheckpointIsCountedAndTheJobContinues() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.tolerable, job.timeout) = (60_000, 20_000, 100, 100)
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("slow 5s")
        try probe.wait("two expired checkpoints") { $0.budget.counted >= 2 && $0.latestFailed?.failure?.reason == .checkpointExpired }
        #expect(probe.report.state == .running)
        try probe.job.fault("off")
        try probe.wait("a success, which resets the counter") { $0.budget.counted == 0 && $0.state == .running }
        #expect(try probe.waitForEnd().restarts == 0)
        #expect(try place.lines("out") == job.expected)
    }

    @Test func aRequestAfterTheEndIsAnswered() throws {
        let job = CountingJob(directory: place("checkpoints"), output: place("out"))
        let probe = try JobProbe(job.launch())
        _ = try probe.waitForEnd()
        for _ in 0..<50 {
            guard case .failure(let error) = try probe.checkpoint() else {
                Issue.record("a job that has ended took a checkpoint")
                return
            }
            #expect(error.description.contains("FINISHED"))
        }
    }

    @Test func cancelDuringTheRestartDelayEndsAtOnce() throws {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.restart) = (40_000, 20_000, .fixedDelay(attempts: 5, delay: .minutes(10)))
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("crash")
        try probe.wait("the delay") { $0.state == .restarting && $0.restartsAt != nil }
        try probe.cancel()
        #expect(probe.report.state == .canceled)
    }

    // The job must leave while producers are stuck on full channels, whatever the consumer does.
    @Test func cancelUnblocksProducersOfASlowConsumer() throws {
        let job = ClosureJob { environment in
            environment.read(GeneratorSource<UInt64> { $0.sequence }, name: "numbers").uid("numbers")
                .rebalance().uid("deal")
                .key { $0 }
                .verifySequence(uid: "audit", split: { _ in 0 }, ordinal: { _ in 0 })
                .aggregate(Count<UInt64>(), emit: .endOfInput).uid("count")
                .discard()
        }
        let probe = try JobProbe(job.launch(in: place, parallelism: 3))
        try probe.wait("full channels") { $0.vertices.first.map { ($0.backPressuredPermille ?? 0) > 0 } ?? false || $0.throughput.recordsRead > 300_000 }
        try probe.cancel()
        #expect(probe.report.state == .canceled)
    }

    @Test func aThrowingUserFunctionFailsTheTaskWithItsMessage() throws {
        struct Bad: Error, CustomStringConvertible { let description = "record 4242 is bad" }
        let job = ClosureJob { environment in
            environment.restartStrategy = RestartStrategy.none
            environment.read(GeneratorSource<UInt64>(count: 10_000, splits: 1) { $0.sequence }, name: "numbers").uid("numbers")
                .map { number throws -> UInt64 in
                    if number == 4242 { throw Bad() }
                    return number
                }.uid("map")
                .discard()
        }
        let report = try JobProbe(job.launch(in: place)).waitForEnd()
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message == "record 4242 is bad")
        #expect(report.lastFailure?.vertex == "numbers")
    }

    @Test func aGraphThatCannotBeRunIsRefusedAtLaunch() throws {
        #expect { try JobProbe(ClosureJob { _ in }.launch(in: place)) } throws: { String(describing: $0).contains("it has no source") }
        let twins = ClosureJob { environment in
            let numbers = environment.read(GeneratorSource<UInt64>(count: 1) { $0.sequence }, name: "numbers").uid("same")
            numbers.map { $0 }.uid("same").discard()
        }
        #expect { try JobProbe(twins.launch(in: place)) } throws: { String(describing: $0).contains("two operators have the uid \"same\"") }
    }
}
