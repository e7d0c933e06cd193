internal import Glibc
public import StreamModel

extension WallTime {
    /// The present time by the system's clock.
    public static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// The console's time: starts at the wall clock of the process start and continues by a clock that never jumps and runs while the machine
    /// sleeps. Ages and countdowns stay correct when the wall clock is set.
    public static func steady() -> WallTime { WallTime(milliseconds: sinceBoot() + bootTime) }

    private static let bootTime = now().milliseconds - sinceBoot()

    private static func sinceBoot() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension EngineInstant {
    /// The present time by a clock that never jumps.
    public static func now() -> EngineInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return EngineInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

/// The clock of `EngineInstant` in whole milliseconds.
public enum MonotonicClock {
    public static func milliseconds() -> Int64 { EngineInstant.now().nanoseconds / 1_000_000 }
}

/// Pauses the calling thread, in loops that wait for another process.
public func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }
