/// A job that somebody has seen live, and when: what is left of it when its cluster has forgotten it.
public struct LiveJob: Sendable, Equatable {
    public var id: JobID
    public var name: String
    public var seenAt: WallTime

    public init(id: JobID, name: String, seenAt: WallTime) { (self.id, self.name, self.seenAt) = (id, name, seenAt) }

    /// A cluster lists a job for an hour after its end. One that was seen live more lately and is in no list has not ended: its JobManager forgot it.
    public static let listedAfterEnd = Milliseconds.minutes(55)
}
