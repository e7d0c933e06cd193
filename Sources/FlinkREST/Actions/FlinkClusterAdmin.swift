internal import StreamModel

/// Looks at what a cluster holds beside its jobs, before something of it is deleted. Blocks.
public struct FlinkClusterAdmin: Sendable {
    /// How an action ended without success.
    public enum Failure: Error, Sendable, Equatable {
        /// Nothing was done.
        case refused(String)
        /// It was tried and failed.
        case failed(String)
        /// The outcome is unknown.
        case unknown(String)

        public var message: String {
            switch self {
            case .refused(let message), .failed(let message), .unknown(let message): message
            }
        }
    }

    private let client: FlinkClient

    public init(client: FlinkClient) { self.client = client }

    public func jars() throws(Failure) -> [FlinkJar] { try ask(.jars) }

    /// A live job needs its checkpoints, and what it began from as long as it has no checkpoint of its own.
    func refuseIfInUse(_ path: String) throws(Failure) {
        let place = SnapshotLocation(path)
        for job in try ask(.jobs) where job.state.known?.isTerminal != true {
            let known: FlinkCheckpoints
            do throws(FlinkFailure) { known = try client.answer(to: .checkpoints(job.id)) } catch {
                if error.kind == .notFound { continue }
                throw .refused("nothing was sent: \(error.message)")
            }
            if known.rows.contains(where: { !$0.isSavepoint && $0.path.map(SnapshotLocation.init) == place }) {
                throw .refused("\(path) is a checkpoint of \(job.name) (\(job.id.short)), which is \(job.state.text): nothing was sent")
            }
            if let restored = known.restored, restored.path.map(SnapshotLocation.init) == place,
                !known.rows.contains(where: { !$0.isSavepoint && $0.status.known == .completed && $0.triggeredAt >= restored.at })
            {
                throw .refused("\(job.name) (\(job.id.short)) began from \(path) and has no checkpoint of its own yet: nothing was sent")
            }
        }
    }

    private func ask<Answer>(_ endpoint: FlinkEndpoint<Answer>) throws(Failure) -> Answer {
        do throws(FlinkFailure) { return try client.answer(to: endpoint) } catch {
            throw error.mayHaveArrived ? .unknown(error.message) : .refused(error.message)
        }
    }
}
