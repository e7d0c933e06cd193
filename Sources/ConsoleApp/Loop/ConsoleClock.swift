internal import HostEnvironment
internal import StreamModel

/// The clock that a console lives by: the machine's, or that of a recording that is played back. It never jumps.
protocol ConsoleClock: Sendable {
    func now() -> WallTime
    /// How far the machine's wall clock has been set away from this one.
    func offset() -> Milliseconds
    /// Milliseconds of the machine until this clock shows `time`; nil = not before somebody lets it go on.
    func delay(until time: WallTime) -> Int64?
}

struct SystemClock: ConsoleClock {
    func now() -> WallTime { WallTime.steady() }
    func offset() -> Milliseconds { WallTime.now() - WallTime.steady() }
    func delay(until time: WallTime) -> Int64? { max(1, (time - now()).count) }
}
