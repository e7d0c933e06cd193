internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// Execution of `JobEnding`'s actions.
extension JobMaster {
    var state: JobState { ending.state }

    func advance(_ event: JobEnding.Event) {
        for action in ending.handle(event) { perform(action) }
    }

    private func perform(_ action: JobEnding.Action) {
        switch action {
        case .enter(let new):
            stateSince = host.wall()
            feed(.jobStateChanged(new))
        case .pauseCheckpoints: feed(.jobStateChanged(.suspended))
        case .forgetRestart:
            timers[.restart] = nil
            plannedRestart = nil
        case .cancelTasks: attempt?.cancel()
        case .finishSources:
            attempt?.send(.finish, to: .sources)
            inputEnded()
        case .exitTasks: attempt?.send(.exit, to: .all)
        case .requestFinalCheckpoint: if coordinator.finalCheckpoint == nil { feed(.finalCheckpointRequested) }
        case .admit(let token): if let request = requests.checkpoint(token) { feed(.requested(token, request.kind)) }
        case .beginAttempt: beginNextAttempt()
        case .record(let end): recordEnd(end)
        case .note(let message): note(message)
        case .scheduleRecord: timers = [.tick: host.now() + .seconds(1), .record: host.now() + .seconds(1)]
        case .release(let retention): release(retention)
        case .answer(let token, let answer): self.answer(token, answer)
        case .conclude: conclude()
        }
    }

    /// Requests the final checkpoint once all tasks have reached their end. Repeated every second, because the coordinator does not repeat a failed
    /// or refused one.
    func inputEnded() {
        if let attempt, attempt.ended.count == attempt.subtasks.count { advance(.inputEnded) }
    }

    /// Advances phases that wait for threads to leave, commits to end, or files to be deleted.
    func settle() {
        if let attempt, attempt.exited.count == attempt.subtasks.count, coordinator.commitInFlight == nil, files.activity < .executing {
            leave(attempt)
        }
        advance(.settled(activity))
        // A job that was just released may have nothing to delete.
        if case .released = ending.phase { advance(.settled(activity)) }
    }

    private var activity: JobEnding.Activity {
        if attempt != nil || coordinator.commitInFlight != nil { return .executing }
        return max(files.activity, coordinator.cleanupsInFlight > 0 ? .tidying : .none)
    }

    private func leave(_ attempt: JobAttempt) {
        recordsBefore = attempt.throughput(before: recordsBefore)
        replay.attemptEnded(attempt)
        self.attempt = nil
        startPoint?.state.snapshot.pin.release()
        host.tablesAreFilled()
    }

    private func recordEnd(_ end: JobState) {
        do { try blueprint.launch.onTerminal(makeReport(as: end, since: host.wall())) } catch { return advance(.notRecorded("\(error)")) }
        advance(.recorded)
    }

    private func release(_ retention: CancelRetention?) {
        publish()
        timers = [:]
        startPoint?.state.snapshot.pin.release()
        guard let retention else { return }
        files.retryDiscards(of: [.inUse, .failed])
        feed(.jobEnded(retention))
    }

    private func conclude() {
        if state.isTerminal {
            // An ended job deletes nothing more. Snapshots left because they are being read are the operator's.
            for (id, path) in files.pinned {
                note("checkpoint \(id) was to be deleted and is being read: it stays at \(path); remove it when no restart needs it")
            }
        }
        outputs.release()
        blueprint.directory.close()
        publish()
        published.withLock { $0.hasEnded = true }
        for token in requests.open { answer(token, .notRunning(state)) }
    }

    // MARK: Answers

    private func answer(_ token: TriggerToken, _ answer: JobEnding.Answer) {
        if let completion = requests.takeEnd(token) {
            self.answer {
                switch answer {
                case .notRunning(let state): completion(.failure(.notRunning(state)))
                // The report published since.
                default: completion(.success(self.published.withLock { $0.report }))
                }
            }
        } else if let request = requests.takeCheckpoint(token) {
            let result = result(answer)
            self.answer { request.completion(result) }
        }
    }

    private func result(_ answer: JobEnding.Answer) -> Result<CheckpointReport, JobError> {
        switch answer {
        case .ended: return .failure(.notRunning(state))  // An answer for others.
        case .notRunning(let state): return .failure(.notRunning(state))
        case .stopped(let id):
            if let row = record.report(id) { return .success(row) }
            return result(.stopFailed(id))
        case .stopFailed(let id):
            let path = record.report(id)?.path ?? "?"
            return .failure(.task("the savepoint \(path) is complete, but the job did not finish: restart from the savepoint"))
        }
    }
}
