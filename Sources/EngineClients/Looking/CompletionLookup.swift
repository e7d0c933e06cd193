internal import ConsoleCore
internal import ControlProtocol
public import ControlSocket
internal import FlinkREST
internal import HostEnvironment
public import StreamModel

/// What a shell completes of an engine. It is asked with every press of Tab: it takes no longer than a moment, changes and records nothing, and where
/// nobody answers there is nothing to complete.
public enum CompletionLookup {
    /// The whole time of a lookup.
    public static let limit: Milliseconds = 800

    /// The jobs of an engine, newest first.
    public static func jobs(at address: EngineAddress, trust: EngineTrust = .own) -> [JobReport] {
        let deadline = Deadline(after: limit)
        do throws(ClientFailure) {
            switch address {
            case .socket(let path):
                let link = try EngineLink(path: path, name: "weir completion", trust: trust, before: deadline)
                defer { link.close() }
                return try link.jobs()
            case .flink(let connection):
                let client = FlinkClient(connection)
                defer { client.close() }
                client.bound(until: deadline.end)
                var list = QuestionList([.cluster, .jobs], FlinkPicture(), needsAll: true)
                client.pursue(&list, before: deadline.end)
                return list.picture.reports(at: .now())
            }
        } catch {
            return []
        }
    }

    /// The checkpoints of a job, newest first; of a cluster none: that takes more questions than a moment has room for.
    public static func checkpoints(of job: String, at address: EngineAddress, trust: EngineTrust = .own) -> [CheckpointReport] {
        guard case .socket(let path) = address else { return [] }
        do throws(ClientFailure) {
            let link = try EngineLink(path: path, name: "weir completion", trust: trust, before: Deadline(after: limit))
            defer { link.close() }
            return try link.checkpoints(JobReference(job), limit: 100)
        } catch {
            return []
        }
    }
}
