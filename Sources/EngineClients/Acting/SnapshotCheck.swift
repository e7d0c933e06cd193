internal import FlinkREST
internal import FlinkSnapshots
internal import StreamModel

/// The look at a snapshot before a job is ended for it, where its files can be seen from here. Does disk work.
enum SnapshotCheck {
    /// Of the snapshot that a request names; of a parallelism that is none also where it names none.
    static func find(_ request: OperationRequest, on address: FlinkAddress, _ version: FlinkVersion?) -> SnapshotFinding {
        guard let options = request.kind.launch else { return .usable }
        if let problem = options.launchParallelism.flatMap({ Parallelism.problem($0) }) { return .refused("nothing was sent: \(problem)") }
        guard let path = options.path else { return .usable }
        let finding = examine(path, options, on: address, version)
        if case .refused(let problem) = finding { return .refused("nothing was sent: \(problem)") }
        return finding
    }

    static func sight(on address: FlinkAddress, _ version: FlinkVersion?) -> SnapshotSight {
        SnapshotSight(
            examine: { path, options in examine(path, options, on: address, version) },
            files: { path in FlinkSnapshot.fileNames(at: path, clusterIsHere: FlinkAddress.isThisMachine(address.host)) })
    }

    private static func examine(_ path: String, _ options: RestartOptions, on address: FlinkAddress, _ version: FlinkVersion?) -> SnapshotFinding {
        let inspection = FlinkInspector.inspect(path, clusterIsHere: FlinkAddress.isThisMachine(address.host), version)
        if let problem = options.launchParallelism.flatMap(inspection.problem(ofParallelism:)) { return .refused(problem) }
        switch inspection.verdict {
        case .ok: return .usable
        case .unreachable, .unchecked: return .unchecked("\(path) is not checked: \(inspection.problem ?? "it is not reachable from here")")
        case .damaged, .missing, .foreign, .abandoned, .tooNew:
            return .refused("\(path) is \(inspection.verdict.rawValue): \(inspection.problem ?? "no details")")
        }
    }
}
