public import CheckpointStore
internal import Glibc
internal import HostEnvironment
public import StreamModel

/// The real machine: its clocks, its filesystem, POSIX threads.
public struct MachineHost: EngineHost {
    public init() {}

    public func now() -> EngineInstant { .now() }
    public func wall() -> WallTime { .now() }
    public func random() -> UInt64 { UInt64.random(in: .min ... .max) }
    public var filesystem: any Filesystem { PosixFilesystem() }
    public func makeParker() -> any Parker { ThreadParker() }

    public func lowerPriority(to niceness: Int32) {
        // Linux keeps a nice value for each thread, and 0 means the calling one; the disk scheduler uses it too. Lowering the priority is always
        // allowed.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
    }

    public func willFillTables(bytes: Int) {
        WarmMemory.shared.order(bytes: bytes) { fill in
            // JobError, from EAGAIN: without a thread the tables get their memory on demand.
            (try? startThread(named: "warm memory", fill)) != nil
        }
    }

    public func tablesAreFilled() { WarmMemory.shared.release() }

    /// Starts a thread. Its name (at most 15 characters are kept) shows in `top -H`.
    public func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) {
        final class Box {
            let name: String
            let body: @Sendable () -> Void
            init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
        }
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = Unmanaged.passRetained(Box(name, body))
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                nameThread(box.name)
                box.body()
                return nil
            }, box.toOpaque())
        pthread_attr_destroy(&attributes)
        guard status == 0 else {
            box.release()
            throw .threads("the system refuses another thread (\(errorText(status))): lower the parallelism, or raise the limit of processes (ulimit -u)")
        }
    }
}

/// Names the thread. glibc hides `pthread_setname_np` from Swift; the kernel's file has the same effect. A failure is ignored: the name is only for
/// readers of `top`.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, min(strlen($0), 15)) }
    close(file)
}
