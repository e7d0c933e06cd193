public import CheckpointStore
internal import Glibc
public import StreamModel

/// The real machine: its clocks, its filesystem, POSIX threads.
public struct MachineHost: EngineHost {
    public init() {}

    public func now() -> EngineInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return EngineInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    public func wall() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public func random() -> UInt64 { UInt64.random(in: .min ... .max) }
    public var filesystem: any Filesystem { PosixFilesystem() }
    public func makeParker() -> any Parker { ThreadParker() }

    public func lowerPriority(to niceness: Int32) {
        // Linux keeps a nice value for each thread, and 0 means the calling one; the disk's scheduler goes by it too. To rank lower is never refused.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
    }

    public func willFillTables(bytes: Int) {
        WarmMemory.shared.order(bytes: bytes) { fill in
            // Without a thread the tables get their memory when they ask for it.
            (try? startThread(named: "warm memory", fill)) != nil
        }
    }

    public func tablesAreFilled() { WarmMemory.shared.release() }

    /// The name (at most 15 characters are kept) shows in `top -H`.
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

/// glibc hides `pthread_setname_np` from Swift; the kernel's file does the same. A name is only for the reader of `top`, so a failure is
/// not worth a word.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, min(strlen($0), 15)) }
    close(file)
}
