internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// A launch that was checked: the graph, the parameters, and the snapshot to begin with.
struct JobBlueprint {
    let launch: JobLaunch
    let plan: ExecutionPlan
    let configuration: CheckpointConfiguration
    let restartStrategy: RestartStrategy
    let allowsFaults: Bool
    let watermarkInterval: Milliseconds
    let directory: JobDirectory
    /// What the operator chose, or what recovery found.
    let start: StartPoint?
    /// Older checkpoints of this job that recovery found beside it: still the job's to subsume. Ascending.
    let older: [CheckpointID]
    /// Loud facts about the recovery: snapshots that were passed over.
    let warnings: [String]
    let nextCheckpointID: CheckpointID

    struct StartPoint {
        let state: RestoredState
        let chosen: Bool
        let claimed: Bool
        var manifest: CheckpointManifest { state.snapshot.manifest }
    }

    init(_ launch: JobLaunch) throws {
        self.launch = launch
        let environment = StreamEnvironment(parallelism: launch.parallelism)
        try launch.job.build(environment)
        if let problem = environment.problem { throw JobError.invalidGraph(problem) }
        guard environment.watermarkInterval >= 0 else { throw JobError.configuration("watermark interval \(environment.watermarkInterval.count) ms is negative") }
        watermarkInterval = environment.watermarkInterval
        var configuration = environment.checkpoints
        if configuration.storageDirectory == nil { configuration.storageDirectory = launch.storageRoot }
        do { try configuration.validate() } catch { throw JobError.configuration(error.description) }
        self.configuration = configuration
        restartStrategy = environment.restartStrategy ?? (configuration.interval == nil ? .none : .checkpointingDefault)
        do { try restartStrategy.validate() } catch { throw JobError.configuration(error.description) }
        allowsFaults = environment.allowsFaults

        let loadChosen = { () throws(JobError) in
            if let restore = launch.restore { try Self.load(restore.path, from: launch.host.filesystem) } else { nil as LoadedSnapshot? }
        }
        // A job that ran before goes on from its own checkpoints: what it began from may be gone, because it had claimed it.
        var chosen = launch.recovers ? nil : try loadChosen()
        do {
            directory = try JobDirectory(root: configuration.storageDirectory ?? launch.storageRoot, job: launch.id, filesystem: launch.host.filesystem)
        } catch { throw JobError.storage(error.description) }
        do {
            var warnings: [String] = []
            var snapshot: LoadedSnapshot?
            var older: [CheckpointID] = []
            if launch.recovers {
                let stored = try directory.completed(verification: .lengths)
                snapshot = try Self.newest(of: stored, launch: launch, configuration: configuration, warnings: &warnings)
                if let found = snapshot { older = stored.filter { $0.id < found.manifest.checkpoint && $0.summary != nil }.map(\.id).sorted() }
                if snapshot == nil { chosen = try loadChosen() }
            }
            snapshot = snapshot ?? chosen
            let isChosen = chosen != nil
            self.older = older
            let stored = snapshot?.manifest.maxParallelism
            if let snapshot, let wanted = environment.maxParallelism, wanted != snapshot.manifest.maxParallelism {
                throw JobError.maxParallelismMismatch(path: snapshot.path, stored: snapshot.manifest.maxParallelism, wanted: wanted)
            }
            let maxParallelism = environment.maxParallelism ?? stored ?? KeyGroups.defaultMaxParallelism(parallelism: launch.parallelism)
            guard (1...32768).contains(maxParallelism) else { throw JobError.configuration("maximum parallelism \(maxParallelism) is out of range: give 1 to 32768") }
            guard (1...maxParallelism).contains(launch.parallelism) else { throw JobError.parallelism(launch.parallelism, maximum: maxParallelism) }
            plan = try ExecutionPlan(nodes: environment.nodes, parallelism: launch.parallelism, maxParallelism: maxParallelism)
            let allowsUnmatched = launch.restore?.allowsUnmatchedState ?? false
            start = try snapshot.map { [plan] in
                StartPoint(
                    state: try Self.match($0, with: plan, allowsUnmatched: allowsUnmatched), chosen: isChosen,
                    // What recovery finds is the job's own, but a savepoint stays its owner's.
                    claimed: isChosen ? launch.restore?.claim == .claim : !$0.manifest.kind.isSavepoint)
            }
            self.warnings = warnings
            let highest = try directory.highestID() ?? CheckpointID(0)
            let known = launch.history.map(\.id).max() ?? CheckpointID(0)
            nextCheckpointID = max(highest, known, start?.manifest.checkpoint ?? CheckpointID(0)).next
        } catch {
            directory.close()
            if let error = error as? StoreError { throw JobError.storage(error.description) }
            throw error
        }
    }

    static func load(_ path: String, from filesystem: any Filesystem) throws(JobError) -> LoadedSnapshot {
        do throws(StoreError) { return try Snapshot.load(path: path, filesystem: filesystem) } catch { throw .storage(error.description) }
    }

    /// Every operator's state goes to the operator of the same uid; state that nobody wants is refused unless allowed.
    static func match(_ snapshot: LoadedSnapshot, with plan: ExecutionPlan, allowsUnmatched: Bool) throws(JobError) -> RestoredState {
        let manifest = snapshot.manifest
        guard manifest.keyHash == KeyGroups.hashName else { throw .hashMismatch(path: snapshot.path, stored: manifest.keyHash) }
        let wanted = Set(plan.nodes.map(\.effectiveUID))
        let gone = manifest.operators.filter { state in
            !wanted.contains(state.uid) && state.subtasks.contains { subtask in subtask.states.contains { $0.length > 0 } }
        }
        guard gone.isEmpty || allowsUnmatched else { throw .unmatchedState(path: snapshot.path, operators: gone.map(\.uid)) }
        var operators: [String: OperatorState] = [:]
        for state in manifest.operators where wanted.contains(state.uid) { operators[state.uid] = state }
        return RestoredState(snapshot: snapshot, operators: operators)
    }

    /// What recovery goes on from: the newest snapshot of this job that reads back. Damaged ones are passed over with a warning, never deleted.
    private static func newest(
        of stored: [StoredCheckpoint], launch: JobLaunch, configuration: CheckpointConfiguration, warnings: inout [String]
    ) throws -> LoadedSnapshot? {
        var candidates: [RestoreCandidate] = []
        for stored in stored {
            switch stored.condition {
            case .valid: candidates.append(RestoreCandidate(id: stored.id, kind: .checkpoint, path: stored.path))
            case .damaged(let error):
                candidates.append(RestoreCandidate(id: stored.id, kind: .checkpoint, path: stored.path, problem: error.description))
            case .incomplete: break
            }
        }
        for report in launch.history where report.kind.isSavepoint && report.isRestorable {
            if let path = report.path { candidates.append(RestoreCandidate(id: report.id, kind: report.kind, path: path)) }
        }
        return try choose(from: candidates, configuration: configuration, filesystem: launch.host.filesystem, warnings: &warnings)
    }

    /// Loads the best candidate; one that turns out to be damaged is marked and the choice is made again.
    static func choose(
        from candidates: [RestoreCandidate], configuration: CheckpointConfiguration, filesystem: any Filesystem, warnings: inout [String]
    ) throws -> LoadedSnapshot? {
        var candidates = candidates
        while true {
            switch RestorePlanner(configuration).plan(candidates, lastCommittedEpoch: nil) {
            case .startEmpty: return nil
            case .refused(let refusal, _): throw JobError.storage(refusal.description)
            case .restore(let best, let skipped):
                do throws(StoreError) {
                    let snapshot = try Snapshot.load(path: best.path, filesystem: filesystem)
                    warnings = skipped.map { "checkpoint \($0.candidate.id) was passed over: \($0.reason)" }
                    return snapshot
                } catch {
                    candidates = candidates.map {
                        $0.path == best.path ? RestoreCandidate(id: $0.id, kind: $0.kind, path: $0.path, problem: error.description) : $0
                    }
                }
            }
        }
    }
}
