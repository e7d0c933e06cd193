public import CheckpointStore
public import StreamModel

/// The machine below the engine: time, randomness, files, threads. The engine reaches them only through its host, so that a simulator can replace the
/// machine and repeat a run from one seed.
public protocol EngineHost: Sendable {
    /// The monotonic clock, for durations.
    func now() -> EngineInstant
    /// The wall clock, for display and file names.
    func wall() -> WallTime
    /// 64 random bits.
    func random() -> UInt64
    /// The files of checkpoints and sinks.
    var filesystem: any Filesystem { get }
    /// Starts a detached thread of the engine. An error means that the system refuses more threads.
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError)
    /// Lowers the calling thread's priority below those that process records: 0 is theirs, 19 the last.
    func lowerPriority(to niceness: Int32)
    /// Makes a parker for one thread.
    func makeParker() -> any Parker
    /// Announces tables of about this many bytes, so that memory can be prepared.
    func willFillTables(bytes: Int)
    /// Ends the preparation: the tables are filled, or will not be. Allowed without a `willFillTables` before.
    func tablesAreFilled()
}

extension EngineHost {
    public func lowerPriority(to niceness: Int32) {}
    public func willFillTables(bytes: Int) {}
    public func tablesAreFilled() {}
}

/// Lets one thread sleep until another has work for it. `park` is called only by the owner, `unpark` by any thread.
public protocol Parker: AnyObject, Sendable {
    /// Sleeps until `unpark` or `deadline`, unless `hasWork` is true. May return early; the caller checks again. An `unpark` after the last check of
    /// `hasWork` is never lost.
    func park(until deadline: EngineInstant?, unless hasWork: () -> Bool)
    /// Wakes the owner; called after the work was published.
    func unpark()
}
