import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: a job restarts as its strategy says, and its reports say which attempt comes, when, and why. Method: real threads, injected crashes.
// The strategies' arithmetic is held by CheckpointCore's RestartBackoffTests.
/// The newest delay that a report showed.
private final class SeenDelay: Sendable {
    private let newest = Mutex<Milliseconds?>(nil)
    var delay: Milliseconds? { newest.withLock { $0 } }
    func note(_ delay: Milliseconds) { newest.withLock { $0 = delay } }
}

@Suite struct RestartStrategyTests {
    let place: Sandbox
    var job: CountingJob

    init() throws {
        place = Sandbox()
        job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate) = (40_000, 20_000)
    }

    @Test func theReportHasTheNextAttemptItsDelayAndItsReason() throws {
        var job = job
        job.restart = .exponentialDelay(initialBackoff: 600_000, maxBackoff: 600_000, jitterFactor: 0)
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("crash")
        let report = try probe.wait("the delay") { $0.state == .restarting }
        #expect(report.attempt == 1 && report.restarts == 0)
        #expect(report.restartDelay == 600_000)
        #expect(try #require(report.restartsAt) - report.stateSince <= 600_000)
        #expect(report.restartReason?.contains("crash of a task") == true)
        try probe.cancel()
        #expect(probe.report.restartsAt == nil && probe.report.restartDelay == nil && probe.report.restartReason == nil)
    }

    @Test func exponentialDelayGrowsFromRestartToRestart() throws {
        var job = job
        job.restart = .exponentialDelay(initialBackoff: 20, maxBackoff: 60, backoffMultiplier: 2, jitterFactor: 0)
        let probe = try JobProbe(job.launch())
        for (restart, delay) in [20, 40, 60].enumerated() as EnumeratedSequence<[Milliseconds]> {
            try probe.wait("the attempt to run") { $0.state == .running && $0.restarts == restart && $0.runningSubtasks > 0 }
            let seen = SeenDelay()
            probe.onReport { report in if report.state == .restarting, let delay = report.restartDelay { seen.note(delay) } }
            try probe.job.fault("crash")
            try probe.wait("the restart") { $0.restarts == restart + 1 && $0.state == .running && $0.restartDelay == nil }
            #expect(seen.delay == delay)
        }
        try probe.cancel()
    }

    @Test func failureRateFailsTheJobWithTheLimitInTheMessage() throws {
        var job = job
        job.restart = .failureRate(maxFailuresPerInterval: 3, failureRateInterval: .minutes(10), delay: 10)
        let probe = try JobProbe(job.launch())
        for restart in 0..<2 {
            try probe.wait("the attempt to run") { $0.state == .running && $0.restarts == restart && $0.runningSubtasks > 0 }
            try probe.job.fault("crash")
            try probe.wait("the restart") { $0.restarts == restart + 1 }
        }
        try probe.wait("the last attempt to run") { $0.state == .running && $0.runningSubtasks > 0 }
        try probe.job.fault("crash")
        let report = try probe.waitForEnd()
        #expect(report.state == .failed && report.restarts == 2)
        let message = report.lastFailure?.message ?? ""
        #expect(message.contains("crash of a task") && message.contains("3 failures within 600000 ms"), "\(message)")
    }

    @Test func fixedDelayFailsTheJobAfterItsLastAttempt() throws {
        var job = job
        job.restart = .fixedDelay(attempts: 1, delay: 10)
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("crash")
        try probe.wait("the restart") { $0.restarts == 1 && $0.state == .running && $0.runningSubtasks > 0 }
        try probe.job.fault("crash")
        let report = try probe.waitForEnd()
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message.contains("all 1 restarts of the fixed-delay strategy are used up") == true)
    }

    @Test func aParameterOutOfRangeIsRefusedAtLaunch() throws {
        var job = job
        job.restart = .exponentialDelay(backoffMultiplier: 0.5)
        #expect { try JobProbe(job.launch()) } throws: { String(describing: $0).contains("exponential-delay.backoff-multiplier is 0.5: it must be above 1") }
    }
}
