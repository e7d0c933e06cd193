internal import StreamModel

/// The mark that separates the records inside and outside a checkpoint.
@usableFromInline
struct Barrier: Sendable {
    let checkpoint: CheckpointID
    let kind: CheckpointKind
    /// Time of the trigger, for the start delay.
    let triggeredAt: EngineInstant
}

/// Decides how an input gate handles the barriers of its channels. Pure; one per subtask.
///
/// Exactly-once: a channel that delivered the barrier is blocked until all live channels have. At-least-once: nothing is blocked, barriers are
/// only counted. An ended channel counts as aligned.
struct BarrierAligner {
    enum Step: Equatable {
        case goOn
        /// All live channels delivered it: take the snapshot, forward the barrier, then call `next`.
        case snapshot(CheckpointID, alignmentNanoseconds: Int64)
    }

    private struct Pending {
        var barrier: Barrier
        var arrived: Set<Int>
        var firstAt: EngineInstant
    }

    private let blocks: Bool
    private var live: Set<Int>
    private(set) var blocked: Set<Int> = []
    /// Pending barriers, ascending by checkpoint. At most one in exactly-once mode, possibly several in at-least-once mode.
    private var pending: [Pending] = []
    private var newest = CheckpointID(0)

    init(channels: Int, mode: CheckpointConfiguration.Mode) {
        live = Set(0..<channels)
        blocks = mode == .exactlyOnce
    }

    mutating func arrived(_ barrier: Barrier, on channel: Int, at now: EngineInstant) -> Step {
        guard barrier.checkpoint > newest else { return .goOn }
        if let index = pending.firstIndex(where: { $0.barrier.checkpoint == barrier.checkpoint }) {
            pending[index].arrived.insert(channel)
        } else {
            pending.append(Pending(barrier: barrier, arrived: [channel], firstAt: now))
            pending.sort { $0.barrier.checkpoint < $1.barrier.checkpoint }
        }
        if blocks { blocked.insert(channel) }
        return next(at: now)
    }

    /// Handles the end of a channel, which may have been the last one awaited.
    mutating func ended(_ channel: Int, at now: EngineInstant) -> Step {
        live.remove(channel)
        blocked.remove(channel)
        return next(at: now)
    }

    /// Barrier whose snapshot the last step requested.
    private(set) var aligned: Barrier?

    /// The next step after a snapshot: one arrival can complete more than one of several checkpoints in flight.
    mutating func next(at now: EngineInstant) -> Step {
        guard let first = pending.first, live.isSubset(of: first.arrived) else { return .goOn }
        pending.removeFirst()
        newest = first.barrier.checkpoint
        aligned = first.barrier
        blocked.removeAll()
        return .snapshot(first.barrier.checkpoint, alignmentNanoseconds: now.nanoseconds - first.firstAt.nanoseconds)
    }
}
