public import CheckpointStore
public import StreamModel

/// What the engine asks of the machine: the time, chance, files, threads. Nothing in the engine reaches for them but through its host,
/// so that a simulator can stand in for the machine and repeat a run from one seed.
public protocol EngineHost: Sendable {
    /// The monotonic clock; durations are measured by it.
    func now() -> EngineInstant
    /// The wall clock, for display and file names.
    func wall() -> WallTime
    /// 64 random bits.
    func random() -> UInt64
    /// The files of checkpoints and sinks.
    var filesystem: any Filesystem { get }
    /// Starts a detached thread of the engine. An error means that the system refuses more threads.
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError)
    /// The calling thread goes behind those that process records: 0 is theirs, 19 the last.
    func lowerPriority(to niceness: Int32)
    /// A place for one thread to sleep in.
    func makeParker() -> any Parker
    /// Tables of about this many bytes are going to be filled: memory may be got ready meanwhile.
    func willFillTables(bytes: Int)
    /// They are filled, or will not be: what is left over is not needed. Also without a `willFillTables` before.
    func tablesAreFilled()
}

extension EngineHost {
    public func lowerPriority(to niceness: Int32) {}
    public func willFillTables(bytes: Int) {}
    public func tablesAreFilled() {}
}

/// Lets one thread sleep until another has something for it. `park` is called by the owner only, `unpark` by anyone.
public protocol Parker: AnyObject, Sendable {
    /// Sleeps until `unpark`, or `deadline`, unless `hasWork` is true. May return early; the caller looks again. An `unpark` after the
    /// last look of `hasWork` is never lost.
    func park(until deadline: EngineInstant?, unless hasWork: () -> Bool)
    /// To be called after the work was published.
    func unpark()
}
