public import StreamModel

/// A snapshot that a job can go back to.
public struct FlinkWayBack: Sendable, Equatable {
    public var id: CheckpointID
    public var path: String
    /// nil = not the job's own: the snapshot that it started from.
    public var row: FlinkCheckpoint?
}

extension FlinkActionRules {
    /// The snapshots that a job can go back to: its own, newest first, then the one that it started from.
    public static func waysBack(in checkpoints: FlinkCheckpoints) -> [FlinkWayBack] {
        let rows = checkpoints.rows
        var ways = rows.filter { $0.status.known == .completed && !$0.isDiscarded }.sorted { $0.id > $1.id }.compactMap { row in
            row.path.map { FlinkWayBack(id: row.id, path: $0, row: row) }
        }
        // The row of a checkpoint that the job itself went back to says more than that it was restored.
        if let restored = checkpoints.restored, let path = restored.path, row(of: path, in: checkpoints) == nil {
            ways.append(FlinkWayBack(id: restored.id, path: path))
        }
        return ways
    }
}

extension FlinkOperationRunner {
    /// Twice the time for which a cluster answers from its memory.
    private static let memorySpan = Milliseconds.seconds(6), gap = Milliseconds(150)

    /// The newest snapshot that the job can go back to, with its files in place as far as they are visible.
    ///
    /// A cluster answers from a memory of up to three seconds. A live job with a checkpoint a second has subsumed the newest of it by then, and
    /// the answer calls it discarded; one right behind the renewal of that memory names one that is there.
    func wayBack(of job: JobID, _ options: RestartOptions, isLive: Bool) throws(FlinkRefusal) -> FlinkWayBack {
        var waited: Milliseconds = 0
        while true {
            guard let known = try history(job) else { throw FlinkRefusal("the cluster does not report the job's checkpoints: give the path of one") }
            let (way, problem) = newestUsable(in: known, options)
            if let way { return way }
            let isSubsumed = isLive && known.rows.contains { $0.status.known == .completed && $0.isDiscarded }
            // What was there when the answer was given may be subsumed before the look: once more, not for the memory's sake.
            guard isSubsumed, waited < (problem == nil ? Self.memorySpan : Self.gap), pause(Self.gap) else {
                throw FlinkRefusal("the job has no checkpoint that can be restored\(problem.map { " (\($0))" } ?? ""): give the path of one")
            }
            waited = waited + Self.gap
        }
    }

    /// The newest one after the job's end, or else the one in hand before.
    func wayBack(of job: JobID, _ options: RestartOptions, inHand: FlinkWayBack) throws(FlinkRefusal) -> FlinkWayBack {
        letHistorySettle(job)
        if let way = historyAfterEnd(job).flatMap({ newestUsable(in: $0, options).way }) { return way }
        if case .refused(let why) = snapshots.examine(inHand.path, options) { throw FlinkRefusal(why) }
        return inHand
    }

    private func newestUsable(in known: FlinkCheckpoints, _ options: RestartOptions) -> (way: FlinkWayBack?, problem: String?) {
        var problem: String?
        for way in FlinkActionRules.waysBack(in: known) {
            guard case .refused(let why) = snapshots.examine(way.path, options) else { return (way, nil) }
            problem = problem ?? why
        }
        return (nil, problem)
    }

    /// Waits for a JobManager that may be away for seconds; nil = it does not come back, or no longer knows the job.
    private func historyAfterEnd(_ job: JobID) -> FlinkCheckpoints? {
        var polling = Polling()
        for _ in 0..<15 {
            // FlinkRefusal: no answer; the question is asked again.
            if let known = try? history(job) { return known }
            guard polling.wait(pause) else { return nil }
        }
        return nil
    }
}
