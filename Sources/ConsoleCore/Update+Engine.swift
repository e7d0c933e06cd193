import CellGrid
import StreamModel

extension ConsoleModel {
    /// How long an answer may take before the question is asked again.
    private static let patience = Milliseconds.seconds(5)
    /// With more jobs than this only throughput is remembered over time.
    private static let chartedJobs = 100

    /// Takes in what an engine told.
    mutating func observe(_ event: EngineEvent, in context: String, _ effects: inout [ConsoleEffect]) {
        guard let index = live.contexts.firstIndex(where: { $0.name == context }) else { return }
        switch event {
        case .link(let state):
            observe(state, index)
            if !state.isUp { soundAlarms(index, &effects) }
        case .capabilities(let capabilities): live.contexts[index].capabilities = capabilities
        case .report(let report, let receivedAt): observe(report, receivedAt, index, &effects)
        case .checkpoints(let job, let list):
            let report = live.contexts[index].job(job)
            let before = live.contexts[index].memories[job]?.checkpoints ?? []
            let disposed = live.contexts[index].disposed(live.operations)
            live.contexts[index].memories[job, default: JobMemory()].take(list: list.map { $0.discarded(if: disposed) }, job: report)
            let memory = live.contexts[index].memories[job]
            keepLost(before.filter { memory?[$0.id] == nil }, of: JobKey(context: context, job: job), jobName: report?.name ?? "")
        case .checkpoint(let job, let detail): live.contexts[index].memories[job, default: JobMemory()].keep(detail: detail)
        case .failures(let job, let failures):
            live.contexts[index].memories[job, default: JobMemory()].failures = failures.sorted { $0.at > $1.at }
            live.contexts[index].memories[job]?.failuresAskedAt = nil
        case .operation(let report): observe(report, index, &effects)
        case .refused(let id, let message): refuse(id, message, &effects)
        case .inspection(let inspection): observe(inspection, index, &effects)
        case .requestFailed(let message):
            live.contexts[index].forgetQuestions(message)
            say("\(context): \(message)", .warn)
        }
        finishSecondLook(&effects)
        requestWhatIsShown(&effects)
    }

    private mutating func observe(_ state: LinkState, _ index: Int) {
        let before = live.contexts[index].link
        let name = live.contexts[index].name
        live.contexts[index].link = state
        switch (before, state) {
        case (.down, .up):
            let gap = live.contexts[index].downSince.map { now - $0 } ?? 0
            say("reconnected to \(name) after \(Figures.duration(gap))", .ok)
            live.contexts[index].downSince = nil
            live.contexts[index].forgetQuestions("the link was lost")
        case (.down, .down): break
        case (_, .down(let reason, _, _)):
            live.contexts[index].downSince = now
            live.contexts[index].forgetQuestions("the link was lost")
            say("lost \(name): \(reason)", .crit)
        default: break
        }
    }

    // MARK: Reports

    private mutating func observe(_ report: EngineReport, _ receivedAt: WallTime, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let before = live.contexts[index].report
        var report = report
        let disposed = live.contexts[index].disposed(live.operations)
        if !disposed.isEmpty {
            for position in report.jobs.indices {
                report.jobs[position].latestSavepoint = report.jobs[position].latestSavepoint?.discarded(if: disposed)
                report.jobs[position].latestCompleted = report.jobs[position].latestCompleted?.discarded(if: disposed)
            }
        }
        live.contexts[index].report = report
        live.contexts[index].receivedAt = receivedAt
        let known = Set(report.jobs.map(\.id))
        for (job, memory) in live.contexts[index].memories where !known.contains(job) {
            let name = before?.jobs.first { $0.id == job }?.name ?? ""
            keepLost(memory.checkpoints, of: JobKey(context: live.contexts[index].name, job: job), jobName: name)
        }
        live.contexts[index].memories = live.contexts[index].memories.filter { known.contains($0.key) }
        let jobs = live.contexts.reduce(0) { $0 + ($1.report?.jobs.count ?? 0) }
        let metrics = jobs <= Self.chartedJobs ? Metric.allCases : [.read, .written]
        for job in report.jobs {
            live.contexts[index].memories[job.id, default: JobMemory()].sample(job, at: report.at, metrics: metrics)
            live.contexts[index].memories[job.id]?.merge(job)
        }
        for operation in report.operations { observe(operation, index, &effects) }
        let name = live.contexts[index].name
        let operationIDs = Set(report.operations.map(\.request.id))
        for position in live.operations.indices where live.operations[position].context == name {
            let before = live.operations[position].stage
            let isKnown = operationIDs.contains(live.operations[position].id)
            if !isKnown, receivedAt - live.operations[position].since > Self.patience { live.operations[position].lose() }
            for job in report.jobs { live.operations[position].observe(job, at: receivedAt) }
            announce(position, from: before, index, &effects)
        }
        history.record(live, at: receivedAt)
        soundAlarms(index, &effects)
    }

    private mutating func observe(_ report: OperationReport, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let name = live.contexts[index].name
        guard let position = live.operations.firstIndex(where: { $0.id == report.request.id }) else {
            var operation = TrackedOperation(
                report.request, context: name, jobName: report.jobName, since: report.acceptedAt, isOwn: false)
            operation.observe(report)
            for job in live.contexts[index].report?.jobs ?? [] { operation.observe(job, at: now) }
            insert(operation)
            return
        }
        let before = live.operations[position].stage
        live.operations[position].observe(report)
        for job in live.contexts[index].report?.jobs ?? [] { live.operations[position].observe(job, at: now) }
        announce(position, from: before, index, &effects)
    }

    private mutating func refuse(_ id: OperationID, _ message: String, _ effects: inout [ConsoleEffect]) {
        guard let position = live.operations.firstIndex(where: { $0.id == id }) else { return say("op \(id.short) refused: \(message)", .crit) }
        let before = live.operations[position].stage
        live.operations[position].refuse(message)
        announce(position, from: before, nil, &effects)
    }

    /// Tells the operator when an operation of ours has come further.
    private mutating func announce(_ position: Int, from before: TrackedOperation.Stage, _ context: Int?, _ effects: inout [ConsoleEffect]) {
        let operation = live.operations[position]
        guard operation.isFollowed, operation.stage != before else { return }
        if operation.stage != .running { say(operation.progress(at: now), operation.severity) }
        if operation.severity == .crit { effects.append(.bell) }
        if operation.stage == .observed, case .cancel(let retention) = operation.request.kind, retention != .discard, let context {
            checkKept(operation, context, &effects)
        }
        if operation.stage == .completed, let context { checkDisposed(operation, context, &effects) }
    }

    /// After a cancel: reads the files of the newest checkpoint that is said to be kept.
    private mutating func checkKept(_ operation: TrackedOperation, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let context = live.contexts[index]
        guard context.capabilities.verifiesFiles, let job = context.job(operation.request.job) else { return }
        let key = JobKey(context: context.name, job: job.id)
        guard let path = live.memory(key).checkpoints.first(where: \.isRestorable)?.path else { return }
        fileChecks[path] = operation.id
        inspect(path, index, &effects)
    }

    private mutating func observe(_ inspection: SnapshotInspection, _ index: Int, _ effects: inout [ConsoleEffect]) {
        if live.contexts[index].inspections.count > 256 { live.contexts[index].inspections = [:] }
        live.contexts[index].inspections[inspection.path] = .done(inspection)
        guard let id = fileChecks.removeValue(forKey: inspection.path), let position = live.operations.firstIndex(where: { $0.id == id }) else {
            return
        }
        if case .dispose = live.operations[position].request.kind { return observeDisposed(inspection, position) }
        let number = inspection.checkpoint.map { "#\($0)" } ?? inspection.path
        switch inspection.verdict {
        case .ok:
            live.operations[position].addEvidence("\(number) is kept, files ok")
            say(live.operations[position].progress(at: now), .ok)
        case .unreachable:
            live.operations[position].addEvidence("\(number) is kept, as the engine says; unchecked: \(inspection.problem ?? "")")
            say(live.operations[position].progress(at: now), .warn)
        case .damaged, .missing, .foreign:
            live.operations[position].addEvidence("\(number) is NOT usable: \(inspection.problem ?? "")")
            say(live.operations[position].progress(at: now), .crit)
            effects.append(.bell)
        }
    }

    // MARK: Questions beside the reports

    mutating func inspect(_ path: String, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let context = live.contexts[index]
        guard context.link.isUp, context.capabilities.verifiesFiles else { return }
        switch context.inspections[path] {
        case .pending, .done: return
        case .failed, nil: break
        }
        live.contexts[index].inspections[path] = .pending
        effects.append(.send(context: context.name, .ask(.inspect(path: path))))
    }

    /// Asks for what the screen shows and the reports do not carry, when it changed: once, and again only when no answer comes.
    mutating func requestWhatIsShown(_ effects: inout [ConsoleEffect]) {
        guard let key = shownJob, let index = live.contexts.firstIndex(where: { $0.name == key.context }), live.contexts[index].link.isUp,
            let job = live.contexts[index].job(key.job)
        else { return }
        var memory = live.contexts[index].memories[key.job] ?? JobMemory()
        let questions = effects.count
        func isDue(_ askedAt: WallTime?) -> Bool { askedAt.map { now - $0 > Self.patience } ?? true }
        let isOverdue = memory.checkpointsAskedAt.map { now - $0 > Self.patience } ?? false
        if isOverdue || memory.checkpointsAskedAt == nil && memory.revision != job.checkpointsRevision {
            memory.revision = job.checkpointsRevision
            memory.checkpointsAskedAt = now
            effects.append(.send(context: key.context, .ask(.checkpoints(key.job))))
        }
        let mark = JobMemory.FailuresMark(restarts: job.restarts, last: job.lastFailure?.at)
        if memory.failuresMark != mark, isDue(memory.failuresAskedAt) {
            memory.failuresMark = mark
            memory.failuresAskedAt = now
            effects.append(.send(context: key.context, .ask(.failures(key.job))))
        }
        // What only the ledger remembers the engine cannot tell more of.
        for id in shownDetails(of: key) where remembered(id) == nil && isDue(memory.detailAskedAt[id]) && needsDetail(id, memory, job) {
            // A few questions at a time: the answers come with the next reports.
            guard memory.detailAskedAt.count < 3 else { break }
            memory.detailAskedAt[id] = now
            effects.append(.send(context: key.context, .ask(.checkpoint(key.job, id))))
        }
        if effects.count > questions { live.contexts[index].memories[key.job] = memory }
    }

    private func needsDetail(_ id: CheckpointID, _ memory: JobMemory, _ job: JobReport) -> Bool {
        guard let known = memory.details[id] else { return true }
        guard known.status == .inProgress else { return false }
        // While it is in flight its detail is asked for whenever the report shows progress.
        return job.inProgress.first { $0.id == id } != known.withoutOperators
    }

    /// The job that the screen is about.
    var jobOfScreen: JobKey? {
        if let launched = jobInProof { return launched }
        if case .overview = screen { return shownJob }
        return currentJob
    }

    /// The job that a restart has launched, while its proof is watched: what is to be seen is on it, and not on the one before.
    private var jobInProof: JobKey? {
        for case .chooser(let chooser) in modals {
            guard case .verify(let id) = chooser.step, let job = live.operations.first(where: { $0.id == id })?.proof?.newJob else { return nil }
            return JobKey(context: chooser.key.context, job: job)
        }
        return nil
    }

    /// The job whose lists the screen shows.
    private var shownJob: JobKey? {
        if let launched = jobInProof { return launched }
        for modal in modals.reversed() {
            if case .chooser(let chooser) = modal { return chooser.key }
        }
        switch screen {
        case .job, .checkpoints, .checkpoint, .subtasks, .failures: return currentJob
        case .overview, .operations, .operation, .metrics, .configuration, .contexts, .audit, .history: return nil
        }
    }

    /// The checkpoints of a job whose operators the screen shows, the most wanted first.
    private func shownDetails(of key: JobKey) -> [CheckpointID] {
        // The screen under a proof is about the job before, and its checkpoints are not those of the one that was launched.
        guard key == currentJob else { return [] }
        switch screen {
        case .checkpoint(let id), .subtasks(let id, _): return [id]
        case .job where WideJobScreen.fits(size):
            let rows = checkpointRows
            let selected = rows.first { $0.id == cursors.checkpoint } ?? rows.first
            return (selected.map { [$0.id] } ?? []) + rows.prefix(WideJobScreen.listRows(size)).filter { $0.id != selected?.id }.map(\.id)
        // Where the newest one spent its time tells slow storage from a slow job.
        case .job: return currentJob.flatMap { live.job($0)?.latestCompleted }.map { [$0.id] } ?? []
        default: return []
        }
    }
}

extension ContextState {
    /// No answer will come to what was asked: it can be asked again.
    fileprivate mutating func forgetQuestions(_ cause: String) {
        for job in memories.keys {
            if memories[job]?.checkpointsAskedAt != nil { memories[job]?.revision = nil }
            if memories[job]?.failuresAskedAt != nil { memories[job]?.failuresMark = nil }
            memories[job]?.checkpointsAskedAt = nil
            memories[job]?.failuresAskedAt = nil
            memories[job]?.detailAskedAt = [:]
        }
        for (path, inspection) in inspections where inspection == .pending { inspections[path] = .failed(cause) }
    }
}

extension CheckpointReport {
    /// As it stands in lists.
    fileprivate var withoutOperators: CheckpointReport {
        var copy = self
        copy.operators = nil
        return copy
    }
}
