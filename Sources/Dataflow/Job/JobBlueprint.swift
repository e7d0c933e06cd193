internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// A checked launch: the graph, the parameters, and the snapshot to begin with.
struct JobBlueprint {
    let launch: JobLaunch
    let plan: ExecutionPlan
    let configuration: CheckpointConfiguration
    let restartStrategy: RestartStrategy
    let allowsFaults: Bool
    let watermarkInterval: Milliseconds
    let planner: RestorePlanner
    let directory: JobDirectory
    /// Snapshot chosen by the operator or found by recovery.
    let start: StartPoint?
    /// Older checkpoints of this job found by recovery: still the job's to subsume. Ascending.
    let older: [CheckpointID]
    /// Warnings about the recovery: snapshots that were passed over.
    let warnings: [String]
    /// Checkpoints found damaged or missing by the recovery, with their present paths.
    let lost: [(id: CheckpointID, path: String)]
    let nextCheckpointID: CheckpointID

    struct StartPoint {
        let state: RestoredState
        let chosen: Bool
        let claimed: Bool
        var manifest: CheckpointManifest { state.snapshot.manifest }

        /// Reports the state taken from the snapshot, and the dropped state.
        func report(at now: WallTime) -> RestoreReport {
            let taken = manifest.operators.filter { state.operators[$0.uid] != nil && $0.hasState }
            let dropped = manifest.operators.filter { state.operators[$0.uid] == nil && $0.hasState }
            return RestoreReport(
                checkpoint: manifest.checkpoint, path: state.snapshot.path, kind: manifest.kind, fromJob: manifest.job, at: now,
                stateSize: taken.reduce(0) { $0 + $1.stateSize }, chosen: chosen, restoredOperators: taken.map(\.uid),
                droppedOperators: dropped.map(\.uid))
        }
    }

    init(_ launch: JobLaunch) throws {
        self.launch = launch
        let environment = StreamEnvironment(parallelism: launch.parallelism)
        try launch.job.build(environment)
        if let problem = environment.problem { throw JobError.invalidGraph(problem) }
        guard environment.watermarkInterval >= 0 else {
            throw JobError.configuration("watermark interval \(environment.watermarkInterval.count) ms is negative")
        }
        watermarkInterval = environment.watermarkInterval
        var configuration = environment.checkpoints
        if configuration.storageDirectory == nil { configuration.storageDirectory = launch.storageRoot }
        do { try configuration.validate() } catch { throw JobError.configuration(error.description) }
        self.configuration = configuration
        restartStrategy = environment.restartStrategy ?? (configuration.interval == nil ? .none : .checkpointingDefault)
        do { try restartStrategy.validate() } catch { throw JobError.configuration(error.description) }
        allowsFaults = environment.allowsFaults

        planner = RestorePlanner(configuration, fallback: environment.recoveryFallback)
        let chosen = try launch.recovers ? nil : launch.restore.map { try Self.load($0.path, on: launch.host) }
        do {
            directory = try JobDirectory(root: configuration.storageDirectory ?? launch.storageRoot, job: launch.id, filesystem: launch.host.filesystem)
        } catch { throw JobError(error) }
        do {
            var recovered = Recovered(snapshot: chosen, isChosen: chosen != nil)
            if launch.recovers {
                recovered = try Self.recover(
                    launch, nodes: environment.nodes, planner: planner, configuration: configuration, directory: directory)
            }
            let snapshot = recovered.snapshot
            (older, warnings, lost) = (recovered.older, recovered.warnings, recovered.lost)
            if let snapshot { try Self.requireMaxParallelism(of: environment, snapshot.manifest, snapshot.path) }
            plan = try Self.plan(environment, launch, stored: snapshot?.manifest.maxParallelism)
            let allowsUnmatched = launch.restore?.allowsUnmatchedState ?? false
            start = try snapshot.map { [plan] in
                StartPoint(
                    state: try Self.match($0, with: plan, allowsUnmatched: allowsUnmatched), chosen: recovered.isChosen,
                    // The job owns its own checkpoints, but not its savepoints: those are the operator's.
                    claimed: recovered.isChosen ? launch.restore?.claim == .claim : !$0.manifest.kind.isSavepoint)
            }
            let highest = try directory.highestID() ?? CheckpointID(0)
            let known = launch.history.map(\.id).max() ?? CheckpointID(0)
            nextCheckpointID = max(highest, known, start?.manifest.checkpoint ?? CheckpointID(0)).next
        } catch {
            directory.close()
            throw (error as? StoreError).map(JobError.init) ?? error
        }
    }

    /// - Parameter stored: maximum parallelism of the snapshot; it applies unless the job sets its own.
    private static func plan(_ environment: StreamEnvironment, _ launch: JobLaunch, stored: Int?) throws(JobError) -> ExecutionPlan {
        let maxParallelism = environment.maxParallelism ?? stored ?? KeyGroups.defaultMaxParallelism(parallelism: launch.parallelism)
        guard (1...32768).contains(maxParallelism) else { throw .configuration("maximum parallelism \(maxParallelism) is out of range: give 1 to 32768") }
        guard (1...maxParallelism).contains(launch.parallelism) else { throw .parallelism(launch.parallelism, maximum: maxParallelism) }
        return try ExecutionPlan(nodes: environment.nodes, parallelism: launch.parallelism, maxParallelism: maxParallelism)
    }

    static func load(_ path: String, on host: any EngineHost) throws(JobError) -> LoadedSnapshot {
        do throws(StoreError) {
            return try Snapshot.load(path: path, filesystem: host.filesystem) { host.willFillTables(bytes: $0.tableBytes) }
        } catch { throw JobError(error) }
    }

    /// Matches each operator's state by uid; unmatched state is refused unless allowed.
    static func match(_ snapshot: LoadedSnapshot, with plan: ExecutionPlan, allowsUnmatched: Bool) throws(JobError) -> RestoredState {
        RestoredState(
            snapshot: snapshot,
            operators: try match(snapshot.manifest, at: snapshot.path, with: plan, allowsUnmatched: allowsUnmatched))
    }

    private static func match(
        _ manifest: CheckpointManifest, at path: String, with plan: ExecutionPlan, allowsUnmatched: Bool
    ) throws(JobError) -> [String: OperatorState] {
        guard manifest.keyHash == KeyGroups.hashName else { throw .hashMismatch(path: path, stored: manifest.keyHash) }
        let wanted = Set(plan.nodes.map(\.effectiveUID))
        let gone = manifest.operators.filter { !wanted.contains($0.uid) && $0.hasState }
        guard gone.isEmpty || allowsUnmatched else { throw .unmatchedState(path: path, operators: gone.map(\.uid)) }
        var operators: [String: OperatorState] = [:]
        for state in manifest.operators where wanted.contains(state.uid) { operators[state.uid] = state }
        return operators
    }

    /// Checks from the manifest alone that the job, as built now, can take the snapshot. Opens no files.
    static func check(_ launch: JobLaunch, against manifest: CheckpointManifest, at path: String) throws {
        let environment = StreamEnvironment(parallelism: launch.parallelism)
        try launch.job.build(environment)
        if let problem = environment.problem { throw JobError.invalidGraph(problem) }
        try requireMaxParallelism(of: environment, manifest, path)
        let plan = try plan(environment, launch, stored: manifest.maxParallelism)
        _ = try match(manifest, at: path, with: plan, allowsUnmatched: launch.restore?.allowsUnmatchedState ?? false)
    }

    private static func requireMaxParallelism(of environment: StreamEnvironment, _ manifest: CheckpointManifest, _ path: String) throws(JobError) {
        guard let wanted = environment.maxParallelism, wanted != manifest.maxParallelism else { return }
        throw .maxParallelismMismatch(path: path, stored: manifest.maxParallelism, wanted: wanted)
    }

    // MARK: Recovery

    /// Finds the snapshot from which a job of this id continues, and the snapshots beside it.
    private static func recover(
        _ launch: JobLaunch, nodes: [StreamNode], planner: RestorePlanner, configuration: CheckpointConfiguration, directory: JobDirectory
    ) throws -> Recovered {
        let stored = try directory.completed(verification: .lengths)
        var candidates = try recoveryCandidates(launch, stored: stored, configuration: configuration, directory: directory)
        var origin: LoadedSnapshot?
        if let restore = launch.restore, !candidates.contains(where: { $0.problem == nil }) {
            // No snapshot of its own: the job begins from its launch snapshot, unless that is too far back.
            let snapshot = try load(restore.path, on: launch.host)
            candidates.append(RestoreCandidate(id: snapshot.manifest.checkpoint, kind: snapshot.manifest.kind, path: snapshot.path))
            origin = snapshot
        }
        let lastCommitted = try nodes.lastCommitted(
            by: launch.id, newestCompleted: candidates.filter { $0.path != origin?.path }.map(\.id).max(), host: launch.host)
        var choice = SnapshotChoice(planner, directory: directory, host: launch.host, lastCommitted: lastCommitted)
        let found = try choice.choose(from: candidates)
        return Recovered(
            snapshot: found, isChosen: found != nil && found?.path == origin?.path,
            older: found.map { found in stored.filter { $0.id < found.manifest.checkpoint && $0.summary != nil }.map(\.id).sorted() } ?? [],
            warnings: choice.warnings, lost: choice.lost)
    }

    private struct Recovered {
        var snapshot: LoadedSnapshot?
        /// Whether the operator launched the job from it.
        var isChosen = false
        var older: [CheckpointID] = []
        var warnings: [String] = []
        var lost: [(id: CheckpointID, path: String)] = []
    }

    /// Candidates for the recovery: checkpoints in the job's directory, even quarantined ones; savepoints that were recorded, or found in its
    /// savepoint directories; and the newest recorded one if its files are missing.
    private static func recoveryCandidates(
        _ launch: JobLaunch, stored: [StoredCheckpoint], configuration: CheckpointConfiguration, directory: JobDirectory
    ) throws(StoreError) -> [RestoreCandidate] {
        var candidates: [RestoreCandidate] = []
        for stored in stored {
            let candidate = RestoreCandidate(id: stored.id, kind: .checkpoint, path: stored.path)
            switch stored.condition {
            case .valid: candidates.append(candidate)
            case .damaged(let error): candidates.append(candidate.failed(error))
            case .incomplete: break
            }
        }
        for aside in try directory.quarantined() {
            candidates.append(
                RestoreCandidate(id: aside.id, kind: .checkpoint, path: aside.path, problem: "it was found damaged and set aside at \(aside.path)."))
        }
        for report in launch.history where report.kind.isSavepoint && report.isRestorable {
            if let path = report.path { candidates.append(RestoreCandidate(id: report.id, kind: report.kind, path: path)) }
        }
        let places = [configuration.savepointDirectory ?? configuration.storageDirectory ?? launch.storageRoot] + launch.savepointDirectories
        for place in Set(places).sorted() {
            for found in try StoredCheckpoint.savepoints(of: launch.id, in: place, filesystem: launch.host.filesystem)
            where !candidates.contains(where: { $0.id == found.summary.checkpoint && $0.problem == nil }) {
                candidates.append(RestoreCandidate(id: found.summary.checkpoint, kind: found.summary.kind, path: found.path))
            }
        }
        // The engine never deletes the newest completed checkpoint of a live job.
        if let newest = launch.history.filter({ $0.status == .completed }).max(by: { $0.id < $1.id }),
            !candidates.contains(where: { $0.id >= newest.id })
        {
            candidates.append(
                RestoreCandidate(id: newest.id, kind: newest.kind, path: newest.path ?? "?", problem: "it was complete and is gone: \(newest.path ?? "?")"))
        }
        return candidates
    }
}

extension OperatorState {
    /// Whether a subtask has state to restore.
    var hasState: Bool { subtasks.contains { subtask in subtask.states.contains { $0.length > 0 } } }
}
