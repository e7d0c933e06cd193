internal import StreamModel
internal import Synchronization

/// Counts the records read again after a restore, from the sources' positions.
struct ReplayCount {
    /// Final position of the previous execution; nil = unknown.
    private var previousPosition: UInt64?
    private var restoredPosition: UInt64?
    /// Final position of the last attempt of this run.
    private var lastPosition: UInt64?
    /// Whether all tasks of the running attempt have their state; its positions mean nothing before that.
    private var hasBegun = false

    init(previousPosition: UInt64?) { self.previousPosition = previousPosition }

    mutating func attemptBegan(_ attempt: JobAttempt) {
        if let lastPosition { previousPosition = max(lastPosition, previousPosition ?? 0) }
        restoredPosition = attempt.sources.map { $0.metrics.startPosition.load(ordering: .relaxed) }.sumClamped()
        hasBegun = true
    }

    mutating func attemptEnded(_ attempt: JobAttempt) {
        // Sources restored early may have read on before the last task was ready; records read before are never forgotten.
        lastPosition = hasBegun ? current(attempt) : max(lastPosition ?? 0, current(attempt))
        hasBegun = false
    }

    func position(of attempt: JobAttempt?) -> UInt64 {
        if hasBegun, let attempt { return current(attempt) }
        return lastPosition ?? 0
    }

    var toReplay: UInt64? {
        guard let previousPosition, let restoredPosition else { return nil }
        return previousPosition > restoredPosition ? previousPosition - restoredPosition : 0
    }

    func replayed(_ attempt: JobAttempt?) -> UInt64 {
        guard let restoredPosition, let toReplay else { return 0 }
        let read = position(of: attempt)
        return min(read > restoredPosition ? read - restoredPosition : 0, toReplay)
    }

    private func current(_ attempt: JobAttempt) -> UInt64 {
        attempt.sources.map { $0.metrics.position.load(ordering: .relaxed) }.sumClamped()
    }
}
