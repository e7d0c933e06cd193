internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// Chooses and loads the snapshot from which a job continues automatically. Executes the planner's decisions after a failure or the end of its
/// engine: reads candidates, and sets aside damaged ones among the job's own checkpoints. Used by the thread that launches the job, then by the
/// job's thread.
struct SnapshotChoice {
    let planner: RestorePlanner
    let directory: JobDirectory
    let host: any EngineHost
    /// Newest checkpoint whose output may have been published.
    let lastCommitted: CheckpointID?

    /// Facts about the choice for operators, one line each.
    private(set) var warnings: [String] = []
    /// Snapshots that are no longer restorable, with their present paths.
    private(set) var lost: [(id: CheckpointID, path: String)] = []

    init(_ planner: RestorePlanner, directory: JobDirectory, host: any EngineHost, lastCommitted: CheckpointID?) {
        self.planner = planner
        self.directory = directory
        self.host = host
        self.lastCommitted = lastCommitted
    }

    /// Chooses a snapshot; nil = none exists or ever did: the job begins with empty state. `lost` and `warnings` are also valid when it throws.
    mutating func choose(from candidates: [RestoreCandidate]) throws(JobError) -> LoadedSnapshot? {
        var candidates = candidates
        if candidates.count > 1, host.filesystem.has(.restoresOlder), let newest = candidates.map(\.id).max() { candidates.removeAll { $0.id == newest } }
        while true {
            switch planner.plan(candidates, lastCommittedEpoch: lastCommitted) {
            case .startEmpty: return nil
            case .refused(.unreadable(let candidate), _): throw .unreadable(RestorePlan.Refusal.unreadable(candidate).description)
            case .refused(let refusal, let skipped):
                report(skipped)
                let details = warnings.isEmpty ? "" : " (\(warnings.joined(separator: "; ")))"
                throw .recoveryRefused("the job stays down: \(refusal)\(details)")
            case .restore(let best, let skipped):
                do throws(StoreError) {
                    let snapshot = try Snapshot.load(path: best.path, filesystem: host.filesystem) { host.willFillTables(bytes: $0.tableBytes) }
                    report(skipped)
                    return snapshot
                } catch {
                    candidates = candidates.map { $0.path == best.path ? $0.failed(error) : $0 }
                }
            }
        }
    }

    /// Reports the snapshots passed over, and sets aside the damaged ones.
    private mutating func report(_ skipped: [RestorePlan.Skipped]) {
        warnings = []
        for skipped in skipped {
            let candidate = skipped.candidate
            guard candidate.problem != nil else {
                warnings.append("\(candidate.kind.rawValue) \(candidate.id) was passed over: \(skipped.reason)")
                continue
            }
            let place = setAside(candidate)
            lost.append((candidate.id, place.path))
            warnings.append("\(candidate.kind.rawValue) \(candidate.id) was passed over: \(skipped.reason)\(place.note)")
        }
    }

    /// Moves a checkpoint in the job's own directory only: a savepoint is the operator's, another job's checkpoint is that job's.
    private func setAside(_ candidate: RestoreCandidate) -> (path: String, note: String) {
        guard candidate.path == directory.path + "/chk-\(candidate.id)" else { return (candidate.path, "") }
        do throws(StoreError) {
            guard let path = try directory.quarantine(candidate.id) else { return (candidate.path, "") }
            return (path, " It was moved to \(path).")
        } catch {
            // It stays under its name and is found damaged again next time; nothing is lost.
            return (candidate.path, " It could not be moved aside: \(error)")
        }
    }
}

extension RestoreCandidate {
    /// The same candidate after a failed read.
    func failed(_ error: StoreError) -> RestoreCandidate {
        RestoreCandidate(id: id, kind: kind, path: path, problem: error.description, isUnreadable: !error.isLoss)
    }
}

extension [StreamNode] {
    /// The job's newest checkpoint whose output may have been published, according to the sinks; a sink that cannot tell counts as having published
    /// `newestCompleted`. nil = nothing was published.
    func lastCommitted(by job: JobID, newestCompleted: CheckpointID?, host: any EngineHost) throws -> CheckpointID? {
        var newest: CheckpointID?
        for node in self {
            guard let ask = node.published else { continue }
            let published: CheckpointID? =
                switch try ask(SinkInquiry(uid: node.effectiveUID, job: job, host: host)) {
                case .none: nil
                case .upTo(let checkpoint): checkpoint
                case .unknown: newestCompleted
                }
            newest = [newest, published].compactMap(\.self).max()
        }
        return newest
    }
}
