internal import Glibc
internal import StreamModel

extension WallTime {
    /// Now, by the system's clock.
    static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

extension EngineInstant {
    /// Now, by the monotonic clock.
    static func now() -> EngineInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return EngineInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

/// Lets the calling thread rest, in loops that wait for another process.
func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }
