internal import StreamModel

/// Places of a job's sinks, held from its launch to its end, even between attempts. Used by the launching thread, then by the job's.
struct OutputClaims {
    /// Ownerships by uid of the sink.
    private(set) var held: [String: OutputOwnership] = [:]
    private let job: JobIdentity
    private let host: any EngineHost

    /// Claims the available places. A place owned by another refuses the launch; any other problem recurs in the first attempt, which the restart
    /// strategy repeats.
    init(_ blueprint: JobBlueprint) throws(JobError) {
        let launch = blueprint.launch
        job = JobIdentity(id: launch.id, lineage: launch.lineage, name: launch.name)
        host = launch.host
        for node in blueprint.plan.nodes {
            do { try take(node) } catch JobError.outputOwned(let problem) {
                release()
                throw .outputOwned(problem)
            } catch {
                // Reported by the attempt.
                continue
            }
        }
    }

    /// Ownership of the node's place, possibly held already.
    @discardableResult
    mutating func take(_ node: StreamNode) throws -> OutputOwnership {
        guard let claim = node.claim else { return .none }
        let uid = node.effectiveUID
        if let ownership = held[uid] { return ownership }
        let ownership = try claim(SinkClaim(uid: uid, job: job, host: host))
        held[uid] = ownership
        return ownership
    }

    mutating func release() {
        for (_, ownership) in held.sorted(by: { $0.key < $1.key }) { ownership.release() }
        held = [:]
    }
}
