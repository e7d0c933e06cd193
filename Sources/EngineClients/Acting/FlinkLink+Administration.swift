internal import HostEnvironment
internal import FlinkREST
public import StreamModel

/// A jar as the cluster lists it.
public struct ClusterJar: Sendable, Equatable {
    public var id, name: String
    public var uploadedAt: WallTime
    public var entryClasses: [String]
}

/// What lies on the cluster beside its jobs.
extension FlinkLink {
    public func jars() throws(ClientFailure) -> [ClusterJar] {
        do throws(FlinkFailure) {
            return try client.answer(to: .jars).map {
                ClusterJar(id: $0.id, name: $0.name, uploadedAt: $0.uploadedAt, entryClasses: $0.entryClasses)
            }
        } catch {
            throw ClientFailure(error.isOfLink ? .noLink : .refused, error.message)
        }
    }

    /// The id of the job that an operation launches: it follows from the operation's.
    public static func launchedJob(of id: OperationID) -> JobID { FlinkOperationNames.job(of: id) }
}
