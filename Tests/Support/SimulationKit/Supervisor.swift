internal import CheckpointStore
internal import Dataflow
internal import StreamModel

/// Plays the engine's process and its operator: launches the job, does to it what the scenario says, and brings it back as the real engine
/// does, until the job has finished. Runs as the first thread of a simulation.
final class Supervisor: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.

    /// What an engine remembers of the job between its lives.
    private struct Line {
        var id: JobID
        var parallelism: Int
        var restore: RestoreRequest?
        /// Launched before under this id.
        var recovers = false
        /// The job's book as the engine has written it down; oldest first.
        var history: [CheckpointReport] = []
        /// What is being written down, and when each is durable.
        var writing: [(at: Int64, rows: [CheckpointReport])] = []
        var attempts = 0
        /// Durably recorded end of the job.
        var end: JobState?
        /// A job that was stopped by a savepoint goes on; one whose last checkpoint was its final one is over.
        var endedWithSavepoint = false
        /// The output may lose parts until the job runs: an operator chose an older snapshot, or none.
        var mayShrink = false
        var seenRevision: UInt64?
        var state = JobState.initializing
        var restarts = 0
        var warnings = 0
        var lastFailure: FailureReport?
    }

    private enum Outcome { case over, again }

    /// What the job's threads tell the driver.
    private enum Transition { case stopping, canceling(Scenario.Choice, parallelism: Int, claims: Bool), suspending }

    private let scenario: Scenario
    private let machine: SimulatedMachine
    let oracle: Oracle
    private var judge: ReportJudge
    private let parker: SimulatedParker
    private var random: SimulationRandom
    private let lineage: JobID
    private var line: Line
    private var steps: ArraySlice<Scenario.Step>
    private var nextStepAt: Int64
    private var isQuiet = false
    private var quietSince: Int64 = 0
    private var refusals = 0
    private var hasSignal = false
    /// Lines about snapshots that the job has passed over in this life.
    private var warnings = 0
    private var transition: Transition?
    /// Those of `setAside` that the job has gone on without.
    private var passedOver: Set<String> = []
    /// Simulated nanoseconds that the job may need once the faults have ended.
    private static let patience: Int64 = 300_000_000_000

    init(seed: UInt64, scenario: Scenario, machine: SimulatedMachine) {
        self.scenario = scenario
        self.machine = machine
        parker = SimulatedParker(machine.scheduler)
        random = SimulationRandom(seed: seed, stream: 5)
        lineage = JobID(high: random.next(), low: random.next())
        line = Line(id: lineage, parallelism: scenario.parallelism)
        oracle = Oracle(scenario, machine, lineage: lineage)
        judge = ReportJudge(scenario, history: [], at: 0)
        steps = scenario.steps[...]
        nextStepAt = machine.scheduler.now + Int64(scenario.steps.first?.delay ?? 0) * 1_000_000
        machine.rates = scenario.rates
        machine.onRename = { [unowned oracle] in oracle.renamed($0, to: $1) }
        machine.onRemove = { [unowned oracle] in oracle.removed($0) }
        machine.onCrash = { [unowned self] in crashed() }
    }

    func run() {
        while oracle.violation == nil, live() == .again {}
        machine.damage.repair(&machine.disk)
        if oracle.violation == nil { oracle.checkOutput() }
    }

    // MARK: One life of the engine's process

    private func live() -> Outcome {
        decay()
        if isQuiet { repair() }
        machine.setWall(offset: wallOffset())
        let host = machine.boot()
        let process = machine.process
        hasSignal = false
        transition = nil
        line.state = .initializing
        line.seenRevision = nil
        (line.lastFailure, line.warnings, warnings) = (nil, 0, 0)
        if !isQuiet, machine.random.chance(scenario.crashesInRecovery), !steps.isEmpty {
            machine.armedCrash = SimulatedMachine.ArmedCrash(at: machine.random.number(1...90), survival: survival())
        }
        let job: RunningJob
        do {
            if line.recovers { review(on: host) }
            judge = ReportJudge(scenario, history: line.history, at: machine.scheduler.now)
            job = try RunningJob.launch(launch(on: host, process)) { [weak self] in self?.changed($0, process) }
        } catch {
            return launchFailed(error, process)
        }
        refusals = 0
        passedOver.formUnion(setAside)
        let outcome = supervise(job, process)
        drain(job, process)
        return outcome ?? (process.isAlive ? ended(job.report().state) : afterCrash())
    }

    private func launch(on host: SimulatedHost, _ process: SimulatedProcess) -> JobLaunch {
        var launch = JobLaunch(
            id: line.id, lineage: lineage, job: SimulatedJob(scenario: scenario), parallelism: line.parallelism, storageRoot: scenario.place.storage,
            submittedAt: host.wall())
        launch.host = host
        launch.restore = line.restore
        launch.recovers = line.recovers
        launch.history = line.history
        launch.previousAttempts = line.attempts
        launch.savepointDirectories = [scenario.place.savepoints]
        launch.onTerminal = { [weak self] report in
            guard let self, process.isAlive else { return }
            line.end = report.state
            line.endedWithSavepoint = report.latestCompleted?.kind.isSavepoint == true
        }
        line.recovers = true
        return launch
    }

    /// As the engine does before it brings a job back: what the record lacks is read off the disk.
    private func review(on host: SimulatedHost) {
        let directory = "\(scenario.place.storage)/\(line.id)"
        // ENOENT: a job that never began a checkpoint has no directory.
        let stored = (try? StoredCheckpoint.scan(jobDirectory: directory, job: line.id, verification: .lengths, filesystem: host.filesystem)) ?? []
        line.history = CheckpointReview(
            stored: stored, timeout: scenario.checkpoints.timeout, at: host.wall(), filesystem: host.filesystem
        ).corrected(line.history)
    }

    private func launchFailed(_ error: any Error, _ process: SimulatedProcess) -> Outcome {
        guard process.isAlive else { return afterCrash() }
        machine.count(.failedLaunch, String(describing: error))
        refusals += 1
        if isQuiet, refusals > 3 {
            oracle.report("the job cannot come back: \(error)")
            return .over
        }
        // An operator looks at it, and repairs what is broken.
        if refusals > 2 { repair() }
        machine.scheduler.sleep(Int64(random.number(1...100)) * 1_000_000, "the pause after a refused launch")
        machine.exit()
        advanceQuietly()
        return .again
    }

    private func supervise(_ job: RunningJob, _ process: SimulatedProcess) -> Outcome? {
        while true {
            if oracle.violation != nil { return .over }
            guard process.isAlive, !job.hasEnded else { return nil }
            let now = machine.scheduler.now
            if isQuiet, now - quietSince > Self.patience {
                oracle.report("the job does not finish: \(job.report().state.rawValue), \(job.report().lastFailure?.message ?? "no failure")")
                return .over
            }
            if !isQuiet, transition == nil, now >= nextStepAt, line.state == .running || steps.isEmpty {
                if let step = steps.popFirst() {
                    nextStepAt = now + Int64(steps.first?.delay ?? 200) * 1_000_000
                    perform(step.action, job, process)
                } else {
                    becomeQuiet(job)
                }
                continue
            }
            // A job that never runs again under faults is waited for with them off.
            if !isQuiet, now > nextStepAt + 20_000_000_000 {
                becomeQuiet(job)
                continue
            }
            let due = isQuiet ? quietSince + Self.patience + 1 : now < nextStepAt ? nextStepAt : nextStepAt + 20_000_000_001
            parker.park(until: EngineInstant(nanoseconds: due)) { hasSignal }
            hasSignal = false
        }
    }

    /// Lets the threads of a process come to their end. After a crash nothing that they do has an effect.
    private func drain(_ job: RunningJob, _ process: SimulatedProcess) {
        job.suspend { _ in }
        let deadline = machine.scheduler.now + Self.patience
        while machine.scheduler.count(ofProcess: process.number) > 0 {
            guard machine.scheduler.now < deadline else {
                oracle.report("\(machine.scheduler.count(ofProcess: process.number)) threads of process \(process.number) do not end")
                return
            }
            machine.scheduler.sleep(1_000_000, "the end of process \(process.number)")
        }
    }

    // MARK: What the job's thread tells

    private func changed(_ job: RunningJob, _ process: SimulatedProcess) {
        guard process.isAlive, process === machine.process else { return }
        let report = job.report()
        if report.checkpointsRevision != line.seenRevision {
            line.seenRevision = report.checkpointsRevision
            let rows: [CheckpointReport] = job.checkpoints(limit: 5000).reversed()
            line.writing.append((machine.scheduler.now + scenario.recordLag, rows))
            oracle.told(rows, by: line.id)
        }
        line.attempts = report.attempt
        if report.restarts > line.restarts { machine.count(.automaticRestart, report.lastFailure?.message ?? "") }
        // An operator reads what stops the job again and again, and repairs it.
        if report.restarts > line.restarts, report.restarts % 5 == 0, report.lastFailure?.message.contains("is not what the checkpoint lists") == true {
            machine.damage.repair(&machine.disk)
        }
        line.restarts = report.restarts
        if report.lastFailure != line.lastFailure {
            line.lastFailure = report.lastFailure
            warnings = job.failures().count { $0.message.contains("passed over") }
        }
        if warnings > line.warnings { machine.count(.fallback) }
        judgeReport(job, report)
        judgeRestore(job, report)
        if let audit = report.audit, audit.duplicates > 0 || audit.lost > 0 {
            oracle.report("the audit counts \(audit.duplicates) duplicates and \(audit.lost) lost records")
        }
        guard report.state != line.state || job.hasEnded || oracle.violation != nil else { return }
        machine.note(30, Trace.number(of: report.state.rawValue), "job \(report.state.rawValue)")
        line.state = report.state
        hasSignal = true
        parker.unpark()
    }

    private func judgeReport(_ job: RunningJob, _ report: JobReport) {
        let rows: [CheckpointReport] = judge.isNews(report) ? job.checkpoints(limit: 5000).reversed() : []
        let problem = judge.problem(report, rows: rows, warnings: warnings, isDamaged: !machine.damage.isEmpty, at: machine.scheduler.now)
        if let problem { oracle.report("the job's report cannot be true: \(problem)") }
        guard report.state == .running, line.state != .running, let restored = report.restored else { return }
        // What the restored checkpoint lists is read again: rot in it must be noticed.
        for part in oracle.damagedParts(listedBy: restored.path) { oracle.report("the job runs on \(restored.path), and its output \(part) is rotten") }
    }

    /// Parts that went away, and checkpoints that were passed over, need somebody who said so.
    private func judgeRestore(_ job: RunningJob, _ report: JobReport) {
        defer { line.warnings = warnings }
        if let part = oracle.unexplained.first {
            if !line.mayShrink, warnings == 0 { oracle.report("\(part) was taken from the output, and nobody chose that") }
            oracle.explain()
        }
        guard report.state == .running, line.state != .running else { return }
        line.mayShrink = false
    }

    // MARK: Steps

    private func perform(_ action: Scenario.Action, _ job: RunningJob, _ process: SimulatedProcess) {
        machine.note(31, steps.count, "step: \(action)")
        switch action {
        case .crash(let after, let survival): machine.armedCrash = SimulatedMachine.ArmedCrash(at: process.operations + after, survival: survival)
        case .crashAtManifest(let delay, let survival): machine.crashesAtManifest = (delay, survival)
        case .crashNow(let survival): machine.crash(survival)
        case .checkpointNow:
            machine.count(.checkpointNow)
            job.checkpointNow(by: "operator", started: { _ in }, completion: { _ in })
        case .savepoint:
            machine.count(.savepoint)
            job.savepoint(directory: scenario.place.savepoints, by: "operator", started: { _ in }, completion: { _ in })
        case .stop(let drain, let parallelism):
            machine.count(.stopWithSavepoint)
            transition = .stopping
            // What a drain emits at the end of its input would come again at the end of the rest.
            job.stop(drain: drain && !scenario.hasSummary, directory: scenario.place.savepoints, by: "operator", started: { _ in }) { [weak self] result in
                guard let self, process.isAlive else { return }
                if case .success = result { nextParallelism = parallelism } else { transition = nil }
                hasSignal = true
                parker.unpark()
            }
        case .cancelAndRestart(let choice, let parallelism, let claims):
            machine.count(.cancelAndRestart)
            transition = .canceling(choice, parallelism: parallelism, claims: claims)
            job.cancel(.keep) { [weak self] result in
                guard let self, process.isAlive else { return }
                if case .failure = result { transition = nil }
            }
        case .suspend:
            machine.count(.cleanEngineRestart)
            transition = .suspending
            job.suspend { _ in }
        case .inject(let fault): inject(fault, job)
        }
    }

    private func inject(_ fault: String, _ job: RunningJob) {
        do {
            try job.fault(fault)
            let kind: FaultKind? =
                fault.hasPrefix("slow")
                ? .delayedSnapshot
                : fault.hasPrefix("fail")
                    ? .failedSnapshot
                    : fault.hasPrefix("sync")
                        ? .failedSyncSnapshot
                        : fault == "crash" ? .taskCrash : nil
            if let kind { machine.count(kind, fault) }
        } catch { oracle.report("the fault \"\(fault)\" was refused: \(error)") }
    }

    private var nextParallelism: Int?

    private func becomeQuiet(_ job: RunningJob) {
        isQuiet = true
        quietSince = machine.scheduler.now
        steps = []
        machine.quiet()
        // Rot in the output stops the job until somebody repairs it; what is wrong with checkpoints shows when an engine starts.
        machine.damage.repair(&machine.disk)
        inject("off", job)
    }

    /// Without a running job there is nothing to do the steps to: after many refusals the faults end.
    private func advanceQuietly() {
        guard !isQuiet, refusals > 8 else { return }
        isQuiet = true
        quietSince = machine.scheduler.now
        machine.quiet()
        repair()
    }

    // MARK: After a life

    private func crashed() {
        settleRecord(until: machine.scheduler.now)
        machine.note(32, 0, "process \(machine.process.number) is dead")
        if line.state != .running { machine.count(.crashInRecovery) }
        if !oracle.uncommitted.isEmpty { machine.count(.crashBeforeOutput, "\(oracle.uncommitted.count) parts to come") }
        // What this process took away and had no time to explain is explained by the next one's choice.
        if !oracle.unexplained.isEmpty {
            line.mayShrink = line.mayShrink || machine.counts[.failedRead] > 0 || !machine.damage.snapshots.isEmpty
            if !line.mayShrink { oracle.report("\(oracle.unexplained[0]) was taken from the output, and nobody chose that") }
            oracle.explain()
        }
        oracle.checkAfterCrash(job: line.id, isOver: line.end == .finished)
        hasSignal = true
        if let sleeper = parker.sleeper { machine.scheduler.wake(sleeper) }
    }

    /// A record that was not durable at the end of the process was never written.
    private func settleRecord(until end: Int64) {
        if let last = line.writing.last(where: { $0.at <= end }) { line.history = last.rows }
        line.writing = []
    }

    private func afterCrash() -> Outcome {
        guard let end = line.end else { return .again }
        // The end was recorded: such a job does not come back by itself.
        return ended(end)
    }

    private func ended(_ state: JobState) -> Outcome {
        // An engine that ends in order writes everything down first; after a crash this was settled.
        settleRecord(until: .max)
        machine.exit()
        switch state {
        case .suspended: return .again
        case .finished:
            guard line.endedWithSavepoint else { return .over }
            restart(.newest, parallelism: nextParallelism ?? line.parallelism, claims: false)
        case .canceled:
            guard case .canceling(let choice, let parallelism, let claims) = transition else {
                restart(.newest, parallelism: line.parallelism, claims: false)
                return .again
            }
            restart(choice, parallelism: parallelism, claims: claims)
        default: restart(.newest, parallelism: line.parallelism, claims: random.coin())
        }
        return .again
    }

    /// A new submission of the same line, from a snapshot that is on disk; without one, from the beginning.
    private func restart(_ choice: Scenario.Choice, parallelism: Int, claims: Bool) {
        // A checkpoint that failed and could not be taken away may be in the cache alone: no list offers it, and no operator begins from it.
        let found = oracle.restorable(of: line.id, durable: true)
        if line.end == .canceled || line.end == .failed { oracle.ended(line.id) }
        var snapshot = found.first
        if choice == .older, found.count > 1 { snapshot = found[random.number(1...found.count - 1)] }
        if let snapshot, let first = found.first, snapshot.checkpoint < first.checkpoint {
            machine.count(.restartFromOlder, "\(snapshot.checkpoint) of \(first.checkpoint)")
        }
        if parallelism != line.parallelism { machine.count(.rescale, "\(line.parallelism) to \(parallelism)") }
        let isNewest = snapshot != nil && snapshot?.path == found.first?.path && machine.damage.snapshots.isEmpty
        var next = Line(id: JobID(high: random.next(), low: random.next()), parallelism: min(parallelism, scenario.maxParallelism))
        next.restore = (snapshot?.path ?? line.restore?.path).map { RestoreRequest(path: $0, claim: claims ? .claim : .noClaim) }
        next.mayShrink = !isNewest || line.mayShrink
        if claims, let path = next.restore?.path { oracle.claimed(path) }
        machine.note(33, 0, "operator restarts as \(next.id.short) from \(next.restore?.path ?? "the beginning")")
        line = next
    }

    // MARK: Damage

    private func wallOffset() -> Int64 {
        guard scenario.wallJumps, random.coin() else { return 0 }
        machine.count(.wallClockJump)
        return Int64(random.number(-31_536_000_000...31_536_000_000))
    }

    private func survival() -> DiskModel.Survival? { random.coin() ? nil : random.pick(DiskModel.Survival.allCases) }

    /// Bit rot, or a bad sector, while no process runs.
    private func decay() {
        guard line.recovers, !isQuiet, machine.damage.isEmpty else { return }
        let decay = Decay(machine: machine, oracle: oracle)
        if machine.canary == .checksumIgnored { return decay.damageUnseen(of: line.id, &machine.random) }
        if machine.random.chance(scenario.damages) { return decay.damageNewest(of: line.id, &random) }
        if machine.random.chance(scenario.rot) { decay.rot(of: line.id, &random) }
    }

    /// Checkpoints that the engine has set aside as damaged.
    private var setAside: [String] { machine.disk.walk(scenario.place.storage).map(\.path).filter { $0.hasSuffix(".damaged") } }

    private func repair() {
        machine.damage.repair(&machine.disk)
        // What the engine had set aside gets its name back, unless the job has gone on without it: then its output is gone.
        for path in setAside where !passedOver.contains(path) {
            let name = String(path.dropLast(".damaged".count))
            // EEXIST: a checkpoint of that number may have been made since.
            try? machine.disk.rename(path, to: name, replacing: false, at: machine.wall)
            // No ENOENT comes: the directory was just walked.
            if let directory = try? machine.disk.place(path).directory { machine.disk.syncDirectory(directory) }
        }
    }
}
