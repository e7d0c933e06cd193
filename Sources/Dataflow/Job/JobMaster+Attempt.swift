internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// The begin of attempts.
extension JobMaster {
    /// Begins the planned attempt, unless remains of a failed checkpoint exist: then it retries in a second.
    func beginNextAttempt() {
        guard let path = files.retryAbandons() else { return beginAttempt() }
        let message = "\(path) is left over from a failed checkpoint and cannot be removed now: the job restarts once it is removed"
        if failures.rows.last?.message != message { note(message) }
        timers[.restart] = host.now() + .seconds(1)
        advance(.restartPostponed)
    }

    /// Starts the next execution, from the newest restorable snapshot of this run, or from the job's start.
    func beginAttempt() {
        attemptNumber += 1
        plannedRestart = nil
        files.attemptBegins()
        do {
            if state == .restarting {
                restarts += 1
                try chooseStartPoint()
                if let start = startPoint {
                    files.keep(start.manifest.checkpoint)
                    feed(.restored(start.manifest.checkpoint, kind: start.manifest.kind, claimed: start.claimed))
                }
            }
            let start = startPoint
            // Output is about to be committed or set aside because of it.
            try start?.state.snapshot.makeDurable()
            try prepareSinks(for: start)
            if let manifest = start?.manifest {
                try finishCommits(of: manifest)
                if manifest.isFinal, manifest.job == blueprint.launch.id {
                    // The job had ended; only its last commit was missing.
                    return advance(.foundFinished)
                }
            }
            feed(.tasksReset(tasks: blueprint.plan.subtasks))
            let attempt = try makeAttempt(start?.state)
            self.attempt = attempt
            advance(.attemptBegan)
            try startThreads(of: attempt)
        } catch {
            startPoint?.state.snapshot.pin.release()
            // The message that interrupted it ends the job.
            if error is DeploymentBrokenOff { return host.tablesAreFilled() }
            switch error as? JobError {
            case .recoveryRefused(let why), .outputTaken(let why): stayDown(why)
            default: fail(FailureCause(error), vertex: nil, subtask: nil)
            }
        }
    }

    /// Starts all threads or, in effect, none: started ones leave when the caller fails the attempt.
    private func startThreads(of attempt: JobAttempt) throws {
        for (index, subtask) in attempt.subtasks.enumerated() {
            do {
                try goOnDeploying()
                try subtask.start()
            } catch {
                for rest in attempt.subtasks[index...] { rest.giveUp() }
                throw error
            }
        }
    }

    private func chooseStartPoint() throws {
        var candidates = coordinator.completed.compactMap { completed -> RestoreCandidate? in
            guard let path = record.report(completed.id)?.path else { return nil }
            return RestoreCandidate(id: completed.id, kind: completed.kind, path: path)
        }
        if let start = blueprint.start, !candidates.contains(where: { $0.path == start.state.snapshot.path }) {
            candidates.append(
                RestoreCandidate(id: start.manifest.checkpoint, kind: start.manifest.kind, path: start.state.snapshot.path))
        }
        let lastCommitted = try blueprint.plan.nodes.lastCommitted(
            by: blueprint.launch.id, newestCompleted: record.latest { $0.status == .completed }?.id, host: host)
        var choice = SnapshotChoice(
            blueprint.planner, directory: blueprint.directory, host: host, lastCommitted: lastCommitted)
        defer {
            for warning in choice.warnings { note(warning) }
            for (id, path) in choice.lost {
                record.lost(id, path: path)
                feed(.lost(id))
            }
        }
        let snapshot = try choice.choose(from: candidates)
        startPoint = try snapshot.map { snapshot in
            let first = blueprint.start.flatMap { $0.state.snapshot.path == snapshot.path ? $0 : nil }
            return JobBlueprint.StartPoint(
                state: try JobBlueprint.match(
                    snapshot, with: blueprint.plan, allowsUnmatched: blueprint.launch.restore?.allowsUnmatchedState ?? false),
                chosen: first?.chosen ?? false, claimed: first?.claimed ?? !snapshot.manifest.kind.isSavepoint)
        }
    }

    private func prepareSinks(for start: JobBlueprint.StartPoint?) throws {
        let launch = blueprint.launch
        let job = JobIdentity(id: launch.id, lineage: launch.lineage, name: launch.name)
        for node in blueprint.plan.nodes {
            guard let prepare = node.prepare else { continue }
            let uid = node.effectiveUID
            let state = try start.flatMap { try node.committer?.state(of: uid, in: $0.state) } ?? []
            let uncommitted = start?.manifest.committables.filter { $0.uid == uid } ?? []
            let ownership = try outputs.take(node)
            try prepare(
                SinkPreparation(
                    uid: uid, job: job, state: state, nextCheckpoint: coordinator.nextID, uncommitted: uncommitted, host: host,
                    ownership: ownership))
        }
    }

    /// Repeats the second phase of the checkpoint from which the attempt starts: its progress is unknown.
    private func finishCommits(of manifest: CheckpointManifest) throws(JobError) {
        let committer = CheckpointCommitter(nodes: blueprint.plan.nodes, ownerships: outputs.held, host: host)
        var given: Set<String> = []
        if blueprint.launch.restore?.allowsUnmatchedState == true {
            given = Set(committer.unknownSinks(of: manifest.committables))
            for uid in given.sorted() { note("checkpoint \(manifest.checkpoint): the output of sink \"\(uid)\", which the job does not have, was given up") }
        }
        try committer.commit(manifest.committables, of: manifest.checkpoint, isRecovery: true, skipping: given)
    }

    private func makeAttempt(_ restored: RestoredState?) throws -> JobAttempt {
        let plan = blueprint.plan, launch = blueprint.launch
        let job = JobIdentity(id: launch.id, lineage: launch.lineage, name: launch.name)
        let contexts = plan.vertices.map { vertex in
            (0..<vertex.parallelism).map { index in
                SubtaskContext(
                    id: SubtaskID(vertex: vertex.index, index: index), parallelism: vertex.parallelism, maxParallelism: plan.maxParallelism,
                    job: job, audit: audit, faults: faults, host: host, watermarkInterval: blueprint.watermarkInterval)
            }
        }
        var isComplete = false
        defer { if !isComplete { for context in contexts.joined() { context.closeOperators() } } }
        let wiring = try ChannelWiring(plan: plan, contexts: contexts, goOn: goOnDeploying)
        let number = attemptNumber
        let report: @Sendable (TaskEvent) -> Void = { [weak self] event in self?.post(.task(event, attempt: number)) }
        var subtasks: [Subtask] = []
        for vertex in plan.vertices {
            for context in contexts[vertex.index] {
                try goOnDeploying()
                let role = try wiring.makeRole(of: vertex, context: context, attempt: number)
                subtasks.append(
                    Subtask(
                        context: context, vertexUID: vertex.uid, role: role, mode: blueprint.configuration.mode, restored: restored,
                        files: files.worker, attempts: files.open, report: report))
            }
        }
        isComplete = true
        return JobAttempt(number: number, subtasks: subtasks, vertices: plan.vertices)
    }

    /// Notes the restore as a fact, once all tasks have their state.
    func noteRestored() {
        guard let attempt, attempt.running.count == attempt.subtasks.count else { return }
        host.tablesAreFilled()
        replay.attemptBegan(attempt)
        guard let start = startPoint else {
            restored = nil
            return
        }
        // The snapshot is no longer read.
        start.state.snapshot.pin.release()
        restored = start.report(at: host.wall())
        record.restored += 1
    }
}
