import CheckpointStore
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: a checkpoint that is being read outlives its retention, for ten minutes at most, and reports say what is on the disk. Method: real jobs
// that retain one checkpoint; a held pin stands for a reader that takes longer than many intervals.
@Suite struct PinnedCheckpointTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    private var job: CountingJob {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.interval, job.retained, job.restart) = (40_000, 5000, nil, 1, RestartStrategy.none)
        return job
    }

    private func exists(_ row: CheckpointReport) -> Bool { FileManager.default.fileExists(atPath: row.directory + "/_metadata") }
    private func isListed(_ row: CheckpointReport, _ probe: JobProbe) -> Bool { probe.job.checkpoint(row.id)?.isRestorable == true }

    private func run(_ launch: JobLaunch) throws -> JobProbe {
        let probe = try JobProbe(launch)
        try probe.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        return probe
    }

    @Test func aPinnedCheckpointStaysListedUntilItIsReleased() throws {
        let probe = try run(job.launch())
        let first = try probe.checkpoint().get()
        let pin = try SnapshotPin.take(path: first.directory)
        let others = try (0..<5).map { _ in try probe.checkpoint().get() }
        try probe.wait("the deletion of the others") { _ in others.dropLast().allSatisfy { !self.isListed($0, probe) } }
        #expect(others.dropLast().allSatisfy { !exists($0) } && exists(others[4]))
        #expect(exists(first) && isListed(first, probe), "it is there, so it is listed")
        // Read at leisure, after five newer ones, as a restart does that verifies it.
        #expect(try Snapshot.load(path: first.directory).manifest.checkpoint == first.id)
        pin.release()
        try probe.wait("the retention") { _ in !self.isListed(first, probe) }
        #expect(!exists(first), "reported as discarded when it is gone")
        #expect(try place.names("checkpoints/\(probe.job.id)").filter { $0.hasPrefix("chk-") } == ["chk-\(others[4].id)"])
        try probe.cancel()
    }

    @Test func aPinLastsTenMinutesByTheHostsClock() throws {
        let host = ManualHost()
        var launch = job.launch()
        launch.host = host
        let probe = try JobProbe(launch)
        try probe.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks }
        let first = try probe.checkpoint().get()
        let pin = try SnapshotPin.take(path: first.directory)
        // A checkpoint that ends after the tick of the clock ends after what the tick began: one worker does the file work in its order.
        _ = try probe.checkpoint().get()
        host.advance(by: 599_000)
        _ = try probe.checkpoint().get()
        #expect(exists(first) && isListed(first, probe))
        // A discard that was under way as the clock moved is tried again with the next tick.
        try poll("the end of the reader's time") {
            host.advance(by: 500)
            return !isListed(first, probe)
        }
        #expect(!exists(first))
        withExtendedLifetime(pin) {}
        let cancelled = Mutex(false)
        probe.job.cancel(.keep) { _ in cancelled.withLock { $0 = true } }
        try poll("the cancel") {
            host.advance(by: 100)
            return cancelled.withLock { $0 }
        }
    }

    @Test func theEndOfTheJobKeepsAndReportsPinnedCheckpoints() throws {
        let probe = try run(job.launch())
        let first = try probe.checkpoint().get()
        let pin = try SnapshotPin.take(path: first.directory)
        let second = try probe.checkpoint().get()
        try probe.cancel(.discard)
        #expect(!exists(second) && !isListed(second, probe))
        #expect(exists(first) && isListed(first, probe))
        let note = probe.job.failures().first { $0.message.contains("checkpoint \(first.id) was to be deleted and is being read") }
        #expect(note?.message.contains(first.directory) == true, "\(probe.job.failures().map(\.message))")
        withExtendedLifetime(pin) {}
    }

    // The engine dies while a reader holds a superfluous checkpoint: the next one finds it and applies the retention as to any other.
    @Test func theNextEngineSubsumesTheRemainsOfADeadOne() throws {
        let probe = try run(job.launch())
        let first = try probe.checkpoint().get()
        let pin = try SnapshotPin.take(path: first.directory)
        _ = try probe.checkpoint().get()
        _ = try probe.request("suspend") { probe.job.suspend(completion: $0) }.get()
        _ = try probe.waitForEnd()
        #expect(exists(first) && isListed(first, probe))
        pin.release()
        var launch = job.launch(id: probe.job.id)
        launch.recovers = true
        launch.history = probe.job.checkpoints(limit: 100).reversed()
        let next = try run(launch)
        #expect(exists(first), "nothing is deleted before something newer is complete")
        _ = try next.checkpoint().get()
        try next.wait("the retention") { _ in !self.isListed(first, next) }
        #expect(!exists(first))
        try next.cancel()
    }

    /// Keeps the tasks of a job from taking up their state.
    private final class GateHost: EngineHost {
        private let machine = MachineHost()
        private let isOpen = Mutex(false)
        func open() { isOpen.withLock { $0 = true } }
        func now() -> EngineInstant { machine.now() }
        func wall() -> WallTime { machine.wall() }
        func random() -> UInt64 { machine.random() }
        var filesystem: any Filesystem { machine.filesystem }
        func makeParker() -> any Parker { machine.makeParker() }
        func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) {
            try machine.startThread(named: name) {
                // Threads of subtasks are called by their number and their vertex.
                while name.first?.isNumber == true, !self.isOpen.withLock({ $0 }) { usleep(500) }
                body()
            }
        }
    }

    @Test func aJobPinsItsSnapshotUntilAllTasksHaveTheirState() throws {
        let probe = try run(job.launch())
        let chosen = try probe.checkpoint().get()
        try probe.cancel()
        let host = GateHost()
        var launch = job.launch(lineage: probe.job.id)
        launch.host = host
        launch.restore = RestoreRequest(path: chosen.directory)
        let restored = try JobProbe(launch)
        try restored.wait("the attempt") { $0.state == .running }
        #expect(throws: StoreError.inUse(path: chosen.directory)) { try Snapshot.remove(path: chosen.directory) }
        host.open()
        try restored.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.restored != nil }
        try Snapshot.remove(path: chosen.directory)
        try restored.cancel()
    }
}
