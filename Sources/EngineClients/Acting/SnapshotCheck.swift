internal import FlinkREST
internal import FlinkSnapshots
internal import StreamModel

/// Checks a snapshot before a job is ended for it, if its files are visible from here. Reads disks and stores.
struct SnapshotCheck {
    let address: FlinkAddress
    /// Of the cluster; nil = not known.
    let version: FlinkVersion?
    /// nil = stores are not asked.
    let stored: StoredFiles?

    /// Of the snapshot that a request names; of a parallelism that is none also where it names none.
    func find(_ request: OperationRequest) -> SnapshotFinding {
        guard let options = request.kind.launch else { return .usable }
        if let problem = options.launchParallelism.flatMap({ Parallelism.problem($0) }) { return .refused("nothing was sent: \(problem)") }
        guard let path = options.path else { return .usable }
        let finding = examine(path, options)
        if case .refused(let problem) = finding { return .refused("nothing was sent: \(problem)") }
        return finding
    }

    var sight: SnapshotSight {
        SnapshotSight(
            examine: { path, options in examine(path, options) },
            files: { path in FlinkSnapshot.fileNames(at: path, clusterIsHere: FlinkAddress.isThisMachine(address.host), remote: stored) })
    }

    private func examine(_ path: String, _ options: RestartOptions) -> SnapshotFinding {
        let inspection = FlinkInspector.inspect(path, clusterIsHere: FlinkAddress.isThisMachine(address.host), version, stored)
        if let problem = options.launchParallelism.flatMap(inspection.problem(ofParallelism:)) { return .refused(problem) }
        switch inspection.verdict {
        case .ok: return .usable
        case .unreachable, .unchecked: return .unchecked("\(path) is not checked: \(inspection.problem ?? "it is not reachable from here")")
        case .damaged, .missing, .foreign, .abandoned, .tooNew:
            return .refused("\(path) is \(inspection.verdict.rawValue): \(inspection.problem ?? "no details")")
        }
    }
}
