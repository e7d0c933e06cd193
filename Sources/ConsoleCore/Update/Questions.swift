import CellGrid
import StreamModel

extension ConsoleModel {
    /// The time after which an unanswered question is asked again.
    static let patience = Milliseconds.seconds(5)

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

    /// Asks for the parts of the screen that reports do not carry, when they change: once, and again only without an answer.
    mutating func requestWhatIsShown(_ effects: inout [ConsoleEffect]) {
        requestLog(&effects)
        guard let key = shownJob, let index = live.index(of: key.context), live.contexts[index].link.isUp,
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
        // The engine has no details of checkpoints that only the ledger remembers.
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

    /// The job that a restart has launched, while its proof is watched.
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
        case .overview, .operations, .operation, .metrics, .configuration, .contexts, .audit, .history, .log: return nil
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
        // The phases of the newest one tell slow storage from a slow job.
        case .job: return currentJob.flatMap { live.job($0)?.latestCompleted }.map { [$0.id] } ?? []
        default: return []
        }
    }

    mutating func refresh(_ effects: inout [ConsoleEffect]) {
        let key = focusedJob
        let contexts = live.contexts.filter { key == nil || $0.name == key?.context }
        for context in contexts where !context.link.isUp { effects.append(.retryNow(context: context.name)) }
        if let key, let index = live.index(of: key.context), live.contexts[index].link.isUp {
            live.contexts[index].memories[key.job]?.askAgain()
        }
        forgetPast()
        say(effects.isEmpty ? "refreshing" : "reconnecting")
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
