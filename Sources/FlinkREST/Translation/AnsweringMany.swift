internal import HostEnvironment
public import StreamModel
internal import Synchronization

/// Which of many questions comes next, for `FlinkClient.pursue`.
public protocol FlinkPursuit {
    /// The next question, which counts as sent; nil = none now.
    mutating func next(at now: Int64) -> FlinkQuestion?
    /// When `next` may have one, unless an answer comes first; nil = only an answer brings one.
    func wakeAt(_ now: Int64) -> Int64?
    /// Takes in what became of a question; false = enough.
    mutating func take(_ result: Result<FlinkReply, FlinkFailure>, to question: FlinkQuestion) -> Bool
}

extension FlinkClient {
    /// Asks what `pursuit` says until it has no more, or `deadline`; answers are taken in on the calling thread. Never call it on an event loop.
    public func pursue(_ pursuit: inout some FlinkPursuit, before deadline: EngineInstant) {
        let box = AnswerBox()
        var underWay = 0
        while true {
            let now = MonotonicClock.milliseconds(), left = deadline - EngineInstant.now()
            guard left > 0 else { return }
            while let question = pursuit.next(at: now) {
                underWay += 1
                ask(question, timeout: min(left, connection.timeout)) { box.put($0, question) }
            }
            let wake = pursuit.wakeAt(now)
            guard underWay > 0 || wake != nil else { return }
            for (question, result) in box.wait(atMost: min(left, Milliseconds(max(1, (wake ?? .max) - now)))) {
                underWay -= 1
                guard pursuit.take(result, to: question) else { return }
            }
        }
    }
}

/// Answers that were not looked at yet, filled on the event loop.
private final class AnswerBox: Sendable {
    private let answers = Mutex<[(FlinkQuestion, Result<FlinkReply, FlinkFailure>)]>([])
    private let wakeTimer = WakeTimer()

    func put(_ answer: Result<FlinkReply, FlinkFailure>, _ question: FlinkQuestion) {
        answers.withLock { $0.append((question, answer)) }
        wakeTimer.wake()
    }

    func wait(atMost limit: Milliseconds) -> [(FlinkQuestion, Result<FlinkReply, FlinkFailure>)] {
        let found = take()
        if !found.isEmpty { return found }
        wakeTimer.wait(atMost: limit)
        return take()
    }

    private func take() -> [(FlinkQuestion, Result<FlinkReply, FlinkFailure>)] {
        answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }
}
