internal import Glibc
public import StreamModel

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

extension Milliseconds {
    /// A span as people write it: `200ms`, `3s`, `5m`, `2h`, or a plain number of seconds. Anything else is nil.
    public init?(text: String) {
        let units: [(suffix: String, milliseconds: Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("", 1000)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            guard let number = Int64(text.dropLast(suffix.count)), number >= 0 else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: factor)
            guard !overflow else { return nil }
            self.init(product)
            return
        }
        return nil
    }
}

/// Lets the calling thread rest, in loops that wait for another process.
func pause(milliseconds: Int32) { poll(nil, 0, milliseconds) }
