internal import StreamModel

/// How a question is asked again until its answer is the last one: the first wait, the longest, and how long a cluster may say nothing at
/// all. Waits grow by half.
struct Polling {
    private var gap: Milliseconds
    private let longest: Milliseconds
    private let silence: Milliseconds
    /// Waited since the last answer.
    private var unanswered: Milliseconds = 0

    /// - Parameter silence: without an answer for so long the operation is left to the cluster: whoever sees the link again asks what became
    ///   of it.
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
