import CheckpointCore
import StreamModel

/// A `JobEnding` under an oracle: rules that hold whatever the events are.
struct WatchedEnding {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var ending = JobEnding()
    /// Cancellations, suspensions and completed stops without an answer.
    private(set) var open: Set<TriggerToken> = []
    private(set) var hasConcluded = false
    private var recorded: JobState?

    var phase: JobEnding.Phase { ending.phase }

    mutating func feed(_ event: JobEnding.Event) throws(Violation) -> [JobEnding.Action] {
        let before = ending.state, phaseBefore = ending.phase
        var asked: TriggerToken?
        switch event {
        case .cancelRequested(let token, _), .suspendRequested(let token), .stopCompleted(let token, _):
            asked = token
            open.insert(token)
        case .checkpointRequested(let token): asked = token
        default: break
        }
        let actions = ending.handle(event)
        if event == .recorded, case .recording(let end) = phaseBefore { recorded = end }
        try checkState(from: before, to: ending.state)
        for (index, action) in actions.enumerated() {
            try check(action, on: event, isLast: index == actions.count - 1, asked: asked)
        }
        if hasConcluded, !open.isEmpty { throw Violation(description: "\(open.count) requests are open and the job is over") }
        return actions
    }

    private func checkState(from old: JobState, to new: JobState) throws(Violation) {
        let isAllowed =
            switch old {
            case _ where old == new: true
            case .initializing, .running, .restarting: new != .initializing
            case .failing: new == .failed || new == .suspended
            case .cancelling: new == .canceled || new == .suspended
            case .finished, .canceled, .failed, .suspended: false
            }
        guard isAllowed else { throw Violation(description: "the job went from \(old.rawValue) to \(new.rawValue)") }
        if new.isTerminal, recorded != new { throw Violation(description: "\(new.rawValue) was not recorded") }
    }

    private mutating func check(
        _ action: JobEnding.Action, on event: JobEnding.Event, isLast: Bool, asked: TriggerToken?
    ) throws(Violation) {
        if hasConcluded, asked == nil { throw Violation(description: "\(action) after the end") }
        switch action {
        case .enter(let state):
            if ending.state != state { throw Violation(description: "\(state.rawValue) is entered, and the job is \(ending.state.rawValue)") }
        case .beginAttempt, .record:
            if !isLast { throw Violation(description: "\(action) is answered while other actions wait") }
            if case .settled(.executing) = event { throw Violation(description: "\(action) while an attempt is under way") }
        case .release:
            if case .settled(.executing) = event { throw Violation(description: "retention while an attempt is under way") }
        case .answer(let token, let answer):
            if open.remove(token) == nil, asked != token { throw Violation(description: "\(token.rawValue) is answered twice") }
            if case .stopped = answer, ending.state != .finished { throw Violation(description: "a stop of a job that is \(ending.state.rawValue)") }
            if answer == .ended, ending.state != .canceled, ending.state != .suspended {
                throw Violation(description: "the job is said to have ended and is \(ending.state.rawValue)")
            }
        case .conclude:
            if hasConcluded { throw Violation(description: "concluded twice") }
            if event != .settled(.none) { throw Violation(description: "concluded on \(event)") }
            hasConcluded = true
        default: break
        }
    }
}
