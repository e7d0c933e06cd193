import CellGrid
public import StreamModel

/// A job of a context: what cursors and screens hold on to while reports come and go.
public struct JobKey: Hashable, Sendable {
    public var context: String
    public var job: JobID

    public init(context: String, job: JobID) {
        self.context = context
        self.job = job
    }
}

/// What the engines have told so far. Freezing the screen keeps a copy to look at while the live one goes on.
struct Observations: Sendable {
    /// In the order of the configuration.
    var contexts: [ContextState]
    /// Newest first; those of this console and those of others.
    var operations: [TrackedOperation] = []

    func context(_ name: String) -> ContextState? { contexts.first { $0.name == name } }

    func job(_ key: JobKey?) -> JobReport? { key.flatMap { context($0.context)?.job($0.job) } }

    func memory(_ key: JobKey) -> JobMemory { context(key.context)?.memories[key.job] ?? JobMemory() }
}

/// What is known of one context: its link, its last report, and what was asked for beside the reports.
struct ContextState: Sendable {
    /// A report older than this is shown as old.
    static let freshness = Milliseconds.seconds(3)

    let description: ContextDescription
    var link = LinkState.connecting
    /// When the link was lost.
    var downSince: WallTime?
    var capabilities = EngineCapabilities()
    var report: EngineReport?
    /// This machine's clock when the report came.
    var receivedAt: WallTime?
    var memories: [JobID: JobMemory] = [:]
    var inspections: [String: Inspection] = [:]
    /// `:unlock` holds until then.
    var unlockedUntil: WallTime?

    enum Inspection: Sendable, Equatable {
        case pending
        case done(SnapshotInspection)
        case failed(String)
    }

    init(_ description: ContextDescription) { self.description = description }

    var name: String { description.name }

    func job(_ id: JobID) -> JobReport? { report?.jobs.first { $0.id == id } }

    /// Since the last report came.
    func age(at now: WallTime) -> Milliseconds? { receivedAt.map { now - $0 } }

    func isStale(at now: WallTime) -> Bool { !link.isUp || age(at: now).map { $0 > Self.freshness } ?? true }

    /// The engine's clock at a moment of ours. Clocks that differ by less than 2 s count as the same, so that the way of a report
    /// does not make ages jump.
    func engineTime(at now: WallTime) -> WallTime {
        guard let report, let receivedAt else { return now }
        let offset = receivedAt - report.at
        return abs(offset.count) < 2000 ? now : WallTime(milliseconds: now.milliseconds - offset.count)
    }

    func isUnlocked(at now: WallTime) -> Bool { unlockedUntil.map { $0 > now } ?? false }
}

/// What the console remembers of a job beside its last report.
struct JobMemory: Sendable {
    /// Records a second, one sample a report, the newest last; and how many samples there have been.
    private(set) var read: [Double] = []
    private(set) var written: [Double] = []
    private(set) var sampleCount = 0
    private var sampledAt: WallTime?

    /// The list as the engine last sent it, newest first.
    var checkpoints: [CheckpointReport] = []
    /// `checkpointsRevision` of the report that made us ask for the list.
    var revision: UInt64?
    /// A request for the list is under way since.
    var checkpointsAskedAt: WallTime?
    /// With operators and subtasks.
    var details: [CheckpointID: CheckpointReport] = [:]
    var detailAskedAt: [CheckpointID: WallTime] = [:]
    /// Newest first.
    var failures: [FailureReport] = []
    var failuresAskedAt: WallTime?
    /// `restarts` and time of the last failure when the failures were last asked for.
    var failuresMark: FailuresMark?

    struct FailuresMark: Sendable, Equatable {
        var restarts: Int
        var last: WallTime?
    }

    static let samplesMax = 240
    private static let detailsMax = 32

    mutating func sample(_ job: JobReport, at time: WallTime) {
        if let last = sampledAt, (time - last).count < 900 { return }
        sampledAt = time
        read.append(job.throughput.recordsReadPerSecond)
        written.append(job.throughput.recordsWrittenPerSecond)
        sampleCount += 1
        if read.count > Self.samplesMax {
            read.removeFirst(read.count - Self.samplesMax)
            written.removeFirst(written.count - Self.samplesMax)
        }
    }

    /// Records a second over the last samples in which the job ran; 0 if it never did.
    var typicalRate: Double {
        let busy = read.suffix(60).filter { $0 > 0 }
        return busy.isEmpty ? 0 : busy.reduce(0, +) / Double(busy.count)
    }

    mutating func keep(detail: CheckpointReport) {
        details[detail.id] = detail
        detailAskedAt[detail.id] = nil
        while details.count > Self.detailsMax, let oldest = details.keys.min() { details[oldest] = nil }
    }

    /// The checkpoints of a job, newest first: the list, corrected by what the newer report says.
    func list(with job: JobReport?) -> [CheckpointReport] {
        var byID: [CheckpointID: CheckpointReport] = [:]
        byID.reserveCapacity(checkpoints.count + 4)
        for checkpoint in checkpoints { byID[checkpoint.id] = checkpoint }
        if let job {
            for checkpoint in job.inProgress { byID[checkpoint.id] = checkpoint }
            // An in-flight row of the list that the report does not have any more has ended; the list comes with the next answer.
            let flying = Set(job.inProgress.map(\.id))
            for (id, checkpoint) in byID where checkpoint.status == .inProgress && !flying.contains(id) { byID[id] = nil }
            for checkpoint in [job.latestCompleted, job.latestSavepoint, job.latestFailed].compactMap({ $0 }) {
                if byID[checkpoint.id].map({ $0.status == .inProgress }) ?? true { byID[checkpoint.id] = checkpoint }
            }
        }
        return byID.values.sorted { $0.id > $1.id }
    }
}
