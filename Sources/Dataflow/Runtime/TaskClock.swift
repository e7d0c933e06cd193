internal import StreamModel

/// The time of a task's last flush. The clock is read once per batch.
struct TaskClock {
    private var last = EngineInstant(nanoseconds: 0)
    private var flushedAt = EngineInstant(nanoseconds: 0)

    mutating func start(at now: EngineInstant, _ context: SubtaskContext) {
        (last, flushedAt) = (now, now)
        context.metrics.times.turn(to: .working, at: now)
    }

    mutating func worked(until now: EngineInstant, _ context: SubtaskContext) {
        last = now
        context.metrics.times.turn(to: .working, at: now)
    }

    /// Begins a wait. The little work since the last reading of the clock counts as waiting too.
    func waits(_ context: SubtaskContext) { context.metrics.times.turn(to: .waiting, at: last) }

    private var measuredAt = EngineInstant(nanoseconds: 0)

    mutating func wantsMeasure(at now: EngineInstant) -> Bool {
        guard now.nanoseconds - measuredAt.nanoseconds > 1_000_000_000 else { return false }
        measuredAt = now
        return true
    }

    mutating func flushed() { flushedAt = last }
    /// Whether 20 ms have passed: well below the perception of a person, well above a batch.
    var wantsFlush: Bool { last.nanoseconds - flushedAt.nanoseconds > 20_000_000 }
}
