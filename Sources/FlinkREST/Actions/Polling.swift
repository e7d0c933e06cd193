internal import StreamModel

/// The pace of polling for a final answer: the first wait, the longest one, and the longest silence of a cluster. Waits grow by half.
struct Polling {
    private var gap: Milliseconds
    private let longest: Milliseconds
    private let silence: Milliseconds
    /// Waited since the last answer.
    private var unanswered: Milliseconds = 0

    /// - Parameter silence: longest time without an answer. After it the operation is left to the cluster, and looked up when the link is back.
    init(first: Milliseconds = 150, longest: Milliseconds = .seconds(1), silence: Milliseconds = .minutes(10)) {
        (gap, self.longest, self.silence) = (first, longest, silence)
    }

    /// The cluster has said something.
    mutating func answered() { unanswered = 0 }

    /// Waits for the next question. False = go no further: nobody waits any more, or the cluster has been silent too long.
    mutating func wait(_ pause: (Milliseconds) -> Bool) -> Bool {
        guard unanswered < silence, pause(gap) else { return false }
        unanswered = unanswered + gap
        gap = min(Milliseconds(gap.count * 3 / 2), longest)
        return true
    }
}
