internal import StreamModel
internal import Synchronization

/// Where a subtask's time goes: told by its thread whenever it turns to something else, read by the job thread at any moment. What is going on is
/// counted up to the moment of reading: a batch that takes seconds is work while it lasts, not idleness with a burst of work at its end.
final class TaskTimes: Sendable {
    /// What a subtask does.
    enum Activity: Int64, Sendable { case nothing, working, waiting, blocked }

    /// Nanoseconds of each, since the subtask began.
    struct Reading: Equatable, Sendable {
        var busy: Int64 = 0
        var backPressured: Int64 = 0
        var idle: Int64 = 0
    }

    private let busy = Atomic<Int64>(0)
    private let backPressured = Atomic<Int64>(0)
    private let idle = Atomic<Int64>(0)
    /// What goes on in the two lowest bits, and since when in the others: one word, so that a reader sees both or neither.
    private let present = Atomic<Int64>(0)

    /// The subtask turns to `next`; what it did until then is counted. Called by its thread only, so a load and a store do. A time before the
    /// last turn is taken for that one.
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

    /// From any thread.
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
