import JSON
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
            picture.take(
                jobs: [FlinkJobListing(lenient: .object(["jid": .string(job.id.description), "name": .string(job.name), "state": .string(job.state.text)]))!],
                at: now)
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
        #expect(
            try answer(checkpoint(6, discarded: true), savepoint: checkpoint(7, discarded: false, savepoint: true), at: 50_000)?.isRestorable == false,
            "there is a newer one to go back to: the answer is whole")
        // A job that has ended deletes what it does not keep.
        #expect(try answer(checkpoint(8, discarded: false), at: 60_000)?.isRestorable == true)
        job.take(
            try #require(FlinkJobListing(lenient: .object(["jid": .string(job.id.description), "name": .string("orders"), "state": .string("CANCELED")]))),
            at: WallTime(milliseconds: 61_000))
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

    /// A reading of a vertex's metrics `seconds` after the first; 1.14 tells no times of tasks.
    private func reading(_ version: String, _ rates: [String: Double], after seconds: Double) throws -> FlinkMetrics {
        var counters = rates.mapValues { 1000 + $0 * seconds }
        if version != "1.14.3" {
            for (name, part) in [("Busy", 0.5), ("Idle", 0.4), ("BackPressured", 0.1)] { counters["accumulate\(name)TimeMs"] = (20 + seconds) * 2000 * part }
        }
        return try FlinkMetrics(
            reading: .array(
                counters.map { name, sum in .object(["id": .string(name), "sum": .number(sum), "avg": .number(sum / 2), "max": .number(sum / 2)]) }))
    }

    @Test(arguments: Fixture.versions) func flowIsMeasuredWhereFlinkCountsNothing(version: String) throws {
        var picture = try picture(version)
        let first = try orders(picture)
        #expect(first.throughput.recordsReadPerSecond == nil && first.throughput.recordsWrittenPerSecond == nil, "nothing is told before it is measured")
        #expect((900...1000).contains(first.vertices.first?.busyPermille ?? 0) && first.vertices.first?.backPressuredPermille == 0)
        #expect(first.vertices.last?.watermark == nil, "none yet")
        let source = try #require(first.vertices.first?.id), count = try #require(first.vertices.last?.id)
        let known = try #require(picture.job(first.id))
        let sinks = known.flows[count]?.sinkCounters ?? []
        #expect(known.flows[source]?.sourceCounters == ["Source__numbers.numRecordsOut"] && sinks.count == 1, "\(sinks)")
        for second in stride(from: 0.0, through: 60, by: 2) {
            let now = WallTime(milliseconds: 1_795_546_000_000 + Int64(second) * 1000)
            // Flink reads its metrics every ten seconds.
            let read = try reading(version, ["Source__numbers.numRecordsOut": 200], after: (second / 10).rounded(.down) * 10)
            let written = try reading(version, [try #require(sinks.first): 70], after: (second / 10).rounded(.down) * 10)
            picture.change(first.id) {
                $0.take(metrics: read, vertex: source, at: now)
                $0.take(metrics: written, vertex: count, at: now)
            }
        }
        let job = try orders(picture)
        #expect(abs((job.throughput.recordsReadPerSecond ?? 0) - 200) < 1 && abs((job.throughput.recordsWrittenPerSecond ?? 0) - 70) < 1)
        #expect(job.throughput.recordsRead == 13_000 && job.throughput.recordsWritten == 5200)
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

    @Test(arguments: Fixture.versions) func `a job that its failure budget has failed keeps the count`(version: String) throws {
        var picture = try picture(version)
        let job = try orders(picture)
        let exceptions = try FlinkExceptions(reading: Fixture.json(version, "exceptions-threshold"))
        picture.change(job.id) { $0.take(exceptions, at: WallTime(milliseconds: 1)) }
        #expect(try orders(picture).budget.counted <= 3, "it runs")
        let ended = try #require(
            FlinkJobListing(lenient: .object(["jid": .string(job.id.description), "name": .string("orders"), "state": .string("FAILED")])))
        picture.take(jobs: [ended], at: WallTime(milliseconds: .max / 2))
        let budget = try orders(picture).budget
        #expect(budget.counted == 4 && budget.tolerable == 3 && budget.bounds == nil)
    }

    @Test(arguments: Fixture.versions) func failuresAreReducedToTheirCause(version: String) throws {
        var picture = try picture(version)
        let id = try orders(picture).id
        for (name, words) in [
            ("exceptions-sync-failed", "checkpoint"), ("exceptions-threshold", "Exceeded checkpoint tolerable failure threshold"), ("exceptions-failed", ""),
        ] {
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

    @Test(
        arguments: [
            ("Source: gen -> Map (2/4) - execution #3", "Source: gen -> Map", 1, 3), ("Map (1/1)", "Map", 0, nil), ("odd name", "odd name", nil, nil),
            ("(", "(", nil, nil),
            ("a (b/c)", "a (b/c)", nil, nil), ("a (0/1) #x", "a", nil, nil), ("a (99999999999999999999/2)", "a (99999999999999999999/2)", nil, nil),
            ("", "", nil, nil),
        ] as [(String, String, Int?, Int?)])
    func namesOfTasksAreTakenApart(text: String, vertex: String, subtask: Int?, attempt: Int?) {
        let name = FlinkTaskName(text)
        #expect(name?.vertex == vertex && name?.subtask == subtask && name?.attempt == attempt)
    }

    @Test(
        arguments: [
            ("Restart with fixed delay (10000 ms). #3 restart attempts.", RestartStrategy.fixedDelay(attempts: 3, delay: .seconds(10))),
            ("Restart with fixed delay (PT1M1.5S). #2147483647 restart attempts.", .fixedDelay(attempts: 2_147_483_647, delay: 61_500)),
            ("Restart deactivated.", RestartStrategy.none),
            ("Cluster level default restart strategy", nil), ("Restart with fixed delay (x). #y restart attempts.", nil), ("", nil),
            ("Restart with fixed delay (99999999999999999999 ms). #99999999999999999999 restart attempts.", nil),
        ] as [(String, RestartStrategy?)])
    func wordsOfRestartStrategiesAreRead(words: String, strategy: RestartStrategy?) { #expect(FlinkRestartStrategy(words).strategy == strategy) }

    @Test func aStateOfALaterVersionIsShownAsItIs() throws {
        var picture = FlinkPicture()
        let listing = try JSONValue.parse(
            Array(#"{"jid":"0123456789abcdef0123456789abcdef","name":"x","state":"MELTING","start-time":5,"tasks":{"total":2,"running":2,"frozen":1}}"#.utf8),
            maximumDepth: 9)
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
        let configuration = try FlinkCheckpointConfiguration(
            reading: .object(["mode": .string("odd"), "timeout": .integer(.max), "tolerable_failed_checkpoints": .integer(2_147_483_646)]))
        picture.change(id) {
            $0.take(list, at: now)
            $0.take(configuration, at: now)
        }
        let job = try #require(picture.reports(at: now).first)
        #expect(job.name.unicodeScalars.count <= 1100)
        #expect(job.latestFailed == nil && job.budget.tolerable == 2_147_483_646)
    }

    private func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8), maximumDepth: 64) }

    private func picture(state: String, tasks: String = #"{"total":4,"running":4}"#, at time: Int64 = 1000) throws -> (FlinkPicture, JobID) {
        var picture = FlinkPicture()
        let id = JobID(high: 1, low: 9)
        picture.take(cluster: try FlinkClusterConfiguration(reading: json(#"{"flink-version":"2.3.0"}"#)))
        picture.take(
            jobs: [try #require(FlinkJobListing(lenient: json(#"{"jid":"\#(id)","name":"x","state":"\#(state)","tasks":\#(tasks)}"#)))],
            at: .init(milliseconds: time))
        return (picture, id)
    }

    @Test func countsWithoutAListAreShownAsThat() throws {
        var (picture, id) = try picture(state: "RUNNING")
        let answer = try FlinkCheckpoints(reading: json(#"{"counts":{"restored":0,"total":2,"in_progress":0,"completed":2,"failed":0}}"#))
        picture.take(.checkpoints(answer), to: .checkpoints(id), at: WallTime(milliseconds: 2000))
        var job = try #require(picture.reports(at: WallTime(milliseconds: 2000)).first)
        #expect(job.counts.completed == 2 && job.lacksCheckpointList == true && job.freshness?.checkpoints != nil)
        let whole = try FlinkCheckpoints(reading: json(#"{"counts":{"total":0},"history":[]}"#))
        picture.take(.checkpoints(whole), to: .checkpoints(id), at: WallTime(milliseconds: 3000))
        job = try #require(picture.reports(at: WallTime(milliseconds: 3000)).first)
        #expect(job.lacksCheckpointList == nil)
        #expect(throws: FlinkReadingProblem.self) { try FlinkCheckpoints(reading: json(#"{"counts":7}"#)) }
    }

    @Test func ofAnEndedJobNoAnswerIsNoFactAndIsAskedForSeldom() throws {
        var (picture, id) = try picture(state: "CANCELED")
        func wish(_ question: FlinkQuestion, _ focus: FlinkPicture.Focus) -> FlinkWish? {
            picture.wishes(focus, at: WallTime(milliseconds: 9000)).first { $0.question == question }
        }
        picture.takeNoAnswer(to: .checkpoints(id))
        picture.takeNoAnswer(to: .checkpointConfiguration(id))
        let job = try #require(picture.reports(at: WallTime(milliseconds: 9000)).first)
        #expect(job.freshness?.checkpoints == nil && job.freshness?.configuration == nil && job.state == .canceled)
        #expect(wish(.checkpoints(id), .overview)?.period == 60_000 && wish(.checkpoints(id), .job(id))?.period == 15_000)
        // An answer of after the end stays true.
        let none = try FlinkCheckpoints(reading: json(#"{"counts":{"total":0},"history":[]}"#))
        picture.take(.checkpoints(none), to: .checkpoints(id), at: WallTime(milliseconds: 6000))
        #expect(wish(.checkpoints(id), .overview) == nil && wish(.checkpointConfiguration(id), .overview) != nil)
    }

    @Test func anAnswerOfBeforeTheEndIsAskedForOnceMore() throws {
        var (picture, id) = try picture(state: "RUNNING")
        let list = try FlinkCheckpoints(reading: json(#"{"counts":{"total":0},"history":[]}"#))
        picture.take(.checkpoints(list), to: .checkpoints(id), at: WallTime(milliseconds: 1500))
        let ended = try #require(FlinkJobListing(lenient: json(#"{"jid":"\#(id)","name":"x","state":"CANCELED"}"#)))
        picture.take(jobs: [ended], at: WallTime(milliseconds: 2000))
        #expect(picture.wishes(.overview, at: WallTime(milliseconds: 2100)).contains { $0.question == .checkpoints(id) }, "a cancel deletes checkpoints")
    }

    /// What was measured is of tasks that are gone.
    @Test(arguments: [("RESTARTING", #"{"total":4,"running":0}"#), ("CANCELED", "{}"), ("RUNNING", #"{"total":4,"running":0,"scheduled":4}"#)])
    func aJobWhoseTasksDoNotRunHasNoRate(state: String, tasks: String) throws {
        var picture = try picture("2.3.0")
        let id = try orders(picture).id, source = try #require(orders(picture).vertices.first?.id), sink = try #require(orders(picture).vertices.last?.id)
        func measure(from first: Double) throws {
            for step in 0...1 {
                let now = WallTime(milliseconds: 1_795_546_000_000 + Int64(first + Double(step) * 10) * 1000)
                let read = try reading("2.3.0", ["Source__numbers.numRecordsOut": 200], after: first + Double(step) * 10)
                let counter = picture.job(id)?.flows[sink]?.sinkCounters.first ?? ""
                let written = try reading("2.3.0", [counter: 200], after: first + Double(step) * 10)
                picture.change(id) {
                    $0.take(metrics: read, vertex: source, at: now)
                    $0.take(metrics: written, vertex: sink, at: now)
                }
            }
        }
        try measure(from: 0)
        #expect(try orders(picture).throughput.recordsReadPerSecond != nil)
        let listing = try #require(FlinkJobListing(lenient: json(#"{"jid":"\#(id)","name":"orders","state":"\#(state)","tasks":\#(tasks)}"#)))
        picture.take(jobs: [listing], at: WallTime(milliseconds: 1_795_546_012_000))
        let job = try orders(picture)
        #expect(job.throughput.recordsReadPerSecond == nil && job.throughput.recordsWrittenPerSecond == nil && job.freshness?.flow == nil)
        #expect(job.vertices.allSatisfy { $0.recordsInPerSecond == nil && $0.recordsOutPerSecond == nil && $0.busyPermille == nil })
        guard state == "RUNNING" else { return }
        // They run again, and count from nothing.
        let running = try #require(FlinkJobListing(lenient: json(#"{"jid":"\#(id)","name":"orders","state":"RUNNING","tasks":{"total":4,"running":4}}"#)))
        picture.take(jobs: [running], at: WallTime(milliseconds: 1_795_546_020_000))
        #expect(try orders(picture).throughput.recordsReadPerSecond == nil, "nothing is measured yet")
        try measure(from: 30)
        #expect(abs((try orders(picture).throughput.recordsReadPerSecond ?? 0) - 200) < 1)
    }

    /// A JobManager answers about a job from its memory for three seconds.
    @Test func detailsOfBeforeAFailoverAreAskedForAgain() throws {
        var (picture, id) = try picture(state: "RUNNING")
        func list(_ state: String, at time: Int64) throws {
            let row = try #require(FlinkJobListing(lenient: json(#"{"jid":"\#(id)","name":"x","state":"\#(state)","last-modification":\#(time)}"#)))
            picture.take(jobs: [row], at: WallTime(milliseconds: time))
        }
        func details(_ state: String, running: Int64, at time: Int64) throws {
            let text = #"{"jid":"\#(id)","name":"x","state":"\#(state)","timestamps":{"RUNNING":\#(running)},"vertices":[]}"#
            picture.take(details: try FlinkJobDetails(reading: json(text)), at: WallTime(milliseconds: time))
        }
        func since() -> Int64? { picture.reports(at: WallTime(milliseconds: 1)).first?.stateSince.milliseconds }
        func period(_ time: Int64) -> Int64? { picture.wishes(.overview, at: WallTime(milliseconds: time)).first { $0.question == .job(id) }?.period }
        try details("RUNNING", running: 500, at: 1000)
        #expect(since() == 500 && period(1000) == 120_000)
        try list("RESTARTING", at: 20_000)
        try list("RUNNING", at: 22_000)
        // From the memory of before.
        try details("RUNNING", running: 500, at: 22_500)
        #expect(since() == 22_000, "since the last RUNNING, as the list tells it")
        #expect(period(22_500) == 2500, "asked again")
        try details("RUNNING", running: 21_900, at: 26_000)
        #expect(since() == 21_900 && period(26_000) == 120_000)
    }
}
