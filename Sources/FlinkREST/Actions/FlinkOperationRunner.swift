public import StreamModel

/// Carries out one operation on a cluster, from its checks to its end, and reports on the way. It blocks: run it on a thread that may wait. Callers
/// must record the request first.
public struct FlinkOperationRunner: Sendable {
    let client: FlinkClient
    let cluster: FlinkClusterConfiguration
    let jars: JarMemory
    let snapshots: SnapshotSight
    let clock: @Sendable () -> WallTime
    let pause: @Sendable (Milliseconds) -> Bool
    let record: @Sendable (OperationReport) -> Bool
    let tell: @Sendable (OperationReport) -> Void

    /// - Parameters:
    ///   - jars: jars uploaded to this cluster before.
    ///   - snapshots: snapshots as far as they are visible from here.
    ///   - pause: waits; false = stop here, the operation continues without us.
    ///   - record: records the next step; false = do not take it, nobody waits for the operation any more.
    ///   - tell: gets every change of the operation, including the last.
    public init(
        client: FlinkClient, cluster: FlinkClusterConfiguration, jars: JarMemory = .none, snapshots: SnapshotSight = SnapshotSight(),
        clock: @escaping @Sendable () -> WallTime, pause: @escaping @Sendable (Milliseconds) -> Bool,
        record: @escaping @Sendable (OperationReport) -> Bool = { _ in true }, tell: @escaping @Sendable (OperationReport) -> Void
    ) {
        self.client = client
        self.cluster = cluster
        self.jars = jars
        self.snapshots = snapshots
        self.clock = clock
        self.pause = pause
        self.record = record
        self.tell = tell
    }

    /// Sends a request and follows it. The returned report is final unless `pause` ended it.
    /// - Parameter jobName: as it is on record; the cluster may not know the job any more.
    public func run(_ request: OperationRequest, jobName: String = "") throws(FlinkRefusal) -> OperationReport {
        if cluster.isHistoryServer { throw FlinkRefusal("\(client.connection.address) is a history server and runs no jobs: nothing was sent") }
        let track = OperationTrack(
            OperationReport(request: request, jobName: jobName, state: .accepted, acceptedAt: clock()), tell: tell)
        do throws(FlinkRefusal) { try carryOut(track) } catch {
            // Once the cluster has taken a part of it (a cancel before a restart), it is no refusal any more: something was done.
            guard track.isTold else { throw error }
            if error.isHalted { return track.report }
            track.end(.failed, error: error.message + afterwards(track), at: clock())
        }
        return track.report
    }

    func carryOut(_ track: OperationTrack) throws(FlinkRefusal) {
        let request = track.request
        switch request.kind {
        case .savepoint: try takeSavepoint(track, "a savepoint")
        case .stop: try takeSavepoint(track, "a stop with a savepoint")
        case .checkpoint: try beginCheckpoint(track)
        case .cancel(let retention): try cancel(track, retention)
        case .restart(let options), .launch(let options): try restart(track, options)
        case .dispose(let path): try dispose(track, path)
        case .uploadJar(let file): try upload(track, file)
        case .deleteJar(let id): try delete(track, jar: id)
        case .fault: throw FlinkRefusal("fault injection is for demonstration jobs of Weir, not for a Flink cluster")
        }
    }

    /// The state in which an unfinished operation leaves the job.
    func afterwards(_ track: OperationTrack) -> String {
        guard case .success(let job) = ask(.job(track.request.job)) else { return "" }
        return "; \(job.name) (\(track.request.job.short)) is \(job.state.text)"
    }

    /// Records a step before it is taken. Throws if it must not be taken.
    func take(_ step: OperationStep.Name, _ track: OperationTrack) throws(FlinkRefusal) {
        let before = track.report.step
        track.step(OperationStep(step, at: clock()))
        guard record(track.report) else {
            track.step(before)
            throw .halted
        }
    }

    /// Looks up a request sent by a process that is gone, and follows it to its end.
    /// - Returns: `.unknown` with the reason if the cluster does not know the request; nil if the cluster could not be asked to the end.
    public func resume(_ sent: SentOperation) -> OperationReport? {
        let request = sent.request
        var report = OperationReport(request: request, jobName: "", state: .accepted, acceptedAt: sent.sentAt, path: sent.path, reference: sent.reference)
        (report.step, report.checkpoint) = (sent.step, sent.checkpoint)
        let track = OperationTrack(report, tell: tell)
        if sent.keepsSteps, sent.step == nil, request.kind.launch == nil {
            nothingSent(track)
            return track.report
        }
        switch request.kind {
        case .savepoint, .stop, .checkpoint: resumeSnapshot(track, sent)
        case .cancel: resumeCancel(track, sent)
        case .restart, .launch: resumeLaunch(track, sent)
        case .dispose(let path): resumeDisposal(track, sent, path)
        case .uploadJar(let file): resumeUpload(track, sent, file)
        case .deleteJar(let id): resumeDeletion(track, jar: id)
        case .fault: return nil
        }
        return track.report.state.isTerminal || track.isTold || track.report.activity != nil ? track.report : nil
    }

    /// The record says that its process ended before it sent anything.
    func nothingSent(_ track: OperationTrack) {
        track.end(.failed, error: "nothing was sent: its process had ended", at: clock())
    }

    // MARK: Reading before acting

    func ask<Answer>(_ endpoint: FlinkEndpoint<Answer>) -> Result<Answer, FlinkFailure> {
        do throws(FlinkFailure) { return .success(try client.answer(to: endpoint)) } catch { return .failure(error) }
    }

    func look(at track: OperationTrack) throws(FlinkRefusal) -> FlinkJobDetails {
        let job: FlinkJobDetails
        do throws(FlinkFailure) { job = try details(track) { _ in true } } catch { throw FlinkRefusal(error, "nothing was sent: ") }
        try FlinkActionRules.expect(job.state, toBe: track.request.expectedState)
        return job
    }

    /// The job by the cluster's answer, which may be as old as its refresh interval. An unexpected state is looked at again until that interval has
    /// passed.
    func details(_ track: OperationTrack, isFit: (FlinkJobDetails) -> Bool) throws(FlinkFailure) -> FlinkJobDetails {
        let limit = staleness
        var waited: Milliseconds = 0
        while true {
            let job = try client.answer(to: .job(track.request.job))
            track.name(job.name)
            let isExpected = track.request.expectedState.map { $0 == job.state.nearest ?? $0 } ?? true
            guard !(isExpected && isFit(job)), waited < limit, pause(Self.glance) else { return job }
            waited = waited + Self.glance
        }
    }

    /// Waits until the cluster's answers about the history of an ended job are certain to be younger than its end. Before that, a checkpoint that
    /// completed in the last moments would be missed, and one that it subsumed taken for the newest.
    func letHistorySettle(_ job: JobID) {
        guard case .success(let details) = ask(.job(job)) else { return }
        // An old answer names an end too early or none: then it is waited a little too long.
        let since = details.endedAt.flatMap { end in details.now.map { max(0, $0 - end) } } ?? 0
        var left = staleness.count - min(since.count, staleness.count)
        while left > 0, pause(Self.glance) { left -= Self.glance.count }
    }

    /// How old an answer may be.
    var staleness: Milliseconds { min(cluster.refreshInterval ?? .seconds(3), .seconds(10)) + 500 }
    static let glance: Milliseconds = 300
    /// Denials before a job counts as unknown: at a second each, longer than a JobManager takes to recover its jobs.
    static let denialsMax = 60

    func history(_ job: JobID) throws(FlinkRefusal) -> FlinkCheckpoints? {
        try found { () throws(FlinkFailure) in try client.answer(to: .checkpoints(job)) }
    }

    func retention(_ job: JobID) throws(FlinkRefusal) -> CheckpointConfiguration.Retention? {
        guard let configuration = try found({ () throws(FlinkFailure) in try client.answer(to: .checkpointConfiguration(job)) }) else {
            return CheckpointConfiguration.Retention.none
        }
        return configuration.retention
    }

    /// nil = there is no such thing.
    func found<Value>(_ ask: () throws(FlinkFailure) -> Value) throws(FlinkRefusal) -> Value? {
        do throws(FlinkFailure) { return try ask() } catch {
            if error.kind == .notFound { return nil }
            throw FlinkRefusal(error, "nothing was sent: ")
        }
    }

    /// Lead of the JobManager's clock over ours, as precisely as its cached answers tell. Also notes the job's name.
    func skew(_ job: JobID, _ track: OperationTrack) -> Milliseconds {
        // Without it the clocks are taken to agree.
        guard case .success(let details) = ask(.job(job)) else { return 0 }
        track.name(details.name)
        let year: Int64 = 365 * 86_400_000
        return details.now.map { Milliseconds(max(-year, min(year, ($0 - clock()).count))) } ?? 0
    }
}
