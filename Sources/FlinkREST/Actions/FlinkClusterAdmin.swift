public import StreamModel

/// What is done to a cluster itself and not to one of its jobs. Blocks.
public struct FlinkChores: Sendable {
    /// How a chore ended without success.
    public enum Failure: Error, Sendable, Equatable {
        /// Nothing was done.
        case refused(String)
        /// It was tried, and did not succeed.
        case failed(String)
        /// Whether it was done cannot be told.
        case unknown(String)

        public var message: String {
            switch self {
            case .refused(let message), .failed(let message), .unknown(let message): message
            }
        }
    }

    private let client: FlinkClient
    private let pause: @Sendable (Milliseconds) -> Void

    public init(client: FlinkClient, pause: @escaping @Sendable (Milliseconds) -> Void) {
        self.client = client
        self.pause = pause
    }

    public func jars() throws(Failure) -> [FlinkJar] { try ask(.jars) }

    /// Sends a jar file. Returns its id on the cluster.
    public func upload(jar path: String, jars: JarMemory = .none) throws(Failure) -> String {
        let content: FileDigest, after: FileDigest
        do throws(FlinkFailure) { content = try FileDigest(of: path) } catch { throw .refused(error.message) }
        let id = try ask(.upload(jar: path, name: FlinkOperationNames.uploadName(of: path)))
        do throws(FlinkFailure) { after = try FileDigest(of: path) } catch { return id }
        if after == content { jars.learn(id, content) }
        return id
    }

    public func delete(jar id: String) throws(Failure) {
        guard try jars().contains(where: { $0.id == id }) else { throw .refused("there is no jar \(id) on the cluster") }
        _ = try ask(.delete(jar: id))
    }

    /// Deletes a savepoint or retained checkpoint with its files. A checkpoint that a live job counts on is left alone.
    /// - Parameter limit: how long it may take.
    public func dispose(savepoint path: String, limit: Milliseconds) throws(Failure) {
        try refuseIfInUse(path)
        let trigger: FlinkTriggerID
        do throws(FlinkFailure) { trigger = try client.answer(to: .dispose(savepoint: path)) } catch {
            throw error.mayHaveArrived ? .unknown("no answer came (\(error.message)): look whether \(path) is still there") : .refused(error.message)
        }
        var waited: Milliseconds = 0
        while true {
            do throws(FlinkFailure) {
                switch try client.answer(to: .disposalProgress(trigger)) {
                case .completed: return
                case .failed(let message, _): throw FlinkFailure(.rejected, message)
                case .inProgress: break
                }
            } catch {
                if error.kind == .rejected { throw .failed("\(path) was not deleted: \(error.message)") }
                if error.kind == .notFound { throw .unknown("the cluster has no result of it any more: look whether \(path) is still there") }
            }
            guard waited < limit else { throw .unknown("it is not done after \(limit.count / 1000) s, and goes on") }
            pause(250)
            waited = waited + 250
        }
    }

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
        do throws(FlinkFailure) { return try client.answer(to: endpoint) } catch { throw error.mayHaveArrived ? .unknown(error.message) : .refused(error.message) }
    }
}
