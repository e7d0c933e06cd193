internal import StreamModel

/// Failures of a job for operators, oldest first; the newest 200 are kept.
struct FailureList {
    private(set) var rows: [FailureReport] = []
    /// Consecutive waits at the end of `rows`, at most two.
    private var waits: [FailureReport] = []

    mutating func note(_ failure: FailureReport) {
        rows.append(failure)
        if rows.count > 200 { rows.removeFirst() }
    }

    /// Notes a wait for the machine. A wait can be long, and each of its checks is a failure: only the newest two stay in the list, so that it does
    /// not lose the others.
    mutating func noteWait(_ failure: FailureReport) {
        if waits.count == 2, rows.suffix(2).elementsEqual(waits) {
            rows.removeLast()
            waits.removeLast()
        } else {
            waits = waits.suffix(1).filter { $0 == rows.last }
        }
        note(failure)
        waits.append(failure)
    }
}
