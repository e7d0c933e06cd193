internal import StreamModel
internal import Synchronization

/// A subtask's time by activity: its thread records every change, the job thread reads at any moment. The current activity counts up to the moment of
/// reading: a batch that takes seconds is work while it lasts, not idleness with a burst of work at its end.
final class TaskTimes: Sendable {
    /// The activity of a subtask.
    enum Activity: Int64, Sendable { case nothing, working, waiting, blocked }

    /// Nanoseconds of each activity since the subtask began.
    struct Reading: Equatable, Sendable {
        var busy: Int64 = 0
        var backPressured: Int64 = 0
        var idle: Int64 = 0
    }

    private let busy = Atomic<Int64>(0)
    private let backPressured = Atomic<Int64>(0)
    private let idle = Atomic<Int64>(0)
    /// Activity in the two lowest bits, its start in the others: one word, so that a reader sees both or neither.
    private let present = Atomic<Int64>(0)

    /// Switches to the activity `next` and counts the one until now. Called only by its thread, so a load and a store suffice. A time before the
    /// last switch is taken for that one.
    func turn(to next: Activity, at now: EngineInstant) {
        let before = present.load(ordering: .relaxed)
        switch activity(before) {
        case .working: add(elapsed(before, now), to: busy)
        case .waiting: add(elapsed(before, now), to: idle)
        case .blocked: add(elapsed(before, now), to: backPressured)
        case .nothing: break
        }
        present.store(max(now.nanoseconds, before >> 2) << 2 | next.rawValue, ordering: .releasing)
    }

    /// Reads the times, from any thread.
    func reading(at now: EngineInstant) -> Reading {
        let before = present.load(ordering: .acquiring)
        var reading = Reading(
            busy: busy.load(ordering: .relaxed), backPressured: backPressured.load(ordering: .relaxed), idle: idle.load(ordering: .relaxed))
        switch activity(before) {
        case .working: reading.busy += elapsed(before, now)
        case .waiting: reading.idle += elapsed(before, now)
        case .blocked: reading.backPressured += elapsed(before, now)
        case .nothing: break
        }
        return reading
    }

    private func activity(_ present: Int64) -> Activity { Activity(rawValue: present & 3) ?? .nothing }

    private func elapsed(_ present: Int64, _ now: EngineInstant) -> Int64 { max(0, now.nanoseconds - (present >> 2)) }

    private func add(_ nanoseconds: Int64, to counter: borrowing Atomic<Int64>) {
        counter.store(counter.load(ordering: .relaxed) + nanoseconds, ordering: .relaxed)
    }
}
