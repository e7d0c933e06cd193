internal import StreamModel

/// Finds the live jobs that need a snapshot, before it is deleted: by its location, and by the files that their checkpoints name. Blocks.
public struct FlinkSnapshotNeeds: Sendable {
    let client: FlinkClient
    let version: FlinkVersion
    let files: @Sendable (_ path: String) -> Set<String>?

    public init(client: FlinkClient, version: FlinkVersion, snapshots: SnapshotSight) {
        self.client = client
        self.version = version
        files = snapshots.files
    }

    /// A line for each job that needs it; none = nobody does.
    public func lines(of path: String) throws(FlinkRefusal) -> [String] {
        let jobs: [FlinkJobListing]
        do throws(FlinkFailure) { jobs = try client.answer(to: .jobs) } catch { throw FlinkRefusal("nothing was sent: \(error.message)") }
        let live = jobs.filter { $0.state.known?.isTerminal != true }
        guard !live.isEmpty else { return [] }
        let own = files(path)
        var lines: [String] = []
        for job in live {
            do throws(FlinkFailure) {
                if let need = need(of: path, own, in: try client.answer(to: .checkpoints(job.id)), job.id) {
                    lines.append("\(job.name) (\(job.id.short)) \(need)")
                }
            } catch {
                guard error.kind == .notFound else { throw FlinkRefusal("nothing was sent: \(error.message)") }
                // Others that have none take no checkpoints.
                if job.state.known == .initializing { lines.append("\(job.name) (\(job.id.short)) is INITIALIZING: it does not tell yet what it begins from") }
            }
        }
        return lines
    }

    /// Why a job needs the snapshot; nil = it does not.
    private func need(of path: String, _ own: Set<String>?, in known: FlinkCheckpoints, _ job: JobID) -> String? {
        let place = SnapshotLocation(path)
        let kept = known.rows.filter { $0.status.known == .completed && !$0.isDiscarded && $0.path != nil }.sorted { $0.id > $1.id }
        if kept.contains(where: { !$0.isSavepoint && $0.path.map(SnapshotLocation.init) == place }) { return "has it as a checkpoint of its own" }
        let began = known.restored.flatMap { restored in restored.path.map { ($0, restored.at) } }
        if let (from, at) = began, SnapshotLocation(from) == place, !kept.contains(where: { !$0.isSavepoint && $0.triggeredAt >= at }) {
            return "began from it and has no checkpoint of its own yet"
        }
        var isUnseen = own == nil
        for row in kept where SnapshotLocation(row.path ?? "") != place {
            guard let own else { break }
            guard let theirs = files(row.path ?? "") else {
                isUnseen = true
                continue
            }
            let shared = own.intersection(theirs).count
            if shared > 0 { return "needs \(shared) of its files: its \(row.isSavepoint ? "savepoint" : "checkpoint") #\(row.id) names them" }
        }
        guard isUnseen, mayShare(place, began?.0, job) else { return nil }
        return "may need its files, and which they are cannot be seen from here"
    }

    /// Whether a job's checkpoints can name files of the snapshot, by their location.
    private func mayShare(_ place: SnapshotLocation, _ began: String?, _ job: JobID) -> Bool {
        let writer = Self.writer(of: place)
        if writer == job { return true }
        guard let began = began.map(SnapshotLocation.init) else { return false }
        // Before 1.15 a savepoint had no files that later checkpoints could use again.
        if began == place { return writer != nil || version.has(.restoreMode) }
        return writer != nil && writer == Self.writer(of: began)
    }

    /// The job whose directory holds a checkpoint; nil for savepoints.
    private static func writer(of place: SnapshotLocation) -> JobID? {
        place.text.split(separator: "/").reversed().lazy.compactMap { JobID(String($0)) }.first
    }
}

extension FlinkOperationRunner {
    /// Refuses to delete what a live job needs.
    func refuseIfNeeded(_ path: String) throws(FlinkRefusal) {
        let lines = try FlinkSnapshotNeeds(client: client, version: cluster.version, snapshots: snapshots).lines(of: path)
        if !lines.isEmpty { throw FlinkRefusal("nothing was sent: \(path) is needed: \(lines.joined(separator: "; "))") }
    }
}
