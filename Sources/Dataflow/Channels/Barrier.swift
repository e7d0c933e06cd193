internal import StreamModel

/// The mark that cuts a stream into what a checkpoint contains and what it does not.
@usableFromInline
struct Barrier: Sendable {
    let checkpoint: CheckpointID
    let kind: CheckpointKind
    /// When the coordinator triggered it, for the start delay.
    let triggeredAt: EngineInstant
}

/// Decides what an input gate does with the barriers of its channels. Pure; one a subtask.
///
/// Exactly once: a channel that delivered the barrier is blocked until all live channels have. At least once: nothing is blocked, the
/// barriers are only counted. A channel that ended takes no part: it counts as aligned.
struct BarrierAligner {
    enum Step: Equatable {
        case goOn
        /// All live channels delivered it: take the snapshot, forward the barrier, then ask `next`.
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
    /// Ascending by checkpoint. At most one when aligned; several at once in at-least-once mode.
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

    /// A channel delivers nothing any more. It may have been the last one that was waited for.
    mutating func ended(_ channel: Int, at now: EngineInstant) -> Step {
        live.remove(channel)
        blocked.remove(channel)
        return next(at: now)
    }

    /// The barrier whose snapshot the last step asked for.
    private(set) var aligned: Barrier?

    /// What is due after a snapshot was taken: with several checkpoints in flight one arrival can complete more than one.
    mutating func next(at now: EngineInstant) -> Step {
        guard let first = pending.first, live.isSubset(of: first.arrived) else { return .goOn }
        pending.removeFirst()
        newest = first.barrier.checkpoint
        aligned = first.barrier
        blocked.removeAll()
        return .snapshot(first.barrier.checkpoint, alignmentNanoseconds: now.nanoseconds - first.firstAt.nanoseconds)
    }
}
