// Goal: each reply, failure and report survives the wire, and its frame is the one that is written down.
// Method: goldens (Goldens/replies.jsonl), read back to the same value; every prefix and flipped byte gives an error, no trap.

import ControlProtocol
import StreamModel
import Testing

@Suite struct ReplyTests {
    static let job = JobID("0123456789abcdef0123456789abcdef")!
    static let at = WallTime(milliseconds: 1_700_000_000_000)

    static var checkpoint: CheckpointReport {
        CheckpointReport(
            id: CheckpointID(7), kind: .savepoint, status: .completed, triggeredAt: at, endedAt: at + 40, duration: 40, timeoutAt: at + 60_000,
            acknowledgedSubtasks: 4, totalSubtasks: 4, stateSize: 4096, path: "/save/savepoint-0123-4567", requestedBy: "ann@host",
            operators: [
                OperatorCheckpointReport(
                    uid: "count", name: "count", operatorID: OperatorID(uid: "count"), parallelism: 1, stateSize: 4096,
                    subtasks: [SubtaskCheckpointReport(index: 0, acknowledgedAt: at + 30, stateSize: 4096, syncMicroseconds: 12)])
            ])
    }

    static var report: JobReport {
        var configuration = CheckpointConfiguration()
        configuration.interval = 3000
        configuration.tolerableFailures = 3
        return JobReport(
            id: job, name: "orders \u{1F6D2}", state: .running, stateSince: at, submittedAt: at, parallelism: 2, maxParallelism: 128,
            vertices: [
                VertexReport(
                    id: OperatorID(uid: "gen"), uid: "gen", name: "gen -> map", parallelism: 2, recordsOutPerSecond: 1234.5,
                    watermark: EventTime(milliseconds: at.milliseconds - 1500), watermarkLag: 1500)
            ],
            throughput: Throughput(recordsRead: 10, recordsReadPerSecond: 0.25), configuration: configuration,
            restartStrategy: .fixedDelay(attempts: 3, delay: 1000), budget: FailureBudget(counted: 1, tolerable: 3, source: .exact, cumulative: 4),
            latestCompleted: checkpoint,
            restored: RestoreReport(
                checkpoint: CheckpointID(5), path: "/ckpt/chk-5", kind: .checkpoint, fromJob: job, at: at, stateSize: 10, chosen: true),
            audit: SequenceAudit(verified: 100, replayed: 7, toReplay: 9), recipe: JobRecipe(program: "orders", parallelism: 2))
    }

    /// A job that waits for its next attempt.
    static var restarting: JobReport {
        var report = report
        (report.state, report.attempt, report.restarts) = (.restarting, 3, 2)
        (report.restartsAt, report.restartDelay, report.restartReason) = (at + 4000, 4000, "task sink/0 has failed: \"disk full\"")
        report.restartStrategy = .exponentialDelay(backoffMultiplier: 1.5)
        return report
    }

    static var rateLimited: JobReport {
        var report = report
        report.restartStrategy = .failureRate(maxFailuresPerInterval: 3)
        return report
    }

    static func operation(_ kind: OperationRequest.Kind) -> OperationReport {
        OperationReport(
            request: OperationRequest(id: OperationID("op-1")!, kind: kind, job: job, expectedState: .running, reason: "drill", by: "ann@host"),
            jobName: "orders", state: .completed, acceptedAt: at, endedAt: at + 10, checkpoint: CheckpointID(7), path: "/save/savepoint-0123-4567")
    }

    static let engine = EngineInfo(name: "demo", version: "0.1", processID: 42, startedAt: at, stateDirectory: "/state")

    static let all: [Result<ControlReply, ControlFailure>] = [
        .success(.hello(HelloReply(version: 1, engine: engine, level: .operator, maximumFrameLength: 1 << 20))),
        .success(.subscribed(SubscribedReply(sequence: 12))), .success(.jobs([])), .success(.jobs([report])), .success(.job(report)),
        .success(.job(restarting)), .success(.job(rateLimited)),
        .success(.checkpoints([checkpoint])), .success(.checkpoint(checkpoint)),
        .success(.exceptions([FailureReport(at: at, message: "disk \"full\"\n\u{1B}[2J", vertex: "sink", subtask: 1, attempt: 2)])),
        .success(.operations([operation(.savepoint(directory: nil)), operation(.checkpoint), operation(.stop(drain: true, directory: "/save"))])),
        .success(.operation(operation(.cancel(.discard)))), .success(.operation(operation(.restart(RestartOptions(path: "/ckpt/chk-7"))))),
        .success(.operation(operation(.fault("off")))),
        .success(
            .audit([
                AuditEntry(
                    at: at, operation: OperationID("op-1")!, verb: .checkpointNow, job: job, jobName: "orders", by: "ann@host", reason: "drill",
                    userID: 1000, processID: 77, state: .failed, outcome: "declined")
            ])),
        .success(
            .log([
                EngineLogEntry(sequence: 41, at: at, message: "started"),
                EngineLogEntry(sequence: 42, at: at, level: .error, subject: .task, job: job, jobName: "orders", message: "sink/1: disk \"full\""),
            ])),
        .success(.inspection(SnapshotInspection(path: "/x", verdict: .damaged, problem: "/x/_metadata: checksum differs", operators: ["count"]))),
        .success(.programs([ProgramDescription(name: "orders", help: "Orders.", arguments: [.init(name: "rate", help: "R.", defaultValue: "100")])])),
        .success(.submitted(report)), .failure(.unknownJob("x")), .failure(.ambiguousJob("aaaa", candidates: [job])),
        .failure(.version(offered: [9])), .failure(.helloExpected(.jobs)), .failure(.badField(.cancel, "retention", "is missing")),
        .failure(.unknownCheckpoint(CheckpointID(7), job: job)), .failure(.unknownOperation(OperationID("op-1")!)),
        .failure(.unknownPath("/x", problem: "no such directory")), .failure(.refused(.restart, "the job still runs: cancel it first")),
        .failure(.stateChanged(.cancel, job: job, expected: .running, actual: .failed)), .failure(.forbidden(.cancel)),
        .failure(.busy("64 clients")), .failure(.timedOut("no hello")), .failure(.internal("disk")),
    ]

    @Test func goldenFrames() throws {
        var text = ""
        for (index, result) in Self.all.enumerated() {
            text += String(decoding: try ControlCodec.encode(result, id: .number(Int64(index + 1))), as: UTF8.self)
        }
        text += String(decoding: try ControlCodec.encode(.failure(.busy("full")), id: nil), as: UTF8.self)
        let report = EngineReport(engine: Self.engine, at: Self.at, jobs: [Self.report], operations: [Self.operation(.checkpoint)], logEnd: 42)
        text += String(decoding: ControlCodec.frame(report: try ControlCodec.encode(report: report), sequence: 9, missed: 2), as: UTF8.self)
        try expectGolden("replies.jsonl", text)
    }

    @Test func everyReplyRoundTrips() throws {
        for result in Self.all {
            let frame = try ControlCodec.encode(result, id: .number(3)).dropLast()
            #expect(!frame.contains(10))
            #expect(try ControlCodec.decodeServerMessage(Array(frame)) == .reply(id: .number(3), result))
        }
    }

    @Test func everyFailureKindHasItsOwnCode() {
        let codes = ControlFailure.Kind.allCases.map { ControlFailure(kind: $0, message: "").code }
        #expect(Set(codes).count == codes.count - 1, "frameTooLong and invalidRequest share JSON-RPC's code, no others do")
    }

    @Test func aReportIsFramedAsJSON() throws {
        let report = EngineReport(engine: Self.engine, at: Self.at, jobs: [], operations: [])
        let frame = ControlCodec.frame(report: try ControlCodec.encode(report: report), sequence: 9, missed: 2)
        #expect(frame.last == 10)
        #expect(
            try ControlCodec.decodeServerMessage(frame.dropLast()) == .report(ReportNotification(sequence: 9, missed: 2, report: report)))
    }

    @Test func nonFiniteRatesSurvive() throws {
        var report = Self.report
        report.throughput.recordsReadPerSecond = .nan
        let frame = try ControlCodec.encode(.success(.job(report)), id: .number(1)).dropLast()
        guard case .reply(_, .success(.job(let back))) = try ControlCodec.decodeServerMessage(Array(frame)) else {
            Issue.record("another message")
            return
        }
        #expect(back.throughput.recordsReadPerSecond?.isNaN == true)
    }

    @Test func repliesOfANewerEngineAreUnderstood() throws {
        let note = try ControlCodec.decodeServerMessage(Array(#"{"jsonrpc":"2.0","method":"weather","params":{"rain":true}}"#.utf8))
        #expect(note == .unknown(method: "weather"))
        let odd = #"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no","data":{"kind":"fog","depth":3}}}"#
        #expect(
            try ControlCodec.decodeServerMessage(Array(odd.utf8))
                == .reply(id: .number(1), .failure(ControlFailure(kind: .other, message: "no"))))
    }

    @Test func everyPrefixAndFlippedByteIsAnswered() throws {
        for result in Self.all {
            let frame = Array(try ControlCodec.encode(result, id: .number(1)).dropLast())
            for end in 0..<frame.count {
                #expect(throws: ControlCodecError.self) { try ControlCodec.decodeServerMessage(Array(frame[..<end])) }
            }
            for index in frame.indices {
                var flipped = frame
                flipped[index] ^= 0x11
                // An error or another message; the test is that it comes back.
                _ = try? ControlCodec.decodeServerMessage(flipped)
            }
        }
    }
}
