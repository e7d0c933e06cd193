import ControlProtocol
import StreamModel
import Testing

@testable import FlinkREST

/// Goal: a job of any version reads the same. Method: recorded answers in, reports out.
@Suite struct TranslationTests {
    /// The clock of the recordings is taken from the job's own answer, so that ages are what they were.
    private func picture(_ version: String, details: String = "job-running", checkpoints: String = "checkpoints-with-savepoint") throws -> FlinkPicture {
        var picture = FlinkPicture()
        picture.take(cluster: try FlinkClusterConfiguration(reading: Fixture.json(version, "config")))
        let job = try FlinkJobDetails(reading: Fixture.json(version, details))
        let now = job.now ?? WallTime(milliseconds: 0)
        picture.take(jobs: try FlinkEndpoint.jobs.read(Fixture.json(version, "jobs-overview")), at: now)
        if picture.job(job.id) == nil {
            picture.take(jobs: [FlinkJobListing(lenient: .object(["jid": .string(job.id.description), "name": .string(job.name), "state": .string(job.state.text)]))!], at: now)
        }
        picture.take(details: job, at: now)
        let list = try FlinkCheckpoints(reading: Fixture.json(version, checkpoints))
        let configuration = try FlinkCheckpointConfiguration(reading: Fixture.json(version, "checkpoints-config"))
        let execution = try FlinkExecutionConfiguration(reading: Fixture.json(version, "job-config"))
        let names = { (vertex: String) in
            // The recorded list is by subtask: the list over all subtasks has the same names without their index.
            let names = try FlinkMetrics(reading: Fixture.json(version, "vertex-\(vertex)-metric-names")).names
            return JSONValue.array(names.filter { $0.hasPrefix("0.") }.map { .object(["id": .string(String($0.dropFirst(2)))]) })
        }
        let source = try #require(job.vertices.first), count = try #require(job.vertices.last)
        let metrics = try FlinkMetrics(reading: Fixture.json(version, "job-metrics"))
        let sourceNames = try FlinkMetrics(reading: names("source")), countNames = try FlinkMetrics(reading: names("count"))
        let sourceMetrics = try FlinkMetrics(reading: Fixture.json(version, "vertex-source-subtasks-metrics"))
        let countMetrics = try FlinkMetrics(reading: Fixture.json(version, "vertex-count-subtasks-metrics"))
        picture.change(job.id) { known in
            known.take(list, at: now)
            known.take(configuration, at: now)
            known.take(execution, at: now)
            known.take(jobMetrics: metrics, at: now)
            known.take(metricNames: sourceNames, vertex: source.id, at: now)
            known.take(metricNames: countNames, vertex: count.id, at: now)
            known.take(metrics: sourceMetrics, vertex: source.id, at: now)
            known.take(metrics: countMetrics, vertex: count.id, at: now)
        }
        return picture
    }

    private func orders(_ picture: FlinkPicture) throws -> JobReport {
        try #require(picture.reports(at: WallTime(milliseconds: 1_795_545_500_000)).first { $0.name == "orders" })
    }

    /// A JobManager answers about checkpoints from its memory for 3 s, and marks what it remembers as discarded when that happens.
    @Test func theNewestCheckpointStandsUntilANewerAnswerSaysOtherwise() throws {
        var job = FlinkJobPicture(id: JobID(high: 1, low: 2))
        func checkpoint(_ id: Int, discarded: Bool, savepoint: Bool = false) -> String {
            #"{"id":\#(id),"status":"COMPLETED","is_savepoint":\#(savepoint),"trigger_timestamp":\#(id * 1000),"external_path":"file:/c/chk-\#(id)","discarded":\#(discarded)}"#
        }
        func answer(_ newest: String, savepoint: String? = nil, at time: Int64) throws -> CheckpointReport? {
            let latest = #"{"completed":\#(newest)\#(savepoint.map { #","savepoint":"# + $0 } ?? "")}"#
            let text = #"{"counts":{},"latest":\#(latest),"history":[\#(newest)\#(savepoint.map { "," + $0 } ?? "")]}"#
            job.take(try FlinkCheckpoints(reading: try JSONValue.parse(Array(text.utf8), maximumDepth: 64)), at: WallTime(milliseconds: time))
            return job.report(version: nil, clockAhead: 0).latestCompleted
        }
        #expect(try answer(checkpoint(5, discarded: false), at: 10_000)?.isRestorable == true)
        #expect(try answer(checkpoint(5, discarded: true), at: 12_000)?.isRestorable == true, "#6 has replaced it, which this answer does not know")
        #expect(try answer(checkpoint(6, discarded: false), at: 14_000)?.id == CheckpointID(6))
        // Said again by an answer that cannot be the same memory, it is so.
        #expect(try answer(checkpoint(6, discarded: true), at: 20_000)?.isRestorable == true)
        #expect(try answer(checkpoint(6, discarded: true), at: 23_900)?.isRestorable == true)
        #expect(try answer(checkpoint(6, discarded: true), at: 24_000)?.isRestorable == false)
        #expect(try answer(checkpoint(6, discarded: true), savepoint: checkpoint(7, discarded: false, savepoint: true), at: 50_000)?.isRestorable == false, "there is a newer one to go back to: the answer is whole")
        // A job that has ended deletes what it does not keep.
        #expect(try answer(checkpoint(8, discarded: false), at: 60_000)?.isRestorable == true)
        job.take(try #require(FlinkJobListing(lenient: .object(["jid": .string(job.id.description), "name": .string("orders"), "state": .string("CANCELED")]))), at: WallTime(milliseconds: 61_000))
        #expect(try answer(checkpoint(8, discarded: true), at: 62_000)?.isRestorable == false)
    }

    @Test(arguments: Fixture.versions) func aRunningJobIsReported(version: String) throws {
        let job = try orders(picture(version))
        #expect(job.state == .running && job.stateWord == nil)
        #expect(job.parallelism == 2 && job.maxParallelism == 128 && job.runningSubtasks == 4 && job.totalSubtasks == 4)
        #expect(job.vertices.map(\.name) == ["Source: numbers -> throttle", "count -> none -> Sink: sink"], "sources first")
        #expect(job.submittedAt < job.stateSince && job.stateSince.milliseconds > 1_795_545_000_000)
        if version == "1.20.5" {
            #expect(job.restartStrategyWords == "Cluster level default restart strategy", "which one it is that version does not say")
        } else {
            #expect(job.restartStrategy == .fixedDelay(attempts: 1000, delay: .seconds(1)) && job.restartStrategyWords == nil)
        }
        #expect(job.attempt == 1 && job.restarts == 0)
    }

    @Test(arguments: Fixture.versions) func flowIsMeasuredWhereFlinkCountsNothing(version: String) throws {
        let job = try orders(picture(version))
        let source = try #require(job.vertices.first), count = try #require(job.vertices.last)
        // The network counters of the recording: what leaves the source, what enters the count.
        #expect(source.recordsOutPerSecond > 50 && count.recordsInPerSecond > 50)
        #expect(job.throughput.recordsReadPerSecond > 50 && job.throughput.recordsWrittenPerSecond > 50)
        #expect(job.throughput.recordsRead > 0)
        #expect((900...1000).contains(source.busyPermille ?? 0) && source.backPressuredPermille == 0)
        #expect(count.watermark == nil, "none yet")
    }

    @Test(arguments: Fixture.versions) func theConfigurationIsReported(version: String) throws {
        let configuration = try orders(picture(version)).configuration
        #expect(configuration.interval == 1500 && configuration.timeout == .seconds(60) && configuration.mode == .exactlyOnce)
        #expect(configuration.tolerableFailures == 3 && configuration.retention == .retainOnCancellation && configuration.maximumConcurrent == 1)
        #expect(configuration.storageDirectory == "file:/tmp/flink/checkpoints")
        for (name, retention) in [("checkpoints-config-none", CheckpointConfiguration.Retention.none), ("checkpoints-config-delete", .deleteOnCancellation)] {
            #expect(try FlinkCheckpointConfiguration(reading: Fixture.json(version, name)).retention == retention)
        }
        #expect(try FlinkCheckpointConfiguration(reading: Fixture.json(version, "checkpoints-config-of-none")).interval == nil)
    }

    @Test(arguments: Fixture.versions) func checkpointsAreReported(version: String) throws {
        let picture = try picture(version)
        let job = try orders(picture)
        let rows = try #require(picture.job(job.id)).checkpointReports(version: FlinkVersion(fixture: version))
        #expect(rows.map(\.id) == rows.map(\.id).sorted(by: >) && rows.count >= 9)
        let savepoint = try #require(rows.first { $0.kind == .savepoint })
        #expect(savepoint.status == .completed && savepoint.path?.hasPrefix("file:/") == true && savepoint.isRestorable)
        #expect(job.latestSavepoint?.id == savepoint.id && job.latestCompleted?.isRestorable == true)
        #expect(rows.contains { $0.discarded && !$0.isRestorable })
        #expect(rows.filter { $0.status == .completed }.allSatisfy { $0.endedAt != nil && $0.duration != nil && $0.stateSize > 0 })
        #expect(rows.allSatisfy { ($0.checkpointedSize != nil) == (version != "1.14.3") || $0.status != .completed }, "1.14 does not say what was written")
        #expect(job.counts.total >= 10 && job.counts.completed == 9)
        #expect(rows.allSatisfy { $0.timeoutAt - $0.triggeredAt == .seconds(60) })
    }

    @Test(arguments: Fixture.versions) func phasesOfSubtasksAreReported(version: String) throws {
        var picture = try picture(version)
        let job = try orders(picture)
        let id = try #require(job.vertices.last?.id)
        let checkpoint = try #require(FlinkCheckpoint(lenient: Fixture.json(version, "checkpoint-completed")))
        let vertex = FlinkVertexCheckpoint(lenient: try Fixture.json(version, "checkpoint-completed-subtasks"), vertex: id)
        let hosts = FlinkVertexSubtasks(lenient: try Fixture.json(version, "vertex-count"))
        picture.take(.hosts(hosts), to: .hosts(job.id, id), at: WallTime(milliseconds: 1))
        let report = try #require(picture.job(job.id)).report(checkpoint, subtasks: [id: vertex], version: FlinkVersion(fixture: version))
        #expect(report.operators?.map(\.name) == job.vertices.map(\.name))
        let operation = try #require(report.operators?.last)
        #expect(operation.acknowledged == 2 && operation.subtasks.map(\.index) == [0, 1])
        #expect(operation.subtasks.allSatisfy { $0.startDelayMicroseconds > 10_000 && $0.asyncMicroseconds >= 1000 && $0.stateSize > 0 })
        #expect(operation.subtasks.allSatisfy { $0.host?.isEmpty == false }, "1.14 says host, 2.3 endpoint")
    }

    @Test(arguments: Fixture.versions) func aRestoreSaysFromWhere(version: String) throws {
        let chosen = try orders(picture(version, checkpoints: "checkpoints-restored"))
        let restored = try #require(chosen.restored)
        #expect(restored.chosen && restored.kind == .checkpoint, "the API calls it a savepoint")
        #expect(restored.path.hasSuffix("/chk-\(restored.checkpoint)") && restored.path.contains(restored.fromJob.description))
        #expect(try orders(picture(version, checkpoints: "checkpoints-restored-savepoint")).restored?.kind == .savepoint)
        #expect(try orders(picture(version, checkpoints: "checkpoints-recovered")).restored?.chosen == false)
    }

    @Test(arguments: Fixture.versions) func failuresAreReducedToTheirCause(version: String) throws {
        var picture = try picture(version)
        let id = try orders(picture).id
        for (name, words) in [("exceptions-sync-failed", "checkpoint"), ("exceptions-threshold", "Exceeded checkpoint tolerable failure threshold"), ("exceptions-failed", "")] {
            let exceptions = try FlinkExceptions(reading: Fixture.json(version, name))
            picture.change(id) { $0.take(exceptions, at: WallTime(milliseconds: 1)) }
            let failures = try #require(picture.job(id)).failures()
            let first = try #require(failures.first)
            #expect(!first.message.contains("\n") && !first.message.contains("org.apache") && first.message.utf8.count <= 420, "\(first.message)")
            #expect(words.isEmpty || failures.contains { $0.message.contains(words) || $0.fullText?.contains(words) == true })
            #expect(first.fullText?.contains("\n\tat ") == true, "the whole trace is there")
            #expect(failures.map(\.at) == failures.map(\.at).sorted(by: >))
        }
        let exceptions = try FlinkExceptions(reading: Fixture.json(version, "exceptions-sync-failed"))
        picture.change(id) { $0.take(exceptions, at: WallTime(milliseconds: 1)) }
        let failure = try #require(picture.job(id)?.failures().first)
        #expect(failure.vertex == "Source: numbers -> throttle" && failure.subtask == 0)
        #expect(try orders(picture).lastFailure?.fullText == nil, "reports stay small")
    }

    @Test(arguments: [
        ("Source: gen -> Map (2/4) - execution #3", "Source: gen -> Map", 1, 3), ("Map (1/1)", "Map", 0, nil), ("odd name", "odd name", nil, nil), ("(", "(", nil, nil),
        ("a (b/c)", "a (b/c)", nil, nil), ("a (0/1) #x", "a", nil, nil), ("a (99999999999999999999/2)", "a (99999999999999999999/2)", nil, nil), ("", "", nil, nil),
    ] as [(String, String, Int?, Int?)])
    func namesOfTasksAreTakenApart(text: String, vertex: String, subtask: Int?, attempt: Int?) {
        let name = FlinkTaskName(text)
        #expect(name?.vertex == vertex && name?.subtask == subtask && name?.attempt == attempt)
    }

    @Test(arguments: [
        ("Restart with fixed delay (10000 ms). #3 restart attempts.", RestartStrategy.fixedDelay(attempts: 3, delay: .seconds(10))),
        ("Restart with fixed delay (PT1M1.5S). #2147483647 restart attempts.", .fixedDelay(attempts: 2_147_483_647, delay: 61_500)), ("Restart deactivated.", RestartStrategy.none),
        ("Cluster level default restart strategy", nil), ("Restart with fixed delay (x). #y restart attempts.", nil), ("", nil),
        ("Restart with fixed delay (99999999999999999999 ms). #99999999999999999999 restart attempts.", nil),
    ] as [(String, RestartStrategy?)])
    func wordsOfRestartStrategiesAreRead(words: String, strategy: RestartStrategy?) { #expect(FlinkRestartStrategy(words).strategy == strategy) }

    @Test func aStateOfALaterVersionIsShownAsItIs() throws {
        var picture = FlinkPicture()
        let listing = try JSONValue.parse(
            Array(#"{"jid":"0123456789abcdef0123456789abcdef","name":"x","state":"MELTING","start-time":5,"tasks":{"total":2,"running":2,"frozen":1}}"#.utf8), maximumDepth: 9)
        picture.take(jobs: [try #require(FlinkJobListing(lenient: listing))], at: WallTime(milliseconds: 10))
        let job = try #require(picture.reports(at: WallTime(milliseconds: 10)).first)
        #expect(job.state == .running && job.stateWord == "MELTING")
        #expect(job.budget.source == .unknown && job.freshness?.checkpoints == nil && job.freshness?.state != nil)
    }

    @Test func numbersFromOutsideDoNotOverflow() throws {
        var picture = FlinkPicture()
        let id = JobID("0123456789abcdef0123456789abcdef")!
        let details = try JSONValue.parse(
            Array(
                #"{"jid":"\#(id)","name":"\#(String(repeating: "\u{202e}x", count: 5000))","state":"RUNNING","start-time":9223372036854775807,"now":9223372036854775807,"timestamps":{"RUNNING":9223372036854775807},"vertices":[{"id":"\#(id)","name":"a","parallelism":2147483647,"maxParallelism":9223372036854775807,"tasks":{"RUNNING":2147483647,"FAILED":2147483647},"metrics":{"read-records":9223372036854775807,"write-records":9223372036854775807}}]}"#
                    .utf8), maximumDepth: 9)
        let checkpoints = try JSONValue.parse(
            Array(
                #"{"counts":{"total":9e99},"history":[{"id":9223372036854775807,"status":"FAILED","trigger_timestamp":9223372036854775807,"end_to_end_duration":9223372036854775807,"state_size":9223372036854775807,"failure_message":"?"}]}"#
                    .utf8), maximumDepth: 9)
        let now = WallTime(milliseconds: 1000)
        picture.take(jobs: [FlinkJobListing(lenient: details)!], at: now)
        picture.take(details: try FlinkJobDetails(reading: details), at: now)
        let list = try FlinkCheckpoints(reading: checkpoints)
        let configuration = try FlinkCheckpointConfiguration(reading: .object(["mode": .string("odd"), "timeout": .integer(.max), "tolerable_failed_checkpoints": .integer(2_147_483_646)]))
        picture.change(id) {
            $0.take(list, at: now)
            $0.take(configuration, at: now)
        }
        let job = try #require(picture.reports(at: now).first)
        #expect(job.name.unicodeScalars.count <= 1100)
        #expect(job.latestFailed == nil && job.budget.tolerable == 2_147_483_646)
    }
}

@Suite struct FlowMeterTests {
    private func time(_ seconds: Int64) -> WallTime { WallTime(milliseconds: seconds * 1000) }

    @Test func theRateIsThatBetweenChanges() {
        var meter = FlowMeter()
        // Flink refreshes its metrics every ten seconds; we look every two.
        for second in stride(from: Int64(0), through: 40, by: 2) { meter.take(second / 10 * 1000, at: time(second)) }
        #expect(meter.rate == 100)
    }

    @Test func aFirstValueOfUnknownAgeIsNoMeasure() {
        var meter = FlowMeter()
        meter.take(0, at: time(0))
        meter.take(72_000, at: time(2))
        #expect(meter.rate == nil, "not 36,000 a second")
        meter.take(77_000, at: time(12))
        #expect(meter.rate == 500)
    }

    @Test func aRestartSetsTheCounterToNothing() {
        var meter = FlowMeter()
        for second in [Int64(0), 10, 20] { meter.take(1000 + second * 100, at: time(second)) }
        #expect(meter.rate == 100)
        meter.take(50, at: time(30))
        #expect(meter.rate == nil && meter.count == 50)
        meter.take(150, at: time(40))
        meter.take(250, at: time(50))
        #expect(meter.rate == 10)
    }

    @Test func standingStillIsARateOfNothing() {
        var meter = FlowMeter()
        for second in [Int64(0), 10, 20] { meter.take(1000 + second * 100, at: time(second)) }
        meter.take(nil, at: time(30))
        meter.take(3000, at: time(40))
        #expect(meter.rate == 100)
        meter.take(3000, at: time(46))
        #expect(meter.rate == 0)
        var still = FlowMeter()
        for second in [Int64(0), 26] { still.take(5, at: time(second)) }
        #expect(still.rate == 0)
    }
}
