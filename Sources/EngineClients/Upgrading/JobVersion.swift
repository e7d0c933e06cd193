public import ControlProtocol
internal import Ledger
public import StreamModel

/// One program that a job has run, as it is on record: what was launched, from which snapshot, by whom, and how that ended.
public struct JobVersion: Sendable {
    public var job: JobID
    public var launchedAt: WallTime
    public var recipe: JarRecipe?
    /// Id of the jar on the cluster.
    public var jar: String?
    /// SHA-256 of the jar; nil = it was not uploaded through Weir.
    public var content: String?
    /// The snapshot that it began from; nil = it began with no state.
    public var path: String?
    public var by: String
    public var reason: String
    public var verdict: RestartProof.Verdict?
    /// The upgrade that launched it, and whether that was its way back.
    public var upgrade: (id: OperationID, isBack: Bool)?
}

extension FlinkLink {
    /// Runs of a job that the record may hold.
    private static let versionsMax = 1000

    /// The programs of a job and of those that it replaced, newest first; nothing before a launch that is not on record.
    public func versions(of reference: JobReference) throws(ClientFailure) -> [JobVersion] {
        var next: JobID? = try target(reference).job
        var found: [JobVersion] = []
        while let job = next, found.count < Self.versionsMax, !found.contains(where: { $0.job == job }), let entry = try ledger.launch(of: job) {
            let id = entry.jarID
            found.append(
                JobVersion(
                    job: job, launchedAt: entry.sentAt, recipe: entry.request.kind.launch?.recipe, jar: id,
                    content: try id.flatMap { (id) throws(ClientFailure) in try ledger.content(ofJar: id) }, path: entry.path, by: entry.request.by,
                    reason: entry.request.reason, verdict: entry.verdict, upgrade: try upgrade(of: entry.request.id)))
            next = if case .restart = entry.request.kind { entry.request.job } else { nil }
        }
        return found
    }

    /// The upgrade that has launched a job by this operation; nil = none has.
    private func upgrade(of operation: OperationID) throws(ClientFailure) -> (id: OperationID, isBack: Bool)? {
        let text = operation.description
        guard let end = text.lastIndex(of: "-"), let id = OperationID(String(text[..<end])), let upgrade = try ledger.upgrade(id) else { return nil }
        if upgrade.launches(.back).contains(operation) { return (id, true) }
        return upgrade.launches(.launch).contains(operation) ? (id, false) : nil
    }
}
