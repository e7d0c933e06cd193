import CheckpointCore
import StreamModel

/// The states of the table: each is reached by events from the beginning, with the oracle watching.
struct JobEndingState {
    let name: String
    var ending = WatchedEnding()

    init(_ name: String, _ events: [JobEnding.Event]) throws {
        self.name = name
        for event in events { _ = try ending.feed(event) }
    }

    private static let cancelToken = TriggerToken(70), suspendToken = TriggerToken(71), stopToken = TriggerToken(72)
    private static let running: [JobEnding.Event] = [.attemptBegan]
    private static let stopping = running + [.stopCompleted(stopToken, CheckpointID(7))]
    private static let waiting = running + [.failed(.restart)]
    private static let due = waiting + [.restartDue]
    private static let beginning = due + [.settled(.none)]
    private static let cancelling = running + [.cancelRequested(cancelToken, .discard)]
    private static let suspend: [JobEnding.Event] = [.suspendRequested(suspendToken)]
    private static let end: [JobEnding.Event] = [.settled(.none)]
    private static let recorded = end + [.recorded]
    private static let refused = end + [.notRecorded("the disk is full")]

    static func all() throws -> [JobEndingState] {
        [
            try JobEndingState("INITIALIZING", []),
            try JobEndingState("RUNNING", running),
            try JobEndingState("RUNNING, a stop finishes", stopping),
            try JobEndingState("RESTARTING, waiting", waiting),
            try JobEndingState("RESTARTING, due", due),
            try JobEndingState("RESTARTING, beginning", beginning),
            try JobEndingState("RESTARTING, found finished", beginning + [.foundFinished]),
            try JobEndingState("FAILING", running + [.failed(.end)]),
            try JobEndingState("FAILING, stays down", running + [.failed(.stayDown)]),
            try JobEndingState("CANCELLING", cancelling),
            try JobEndingState("CANCELLING, requested twice", cancelling + [.cancelRequested(TriggerToken(73), .keep)]),
            try JobEndingState("suspending, RUNNING", running + suspend),
            try JobEndingState("suspending, RUNNING, a stop finishes", stopping + suspend),
            try JobEndingState("suspending, RESTARTING", due + suspend),
            try JobEndingState("suspending, CANCELLING", cancelling + suspend),
            try JobEndingState("suspending, FAILING", running + [.failed(.end)] + suspend),
            try JobEndingState("recording FINISHED", running + end),
            try JobEndingState("recording FINISHED, stopped", stopping + end),
            try JobEndingState("recording CANCELED", cancelling + end),
            try JobEndingState("recording FAILED", running + [.failed(.end)] + end),
            try JobEndingState("recording FINISHED again", running + refused + [.recordDue]),
            try JobEndingState("unrecorded FINISHED", running + refused),
            try JobEndingState("unrecorded FINISHED, stopped", stopping + refused),
            try JobEndingState("unrecorded CANCELED", cancelling + refused),
            try JobEndingState("unrecorded FAILED", running + [.failed(.stayDown)] + refused),
            try JobEndingState("CANCELLING, was FINISHED and unrecorded", running + refused + [.cancelRequested(cancelToken, .keep)]),
            try JobEndingState("released FINISHED", running + recorded),
            try JobEndingState("released FINISHED, stopped", stopping + recorded),
            try JobEndingState("released CANCELED", cancelling + recorded),
            try JobEndingState("released FAILED", running + [.failed(.end)] + recorded),
            try JobEndingState("released SUSPENDED, a cancel waits", cancelling + suspend + end),
            try JobEndingState("over FINISHED", running + recorded + end),
            try JobEndingState("over CANCELED", cancelling + recorded + end),
            try JobEndingState("over SUSPENDED", running + suspend + end + end),
        ]
    }

    /// Every event, in every form that makes a difference. A request has that token: one names one request.
    static func events(token: UInt64 = 80) -> [JobEnding.Event] {
        let token = TriggerToken(token)
        return [.attemptBegan, .foundFinished]
            + JobEnding.Consequence.allCases.map { .failed($0) }
            + [.restartDue, .restartPostponed, .inputEnded, .checkpointRequested(token), .stopCompleted(token, CheckpointID(9))]
            + [CancelRetention.byPolicy, .keep, .discard].map { .cancelRequested(token, $0) }
            + [.suspendRequested(token)]
            + JobEnding.Activity.allCases.map { .settled($0) }
            + [.recorded, .notRecorded("no space"), .recordDue]
    }
}

extension JobEnding.Event {
    /// A short line for the table.
    var line: String {
        switch self {
        case .attemptBegan: "attemptBegan"
        case .foundFinished: "foundFinished"
        case .failed(let consequence): "failed(\(consequence))"
        case .restartDue: "restartDue"
        case .restartPostponed: "restartPostponed"
        case .inputEnded: "inputEnded"
        case .checkpointRequested(let token): "checkpoint t\(token.rawValue)"
        case .stopCompleted(let token, let savepoint): "stopCompleted t\(token.rawValue) \(savepoint)"
        case .cancelRequested(let token, let retention): "cancel t\(token.rawValue) \(retention.rawValue)"
        case .suspendRequested(let token): "suspend t\(token.rawValue)"
        case .settled(let activity): "settled(\(activity))"
        case .recorded: "recorded"
        case .notRecorded: "notRecorded"
        case .recordDue: "recordDue"
        }
    }
}

extension JobEnding.Action {
    var line: String {
        switch self {
        case .enter(let state): "enter(\(state.rawValue))"
        case .admit(let token): "admit(t\(token.rawValue))"
        case .record(let end): "record(\(end.rawValue))"
        case .note: "note"
        case .release(let retention): "release(\(retention?.rawValue ?? "nothing"))"
        case .answer(let token, .ended): "answer(t\(token.rawValue) ended)"
        case .answer(let token, .notRunning(let state)): "answer(t\(token.rawValue) is \(state.rawValue))"
        case .answer(let token, .stopped(let savepoint)): "answer(t\(token.rawValue) stopped \(savepoint))"
        case .answer(let token, .stopFailed(let savepoint)): "answer(t\(token.rawValue) not stopped \(savepoint))"
        case .pauseCheckpoints, .forgetRestart, .cancelTasks, .finishSources, .exitTasks, .requestFinalCheckpoint, .beginAttempt, .scheduleRecord,
            .conclude:
            "\(self)"
        }
    }
}

extension JobEnding.Phase {
    var line: String {
        switch self {
        case .initializing: "INITIALIZING"
        case .running: "RUNNING"
        case .restarting(let restart): "RESTARTING \(restart)"
        case .failing: "FAILING"
        case .cancelling: "CANCELLING"
        case .suspending(let shown): "suspending \(shown.rawValue)"
        case .recording(let end): "recording \(end.rawValue)"
        case .unrecorded(let end): "unrecorded \(end.rawValue)"
        case .released(let end): "released \(end.rawValue)"
        case .over(let end): "over \(end.rawValue)"
        }
    }
}
