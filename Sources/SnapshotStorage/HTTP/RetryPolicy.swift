internal import StreamModel

/// When to try again. Pure.
struct RetryPolicy: Sendable {
    /// Tries at a store that fails or breaks off without saying why. Throttling is waited out until the deadline instead.
    var triesMax = 4
    var base: Milliseconds = 100
    var pauseMax: Milliseconds = 5000

    /// What an answer or its absence asks for.
    enum Advice: Equatable {
        case wait
        case tryAgain
    }

    /// nil = it stands as it is.
    static func advice(status: Int) -> Advice? {
        switch status {
        case 429, 503: .wait
        case 500, 502, 504: .tryAgain
        default: nil
        }
    }

    /// How long to wait before the next try; nil = give up. Full jitter: from half the step up, so that many clients do not come at once.
    /// - Parameters:
    ///   - failures: so many tries failed in a row, this one included.
    ///   - draw: from 0 up to 1.
    func pause(_ advice: Advice, failures: Int, asked: Milliseconds?, left: Milliseconds, draw: Double) -> Milliseconds? {
        guard advice == .wait || failures < triesMax else { return nil }
        let step = min(pauseMax.count, base.count << min(max(0, failures - 1), 10))
        let jittered = step / 2 + Int64(Double(step) / 2 * min(max(draw, 0), 1))
        let pause = max(jittered, min(asked?.count ?? 0, 60_000))
        return pause < left.count ? Milliseconds(pause) : nil
    }

    /// The seconds of a `Retry-After` header.
    static func asked(_ header: String?) -> Milliseconds? { header.flatMap { Int64($0) }.flatMap { (0...3600).contains($0) ? .seconds($0) : nil } }
}
