internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// Execution of the coordinator's actions.
extension JobMaster {
    func perform(_ actions: [CoordinatorAction]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: CoordinatorAction) {
        switch action {
        case .scheduleTrigger(let at): timers[.trigger] = at
        case .cancelTrigger: timers[.trigger] = nil
        case .scheduleTimeout(let id, let at): timers[.timeout(id)] = at
        case .cancelTimeout(let id): timers[.timeout(id)] = nil
        case .prepareLocation(let id, let kind, let token): prepareLocation(id, kind, token)
        case .injectBarrier(let id, let kind): injectBarrier(id, kind)
        case .commit(let id, _): commit(id)
        case .notifyComplete(let id): commitOutputs(of: id)
        case .notifyAborted(let id): abort(id)
        case .discardPending(let id):
            _ = record.takeParts(of: id)
            files.discardPending(id)
        case .discardCompleted(let id): discardCompleted(id)
        case .forget: break
        case .checkpointCompleted(let id): timers[.timeout(id)] = nil
        case .checkpointFailed(let id, let reason, let message, let counted, let task):
            if reason == .checkpointExpired, host.filesystem.has(.completesExpired) { commit(id) }
            record.failed(id, reason: reason, message: message, counted: counted, task: task, at: host.wall(), instant: host.now())
        case .requestFailed(let token, let reason, let message): requestFailed(token, reason, message)
        case .requestCompleted(let token, let id): requestCompleted(token, id)
        case .failJob(let message): fail(message)
        }
    }

    private func prepareLocation(_ id: CheckpointID, _ kind: CheckpointKind, _ token: TriggerToken?) {
        let request = token.flatMap { requests.checkpoint($0) }
        let configuration = blueprint.configuration
        record.triggered(id, kind: kind, by: request?.by, timeout: configuration.timeout, at: host.wall(), instant: host.now())
        request?.started(id)
        if request?.drains == true { drainingSavepoint = id }
        let savepointDirectory = request?.directory ?? configuration.savepointDirectory ?? configuration.storageDirectory ?? blueprint.launch.storageRoot
        files.prepare(id, kind, savepoints: savepointDirectory, sharesFiles: configuration.incremental)
    }

    func handle(_ report: CheckpointFiles.Report) {
        switch report {
        case .prepared(let id, let location): prepared(id, location)
        case .notPrepared(let id, let cause):
            files.notPrepared()
            feed(.locationFailed(id, message: cause.message), lacking: cause.shortage)
        case .committed(let id):
            files.committed(id, isIncremental: blueprint.configuration.incremental)
            record.completed(id, at: host.wall(), instant: host.now())
            feed(.committed(id))
        case .commitFailed(let id, let cause): commitFailed(id, cause)
        case .cleaned(let id): if files.cleaned(id) { feed(.cleanupFinished(id)) }
        case .abandoned(let location, let isGone): files.abandoned(location, isGone: isGone)
        case .outputsCommitted(let id):
            files.outputsEnded(id)
            attempt?.send(.completed(id), to: .all)
        case .outputsFailed(let id, let cause, let isTaken): outputsFailed(id, cause, isTaken: isTaken)
        case .discarded(let id, let outcome):
            let isClean = files.discarded(id, outcome)
            if outcome == .gone { record.discarded(id) }
            if isClean { feed(.cleanupFinished(id)) }
        }
    }

    private func prepared(_ id: CheckpointID, _ location: CheckpointAttempt) {
        files.prepared(location)
        feed(.locationPrepared(id))
        // The final checkpoint has no barriers: every task has reached its end, so each is notified directly.
        if coordinator.finalCheckpoint == id, let barrier = record.barrier(id) {
            finalCheckpoint = id
            attempt?.send(.snapshotAtEnd(barrier), to: .all)
        }
    }

    /// Tells a task to contribute to the checkpoints in progress if its channels ended without their barriers. A task that had the barrier before
    /// ignores it.
    func snapshotAtEnd(_ task: SubtaskID) {
        guard let attempt, let subtask = attempt.subtask(task), !attempt.vertices[task.vertex].isSource else { return }
        for barrier in record.openBarriers(without: task) { subtask.send(.snapshotAtEnd(barrier)) }
    }

    private func injectBarrier(_ id: CheckpointID, _ kind: CheckpointKind) {
        guard let barrier = record.barrier(id) else { return }
        attempt?.send(.trigger(barrier, drains: drainingSavepoint == id), to: .sources)
        record.injected(id)
        for task in attempt?.ended.sorted() ?? [] { snapshotAtEnd(task) }
    }

    /// Writes the manifest, after all parts have become durable.
    private func commit(_ id: CheckpointID) {
        guard let location = files.open[id], let parts = record.parts(of: id) else {
            return post(.files(.commitFailed(id, FailureCause("the checkpoint's parts are gone"))))
        }
        if let uid = Self.unionListOfPartlyFinishedVertex(parts) {
            // As in Flink: the union list of finished subtasks must not be handed to all.
            let message = "operator \"\(uid)\" has a union list, and some of its subtasks have ended and others not: it cannot be checkpointed until all have"
            return post(.files(.commitFailed(id, FailureCause(message))))
        }
        record.willComplete(id, path: location.path)
        files.commit(manifest(id, parts: parts), to: location, CheckpointCommitter(nodes: blueprint.plan.nodes, host: host))
    }

    private func commitFailed(_ id: CheckpointID, _ cause: FailureCause) {
        files.commitFailed(id)
        feed(.commitFailed(id, message: cause.message), lacking: cause.shortage)
    }

    /// Operator with a union list in a partly finished vertex (rule 1.7).
    static func unionListOfPartlyFinishedVertex(_ parts: [SubtaskSnapshot]) -> String? {
        for (_, parts) in Dictionary(grouping: parts, by: \.subtask.vertex).sorted(by: { $0.key < $1.key }) {
            let states = parts.flatMap(\.states)
            guard states.contains(where: { $0.state.isFinished }), states.contains(where: { !$0.state.isFinished }) else { continue }
            if let found = states.first(where: { $0.state.states.contains { $0.kind == .listUnion } }) { return found.uid }
        }
        return nil
    }

    private func manifest(_ id: CheckpointID, parts: [SubtaskSnapshot]) -> CheckpointManifest {
        let launch = blueprint.launch
        let operators = blueprint.plan.vertices.flatMap { vertex in
            vertex.nodes.map { node in
                OperatorState(
                    uid: node.effectiveUID, name: node.name, operatorID: OperatorID(uid: node.effectiveUID), parallelism: vertex.parallelism,
                    subtasks: parts.filter { $0.subtask.vertex == vertex.index }.sorted { $0.subtask < $1.subtask }.flatMap { part in
                        part.states.filter { $0.uid == node.effectiveUID }.map(\.state)
                    })
            }
        }
        return CheckpointManifest(
            job: launch.id, jobName: launch.name, lineage: launch.lineage, checkpoint: id, kind: record.report(id)?.kind ?? .checkpoint,
            triggeredAt: record.report(id)?.triggeredAt ?? host.wall(), completedAt: host.wall(), generation: UInt64(attemptNumber),
            maxParallelism: blueprint.plan.maxParallelism, keyHash: KeyGroups.hashName, isFinal: finalCheckpoint == id,
            recipe: launch.recipe, operators: operators, files: parts.flatMap(\.files), committables: parts.flatMap(\.committables))
    }

    /// Begins the second phase: output listed in the manifest becomes visible, then the tasks are notified.
    private func commitOutputs(of id: CheckpointID) {
        let committables = record.takeParts(of: id).flatMap(\.committables)
        files.commitOutputs(committables, of: id, CheckpointCommitter(nodes: blueprint.plan.nodes, ownerships: outputs.held, host: host))
        // Another checkpoint may complete after all inputs have ended: it was begun before and lacks the last output.
        if finalCheckpoint == id { attempt?.send(.exit, to: .all) }
    }

    /// Aborts a checkpoint, after its barrier was injected. A failed stop lets the sources continue.
    private func abort(_ id: CheckpointID) {
        guard let row = record.report(id), row.kind == .synchronousSavepoint else { return }
        guard drainingSavepoint == id else {
            attempt?.send(.resume, to: .all)
            return
        }
        // The drain cannot be undone: only a restart continues the job as before.
        let message = row.failure?.message ?? "it was aborted"
        fail("a stop with drain failed (\(message)); the job restarts from its newest checkpoint")
    }

    private func outputsFailed(_ id: CheckpointID, _ cause: FailureCause, isTaken: Bool) {
        files.outputsEnded(id)
        // A job that is ending does not restart for this, but a restore from that checkpoint finds the files uncommitted.
        switch state {
        case .running where isTaken: stayDown(cause.message)
        case .running: fail(cause, vertex: nil, subtask: nil)
        default: note(cause.message)
        }
    }

    private func discardCompleted(_ id: CheckpointID) {
        let start = blueprint.start
        let path = record.report(id)?.path ?? (start?.manifest.checkpoint == id ? start?.state.snapshot.path : nil)
        if !files.discardCompleted(id, path: path) { feed(.cleanupFinished(id)) }
    }

    private func requestFailed(_ token: TriggerToken, _ reason: CheckpointFailureReason, _ message: String) {
        guard let request = requests.takeCheckpoint(token) else { return }
        answer { request.completion(.failure(.checkpointFailed(reason, message))) }
    }

    private func requestCompleted(_ token: TriggerToken, _ id: CheckpointID) {
        if requests.checkpoint(token)?.kind == .synchronousSavepoint { return advance(.stopCompleted(token, id)) }
        guard let request = requests.takeCheckpoint(token), let row = record.report(id) else { return }
        answer { request.completion(.success(row)) }
    }
}
