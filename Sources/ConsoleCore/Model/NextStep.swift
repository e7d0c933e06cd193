import CellGrid
import StreamModel

/// The answer to "and what do I press?": what helps with a condition now, in the order to try, and which possible actions would not help.
///
/// Pure: made of the condition, its suspected cause and what is allowed. A key that would be refused is not offered.
struct NextStep: Sendable, Equatable {
    enum Part: Sendable, Equatable {
        /// A key that acts or shows more.
        case press(Command, SafeText)
        /// Something to do outside the console.
        case outside(SafeText)
    }

    private(set) var parts: [Part] = []
    /// Actions that are possible and would not help, and why.
    private(set) var vain: [Command: SafeText] = [:]

    /// What the steps depend on beside the condition.
    struct Situation {
        /// nil = a context without jobs.
        var job: JobReport?
        var way: WayBack?
        /// Age of the snapshot to go back to.
        var age: Milliseconds = 0
        /// A possible cause beside the condition.
        var suspect: Diagnosis?
        var limits = DiagnosisThresholds()
        /// The live run of the name of a job that has ended.
        var livesAs: JobID?
        /// nil = not known.
        var capacity: ClusterCapacity?
        /// Whether the action would be accepted now.
        var allows: (Command) -> Bool
    }

    init() {}

    init(_ condition: Condition, _ situation: Situation) {
        var steps = Builder(situation)
        steps.take(condition)
        (parts, vain) = (steps.parts, steps.vain)
    }

    var isEmpty: Bool { parts.isEmpty }

    /// The words of the step that an action is; nil = it is none.
    func words(_ command: Command) -> SafeText? {
        for case .press(command, let words) in parts { return words }
        return nil
    }

    /// "R restart from #58 (2m ago); 5 failures; 3 checkpoints".
    func text(_ keys: KeyMap) -> SafeText { spans(keys).reduce(.empty) { $0 + $1.text } }

    func spans(_ keys: KeyMap) -> [Span] {
        var spans: [Span] = []
        for part in parts {
            if !spans.isEmpty { spans.append(Span("; ", .textDim)) }
            switch part {
            case .press(let command, let words): spans += [Span(keys.label(command), .hintKey), Span(" \(words)", .hintText)]
            case .outside(let words): spans.append(Span(words, .hintText))
            }
        }
        return spans
    }
}

extension NextStep {
    /// Collects the steps of a condition.
    private struct Builder {
        let now: Situation
        var parts: [Part] = []
        var vain: [Command: SafeText] = [:]

        init(_ situation: Situation) { now = situation }

        // MARK: Steps

        private mutating func press(_ command: Command, _ words: SafeText) {
            // The chooser refuses a second run of a name.
            if command == .restart, let run = now.livesAs { return outside("lives as job \(run.short): look there") }
            if !command.isActing || now.allows(command) { parts.append(.press(command, words)) }
        }

        private mutating func outside(_ words: SafeText) { parts.append(.outside(words)) }

        private mutating func isVain(_ command: Command, _ why: SafeText) { if now.allows(command) { vain[command] = why } }

        private mutating func goBack(_ before: SafeText = "") {
            guard let way = now.way else {
                if now.livesAs != nil { press(.restart, "") }
                return
            }
            press(.restart, "\(before)restart from #\(way.id) (\(Figures.age(now.age)) ago)")
        }

        private mutating func failures() { press(.failures, "failures") }

        private mutating func checkpoints(_ words: SafeText = "checkpoints") { press(.checkpoints, words) }

        // MARK: Conditions

        mutating func take(_ condition: Condition) {
            switch condition {
            case .fine, .finished, .starting, .cancelling, .neverConnected, .missing, .notKnown: break
            case .linkDown:
                press(.refresh, "retry now")
                outside("'weir doctor' checks the link")
            case .stale:
                press(.refresh, "refresh")
                outside("check that the engine process is running")
            case .outputsWrong:
                if now.way != nil { press(.restart, "restart from a checkpoint before it") }
                failures()
            case .gone: press(.restart, "restart it from a kept checkpoint")
            case .neverLaunched: press(.restart, "go on with the restart")
            case .canceled: goBack()
            case .upgrading(let upgrade):
                if upgrade.upgrade.stage == .stranded { goBack() } else if !upgrade.isCarriedOut { outside(upgrade.step) }
            case .suspended: outside("start the engine again: it goes on with the job")
            case .noTasks(_, _, let capacity):
                outside(capacity?.taskManagers == 0 ? "start a TaskManager" : "free slots: start a TaskManager, or end a job")
                isVain(.restart, "new tasks wait too")
            case .blocked(let obstacle, _): blocked(obstacle)
            case .failed, .failing, .restarting, .restarted: failed(condition)
            case .suspect(let diagnosis): suspected(diagnosis)
            case .backPressure:
                press(.metrics, "metrics")
                if canWiden { press(.restart, "restart with more parallelism") }
            default: ofCheckpoints(condition)
            }
        }

        private mutating func blocked(_ obstacle: Obstacle) {
            outside(obstacle.step)
            if let state = now.job?.state, state.isTerminal { goBack("then ") } else { isVain(.restart, "it would fail again") }
            if let storage = now.job?.configuration.storageDirectory, obstacle.lies(in: storage) { isVain(.savepoint, "it would fail too") }
            failures()
        }

        private mutating func failed(_ condition: Condition) {
            if case .failed = condition {
                goBack()
                startAnew()
            }
            failures()
            if now.job.map({ $0.budget.counted > 0 }) ?? false { checkpoints() }
        }

        /// Of a job that nothing is left of. What a cluster does not list may still be there.
        private mutating func startAnew() {
            guard now.way == nil, now.livesAs == nil, let job = now.job, job.freshness == nil else { return }
            outside(job.counts.completed > 0 ? "no snapshot is left: repair one, or submit it anew" : "it has no snapshot: submit it anew")
        }

        private mutating func suspected(_ diagnosis: Diagnosis) {
            switch diagnosis {
            case .crashLoop: crashLoop()
            case .hotKey(let vertex, let hottest): hotKey(vertex, hottest)
            case .stalledSource(let vertex, _):
                outside("look upstream of \(SafeText(vertex).prefix(columns: 24, ending: .cut)): nothing arrives")
                press(.metrics, "metrics")
                isVain(.restart, "input stays silent")
            case .slowStorage, .slowCheckpoint: slow(diagnosis)
            }
        }

        /// Every attempt begins from a snapshot already: one more does what the others did.
        private mutating func crashLoop() {
            press(.failures, "failures show the cause")
            isVain(.restart, "it would fail again")
            isVain(.savepoint, "the job fails before")
        }

        private mutating func hotKey(_ vertex: String, _ hottest: HottestSubtask) {
            let parallelism = now.job.map { job in job.vertices.first { $0.name == vertex }?.parallelism ?? job.parallelism } ?? 1
            if hottest.recordsPermille >= now.limits.oneKey(of: parallelism) {
                outside("probably one key, which cannot be split: change the key")
                isVain(.restart, "a key is not split")
            } else if isWidest {
                outside("parallelism is at its maximum: change the key")
                isVain(.restart, "no more subtasks fit")
            } else if canWiden {
                press(.restart, "restart with more parallelism")
                outside("or change the key")
            } else {
                outside("change the key, or free slots for more parallelism")
            }
            press(.metrics, "metrics")
        }

        private var isWidest: Bool { now.job.map { $0.parallelism >= $0.maxParallelism } ?? false }

        /// Whether the job can have more subtasks: it is not at its maximum, and no slot is known to be lacking.
        private var canWiden: Bool { !isWidest && now.capacity.map { $0.freeSlots > 0 } ?? true }

        private mutating func slow(_ diagnosis: Diagnosis) {
            checkpoints("checkpoints show where the time goes")
            if case .slowStorage = diagnosis {
                outside("look at \(now.job?.configuration.storageDirectory.map { SafeText($0).middle(columns: 20) } ?? "the storage")")
            }
            isVain(.savepoint, "it would be as slow")
            isVain(.restart, "storage stays slow")
        }

        private mutating func ofCheckpoints(_ condition: Condition) {
            switch now.suspect {
            case let diagnosis? where diagnosis.isSlow: return slow(diagnosis)
            default: break
            }
            switch condition {
            case .cannotGoBack:
                press(.savepoint, "savepoint: a way back")
                outside("turn checkpointing on")
            case .nothingToGoBackTo, .noneOfItsOwn, .checkpointOld:
                checkpoints("checkpoints show why")
                press(.savepoint, "savepoint: a fresh way back")
            case .budgetExhausted, .budgetUsed:
                checkpoints("checkpoints show why")
                failures()
                press(.savepoint, "savepoint resets the count")
            default: checkpoints("checkpoints show what it waits for")
            }
        }
    }
}

extension Diagnosis {
    /// Whether checkpoints take long, whatever the reason.
    var isSlow: Bool {
        switch self {
        case .slowStorage, .slowCheckpoint: true
        case .hotKey, .stalledSource, .crashLoop: false
        }
    }
}

extension ConsoleModel {
    /// The next step for a job as the screen shows it.
    func nextStep(_ key: JobKey) -> NextStep {
        guard let context = shown.context(key.context), let job = context.job(key.job) else { return NextStep() }
        let condition = Condition.of(job, in: context, at: shownAt)
        // Most jobs are well: nothing is looked up for them.
        guard condition != .fine else { return NextStep() }
        let way = WayBack.of(job, in: context)
        let since = way.map { $0.own?.endedAt ?? $0.since }
        return NextStep(
            condition,
            .init(
                job: job, way: way, age: since.map { context.engineTime(at: shownAt) - $0 } ?? 0, suspect: Diagnosis.of(job, in: context, at: shownAt),
                limits: context.thresholds, livesAs: job.state.isTerminal ? context.secondCopy(of: job)?.id : nil,
                capacity: context.report?.engine.capacity, allows: { refusal($0, on: key) == nil }))
    }

    /// The next step for a row of the Overview, also for a context without jobs.
    func nextStep(_ row: OverviewRow) -> NextStep {
        row.key.map { nextStep($0) } ?? NextStep(row.condition, .init(allows: { _ in false }))
    }
}
