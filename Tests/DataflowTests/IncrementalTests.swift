import CheckpointStore
import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: a job whose checkpoints write only what has changed restores as exactly as one with full checkpoints, from any of them, whatever
// lies between, and leaves no file that no checkpoint needs. Method: the counting job, with so many key groups that few pages change
// between two checkpoints.

@Suite struct IncrementalTests {
    let place: Sandbox
    let job: CountingJob

    init() throws {
        place = Sandbox()
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        job.records = 6000
        job.keys = 3000
        // Slow enough that also on a busy machine few pages change between two checkpoints.
        job.rate = 1500
        job.maxParallelism = 1024
        job.incremental = true
        self.job = job
    }

    func expectExact(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let found = try place.lines("out"), expected = job.expected
        #expect(found == expected, "\(found.count) lines for \(expected.count)", sourceLocation: sourceLocation)
    }

    func manifest(_ row: CheckpointReport) throws -> CheckpointManifest { try Snapshot.load(path: try #require(row.path)).manifest }

    /// Restorable checkpoints and savepoints, newest first.
    func kept(_ probe: JobProbe) -> [CheckpointReport] { probe.job.checkpoints(limit: 1000).filter(\.isRestorable) }

    /// What lies in a job's `shared` is exactly what its checkpoints list.
    func expectNoGarbage(_ id: JobID, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let stored = try StoredCheckpoint.scan(jobDirectory: place("checkpoints/\(id)"), job: id, verification: .contents)
        let listed = try stored.filter { $0.summary != nil }.reduce(into: Set<String>()) { $0.formUnion(try Snapshot.load(path: $1.path).manifest.sharedFiles) }
        let found = Set(try place.names("checkpoints/\(id)/shared").map { "shared/" + $0 })
        #expect(
            found == listed, "too much: \(found.subtracting(listed).sorted()), missing: \(listed.subtracting(found).sorted())", sourceLocation: sourceLocation)
    }

    @Test(arguments: [2, 1, 3])
    func restoresFromAChainAtAnyParallelism(after: Int) throws {
        let first = try JobProbe(job.launch(parallelism: 2))
        try first.wait("a chain") { $0.counts.completed >= 6 && $0.throughput.recordsRead > 3000 }
        try first.cancel()
        let rows = kept(first)
        let chosen = try #require(rows.first { ($0.checkpointedSize ?? 0) < $0.stateSize }, "one of the checkpoints is incremental")
        let manifest = try manifest(chosen)
        #expect(manifest.files.contains { $0.writer(in: manifest) < manifest.checkpoint }, "it refers to what older ones wrote")
        #expect(manifest.checkpointedSize == chosen.checkpointedSize && manifest.stateSize == chosen.stateSize)
        let detail = try #require(first.job.checkpoint(chosen.id)?.operators?.first { $0.uid == "count" })
        #expect(try #require(detail.checkpointedSize) < detail.stateSize)
        #expect(detail.subtasks.reduce(0) { $0 + ($1.checkpointedSize ?? 0) } == detail.checkpointedSize)
        try expectNoGarbage(first.job.id)

        var launch = job.launch(parallelism: after, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        try expectExact()
    }

    @Test func aKilledJobContinuesItsChain() throws {
        let probe = try JobProbe(job.launch())
        try probe.wait("a chain") { $0.counts.completed >= 4 }
        try probe.job.fault("crash")
        try probe.wait("the restart") { $0.restarts == 1 && $0.restored != nil }
        let before = try #require(probe.report.restored).checkpoint
        try probe.wait("a chain after it") { $0.counts.completed >= 8 }
        // The tables are new: the first checkpoint after a restore refers to nothing.
        let next = try #require(probe.job.checkpoints(limit: 1000).filter { $0.id > before && $0.status == .completed }.min { $0.id < $1.id })
        #expect(next.checkpointedSize == next.stateSize)
        #expect(try probe.waitForEnd().state == .finished)
        try expectExact()
        #expect(try place.names("checkpoints/\(probe.job.id)/shared") == [], "nothing is retained on finish")
    }

    // C6: a savepoint may subsume nothing that later checkpoints refer to; a checkpoint that failed is no base.
    @Test func aSingleRetainedCheckpointSurvivesSavepointsAndFailures() throws {
        var job = job
        job.retained = 1
        job.tolerable = 1000
        let first = try JobProbe(job.launch())
        for round in 1...3 {
            try first.wait("checkpoints of round \(round)") { $0.counts.completed >= UInt64(round) * 2 }
            let savepoint = try first.savepoint()
            let manifest = try manifest(savepoint)
            #expect(manifest.sharedFiles.isEmpty && savepoint.checkpointedSize == savepoint.stateSize, "a savepoint stands for itself")
            try first.job.fault("fail 2")
            let failed = first.report.counts.failed
            // Both: the second would hit the savepoint of the next round.
            try first.wait("failures of round \(round)") { $0.counts.failed >= failed + 2 }
        }
        let completed = first.report.counts.completed
        try first.wait("a success after them") { $0.counts.completed >= completed + 2 }
        try first.cancel()
        try expectNoGarbage(first.job.id)
        let newest = try #require(kept(first).first { !$0.kind.isSavepoint })
        var launch = job.launch(parallelism: 3, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(newest.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        try expectExact()
    }

    // C4: what was not claimed is never deleted, and nothing depends on it once the first checkpoint is complete.
    @Test func anUnclaimedChainStaysAndIsNotNeeded() throws {
        let first = try JobProbe(job.launch())
        try first.wait("a chain") { _ in
            first.job.checkpoints(limit: 10).contains { $0.isRestorable && ($0.checkpointedSize ?? 0) < $0.stateSize }
        }
        try first.cancel()
        let chosen = try #require(kept(first).first { ($0.checkpointedSize ?? 0) < $0.stateSize })
        let before = try manifest(chosen)
        var launch = job.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path), claim: .noClaim)
        let second = try JobProbe(launch)
        // Fails before its first checkpoint too: what it then starts from is still not its own.
        try second.job.fault("crash")
        try second.wait("checkpoints of its own") { $0.restarts == 1 && $0.counts.completed >= 4 }
        try second.cancel()
        #expect(try manifest(chosen) == before, "the restored chain is whole")
        let own = kept(second).filter { !$0.kind.isSavepoint && $0.path?.contains(second.job.id.description) == true }
        let oldest = try #require(own.last)
        #expect(oldest.checkpointedSize == oldest.stateSize, "the first one is full")
        try FileManager.default.removeItem(atPath: place("checkpoints/\(first.job.id)"))
        var third = job.launch(lineage: first.job.id)
        third.restore = RestoreRequest(path: try #require(own.first?.path))
        #expect(try JobProbe(third).waitForEnd().state == .finished)
        try expectExact()
    }

    @Test func theJobDeletesAClaimedChain() throws {
        var job = job
        job.retained = 1
        let first = try JobProbe(job.launch())
        try first.wait("a chain") { _ in
            first.job.checkpoints(limit: 10).contains { $0.isRestorable && ($0.checkpointedSize ?? 0) < $0.stateSize }
        }
        try first.cancel()
        let chosen = try #require(kept(first).first)
        #expect(!(try place.names("checkpoints/\(first.job.id)/shared").isEmpty))
        var launch = job.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path), claim: .claim)
        let second = try JobProbe(launch)
        try second.wait("checkpoints of its own") { $0.counts.completed >= 3 }
        try second.cancel()
        #expect(try place.names("checkpoints/\(first.job.id)").filter { $0.hasPrefix("chk-") } == [])
        #expect(try place.names("checkpoints/\(first.job.id)/shared") == [])
        try expectNoGarbage(second.job.id)
    }

    // What an engine that was killed left in `shared` goes with its next start.
    @Test func recoveryCollectsUnlistedFiles() throws {
        let first = try JobProbe(job.launch())
        try first.wait("a chain") { $0.counts.completed >= 3 }
        _ = try first.request("suspend") { first.job.suspend(completion: $0) }
        #expect(try first.waitForEnd().state == .suspended)
        let orphan = place("checkpoints/\(first.job.id)/shared/1-task-9-9.state")
        try Data([1, 2, 3]).write(to: URL(filePath: orphan))
        var launch = job.launch(id: first.job.id)
        launch.recovers = true
        let second = try JobProbe(launch)
        #expect(try second.waitForEnd().state == .finished)
        #expect(!FileManager.default.fileExists(atPath: orphan))
        try expectExact()
    }
}
