import CellGrid
import StreamModel

extension ConsoleModel {
    /// With more jobs than this only throughput is remembered over time.
    private static let chartedJobs = 100

    /// Takes in an engine's event.
    mutating func observe(_ event: EngineEvent, in context: String, _ effects: inout [ConsoleEffect]) {
        guard let index = live.index(of: context) else { return }
        switch event {
        case .link(let state):
            observe(state, index)
            if !state.isUp { soundAlarms(index, &effects) }
        case .capabilities(let capabilities):
            if let warning = capabilities.versionWarning, live.contexts[index].capabilities.versionWarning != warning { tell("\(context): \(warning)", .warn) }
            live.contexts[index].capabilities = capabilities
        case .report(let report, let receivedAt): observe(report, receivedAt, index, &effects)
        case .checkpoints(let job, let list):
            let lost = live.contexts[index].take(list, of: job, disposed: live.contexts[index].disposed(live.operations))
            keepLost(lost, of: JobKey(context: context, job: job), jobName: live.contexts[index].job(job)?.name ?? "")
        case .checkpoint(let job, let detail): live.contexts[index].memories[job, default: JobMemory()].keep(detail: detail)
        case .failures(let job, let failures): live.contexts[index].take(failures, of: job)
        case .operation(let report): observe(report, index, &effects)
        case .refused(let id, let message): refuse(id, message, &effects)
        case .inspection(let inspection): observe(inspection, index, &effects)
        case .log(let entries): live.contexts[index].log.take(entries)
        case .requestFailed(let message):
            live.contexts[index].forgetQuestions(message)
            tell("\(context): \(message)", .warn)
        }
        finishSecondLook(&effects)
        requestWhatIsShown(&effects)
    }

    private mutating func observe(_ state: LinkState, _ index: Int) {
        let name = live.contexts[index].name
        switch live.contexts[index].take(state, at: now) {
        case .restored(let gap): tell("reconnected to \(name) after \(Figures.duration(gap))", .ok)
        case .lost(let reason): tell("lost the link to \(name): \(reason)", .crit)
        case nil: break
        }
    }

    // MARK: Reports

    private mutating func observe(_ report: EngineReport, _ receivedAt: WallTime, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let name = live.contexts[index].name, before = live.contexts[index].report
        let lost = live.contexts[index].take(report, at: receivedAt, disposed: live.contexts[index].disposed(live.operations))
        for (job, jobName, checkpoints) in lost { keepLost(checkpoints, of: JobKey(context: name, job: job), jobName: jobName) }
        let jobs = live.contexts.reduce(0) { $0 + ($1.report?.jobs.count ?? 0) }
        live.contexts[index].sample(jobs <= Self.chartedJobs ? Metric.allCases : [.read, .written])
        for operation in report.operations { observe(operation, index, &effects) }
        let operationIDs = Set(report.operations.map(\.request.id))
        for position in live.operations.indices where live.operations[position].context == name {
            let before = live.operations[position].stage
            let isKnown = operationIDs.contains(live.operations[position].id)
            // What another process carries out is told by what that records.
            let isTold = live.operations[position].isFollowed || live.contexts[index].capabilities.reportsOperations
            if !isKnown, isTold, live.operations[position].report?.activity == nil, receivedAt - live.operations[position].since > Self.patience {
                live.operations[position].lose()
            }
            for job in report.jobs { live.operations[position].observe(job, at: receivedAt) }
            live.operations[position].observe(runs: report.jobs)
            announce(position, from: before, index, &effects)
            keepVerdict(position, from: before, &effects)
            checkKept(position, index, &effects)
        }
        history.record(live, at: receivedAt)
        soundAlarms(index, &effects)
        if let found = live.contexts[index].noteReturn(after: before, at: receivedAt) { announce(found, of: name, &effects) }
    }

    /// A restarted engine is announced on every screen: its jobs run as if nothing had happened.
    private mutating func announce(_ found: EngineReturn, of context: String, _ effects: inout [ConsoleEffect]) {
        let text: SafeText = live.contexts.count > 1 ? "\(SafeText(context)): \(found.text)" : found.text
        tell(text, .warn)
        effects.append(.bell)
        if options.alerts.notifies { effects.append(.notify(text.string)) }
    }

    private mutating func observe(_ report: OperationReport, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let name = live.contexts[index].name
        guard let position = live.operations.firstIndex(where: { $0.id == report.request.id }) else {
            var operation = TrackedOperation(
                report.request, context: name, jobName: report.jobName, since: report.acceptedAt, isOwn: false)
            operation.observe(report)
            for job in live.contexts[index].report?.jobs ?? [] { operation.observe(job, at: now) }
            insert(operation)
            return noteOutcomes(in: name)
        }
        let before = live.operations[position].stage
        live.operations[position].observe(report)
        defer { if live.operations[position].stage != before { noteOutcomes(in: name) } }
        for job in live.contexts[index].report?.jobs ?? [] { live.operations[position].observe(job, at: now) }
        announce(position, from: before, index, &effects)
        keepVerdict(position, from: before, &effects)
    }

    private mutating func refuse(_ id: OperationID, _ message: String, _ effects: inout [ConsoleEffect]) {
        guard let position = live.operations.firstIndex(where: { $0.id == id }) else { return say("op \(id.short) refused: \(message)", .crit) }
        let before = live.operations[position].stage
        // It is as interrupted as it was.
        if before == .interrupted { return say("op \(id.short) cannot resume: \(message)", .crit) }
        live.operations[position].refuse(message)
        announce(position, from: before, nil, &effects)
    }

    /// Records a verdict when it is reached: the job, and the engine's memory of it, may be gone before the next console looks.
    private func keepVerdict(_ position: Int, from before: TrackedOperation.Stage, _ effects: inout [ConsoleEffect]) {
        let operation = live.operations[position]
        guard before != .proven, operation.stage == .proven, let verdict = operation.proof?.verdict else { return }
        effects.append(.recordVerdict(operation.id, verdict))
    }

    /// Announces the progress of an operation of ours.
    private mutating func announce(_ position: Int, from before: TrackedOperation.Stage, _ context: Int?, _ effects: inout [ConsoleEffect]) {
        let operation = live.operations[position]
        guard operation.isFollowed, operation.stage != before else { return }
        if operation.stage != .running { say(operation.progress(at: now), operation.severity) }
        if operation.severity == .crit { effects.append(.bell) }
        if operation.stage == .completed, let context { checkDisposed(operation, context, &effects) }
    }

    /// After a cancel: reads the files of the newest checkpoint that is said to be kept, once the list of checkpoints is younger than the end
    /// of the job. An older list may name one that was subsumed on the way.
    private mutating func checkKept(_ position: Int, _ index: Int, _ effects: inout [ConsoleEffect]) {
        let operation = live.operations[position], context = live.contexts[index]
        guard operation.isFollowed, operation.stage == .observed, !operation.isKeptChecked, context.capabilities.verifiesFiles,
            case .cancel(let retention) = operation.request.kind, retention != .discard, let job = context.job(operation.request.job)
        else { return }
        if let freshness = job.freshness, freshness.checkpoints.map({ $0 < job.stateSince }) ?? true { return }
        let key = JobKey(context: context.name, job: job.id)
        let listed = live.memory(key).checkpoints.first(where: \.isRestorable), newest = [listed, job.latestCompleted].compactMap(\.self).max { $0.id < $1.id }
        guard let path = newest?.path else { return }
        live.operations[position].isKeptChecked = true
        fileChecks[path] = operation.id
        inspect(path, index, &effects)
    }

    private mutating func observe(_ inspection: SnapshotInspection, _ index: Int, _ effects: inout [ConsoleEffect]) {
        live.contexts[index].take(inspection, at: now)
        guard let id = fileChecks.removeValue(forKey: inspection.path), let position = live.operations.firstIndex(where: { $0.id == id }) else {
            return
        }
        if case .dispose = live.operations[position].request.kind { return observeDisposed(inspection, position) }
        let number = inspection.checkpoint.map { "#\($0)" } ?? inspection.path
        switch inspection.verdict {
        case .ok:
            live.operations[position].addEvidence("\(number) is kept, files ok")
            say(live.operations[position].progress(at: now), .ok)
        case .unreachable, .unchecked:
            live.operations[position].addEvidence("\(number) is kept according to the engine, files not verified: \(inspection.problem ?? "")")
            say(live.operations[position].progress(at: now), .warn)
        case .damaged, .missing, .foreign, .abandoned, .tooNew:
            live.operations[position].addEvidence("\(number) is NOT usable: \(inspection.problem ?? "")")
            say(live.operations[position].progress(at: now), .crit)
            effects.append(.bell)
        }
    }
}
