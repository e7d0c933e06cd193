/// Decides whether a restarted job has caught up, from reports of the job before and the job after. Assumes nothing: the result stays nil where no
/// rule below applies.
///
/// The first rule that applies to a report decides; later rules are for jobs that do not report the measures of earlier ones.
///
/// 1. *Input*: a bounded input is read to its end (`inputFraction` is 1).
/// 2. *Lag*: no vertex's event time is more than `lagLimit` behind the clock. A job that reported a lag before the restart is judged by its lag
///    only; nothing is claimed until it reports one again.
/// 3. *Count*: the engine counts the records already read by an earlier execution, and all of them have been read again (`SequenceAudit`).
/// 4. *Event time*: every vertex with a watermark has passed the highest one of the job before.
/// 5. *Records*: the job has read more than the job before in its whole life, plus the records of that job's last `unseen` seconds, which no
///    report may have shown. Applies only to a snapshot of that job, and while neither has restarted automatically: a restart changes the
///    meaning of a counter.
/// 6. *Rate*: the job read much faster than the job before (`fast` times, in `fastReports` consecutive reports), and then as fast as that one
///    (at most `calm` times, in `calmReports` consecutive ones) with no vertex back-pressured or fully busy: it could read faster, but there is
///    nothing more to read. A job limited by its slowest part has not caught up by that.
struct CatchUp: Sendable, Equatable {
    static let lagLimit = Milliseconds.seconds(10)
    static let unseen = 10.0
    static let fast = 1.5, calm = 1.2
    static let fastReports = 3, calmReports = 5

    /// Evidence of having caught up, in one line; nil = not observed.
    private(set) var evidence: String?
    /// Remaining distance, in one line; nil = no measure available.
    private(set) var distance: String?

    // The job before, from its reports.
    private var toldLag = false
    private var watermark: EventTime?
    private var recordsRead: UInt64?
    private var rate: Double?

    // The job after.
    private var attempt: Int?
    private var flowAt: WallTime?
    private var fastSeen = 0, calmSeen = 0

    /// Takes in a report of the job before.
    mutating func observe(before job: JobReport) {
        if job.vertices.contains(where: { Self.lag($0) != nil }) { toldLag = true }
        for case let known? in job.vertices.map(\.watermark) where known < .max { watermark = max(watermark ?? known, known) }
        if job.restarts > 0 {
            recordsRead = nil
        } else if job.throughput.recordsRead > 0 {
            recordsRead = max(recordsRead ?? 0, job.throughput.recordsRead)
        }
        if job.state == .running, let now = job.throughput.recordsReadPerSecond, now > 0 { rate = now }
    }

    /// Takes in a report of the job after, which has read records.
    /// - Parameter isOwnSnapshot: whether it began from a snapshot of the job before.
    mutating func observe(after job: JobReport, isOwnSnapshot: Bool) {
        guard evidence == nil else { return }
        distance = nil
        if let fraction = job.throughput.inputFraction, fraction >= 1 {
            evidence = "all of its input is read"
            return
        }
        guard job.state == .running else { return }
        let lags = job.vertices.compactMap(Self.lag)
        if let worst = lags.max() {
            distance = "lag \(worst.count / 1000) s"
            if worst <= Self.lagLimit { evidence = "event time is \(max(0, worst.count / 1000)) s behind the clock" }
            return
        }
        if toldLag { return }
        if let audit = job.audit, let toReplay = audit.toReplay {
            if audit.replayed >= toReplay {
                evidence = toReplay == 0 ? "there was nothing to read again" : "all \(toReplay) records read before are read again"
            }
            return
        }
        if let evidence = Self.passed(watermark, job) ?? readEnough(job, isOwnSnapshot: isOwnSnapshot) ?? slowedDown(job) { self.evidence = evidence }
    }

    /// Lag of event time; nil = not reported, or ahead of the clock, which then is no measure of it.
    private static func lag(_ vertex: VertexReport) -> Milliseconds? {
        vertex.watermarkLag.flatMap { $0.count >= -lagLimit.count ? $0 : nil }
    }

    private static func passed(_ before: EventTime?, _ job: JobReport) -> String? {
        guard let before, let slowest = job.vertices.compactMap(\.watermark).min(), slowest >= before else { return nil }
        return "event time has passed where the job before was last seen"
    }

    private mutating func readEnough(_ job: JobReport, isOwnSnapshot: Bool) -> String? {
        guard isOwnSnapshot, job.restarts == 0, let recordsRead else { return nil }
        let margin = (rate ?? 0) * Self.unseen
        guard margin < 1e15 else { return nil }
        let (wanted, overflows) = recordsRead.addingReportingOverflow(UInt64(clamping: margin))
        guard !overflows else { return nil }
        guard job.throughput.recordsRead > wanted else {
            distance = "of at most \(wanted) to catch up"
            return nil
        }
        return "\(job.throughput.recordsRead) records are read, more than the job before had read (\(recordsRead))"
    }

    private mutating func slowedDown(_ job: JobReport) -> String? {
        if attempt != job.attempt { (attempt, fastSeen, calmSeen) = (job.attempt, 0, 0) }
        // A measurement is counted once, even if several reports carry it.
        if let measured = job.freshness?.flow {
            if measured == flowAt { return nil }
            flowAt = measured
        }
        guard let rate, let now = job.throughput.recordsReadPerSecond else { return nil }
        if fastSeen < Self.fastReports {
            fastSeen = now >= rate * Self.fast ? fastSeen + 1 : 0
            return nil
        }
        let isFree = job.vertices.allSatisfy { vertex in
            guard let busy = vertex.busyPermille, let pressed = vertex.backPressuredPermille else { return false }
            return busy < 900 && pressed < 100
        }
        calmSeen = isFree && now > 0 && now <= rate * Self.calm ? calmSeen + 1 : 0
        guard calmSeen >= Self.calmReports else { return nil }
        return "after reading faster it reads \(UInt64(clamping: min(now, 1e15)))/s, as the job before did, with room to spare"
    }
}
