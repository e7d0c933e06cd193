internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// The coordinator's actions, performed.
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
        case .discardPending(let id): discardPending(id)
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
        let request = token.flatMap { requests[$0] }
        let configuration = blueprint.configuration
        record.triggered(id, kind: kind, by: request?.by, timeout: configuration.timeout, at: host.wall(), instant: host.now())
        request?.started(id)
        if request?.drains == true { drainingSavepoint = id }
        let savepointDirectory = request?.directory ?? configuration.savepointDirectory ?? configuration.storageDirectory ?? blueprint.launch.storageRoot
        locationsInFlight += 1
        files.perform { [directory = blueprint.directory, host, sharesFiles = configuration.incremental, base, weak self] in
            do throws(StoreError) {
                let location =
                    if kind.isSavepoint {
                        try directory.beginSavepoint(id, in: savepointDirectory, random: host.random)
                    } else { try directory.begin(id, sharesFiles: sharesFiles, base: base) }
                self?.post(.locationPrepared(id, location))
            } catch { self?.post(.locationFailed(id, FailureCause(error))) }
        }
    }

    func prepared(_ id: CheckpointID, _ location: CheckpointAttempt) {
        locationsInFlight -= 1
        attempts.insert(location)
        feed(.locationPrepared(id))
        // The last checkpoint has no barriers: every task has seen the end, so each is told directly.
        if coordinator.finalCheckpoint == id, let barrier = record.barrier(id) {
            finalCheckpoint = id
            attempt?.send(.snapshotAtEnd(barrier), to: .all)
        }
    }

    /// A task whose channels ended without the barrier of a checkpoint that is under way takes its part when told so. One that
    /// had the barrier before ignores it.
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

    /// Writes the manifest. All parts are durable by now.
    private func commit(_ id: CheckpointID) {
        guard let location = attempts[id], let parts = record.parts(of: id) else {
            return post(.commitFailed(id, FailureCause("the checkpoint's parts are gone")))
        }
        if let uid = Self.unionListOfPartlyFinishedVertex(parts) {
            // As in Flink: what the finished subtasks would have had is not to be handed to all.
            let message = "operator \"\(uid)\" has a union list, and some of its subtasks have ended and others not: it cannot be checkpointed until all have"
            return post(.commitFailed(id, FailureCause(message)))
        }
        let manifest = manifest(id, parts: parts)
        manifestsInFlight[id] = manifest
        record.willComplete(id, path: location.path)
        files.perform { [committer = CheckpointCommitter(nodes: blueprint.plan.nodes, host: host), host, weak self] in
            if host.filesystem.has(.commitsOutputEarly) { try? committer.commit(manifest.committables, of: id, isRecovery: false) }  // A defect says nothing.
            do throws(StoreError) {
                try location.commit(manifest)
                self?.post(.committed(id))
            } catch { self?.post(.commitFailed(id, FailureCause(error))) }
        }
    }

    /// Attempts end only when no commit is in flight, so the checkpoint is one of this attempt.
    func becameBase(_ id: CheckpointID) {
        guard let manifest = manifestsInFlight.removeValue(forKey: id), blueprint.configuration.incremental, !manifest.kind.isSavepoint else { return }
        if (base?.checkpoint).map({ $0 < id }) ?? true { base = manifest }
    }

    /// flink.md 1.7.
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

    /// The second phase: what the manifest lists becomes visible, then the tasks hear of it.
    private func commitOutputs(of id: CheckpointID) {
        attempts.remove(id)
        let committables = record.takeParts(of: id).flatMap(\.committables)
        committingOutputs.insert(id)
        files.perform { [committer = CheckpointCommitter(nodes: blueprint.plan.nodes, ownerships: outputs.held, host: host), weak self] in
            do throws(JobError) {
                try committer.commit(committables, of: id, isRecovery: false)
                self?.post(.outputsCommitted(id))
            } catch {
                let message = "checkpoint \(id) is complete, but its output could not be committed: \(error)"
                let isTaken = if case .outputTaken = error { true } else { false }
                self?.post(.outputsFailed(id, FailureCause(message, lacking: JobError.shortage(behind: error)), isTaken: isTaken))
            }
        }
        // Another checkpoint may complete after all inputs have ended: it was begun before and does not have the last output.
        if finalCheckpoint == id { attempt?.send(.exit, to: .all) }
    }

    /// Comes only once the barrier was injected. A stop that failed lets the sources go on.
    private func abort(_ id: CheckpointID) {
        guard let row = record.report(id), row.kind == .synchronousSavepoint else { return }
        guard drainingSavepoint == id else {
            attempt?.send(.resume, to: .all)
            return
        }
        // What was drained cannot be taken back: only a restart continues the job as if nothing had been asked.
        let message = row.failure?.message ?? "it was aborted"
        fail("a stop with drain failed (\(message)); the job restarts from its newest checkpoint")
    }

    private func discardPending(_ id: CheckpointID) {
        let location = attempts.remove(id)
        _ = record.takeParts(of: id)
        cleanups[id, default: 0] += 1
        if let location { abandon(location) }
        files.perform { [weak self] in self?.post(.cleaned(id)) }
    }

    /// What cannot be deleted now is tried again before the next attempt, or swept by the next engine; the checkpoint has failed either way.
    private func abandon(_ location: CheckpointAttempt) {
        abandonsUnderWay += 1
        files.perform { [weak self] in
            var isGone = true
            do throws(StoreError) { try location.abandon() } catch { isGone = false }
            self?.post(.abandoned(location, isGone))
        }
    }

    /// No failed checkpoint may be taken for the newest by a later recovery: an attempt that goes on from an older one gives up the output that
    /// such a one lists. Where one cannot be taken away, the attempt waits, and it is tried again every second.
    var isRidOfFailed: Bool {
        guard abandonsUnderWay == 0 else { return false }
        guard !unabandoned.isEmpty else { return true }
        timers[.restart] = host.now() + .seconds(1)
        let again = unabandoned
        unabandoned = []
        let word = "\(again[0].path) is left of a checkpoint that failed, and cannot be taken away now: the job restarts once it can"
        if failures.last?.message != word { note(word) }
        for location in again { abandon(location) }
        return false
    }

    func cleaned(_ id: CheckpointID) {
        let left = (cleanups[id] ?? 1) - 1
        cleanups[id] = left == 0 ? nil : left
        if left == 0 { feed(.cleanupFinished(id)) }
    }

    /// What an engine that died left: attempts without manifest, files that no manifest lists.
    func sweep() {
        files.perform { [directory = blueprint.directory, host] in
            // Garbage that cannot be removed now is found again by the next recovery; the job does not wait for it.
            do throws(StoreError) { _ = try directory.sweep(live: [], olderThan: host.wall(), dryRun: false) } catch {}
        }
    }

    private func requestFailed(_ token: TriggerToken, _ reason: CheckpointFailureReason, _ message: String) {
        guard let request = requests.removeValue(forKey: token) else { return }
        answer { request.completion(.failure(.checkpointFailed(reason, message))) }
    }

    private func requestCompleted(_ token: TriggerToken, _ id: CheckpointID) {
        guard let request = requests.removeValue(forKey: token) else { return }
        if request.kind == .synchronousSavepoint {
            stopping = (request, id)
            attempt?.send(.finish, to: .sources)
            inputEnded()
        } else if let row = record.report(id) {
            answer { request.completion(.success(row)) }
        }
    }
}
