internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// One parallel instance of a vertex: a thread with a chain of operators.
///
///     initializing --restored--> running --input ended--> ended --exit--> gone
///     running --synchronous savepoint (sources)--> held --finish--> ended, --resume--> running
///     any --cancelled, or an error--> gone
final class Subtask: @unchecked Sendable {
    // Sound: `role`, `hooks` and the rest of the mutable state belong to the subtask's thread; commands come through a mutex.
    enum Role {
        case source(SourceDriver)
        case inputs(InputGate)
    }

    let context: SubtaskContext
    private var host: any EngineHost { context.host }
    private let vertexUID: String
    private let role: Role
    private let mode: CheckpointConfiguration.Mode
    private let restored: RestoredState?
    private let files: FileWorker
    private let attempts: OpenAttempts
    private let report: @Sendable (TaskEvent) -> Void
    private let commands = Mutex<[SubtaskCommand]>([])
    private let hasCommands = Atomic<Bool>(false)

    private var aligner: BarrierAligner
    private var merger: WatermarkMerger
    private var liveChannels: Int
    /// Number of channels that have not reached the end of their data, by input.
    private var dataChannels: [Int]
    private var alarms: [Alarm] = []
    private var isHeld = false
    /// Whether the savepoint of a stop was taken: no alarm may change the state until the job continues.
    private var isQuiet = false
    private var hasEnded = false
    private var mustExit = false
    private var newestSnapshot = CheckpointID(0)
    private var clock = TaskClock()

    init(
        context: SubtaskContext, vertexUID: String, role: Role, mode: CheckpointConfiguration.Mode, restored: RestoredState?, files: FileWorker,
        attempts: OpenAttempts, report: @escaping @Sendable (TaskEvent) -> Void
    ) {
        self.context = context
        self.vertexUID = vertexUID
        self.role = role
        self.mode = mode
        self.restored = restored
        self.files = files
        self.attempts = attempts
        self.report = report
        var gate: InputGate?
        if case .inputs(let inputs) = role { gate = inputs }
        liveChannels = gate?.channels.count ?? 0
        aligner = BarrierAligner(channels: liveChannels, mode: mode)
        merger = WatermarkMerger(channels: liveChannels)
        dataChannels = gate.map { gate in gate.inputs.indices.map { input in gate.inputOfChannel.count { $0 == input } } } ?? []
    }

    func start() throws(JobError) { try host.startThread(named: "\(context.id.index):\(vertexUID)") { self.run() } }

    /// Releases everything and reports as the thread would have, if it could not be started.
    func giveUp() {
        context.closeOperators()
        report(.exited(context.id))
    }

    /// Sends a command, from the job thread.
    func send(_ command: SubtaskCommand) {
        commands.withLock { $0.append(command) }
        hasCommands.store(true, ordering: .sequentiallyConsistent)
        context.parker.unpark()
    }

    // MARK: The thread

    private func run() {
        do {
            try restoreState()
            report(.running(context.id))
            alarms = context.hooks.reversed().compactMap(\.alarm)
            switch role {
            case .source(let driver): try runSource(driver)
            case .inputs(let gate): try runInputs(gate)
            }
            try runEnded()
        } catch {
            if !context.isCancelled { report(.failed(context.id, FailureCause(error))) }
        }
        context.metrics.times.turn(to: .nothing, at: host.now())
        context.closeOperators()
        report(.exited(context.id))
    }

    private func restoreState() throws {
        guard let restored else { return }
        for hooks in context.hooks {
            guard let state = restored.operators[hooks.uid] else { continue }
            if case .source = role, host.filesystem.has(.forgetsOffsets) { continue }
            try hooks.restore(OperatorRestore(snapshot: restored.snapshot, state: state, context: context))
        }
        publishPosition()
    }

    private func runSource(_ driver: SourceDriver) throws {
        try driver.start(host.now())
        publishPosition(driver)
        clock.start(at: host.now(), context)
        while !hasEnded {
            try check()
            if hasCommands.load(ordering: .acquiring) { try obeyCommands() }
            if mustExit { return }
            if isHeld {
                park(until: nil)
                continue
            }
            if hasEnded { break }
            try ringAlarms()
            let status = context.faults.isStalled ? .waiting(until: host.now() + 50) : try driver.step(host.now())
            publishPosition(driver)
            try context.faults.checkCrash()
            let now = host.now()
            clock.worked(until: now, context)
            if clock.wantsMeasure(at: now) { measure(driver) }
            switch status {
            case .more: flushIfOld()
            case .waiting(let deadline):
                flushOutputs()
                park(until: earliest(deadline, nextAlarm))
            case .ended:
                measure(driver)
                try endInput(drains: true)
            }
        }
    }

    private func runInputs(_ gate: InputGate) throws {
        let channels = gate.channels
        clock.start(at: host.now(), context)
        var ended = [Bool](repeating: false, count: channels.count)
        while !hasEnded {
            try check()
            if hasCommands.load(ordering: .acquiring) { try obeyCommands() }
            if mustExit { return }
            try ringAlarms()
            var progressed = false
            for index in channels.indices {
                let receive = gate.inputs[gate.inputOfChannel[index]].receive
                // Several batches per visit, so that small jobs do not spin over many channels; a barrier ends the visit.
                for _ in 0..<8 where !ended[index] && !aligner.blocked.contains(index) {
                    guard
                        let item = channels[index].takeNext({ base, count in
                            context.metrics.countIn(count)
                            receive(base, count)
                        })
                    else { break }
                    progressed = true
                    if case .data = item { continue }
                    try handle(item, on: index, of: gate, ended: &ended[index])
                }
            }
            if progressed {
                try context.faults.checkCrash()
                let now = host.now()
                clock.worked(until: now, context)
                if clock.wantsMeasure(at: now) { measure() }
                flushIfOld()
            } else {
                flushOutputs()
                park(until: nextAlarm) { channels.indices.contains { !ended[$0] && !self.aligner.blocked.contains($0) && channels[$0].hasItem } }
            }
        }
    }

    private func handle(_ item: ChannelItem, on channel: Int, of gate: InputGate, ended: inout Bool) throws {
        let now = host.now()
        switch item {
        case .data: break
        case .time(let time):
            for time in merger.take(time, from: channel) {
                context.metrics.note(time)
                gate.advance(time)
            }
            try check()
        case .barrier(let barrier): try align(aligner.arrived(barrier, on: channel, at: now))
        case .endOfData:
            let input = gate.inputOfChannel[channel]
            dataChannels[input] -= 1
            if dataChannels[input] == 0 { try gate.inputs[input].endOfData() }
            if dataChannels.allSatisfy({ $0 == 0 }) {
                try emitHeldBack()
                for output in context.outputs { output.send(.endOfData) }
            }
        case .channelEnd:
            ended = true
            liveChannels -= 1
            try align(aligner.ended(channel, at: now))
            if liveChannels == 0 { endOutputs() }
        }
    }

    private func align(_ first: BarrierAligner.Step) throws {
        var step = first
        while case .snapshot(_, let alignment) = step {
            if let barrier = aligner.aligned { try takeSnapshot(barrier, alignment: alignment) }
            step = aligner.next(at: host.now())
        }
    }

    /// Serves the state after the end of the input: for checkpoints until all tasks have ended, for the final one, and for commits.
    private func runEnded() throws {
        guard !mustExit else { return }
        report(.inputEnded(context.id))
        while !mustExit {
            try check()
            if hasCommands.load(ordering: .acquiring) {
                try obeyCommands()
            } else {
                park(until: nil)
            }
        }
    }

    private func check() throws {
        if context.isCancelled { throw Cancelled() }
        if let failure = context.failure { throw failure }
    }

    private struct Cancelled: Error {}

    // MARK: Commands

    private func obeyCommands() throws {
        hasCommands.store(false, ordering: .sequentiallyConsistent)
        let taken = commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
        for command in taken {
            switch command {
            case .trigger(let barrier, let drains): try trigger(barrier, drains: drains)
            case .snapshotAtEnd(let barrier): try takeSnapshot(barrier, alignment: 0)
            case .completed(let id): for hooks in context.hooks { hooks.completed(id) }
            case .finish: if !hasEnded { try endInput(drains: false) }
            case .resume: (isHeld, isQuiet) = (false, false)
            case .exit: mustExit = true
            }
        }
    }

    private func trigger(_ barrier: Barrier, drains: Bool) throws {
        if drains && !hasEnded {
            try endTime()
            try emitHeldBack()
            for output in context.outputs { output.send(.endOfData) }
        }
        try takeSnapshot(barrier, alignment: 0)
        isHeld = barrier.kind == .synchronousSavepoint && !hasEnded
    }

    // MARK: Snapshots

    /// Forwards the barrier, takes the synchronous part, and passes the rest to the file worker.
    private func takeSnapshot(_ barrier: Barrier, alignment: Int64) throws {
        // A checkpoint can come both as a barrier and as a command around the end of the input.
        guard barrier.checkpoint > newestSnapshot else { return }
        newestSnapshot = barrier.checkpoint
        isQuiet = barrier.kind == .synchronousSavepoint
        let arrived = host.now()
        // Nobody reads the channels after the end; checkpoints then reach every subtask by command.
        if !hasEnded { for output in context.outputs { output.send(.barrier(barrier)) } }
        // The synchronous part begins here, as in Flink: under back-pressure the barrier waits for room, like a record.
        let start = host.now()
        if case .source(let driver) = role, !hasEnded, host.filesystem.has(.placeOneStepAhead) { _ = try driver.step(start) }
        do {
            try context.faults.checkSync(barrier.checkpoint)
            let operators = try context.hooks.reversed().map { (uid: $0.uid, parts: try $0.snapshot(barrier.checkpoint)) }
            try check()
            let end = host.now()
            submit(
                SnapshotTask(
                    barrier: barrier, subtask: context.id, operators: operators, isFinished: hasEnded,
                    startDelay: arrived.nanoseconds - barrier.triggeredAt.nanoseconds - alignment, alignment: alignment,
                    sync: end.nanoseconds - start.nanoseconds, handedOverAt: end))
        } catch {
            if context.isCancelled { throw error }
            throw JobError.task("Could not perform checkpoint \(barrier.checkpoint) for operator \(vertexUID): \(error)")
                .because(JobError.shortage(behind: error))
        }
        measure()
    }

    private func submit(_ task: SnapshotTask) {
        files.perform { [attempts, report, faults = context.faults, host] in
            let id = task.barrier.checkpoint
            // Aborted in the meantime; nobody waits for an answer.
            guard let attempt = attempts[id] else { return }
            do {
                try faults.checkAsync(id) { attempts[id] == nil }
                report(.snapshot(try task.run(into: attempt, host: host)))
            } catch {
                var cause = FailureCause(error)
                if case .sink = (error as? JobError)?.bare {
                    // The sink's output can no longer be trusted: only a restart from the last checkpoint writes it again.
                    report(.failed(task.subtask, cause))
                } else {
                    cause.message = "Asynchronous task checkpoint failed: \(cause.message)"
                    report(.declined(id, task.subtask, .checkpointAsyncException, cause))
                }
            }
        }
    }

    // MARK: The end of the input

    private func endInput(drains: Bool) throws {
        isHeld = false
        if drains {
            try endTime()
            try emitHeldBack()
            for output in context.outputs { output.send(.endOfData) }
        }
        endOutputs()
    }

    /// Handles the end of a source's input: all work that waits for event time is due.
    private func endTime() throws {
        guard case .source(let driver) = role else { return }
        context.metrics.note(.watermark(.max))
        driver.advance(.watermark(.max))
        try check()
    }

    private func emitHeldBack() throws {
        for hooks in context.hooks.reversed() { try hooks.endOfInput() }
        try check()
    }

    private func endOutputs() {
        hasEnded = true
        for output in context.outputs { output.send(.channelEnd) }
    }

    private func flushOutputs() {
        for output in context.outputs { output.flush() }
        clock.flushed()
    }

    /// Flushes a busy task periodically, so that a rare key does not wait for a full batch.
    private func flushIfOld() {
        if clock.wantsFlush { flushOutputs() }
    }

    // MARK: Alarms

    /// Reads the clocks once for the following batches, and does the work due before them.
    private func ringAlarms() throws {
        guard !alarms.isEmpty, !isQuiet else { return }
        let moment = TaskMoment(instant: host.now(), wall: host.wall())
        context.moment.pointee = moment
        for alarm in alarms {
            if let due = alarm.due(moment), due <= moment.instant { alarm.ring(moment) }
        }
        try check()
    }

    /// The next alarm as of the last reading of the clocks.
    private var nextAlarm: EngineInstant? {
        guard !isQuiet else { return nil }
        return alarms.reduce(nil) { earliest($0, $1.due(context.moment.pointee)) }
    }

    private func earliest(_ first: EngineInstant?, _ second: EngineInstant?) -> EngineInstant? {
        guard let first, let second else { return first ?? second }
        return min(first, second)
    }

    // MARK: Waiting and counting

    private func park(until deadline: EngineInstant?, unless hasWork: () -> Bool = { false }) {
        clock.waits(context)
        context.parker.park(until: deadline) {
            hasCommands.load(ordering: .relaxed) || context.isCancelled || hasWork()
        }
        clock.worked(until: host.now(), context)
    }

    /// Publishes the metrics more costly than a counter, once a second.
    private func measure(_ driver: SourceDriver? = nil) {
        if let progress = driver?.progress() {
            context.metrics.inputRead.store(progress.read, ordering: .relaxed)
            context.metrics.inputTotal.store(progress.total, ordering: .relaxed)
        }
        context.metrics.stateBytes.store(context.hooks.reduce(0) { $0 + $1.stateBytes() }, ordering: .relaxed)
    }

    private func publishPosition(_ known: SourceDriver? = nil) {
        guard case .source(let driver) = role else { return }
        let position = driver.position()
        if known == nil { context.metrics.startPosition.store(position, ordering: .relaxed) }
        context.metrics.position.store(position, ordering: .relaxed)
    }
}
