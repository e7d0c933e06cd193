internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// One execution of the job's graph: its subtasks and how far each is.
final class JobAttempt {
    enum Addressees { case all, sources }

    let number: Int
    let subtasks: [Subtask]
    let vertices: [ExecutionPlan.Vertex]
    var running: Set<SubtaskID> = []
    var ended: Set<SubtaskID> = []
    var exited: Set<SubtaskID> = []

    init(number: Int, subtasks: [Subtask], vertices: [ExecutionPlan.Vertex]) {
        self.number = number
        self.subtasks = subtasks
        self.vertices = vertices
    }

    func send(_ command: SubtaskCommand, to addressees: Addressees) {
        for subtask in subtasks where addressees == .all || vertices[subtask.context.id.vertex].isSource { subtask.send(command) }
    }

    func cancel() {
        for subtask in subtasks { subtask.context.cancel() }
    }

    func subtask(_ id: SubtaskID) -> Subtask? { subtasks.first { $0.context.id == id } }
    func contexts(of vertex: Int) -> [SubtaskContext] { subtasks.map(\.context).filter { $0.id.vertex == vertex } }
    var sources: [SubtaskContext] { subtasks.map(\.context).filter { vertices[$0.id.vertex].isSource } }
}

extension JobMaster {
    /// Starts the next execution, from the newest restorable snapshot of this run, or from where the job began.
    func beginAttempt() {
        guard cancelling == nil, suspending.isEmpty, !isReleased else { return }
        attemptNumber += 1
        plannedRestart = nil
        // The tables of the next attempt are new: its first checkpoint is full.
        base = nil
        do {
            if state == .restarting {
                restarts += 1
                try chooseStartPoint()
                if let start = startPoint {
                    keep(start.manifest.checkpoint)
                    feed(.restored(start.manifest.checkpoint, kind: start.manifest.kind, claimed: start.claimed))
                }
            }
            let start = startPoint
            // Output is about to be committed, or set aside, because of it.
            try start?.state.snapshot.makeDurable()
            try prepareSinks(for: start)
            if let manifest = start?.manifest {
                try finishCommits(of: manifest)
                if manifest.isFinal, manifest.job == blueprint.launch.id {
                    // The job had ended; only its last commit was missing.
                    state = .running
                    return
                }
            }
            feed(.tasksReset(tasks: blueprint.plan.subtasks))
            let attempt = try makeAttempt(start?.state)
            self.attempt = attempt
            change(to: .running)
            try startThreads(of: attempt)
        } catch {
            if state == .restarting { state = .running }
            startPoint?.state.snapshot.pin.release()
            switch error as? JobError {
            case .recoveryRefused(let why), .outputTaken(let why): stayDown(why)
            default: fail(FailureCause(error), vertex: nil, subtask: nil)
            }
        }
    }

    /// All threads, or none in the end: those that did start leave when the caller fails the attempt.
    private func startThreads(of attempt: JobAttempt) throws(JobError) {
        for (index, subtask) in attempt.subtasks.enumerated() {
            do throws(JobError) { try subtask.start() } catch {
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

    /// The second phase of the checkpoint that the attempt starts from: nobody knows how far it came.
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
        let wiring = ChannelWiring(plan: plan, contexts: contexts)
        let number = attemptNumber
        let report: @Sendable (TaskEvent) -> Void = { [weak self] event in self?.post(.task(event, attempt: number)) }
        var subtasks: [Subtask] = []
        for vertex in plan.vertices {
            for context in contexts[vertex.index] {
                let role = try wiring.makeRole(of: vertex, context: context, attempt: number)
                subtasks.append(
                    Subtask(
                        context: context, vertexUID: vertex.uid, role: role, mode: blueprint.configuration.mode, restored: restored,
                        files: files, attempts: attempts, report: report))
            }
        }
        isComplete = true
        return JobAttempt(number: number, subtasks: subtasks, vertices: plan.vertices)
    }

    /// All tasks have their state: what was restored is a fact now.
    func noteRestored() {
        guard let attempt, attempt.running.count == attempt.subtasks.count else { return }
        host.tablesAreFilled()
        replay.attemptBegan(attempt)
        guard let start = startPoint else {
            restored = nil
            return
        }
        // Nothing of it is read any more.
        start.state.snapshot.pin.release()
        restored = start.report(at: host.wall())
        record.restored += 1
    }
}

/// Makes the channels of an attempt and the chain of each subtask.
private struct ChannelWiring {
    private typealias Channel = any InputChannel & OutputChannel
    private typealias Leg = ExecutionPlan.Leg

    /// The channels of one edge, by the subtask that feeds them and by the one that takes them.
    private struct Channels {
        var outputs: [[Channel]]
        var inputs: [[Channel]]
    }

    let plan: ExecutionPlan
    let contexts: [[SubtaskContext]]
    private var channels: [Leg: Channels] = [:]

    init(plan: ExecutionPlan, contexts: [[SubtaskContext]]) {
        self.plan = plan
        self.contexts = contexts
        for vertex in plan.vertices {
            let consumers = contexts[vertex.index]
            let edges = vertex.head.inputs.enumerated().map { input, edge in
                let producers = contexts[vertex.from[input]]
                return (
                    leg: Leg(node: vertex.head.id, input: input), edge: edge, producers: producers,
                    isPointwise: edge.isForward && producers.count == consumers.count
                )
            }
            // About 64 batches of room into each consumer's cache, however many producers there are.
            let producerCount = edges.reduce(0) { $0 + ($1.isPointwise ? 1 : $1.producers.count) }
            var slots = 64
            while slots > 8, slots * producerCount > 256 { slots /= 2 }
            for (leg, edge, producers, isPointwise) in edges {
                if isPointwise {
                    let rings = zip(producers, consumers).map { [edge.exchange.makeRing(slots, $0, $1)] }
                    channels[leg] = Channels(outputs: rings, inputs: rings)
                } else {
                    let rings = producers.map { producer in consumers.map { edge.exchange.makeRing(slots, producer, $0) } }
                    channels[leg] = Channels(outputs: rings, inputs: consumers.indices.map { consumer in rings.map { $0[consumer] } })
                }
            }
        }
    }

    func makeRole(of vertex: ExecutionPlan.Vertex, context: SubtaskContext, attempt: Int) throws -> Subtask.Role {
        let head = vertex.head
        context.hasInputs = !vertex.isSource
        let downstream = try consumer(behind: head, context: context, attempt: attempt)
        let site = try site(of: head, context: context, attempt: attempt)
        switch head.maker {
        case .source(let make): return .source(try make(site, downstream))
        case .operator(let make): return .inputs(gate(of: head, consumers: try make(site, downstream), context: context))
        }
    }

    private func gate(of head: StreamNode, consumers: [AnyConsumer], context: SubtaskContext) -> InputGate {
        let byInput = head.inputs.indices.map { channels[Leg(node: head.id, input: $0)]?.inputs[context.index] ?? [] }
        return InputGate(
            channels: byInput.flatMap { $0 }, inputOfChannel: byInput.indices.flatMap { input in byInput[input].map { _ in input } },
            inputs: zip(head.inputs, consumers).map { edge, consumer in
                InputGate.Input(receive: edge.exchange.makeReceiver(consumer), endOfData: consumer.endOfInput)
            }, advance: { consumers[0].advance($0) })
    }

    private func site(of node: StreamNode, context: SubtaskContext, attempt: Int) throws -> OperatorSite {
        var sides: [String: AnyConsumer] = [:]
        for (tag, output) in node.sideOutputs {
            sides[tag] = output.fanOut(try consumers(behind: node, tag: tag, context: context, attempt: attempt))
        }
        return OperatorSite(
            context: context, uid: node.effectiveUID, attempt: attempt, sideOutputs: SideOutputs(uid: node.effectiveUID, consumers: sides))
    }

    /// What takes a node's main output in this subtask.
    private func consumer(behind node: StreamNode, context: SubtaskContext, attempt: Int) throws -> AnyConsumer {
        node.fanOut(try consumers(behind: node, tag: nil, context: context, attempt: attempt))
    }

    /// What takes one output of a node: chained operators and channels to other vertices.
    private func consumers(behind node: StreamNode, tag: String?, context: SubtaskContext, attempt: Int) throws -> [AnyConsumer] {
        try plan.legs[node.id].compactMap { leg in
            let child = plan.allNodes[leg.node], edge = child.inputs[leg.input]
            guard edge.tag == tag else { return nil }
            if plan.vertexOfNode[child.id] == context.id.vertex, case .operator(let make) = child.maker {
                let next = try consumer(behind: child, context: context, attempt: attempt)
                return try make(try site(of: child, context: context, attempt: attempt), next)[0]
            }
            guard let own = channels[leg]?.outputs[context.index] else { preconditionFailure("an edge without channels") }
            context.outputs += own.map { $0 as any OutputChannel }
            return edge.exchange.makePartitioner(own, context)
        }
    }
}
