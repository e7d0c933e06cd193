import CellGrid
import StreamModel

/// The snapshot that a restart without a choice goes back to, as far as is known.
struct WayBack: Sendable, Equatable {
    let id: CheckpointID
    let path: String?
    let kind: CheckpointKind
    /// nil = the job has none of its own: this is the one that it came from.
    let own: CheckpointReport?
    /// Input since then, at least, is read again.
    let since: WallTime

    static func of(_ job: JobReport, in context: ContextState) -> WayBack? {
        if let own = Condition.newestRestorable(job, in: context) {
            return WayBack(id: own.id, path: own.path, kind: own.kind, own: own, since: own.triggeredAt)
        }
        guard let origin = origin(of: job), !context.isUnusable(origin.path) else { return nil }
        return WayBack(id: origin.checkpoint, path: origin.path, kind: origin.kind, own: nil, since: origin.at)
    }

    /// The snapshot that a job came from, where it has a place.
    static func origin(of job: JobReport) -> RestoreReport? {
        guard let restored = job.restored, restored.hasPlace else { return nil }
        // A checkpoint that its own recovery went back to may have been deleted since.
        let place = SnapshotLocation(restored.path)
        let rows = [job.latestCompleted, job.latestSavepoint].compactMap { $0 }
        return rows.contains { $0.discarded && $0.path.map(SnapshotLocation.init) == place } ? nil : restored
    }

    /// "goes back to #27 /sp/savepoint-1, all input since is read again", of one that the job came from.
    var originWords: SafeText { "goes back to #\(id) \(path ?? "of an unknown path"), all input since is read again" }
}

extension ContextState {
    /// Its files were looked at, and a restore from it fails.
    func isUnusable(_ path: String?) -> Bool { path.flatMap(inspection).map { !$0.verdict.allowsRestore } ?? false }
}

extension JobReport {
    /// The newest snapshot of the job, where its files were looked at and a restore from it fails.
    func unusableNewest(in context: ContextState) -> (id: CheckpointID, verdict: SnapshotInspection.Verdict)? {
        guard let newest = [latestCompleted, latestSavepoint].compactMap({ $0 }).filter(\.isRestorable).max(by: { $0.id < $1.id }),
            context.isUnusable(newest, of: self), let found = newest.path.flatMap(context.inspection)
        else { return nil }
        return (newest.id, found.verdict)
    }
}
