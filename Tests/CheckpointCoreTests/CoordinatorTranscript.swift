import CheckpointCore
import StreamModel

/// Events and actions as short lines for the golden table. Instants are milliseconds.
enum CoordinatorTranscript {
    static func line(_ event: CoordinatorEvent) -> String {
        switch event {
        case .jobStateChanged(let state): "job \(state.rawValue)"
        case .tasksReset(let tasks): "tasksReset \(tasks.count)"
        case .taskStateChanged(let task, let state): "task \(task) \(state)"
        case .triggerTimerFired: "tick"
        case .timeoutFired(let id): "timeout \(id)"
        case .requested(let token, let kind): "request t\(token.rawValue) \(kind.rawValue)"
        case .finalCheckpointRequested: "request final"
        case .locationPrepared(let id): "prepared \(id)"
        case .locationFailed(let id, _): "notPrepared \(id)"
        case .acknowledged(let id, let task): "ack \(id) \(task)"
        case .declined(let id, let task, let reason, _): "decline \(id) \(task) \(reason.rawValue)"
        case .taskFailed(let task, _): "taskFailed \(task)"
        case .committed(let id): "committed \(id)"
        case .commitFailed(let id, _): "commitFailed \(id)"
        case .cleanupFinished(let id): "cleaned \(id)"
        case .restored(let id, let kind, let claimed): "restored \(id) \(kind.rawValue)\(claimed ? " claimed" : "")"
        case .lost(let id): "lost \(id)"
        case .jobEnded(let override): "jobEnded \(override.rawValue)"
        }
    }

    static func line(_ action: CoordinatorAction) -> String {
        switch action {
        case .scheduleTrigger(let at): "trigger@\(milliseconds(at))"
        case .cancelTrigger: "trigger@never"
        case .scheduleTimeout(let id, let at): "timeout(\(id))@\(milliseconds(at))"
        case .cancelTimeout(let id): "timeout(\(id))@never"
        case .prepareLocation(let id, let kind, let token): "prepare(\(id) \(kind.rawValue)\(token.map { " t\($0.rawValue)" } ?? ""))"
        case .injectBarrier(let id, _): "inject(\(id))"
        case .commit(let id, _): "commit(\(id))"
        case .notifyComplete(let id): "notifyComplete(\(id))"
        case .notifyAborted(let id): "notifyAborted(\(id))"
        case .discardPending(let id): "discardPending(\(id))"
        case .discardCompleted(let id): "discardCompleted(\(id))"
        case .forget(let id): "forget(\(id))"
        case .checkpointCompleted(let id): "completed(\(id))"
        case .checkpointFailed(let id, let reason, _, let counted, let task):
            "failed(\(id) \(reason.rawValue)\(counted ? " counted" : "")\(task.map { " by \($0)" } ?? ""))"
        case .requestFailed(let token, let reason, _): "requestFailed(t\(token.rawValue) \(reason.rawValue))"
        case .requestCompleted(let token, let id): "requestCompleted(t\(token.rawValue) \(id))"
        case .failJob(let message): "failJob(\(message))"
        }
    }

    private static func milliseconds(_ instant: EngineInstant) -> Int64 { instant.nanoseconds / 1_000_000 }
}
