internal import StreamModel

/// The wall clock that a console lives by: the machine's, or that of a recording that is played back.
protocol ConsoleClock: Sendable {
    func now() -> WallTime
    /// Milliseconds of the machine until this clock shows `time`; nil = not before somebody lets it go on.
    func delay(until time: WallTime) -> Int64?
}

struct SystemClock: ConsoleClock {
    func now() -> WallTime { Surroundings.wallTime() }
    func delay(until time: WallTime) -> Int64? { max(1, (time - now()).count) }
}
