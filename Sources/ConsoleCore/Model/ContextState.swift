import StreamModel

/// The state of one context: its link, its last report, and the answers to questions.
struct ContextState: Sendable {
    /// A report older than this is shown as old.
    static let freshness = Milliseconds.seconds(3)

    let description: ContextDescription
    var link = LinkState.connecting
    let thresholds: DiagnosisThresholds
    /// The focus that the engine was last told.
    var focus = EngineFocus.overview
    /// When the link was lost.
    var downSince: WallTime?
    var capabilities = EngineCapabilities()
    var report: EngineReport?
    /// This machine's clock when the report came.
    var receivedAt: WallTime?
    var memories: [JobID: JobMemory] = [:]
    var inspections: [String: Inspection] = [:]
    var log = LogMemory()
    /// When the answers to `inspections` came.
    private var lookedAt: [String: WallTime] = [:]
    /// `:unlock` holds until then.
    var unlockedUntil: WallTime?
    /// Live jobs that the engine's list has no more, and since when.
    var missing: [JobID: WallTime] = [:]
    /// Jobs that were live when somebody last looked, until a report was compared with them.
    var remembered: [LiveJob] = []
    /// How jobs are launched, where the engine does not know it.
    var recipes: [JobID: LaunchRecipe] = [:]
    /// Restarts that were broken off before the job was launched, by the job that they ended.
    var interrupted: [JobID: OperationID] = [:]
    /// Upgrades that are under way, were broken off, or left a job down.
    var upgrades: [UpgradeReport] = []
    /// Jobs that an operation has ended.
    var ends: [JobID: JobEnd] = [:]
    /// The last report of the process that went, and when the first one of its successor came: its jobs are not all back yet.
    var returning: (before: EngineReport, since: WallTime)?

    enum Inspection: Sendable, Equatable {
        case pending
        case done(SnapshotInspection)
        case failed(String)
    }

    init(_ description: ContextDescription, _ thresholds: DiagnosisThresholds = DiagnosisThresholds()) {
        (self.description, self.thresholds) = (description, thresholds)
    }

    var name: String { description.name }

    /// Another live run of a job.
    func secondCopy(of job: JobReport) -> JobReport? { report?.jobs.liveRun(named: job.name, besides: [job.id]) }

    func job(_ id: JobID) -> JobReport? { report?.jobs.first { $0.id == id } }

    /// The restart that ended a job and never launched it; nil = there is none, or a job of that name runs.
    func brokenRestart(of job: JobReport) -> OperationID? {
        guard job.state.isTerminal, let id = interrupted[job.id] else { return nil }
        return report?.jobs.contains { $0.name == job.name && !$0.state.isTerminal } ?? false ? nil : id
    }

    /// What a text of a job's failures says.
    func reading(_ text: String, of job: JobReport) -> FailureReading {
        memories[job.id]?.readings.of(text, job) ?? FailureReading(text, storage: job.configuration.storageDirectory)
    }

    /// Since the last report came.
    func age(at now: WallTime) -> Milliseconds? { receivedAt.map { now - $0 } }

    func isStale(at now: WallTime) -> Bool { !link.isUp || age(at: now).map { $0 > Self.freshness } ?? true }

    /// The engine's clock at a moment of ours. Clocks that differ by less than 2 s count as the same, so that the way of a report
    /// does not make ages jump.
    func engineTime(at now: WallTime) -> WallTime {
        guard let report, let receivedAt else { return now }
        let offset = receivedAt - report.at
        return offset.count.magnitude < 2000 ? now : WallTime(milliseconds: now.milliseconds.subtractingClamped(offset.count))
    }

    func isUnlocked(at now: WallTime) -> Bool { unlockedUntil.map { $0 > now } ?? false }

    /// State of the link in a word: "ok", "stale", "down", "connecting".
    func linkWord(at now: WallTime) -> String {
        switch link {
        case .connecting: "connecting"
        case .down: "down"
        case .up: age(at: now).map { $0 > Self.freshness ? "stale" : "ok" } ?? "silent"
        }
    }
}

// Reports, answers and questions.
extension ContextState {
    enum LinkChange {
        case restored(after: Milliseconds)
        case lost(reason: String)
    }

    /// Takes in the state of the link. Returns the change if it is news.
    mutating func take(_ state: LinkState, at now: WallTime) -> LinkChange? {
        let before = link
        link = state
        switch (before, state) {
        case (.down, .up):
            let gap = downSince.map { now - $0 } ?? 0
            downSince = nil
            forgetQuestions("the link was lost")
            return .restored(after: gap)
        case (.down, .down): return nil
        case (_, .down(let reason, _, _)):
            downSince = now
            forgetQuestions("the link was lost")
            return .lost(reason: reason)
        default: return nil
        }
    }

    /// Takes in a report. Returns the checkpoints of jobs that are no longer in it.
    mutating func take(_ new: EngineReport, at time: WallTime, disposed: Set<SnapshotLocation>) -> [(job: JobID, name: String, checkpoints: [CheckpointReport])]
    {
        var new = new
        if !disposed.isEmpty {
            for position in new.jobs.indices {
                new.jobs[position].latestSavepoint = new.jobs[position].latestSavepoint?.discarded(if: disposed)
                new.jobs[position].latestCompleted = new.jobs[position].latestCompleted?.discarded(if: disposed)
            }
        }
        if capabilities.forgetsJobs { keepMissing(&new, at: time) }
        let known = Set(new.jobs.map(\.id))
        let lost = memories.filter { !known.contains($0.key) }.map { id, memory in (id, job(id)?.name ?? "", memory.checkpoints) }
        for (job, _, _) in lost { memories[job] = nil }
        report = new
        receivedAt = time
        return lost
    }

    /// Adds the numbers of the last report to what is remembered of its jobs.
    mutating func sample(_ metrics: [Metric]) {
        guard let report else { return }
        for job in report.jobs {
            memories[job.id, default: JobMemory()].sample(job, at: report.at, metrics: metrics)
            memories[job.id]?.merge(job)
            memories[job.id]?.trail.note(job, thresholds)
            memories[job.id]?.readings.renew(job)
        }
    }

    /// Takes in a job's list of checkpoints. Returns those that the list before had and this one has not.
    mutating func take(_ list: [CheckpointReport], of id: JobID, disposed: Set<SnapshotLocation>) -> [CheckpointReport] {
        let before = memories[id]?.checkpoints ?? []
        let report = job(id)
        memories[id, default: JobMemory()].take(list: list.map { $0.discarded(if: disposed) }, job: report)
        let memory = memories[id]
        return before.filter { memory?[$0.id] == nil }
    }

    mutating func take(_ failures: [FailureReport], of job: JobID) {
        memories[job, default: JobMemory()].failures = failures.sorted { $0.at > $1.at }
        memories[job]?.failuresAskedAt = nil
    }

    mutating func take(_ inspection: SnapshotInspection, at time: WallTime) {
        if inspections.count > Self.inspectionsMax { (inspections, lookedAt) = ([:], [:]) }
        inspections[inspection.path] = .done(inspection)
        lookedAt[inspection.path] = time
    }

    private static let inspectionsMax = 256

    /// A list of checkpoints that comes this much later than a look was made after it: a cluster answers from its memory for three seconds.
    private static let listDelay = Milliseconds.seconds(4)

    /// Whether the files of a job's newest snapshot were looked at, and a restore from it fails. A live job subsumes its checkpoints: one whose
    /// files are missing counts once a list that was made after the look still names it.
    func isUnusable(_ checkpoint: CheckpointReport, of job: JobReport) -> Bool {
        guard let path = checkpoint.path, let found = inspection(path), !found.verdict.allowsRestore else { return false }
        guard found.verdict == .missing, !checkpoint.kind.isSavepoint, !job.state.isTerminal, let looked = lookedAt[path] else { return true }
        guard let listed = job.freshness == nil ? receivedAt : job.freshness?.checkpoints else { return false }
        return listed - looked > Self.listDelay
    }

    /// The result of a snapshot's inspection; nil = none has finished.
    func inspection(_ path: String) -> SnapshotInspection? {
        if case .done(let inspection) = inspections[path] { inspection } else { nil }
    }

    /// Forgets questions that will not be answered, so that they are asked again.
    mutating func forgetQuestions(_ cause: String) {
        log.askAgain()
        for job in memories.keys { memories[job]?.forgetQuestions() }
        for (path, inspection) in inspections where inspection == .pending { inspections[path] = .failed(cause) }
    }
}
