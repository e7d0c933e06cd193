import StreamModel
import Testing

/// The verdict on a restart, from reports alone: what embedded engines and clusters of others tell, and what they leave out. Every claim has
/// a test that it is made, and one that it is not made too early.
@Suite struct RestartProofTests {
    private static let new = JobID(high: 7, low: 7)
    private static let chosen = CheckpointID(12)
    private static let path = "file:/ckpt/a41f/chk-12"
    private static let start = Sample.start

    private var old: JobReport {
        var job = Sample.running()
        job.latestCompleted = Sample.checkpoint(20, ago: 0)
        job.audit = nil
        return job
    }

    /// The new job as a cluster tells of it: no operators, no counters of sequence numbers, no lag.
    private func restarted(_ change: (inout JobReport) -> Void = { _ in }) -> JobReport {
        var job = Sample.running(Self.new)
        job.latestCompleted = nil
        job.audit = nil
        job.throughput = Throughput(recordsRead: 900, recordsReadPerSecond: 400)
        job.restored = restore { _ in }
        change(&job)
        return job
    }

    private func restore(_ change: (inout RestoreReport) -> Void) -> RestoreReport {
        var report = RestoreReport(
            checkpoint: Self.chosen, path: "file:///ckpt/a41f/chk-12/", kind: .checkpoint, fromJob: Sample.job, at: Self.start, stateSize: 0, chosen: true)
        change(&report)
        return report
    }

    private func restarted(from change: (inout RestoreReport) -> Void) -> JobReport { restarted { $0.restored = restore(change) } }

    private func launched(
        id: CheckpointID? = chosen, path: String = path, allowsUnmatched: Bool = false, before: [JobReport]? = nil
    ) -> RestartProof {
        var proof = RestartProof(chosenID: id, chosenPath: path, origin: Sample.job, allowsUnmatchedState: allowsUnmatched)
        for job in before ?? [old] { proof.observe(job, at: Self.start) }
        var options = RestartOptions(path: path)
        options.allowsUnmatchedState = allowsUnmatched
        let request = OperationRequest(id: OperationID(random: 5), kind: .restart(options), job: Sample.job)
        proof.observe(OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: Self.start, newJob: Self.new))
        return proof
    }

    private func durable(_ job: inout JobReport) { job.latestCompleted = Sample.checkpoint(13, ago: 0) }

    // MARK: Step 2

    @Test(arguments: ["/ckpt/a41f/chk-12", "file:/ckpt/a41f/chk-12", "file:///ckpt/a41f/chk-12", "/ckpt/a41f/chk-12/_metadata"])
    func onePlaceHasManySpellings(_ spelling: String) {
        var proof = launched(path: spelling)
        proof.observe(restarted(), at: Self.start)
        #expect(proof.verdict == .resumed, "\(proof.lines)")
    }

    @Test func whatWasRestoredMayComeSomePollsAfterRunning() {
        var proof = launched()
        for second in 0..<20 { proof.observe(restarted { $0.restored = nil }, at: Self.start + .seconds(Int64(second))) }
        #expect(proof.verdict == .launched && proof[.tasks].state == .done && proof[.restored].state == .waiting)
        proof.observe(restarted(), at: Self.start + .seconds(20))
        #expect(proof.verdict == .resumed)
    }

    @Test func anEngineThatReportsNoRestoreProvesNoResumption() {
        var proof = launched()
        for second in [0, 59] { proof.observe(restarted { $0.restored = nil }, at: Self.start + .seconds(Int64(second))) }
        #expect(proof[.restored].state == .waiting)
        proof.observe(restarted { job in (job.restored, job.latestCompleted) = (nil, Sample.checkpoint(13, ago: 0)) }, at: Self.start + .seconds(60))
        #expect(proof[.restored].state == .unproven && proof[.restored].evidence.contains("does not tell"))
        #expect(proof[.firstCheckpoint].state == .done, "what can be shown is shown")
        #expect(proof.verdict == .launched && !proof.isSettled)
        proof.observe(restarted(durable), at: Self.start + .seconds(61))
        #expect(proof.verdict == .resumedDurable, "and it is proven when it is told after all")
    }

    @Test func aPastedPathHasNoCheckpointNumber() {
        var proof = launched(id: nil, path: "/sp/savepoint-a41f-77")
        proof.observe(restarted(from: { $0.path = "file:/sp/savepoint-a41f-77" }), at: Self.start)
        #expect(proof.verdict == .resumed && proof[.restored].evidence.contains("chosen by path"))
    }

    @Test func numberOrPathOfSomethingElseIsAMismatch() {
        for other in [restarted(from: { $0.path = "file:/ckpt/a41f/chk-11" }), restarted(from: { $0.checkpoint = CheckpointID(11) })] {
            var proof = launched()
            proof.observe(other, at: Self.start)
            #expect(proof.verdict == .mismatch && proof.isSettled)
            proof.observe(restarted(durable), at: Self.start)
            #expect(proof.verdict == .mismatch, "what was seen stays seen")
        }
    }

    @Test func withoutAPathTheNumberDecidesAndWithoutBothNothingDoes() {
        var numbered = launched()
        numbered.observe(restarted(from: { $0.path = "" }), at: Self.start)
        #expect(numbered.verdict == .resumed && numbered[.restored].evidence.contains("no path to compare"))
        var bare = launched(id: nil)
        bare.observe(restarted(from: { $0.path = "" }), at: Self.start)
        #expect(bare.verdict == .launched && bare[.restored].state == .unproven)
    }

    @Test func aJobThatRecoveredUnseenIsNoMismatch() {
        var proof = launched()
        proof.observe(
            restarted { job in
                job.restarts = 1
                job.restored = restore { ($0.chosen, $0.checkpoint, $0.path) = (false, CheckpointID(13), "file:/ckpt/new/chk-13") }
            }, at: Self.start)
        #expect(proof[.restored].state == .unproven && proof[.restored].evidence.contains("recovered by itself"))
        #expect(proof.verdict == .launched)
    }

    // An engine that was killed brings the job back as its next attempt, which counts as no restart.
    @Test(arguments: [false, true]) func `a job that its engine brought back since takes nothing back`(isRecorded: Bool) {
        var proof = launched()
        if isRecorded {
            var report = OperationReport(
                request: OperationRequest(id: OperationID(random: 5), kind: .restart(RestartOptions(path: Self.path)), job: Sample.job), jobName: "orders",
                state: .completed, acceptedAt: Self.start, newJob: Self.new)
            report.verdict = .resumedDurable
            proof.observe(report)
        }
        var job = restarted { ($0.checkpoint, $0.path, $0.chosen) = (CheckpointID(15), "/ckpt/new/chk-15", false) }
        (job.attempt, job.restarts) = (2, 0)
        proof.observe(job, at: Self.start)
        #expect(proof[.restored].state == .unproven && proof[.restored].evidence.contains("recovered by itself since, from 15"), "\(proof.lines)")
        #expect(proof.verdict == (isRecorded ? .resumedDurable : .launched))
        // Its first attempt has begun from something else.
        var wrong = launched()
        job.attempt = 1
        wrong.observe(job, at: Self.start)
        #expect(wrong.verdict == .mismatch)
    }

    @Test func aRestoreWithoutMatchedStateIsNotCalledResumed() {
        // The path matches, and yet a program of which no operator is in the snapshot began with nothing.
        var silent = launched(allowsUnmatched: true)
        silent.observe(restarted(durable), at: Self.start)
        #expect(silent[.restored].state == .unproven && silent.verdict == .launched, "\(silent.lines)")
        #expect(silent[.restored].evidence.contains("does not tell which operators took any"))
        var nothing = launched(allowsUnmatched: true)
        nothing.observe(restarted(from: { ($0.restoredOperators, $0.droppedOperators) = ([], ["win-agg"]) }), at: Self.start)
        #expect(nothing.verdict == .mismatch && nothing[.restored].evidence.contains("NO operator of the job took state"))
        var some = launched(allowsUnmatched: true)
        some.observe(restarted(from: { ($0.restoredOperators, $0.droppedOperators) = (["source"], ["win-agg"]) }), at: Self.start)
        #expect(some.verdict == .resumed && some[.restored].evidence.contains("the state of win-agg was dropped"))
    }

    // MARK: Steps that cannot be shown

    @Test func sourcesThatDoNotCountDoNotHoldTheVerdict() {
        var proof = launched()
        let still = restarted { job in
            durable(&job)
            job.throughput = Throughput()
            for index in job.vertices.indices { (job.vertices[index].recordsIn, job.vertices[index].recordsOut) = (0, 0) }
        }
        for second in 0..<15 { proof.observe(still, at: Self.start + .seconds(Int64(second))) }
        #expect(proof.verdict == .resumed && proof[.progress].state == .waiting)
        proof.observe(still, at: Self.start + .seconds(15))
        #expect(proof.verdict == .resumedDurable && proof[.progress].state == .unproven)
        #expect(proof[.progress].evidence.contains("no record was counted in 15 s"))
        #expect(proof[.outputs].state == .unproven && !proof[.outputs].evidence.isEmpty)
        proof.observe(restarted(durable), at: Self.start + .seconds(16))
        #expect(proof[.progress].state == .done && proof[.progress].evidence.hasPrefix("900 records read"))
    }

    @Test func recordsBetweenOperatorsAreProgressToo() {
        var proof = launched()
        proof.observe(restarted { $0.throughput = Throughput() }, at: Self.start)
        #expect(proof[.progress].state == .done && proof[.progress].evidence.contains("between the operators"))
    }

    @Test func aJobWithoutCheckpointsIsNeverDurable() {
        var proof = launched()
        proof.observe(restarted { $0.configuration.interval = nil }, at: Self.start)
        #expect(proof.verdict == .resumed && proof[.firstCheckpoint].state == .unproven)
        proof.observe(restarted(durable), at: Self.start)
        #expect(proof.verdict == .resumedDurable, "unless one is asked for")
    }

    @Test func aCheckpointOfTheOldJobIsNotTheFirstNewOne() {
        var proof = launched()
        proof.observe(restarted { $0.latestCompleted = Sample.checkpoint(12, ago: 0) }, at: Self.start)
        #expect(proof.verdict == .resumed)
    }

    @Test func whatEndsUnprovenHasFailedAndWhatIsProvenStays() {
        var failed = launched()
        failed.observe(restarted(), at: Self.start)
        failed.observe(restarted { $0.state = .failed }, at: Self.start)
        #expect(failed.verdict == .failed)
        var proven = launched()
        proven.observe(restarted(durable), at: Self.start)
        proven.observe(restarted { $0.state = .canceled }, at: Self.start)
        #expect(proven.verdict == .resumedDurable && proven.provenAt == Self.start)
    }

    @Test(arguments: [JobState.canceled, .failed]) func `the last report of an ended job still proves what it shows`(state: JobState) {
        var proof = launched()
        proof.observe(restarted { ($0.state, $0.latestCompleted) = (state, Sample.checkpoint(13, ago: 0)) }, at: Self.start)
        #expect(proof.verdict == .resumedDurable && proof.isSettled, "\(proof.lines)")
    }

    @Test func `a cancel that nobody saw the job run before fails nothing`() {
        var proof = launched()
        proof.observe(restarted { $0.state = .canceled }, at: Self.start)
        #expect(proof.verdict == .launched && proof.isSettled)
        #expect(proof[.tasks].evidence == "job is CANCELED, and was not observed to run before")
    }

    @Test func `a verdict on record stands, whatever became of the job`() {
        var proof = launched()
        var operation = OperationReport(
            request: OperationRequest(id: OperationID(random: 5), kind: .restart(RestartOptions(path: Self.path)), job: Sample.job), jobName: "orders",
            state: .completed, acceptedAt: Self.start, newJob: Self.new)
        operation.verdict = .resumedDurable
        proof.observe(operation)
        #expect(proof.verdict == .resumedDurable)
        var live = proof
        live.observe(restarted(durable), at: Self.start)
        #expect(live[.restored].evidence.hasPrefix("engine reports 12, chosen 12, path matches"), "what can be seen is shown")
        proof.observe(restarted { $0.state = .canceled }, at: Self.start)
        #expect(proof.verdict == .resumedDurable && proof[.restored].evidence == "observed, as recorded")
    }

    @Test func aLostRecordStaysCritical() {
        var proof = launched()
        proof.observe(restarted(durable), at: Self.start)
        proof.observe(restarted { job in job.audit = SequenceAudit(verified: 10, lost: 1) }, at: Self.start)
        #expect(proof.verdict == .failed)
    }

    // MARK: Caught up

    private func after(_ proof: RestartProof, _ jobs: [JobReport]) -> RestartProof {
        var proof = proof
        for (second, job) in jobs.enumerated() { proof.observe(job, at: Self.start + .seconds(Int64(second))) }
        return proof
    }

    private func lagging(_ seconds: Int64, _ job: JobReport) -> JobReport {
        var job = job
        job.vertices[1].watermarkLag = .seconds(seconds)
        return job
    }

    @Test func aSmallLagIsCaughtUpOnceItIsDurable() {
        let behind = lagging(1020, restarted(durable)), near = lagging(10, restarted())
        #expect(after(launched(), [behind]).verdict == .resumedDurable)
        #expect(after(launched(), [behind])[.progress].evidence.hasSuffix("lag 1020 s"))
        #expect(after(launched(), [near]).verdict == .resumed, "durable comes first")
        let proof = after(launched(), [behind, near])
        #expect(proof.verdict == .caughtUp && proof.isSettled && proof.caughtUp == "event time is 10 s behind the clock")
    }

    @Test func theSlowestVertexCounts() {
        var job = lagging(2, restarted(durable))
        job.vertices[0].watermarkLag = .seconds(11)
        #expect(after(launched(), [job]).verdict == .resumedDurable)
    }

    @Test func aJobWithALagIsJudgedByItOnly() {
        let proof = launched(before: [lagging(3, old)])
        let counted = restarted { job in
            durable(&job)
            job.audit = SequenceAudit(verified: 10, replayed: 5, toReplay: 5)
        }
        #expect(after(proof, [counted]).verdict == .resumedDurable, "the lag has not been told yet")
        #expect(after(proof, [counted, lagging(3, counted)]).verdict == .caughtUp)
    }

    @Test func eventTimeAheadOfTheClockIsNoLag() {
        #expect(after(launched(), [lagging(-3600, restarted(durable))]).verdict == .resumedDurable)
    }

    @Test func countedRecordsAreCaughtUpWhenAllAreReadAgain() {
        func counted(_ replayed: UInt64, of total: UInt64?) -> JobReport {
            restarted { job in
                durable(&job)
                job.audit = SequenceAudit(verified: 1000, replayed: replayed, toReplay: total)
            }
        }
        #expect(after(launched(), [counted(799, of: 800)]).verdict == .resumedDurable)
        #expect(after(launched(), [counted(800, of: 800)]).verdict == .caughtUp)
        #expect(after(launched(), [counted(800, of: nil)]).verdict == .resumedDurable, "nobody knows how many there were")
    }

    @Test func eventTimeServesWithoutALag() {
        func at(_ time: Int64, _ job: JobReport) -> JobReport {
            var job = job
            for index in job.vertices.indices { job.vertices[index].watermark = EventTime(milliseconds: time + Int64(index)) }
            return job
        }
        let proof = launched(before: [at(5000, old)])
        #expect(after(proof, [at(5000, restarted(durable))]).verdict == .resumedDurable, "the slowest vertex has not passed the fastest one")
        #expect(after(proof, [at(5001, restarted(durable))]).verdict == .caughtUp)
        #expect(after(launched(), [at(9000, restarted(durable))]).verdict == .resumedDurable, "nothing to compare with")
    }

    @Test func moreRecordsThanTheJobBeforeHadEverReadAreEnough() {
        func read(_ count: UInt64, _ job: JobReport, rate: Double = 100, restarts: Int = 0) -> JobReport {
            var job = job
            (job.throughput.recordsRead, job.throughput.recordsReadPerSecond, job.restarts) = (count, rate, restarts)
            return job
        }
        let proof = launched(before: [read(5000, old)])
        // 10 s at 100/s may have been read unseen.
        let almost = after(proof, [read(6000, restarted(durable))])
        #expect(almost.verdict == .resumedDurable && almost[.progress].evidence == "6000 records read, of at most 6000 to catch up")
        #expect(after(proof, [read(6001, restarted(durable))]).verdict == .caughtUp)
        #expect(after(proof, [read(6001, restarted(durable), restarts: 1)]).verdict == .resumedDurable, "it counts some of them twice")
        #expect(after(launched(before: [read(5000, old, restarts: 1)]), [read(6001, restarted(durable))]).verdict == .resumedDurable)
        let foreign = restarted { job in
            durable(&job)
            job.restored = restore { $0.fromJob = Sample.otherJob }
        }
        #expect(after(proof, [read(6001, foreign)]).verdict == .resumedDurable, "another job's snapshot says nothing of this one's input")
    }

    private func reading(_ rate: Double, busy: Int = 500, pressed: Int = 0, measured: Int64? = nil) -> JobReport {
        restarted { job in
            durable(&job)
            job.throughput = Throughput(recordsRead: 900, recordsReadPerSecond: rate)
            for index in job.vertices.indices { (job.vertices[index].busyPermille, job.vertices[index].backPressuredPermille) = (busy, pressed) }
            if let measured { job.freshness = ReportFreshness(flow: WallTime(milliseconds: measured)) }
        }
    }

    @Test func aRateThatWasHighAndIsBackIsCaughtUp() {
        // The job before read 118400/s.
        let fast = Array(repeating: reading(400_000, busy: 990), count: 3), calm = Array(repeating: reading(120_000), count: 5)
        #expect(after(launched(), fast).verdict == .resumedDurable)
        #expect(after(launched(), fast + calm.dropLast()).verdict == .resumedDurable)
        #expect(after(launched(), fast + calm).verdict == .caughtUp)
        #expect(after(launched(), calm + calm).verdict == .resumedDurable, "it was never seen to read faster")
        #expect(after(launched(), fast.dropLast() + calm + calm).verdict == .resumedDurable)
    }

    @Test func aSaturatedJobHasNotCaughtUp() {
        let fast = Array(repeating: reading(400_000), count: 3)
        for slow in [reading(120_000, busy: 950), reading(120_000, pressed: 200), reading(0), reading(200_000)] {
            #expect(after(launched(), fast + Array(repeating: slow, count: 20)).verdict == .resumedDurable)
        }
        let broken = (0..<20).map { $0 % 5 == 4 ? reading(120_000, busy: 950) : reading(120_000) }
        #expect(after(launched(), fast + broken).verdict == .resumedDurable, "five on end are wanted")
    }

    @Test func oneMeasurementInManyReportsIsOne() {
        let fast = (0..<3).map { reading(400_000, measured: $0) }
        #expect(after(launched(), fast + Array(repeating: reading(120_000, measured: 9), count: 20)).verdict == .resumedDurable)
        #expect(after(launched(), fast + (3..<8).map { reading(120_000, measured: $0) }).verdict == .caughtUp)
    }

    @Test func inputReadToItsEndIsCaughtUp() {
        let ended = restarted { job in
            durable(&job)
            (job.state, job.throughput.inputFraction) = (.finished, 1)
        }
        #expect(after(launched(), [ended]).verdict == .caughtUp)
        // A stop with a savepoint finishes a job too, in the middle of its input.
        let stopped = restarted { job in
            durable(&job)
            job.state = .finished
        }
        #expect(after(launched(), [stopped]).verdict == .resumedDurable)
    }

    @Test func reportsOfOtherJobsSayNothing() {
        var proof = launched()
        var other = restarted(durable)
        other.id = Sample.otherJob
        proof.observe(other, at: Self.start)
        #expect(proof.verdict == .launched && proof[.tasks].state == .waiting)
    }
}
