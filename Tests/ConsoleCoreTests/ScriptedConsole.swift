import CellGrid
import EngineClients
import StreamModel

@testable import ConsoleCore

/// Drives a console without a terminal: keys and reports in, effects and screens out, on a clock that only the script moves.
struct ScriptedConsole {
    var model: ConsoleModel
    var now: WallTime
    private(set) var effects: [ConsoleEffect] = []

    /// 2026-03-01 12:04:31 UTC.
    static let start = WallTime(milliseconds: 1_772_366_671_000)

    init(
        _ contexts: [ContextDescription] = [ContextDescription(name: "lab", class: .lab, address: "/run/weir/engine.sock")],
        options: ConsoleOptions = ConsoleOptions()
    ) {
        now = Self.start
        var options = options
        options.preview = options.preview ?? RequestText.preview
        model = ConsoleModel(contexts: contexts, start: now, seed: 7, operatorName: "jdoe@ops1", options: options)
    }

    mutating func send(_ event: ConsoleEvent) { effects += update(&model, event, at: now) }

    mutating func take() -> [ConsoleEffect] {
        defer { effects = [] }
        return effects
    }

    /// Moves the clock, ticking at every second that is due.
    mutating func advance(_ milliseconds: Int64) {
        let end = now + Milliseconds(milliseconds)
        while let due = model.nextDueTick, due <= end {
            now = due
            send(.tick)
        }
        now = end
    }

    /// Presses keys by name, 200 ms apart: "S", "down", "ctrl-l".
    mutating func press(_ keys: String...) {
        for name in keys {
            advance(200)
            if let key = KeyPress(name) { send(.key(key)) }
        }
    }

    /// Types characters, 100 ms apart.
    mutating func type(_ text: String) {
        for scalar in text.unicodeScalars {
            advance(100)
            send(.key(.character(scalar)))
        }
    }

    /// Brings up the link and sends a report taken now.
    mutating func report(
        _ jobs: [JobReport], operations: [OperationReport] = [], context: String = "lab", capacity: ClusterCapacity? = nil, logEnd: UInt64? = nil
    ) {
        if !(model.live.context(context)?.link.isUp ?? false) { send(.engine(context: context, .link(.up(roundTrip: 2)))) }
        var report = Sample.engine(jobs, operations: operations, at: now)
        report.engine.capacity = capacity
        report.logEnd = logEnd
        send(.engine(context: context, .report(report, receivedAt: now)))
    }

    var screen: String { screen(model.size) }

    func screen(_ size: Size) -> String { frame(size).text }

    func frame(_ size: Size, glyphs: GlyphProfile? = nil) -> CellBuffer {
        var canvas = Canvas(size: size, glyphs: glyphs ?? model.glyphs)
        render(model, into: &canvas)
        return canvas.buffer
    }

    var lastMessage: String { model.messages.last?.text.string ?? "" }

    /// The operations that were handed to an engine since the last `take`.
    var sentOperations: [OperationRequest] {
        effects.compactMap { if case .send(_, .operate(let request)) = $0 { request } else { nil } }
    }
}

extension CellBuffer {
    /// The characters, one line a row, without trailing spaces.
    var text: String {
        (0..<size.rows).map { row in
            var line = ""
            for cell in self[row: row] { line += cell.text }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// The role of every cell as a letter, and a step of a graph as its digit, one line a row: the overlaid role where there is one.
    var roleLetters: String {
        let letters = Array(".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTU0123456789")
        return (0..<size.rows).map { row in
            var line = String(self[row: row].map { letters[($0.style.overlay ?? $0.style.role).index] })
            while line.last == "." { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

/// Jobs and checkpoints as an engine would report them.
enum Sample {
    static let start = ScriptedConsole.start
    static let job = JobID(high: 0xa41f_9c00_0000_0001, low: 0xe2)
    static let otherJob = JobID(high: 0xb77c_0100_0000_0002, low: 0x07)

    static func engine(_ jobs: [JobReport], operations: [OperationReport] = [], at: WallTime) -> EngineReport {
        EngineReport(
            engine: EngineInfo(name: "weir", version: "0.1", processID: 4711, startedAt: start, stateDirectory: "/var/lib/weir"), at: at, jobs: jobs,
            operations: operations)
    }

    static func ago(_ milliseconds: Int64) -> WallTime { WallTime(milliseconds: start.milliseconds - milliseconds) }

    static func checkpoint(
        _ id: UInt64, ago milliseconds: Int64, took: Int64 = 812, kind: CheckpointKind = .checkpoint, discarded: Bool = false, by: String? = nil
    ) -> CheckpointReport {
        let directory =
            kind == .checkpoint ? "/var/lib/weir/checkpoints/a41f9c0000000001/chk-\(id)" : "/var/lib/weir/savepoints/savepoint-a41f9c-\(id)"
        let at = ago(milliseconds)
        return CheckpointReport(
            id: CheckpointID(id), kind: kind, status: .completed, triggeredAt: at, endedAt: at + Milliseconds(took), duration: Milliseconds(took),
            timeoutAt: at + .seconds(60), acknowledgedSubtasks: 8, totalSubtasks: 8, stateSize: 1_524_713_390, path: directory, discarded: discarded,
            requestedBy: by)
    }

    static func failed(_ id: UInt64, ago milliseconds: Int64, _ reason: CheckpointFailureReason = .checkpointExpired) -> CheckpointReport {
        let at = ago(milliseconds)
        return CheckpointReport(
            id: CheckpointID(id), kind: .checkpoint, status: .failed, triggeredAt: at, endedAt: at + .seconds(60), duration: .seconds(60),
            timeoutAt: at + .seconds(60), acknowledgedSubtasks: 7, totalSubtasks: 8,
            failure: .init(
                reason: reason, message: "expired before all tasks acknowledged", counted: true, operatorUID: "win-agg", subtask: 7,
                at: at + .seconds(60)))
    }

    static func flying(_ id: UInt64, ago milliseconds: Int64) -> CheckpointReport {
        CheckpointReport(
            id: CheckpointID(id), kind: .checkpoint, status: .inProgress, triggeredAt: ago(milliseconds), timeoutAt: ago(milliseconds) + .seconds(60),
            acknowledgedSubtasks: 6, totalSubtasks: 8)
    }

    static var vertices: [VertexReport] {
        [
            VertexReport(
                id: OperatorID(uid: "source"), uid: "source", name: "orders -> key", parallelism: 4, runningSubtasks: 4, recordsOut: 9_800_000,
                recordsOutPerSecond: 118_400, busyPermille: 210, backPressuredPermille: 130, idlePermille: 660),
            VertexReport(
                id: OperatorID(uid: "win-agg"), uid: "win-agg", name: "revenue -> sink", parallelism: 4, runningSubtasks: 4, recordsIn: 9_790_000,
                recordsInPerSecond: 117_900, busyPermille: 910, backPressuredPermille: 0, idlePermille: 90, stateBytes: 1_524_713_390),
        ]
    }

    static func configuration(_ retention: CheckpointConfiguration.Retention = .retainOnCancellation) -> CheckpointConfiguration {
        var configuration = CheckpointConfiguration()
        configuration.interval = .seconds(3)
        configuration.timeout = .seconds(60)
        configuration.tolerableFailures = 3
        configuration.retention = retention
        configuration.retainedCheckpoints = 3
        configuration.storageDirectory = "/var/lib/weir/checkpoints"
        configuration.savepointDirectory = "/var/lib/weir/savepoints"
        return configuration
    }

    /// A healthy running job with a history.
    static func running(
        _ id: JobID = job, name: String = "orders", state: JobState = .running, attempt: Int = 1,
        retention: CheckpointConfiguration.Retention = .retainOnCancellation
    ) -> JobReport {
        JobReport(
            id: id, name: name, state: state, stateSince: ago(273_600_000), submittedAt: ago(273_600_000), attempt: attempt, parallelism: 4,
            maxParallelism: 128, vertices: vertices,
            throughput: Throughput(
                recordsRead: 9_800_000, recordsWritten: 9_790_000, recordsReadPerSecond: 118_400, recordsWrittenPerSecond: 117_900),
            configuration: configuration(retention), restartStrategy: .checkpointingDefault,
            counts: CheckpointCounts(total: 4120, inProgress: 0, completed: 4103, failed: 17),
            budget: FailureBudget(counted: 0, tolerable: 3, source: .exact, cumulative: 17),
            latestCompleted: checkpoint(4120, ago: 2400),
            latestSavepoint: checkpoint(4114, ago: 10_500_000, took: 18_400, kind: .savepoint, by: "jdoe@ops1"),
            nextTriggerAt: start + Milliseconds(1400), checkpointsRevision: 1, recipe: JobRecipe(program: "orders", parallelism: 4))
    }

    /// The list of `running`.
    static var list: [CheckpointReport] {
        [
            checkpoint(4120, ago: 2400), checkpoint(4119, ago: 5400, took: 790), checkpoint(4118, ago: 8400, took: 801),
            checkpoint(4117, ago: 11_400, discarded: true), failed(4116, ago: 72_000), failed(4115, ago: 132_000, .checkpointDeclined),
            checkpoint(4114, ago: 10_500_000, took: 18_400, kind: .savepoint, by: "jdoe@ops1"), checkpoint(4113, ago: 10_520_000, discarded: true),
        ]
    }

    /// What the ledger knows of `running`, also what the engine lists no longer, and of an earlier run of the same name.
    static var remembered: [RememberedCheckpoint] {
        func row(_ report: CheckpointReport, _ fate: RememberedCheckpoint.Fate, of id: JobID = job, seen: Int64 = 400_000) -> RememberedCheckpoint {
            RememberedCheckpoint(
                context: "lab", job: id, jobName: "orders", report: report, fate: fate, firstSeenAt: report.triggeredAt, lastSeenAt: ago(seen))
        }
        var cut = flying(4112, ago: 10_700_000)
        cut.acknowledgedSubtasks = 3
        var earlier = checkpoint(4109, ago: 300_000_000)
        earlier.path = "/var/lib/weir/checkpoints/beef000000000000/chk-4109"
        return [
            row(checkpoint(4120, ago: 2400), .kept, seen: 1000), row(checkpoint(4113, ago: 10_520_000, discarded: true), .gone), row(cut, .running),
            row(checkpoint(4111, ago: 10_900_000, kind: .savepoint, by: "mira@ops2"), .unlisted), row(failed(4110, ago: 11_000_000), .failed),
            row(checkpoint(4109, ago: 11_200_000), .unlisted), row(earlier, .unlisted, of: JobID(high: 0xbeef << 48, low: 1), seen: 299_000_000),
        ]
    }

    /// The list of `ailing`.
    static var ailingList: [CheckpointReport] {
        [
            failed(4119, ago: 120_000), failed(4118, ago: 720_000, .checkpointDeclined), failed(4117, ago: 1_320_000),
            checkpoint(4116, ago: 2_340_000),
            checkpoint(4115, ago: 2_400_000, took: 790), checkpoint(4114, ago: 10_500_000, took: 18_400, kind: .savepoint, by: "jdoe@ops1"),
            checkpoint(4113, ago: 10_520_000, discarded: true),
        ]
    }

    /// What an engine logs around a failure of the sink, of `running` and of another job.
    static var log: [EngineLogEntry] {
        func line(
            _ sequence: UInt64, ago milliseconds: Int64, _ level: EngineLogEntry.Level, _ subject: EngineLogEntry.Subject, _ message: String,
            name: String? = "orders"
        ) -> EngineLogEntry {
            EngineLogEntry(
                sequence: sequence, at: ago(milliseconds), level: level, subject: subject,
                job: name == "orders" ? job : name == nil ? nil : otherJob, jobName: name, message: message)
        }
        return [
            line(81, ago: 7_300_000, .info, .engine, "started: version 0.3, pid 4711, state in /var/lib/weir", name: nil),
            line(82, ago: 7_299_000, .info, .job, "job 'orders' (a41f9c00) is back, newest recorded checkpoint 4020"),
            line(83, ago: 7_298_000, .info, .job, "RUNNING, attempt 1, restored from #4020"),
            line(84, ago: 7_298_000, .info, .job, "RUNNING, attempt 1", name: "billing-rollup"),
            line(
                85, ago: 7_200_000, .error, .task,
                "win-agg/1: cannot write /var/lib/weir/out/part-1-0000041: no space left on device (errno 28); the output that is not committed yet is written again from the newest checkpoint"
            ),
            line(86, ago: 7_200_000, .warning, .job, "RESTARTING, attempt 2 in 1000 ms: no space left on device"),
            line(87, ago: 7_198_000, .info, .job, "RUNNING, attempt 2, restored from #4044"),
            line(88, ago: 72_000, .warning, .checkpoint, "checkpoint #4116 failed: CHECKPOINT_EXPIRED: expired before all tasks acknowledged"),
            line(89, ago: 8_400, .info, .checkpoint, "checkpoint #4118 is complete, after a failed one"),
            line(90, ago: 3_000, .info, .operation, "savepoint of 'billing-rollup', op 7f3a01 by mira@ops2 (INC-2201)", name: "billing-rollup"),
        ]
    }

    /// A job that has used up what it may fail.
    static func ailing() -> JobReport {
        var job = running()
        job.budget = FailureBudget(counted: 3, tolerable: 3, source: .exact, cumulative: 17, lastReason: .checkpointExpired)
        job.latestCompleted = checkpoint(4116, ago: 2_340_000)
        job.latestFailed = failed(4119, ago: 120_000)
        job.inProgress = [flying(4120, ago: 53_800)]
        job.nextTriggerAt = nil
        job.restarts = 1
        job.lastFailure = FailureReport(at: ago(7_200_000), message: "sink: no space left on device", vertex: "sink", subtask: 1, attempt: 1)
        return job
    }

    /// Most of them on one machine.
    static var failuresOnHosts: [FailureReport] {
        (0..<5).map { index in
            FailureReport(
                at: ago(Int64(index + 1) * 60_000),
                message: "IllegalStateException: task died; Caused by: java.io.IOException: PUT part \(index) to s3 timeout after 4\(index) s",
                vertex: "win-agg", subtask: index, attempt: 5 - index, host: index == 3 ? "tm-04" : "tm-12")
        } + [FailureReport(at: ago(7_200_000), message: "sink: no space left on device", vertex: "win-agg", subtask: 1, attempt: 1, host: "tm-12")]
    }

    /// Actions of an earlier day.
    static var audit: [AuditRecord] {
        func record(_ id: String, _ kind: OperationRequest.Kind, _ outcome: String, _ result: String, _ reason: String) -> [AuditRecord] {
            OperationID(id).map {
                [
                    AuditRecord(
                        request: OperationRequest(id: $0, kind: kind, job: job, reason: reason, by: "mira@ops2"), context: "lab", jobName: "",
                        at: ago(90_000_000),
                        endedAt: ago(89_981_600), outcome: outcome, result: result)
                ]
            } ?? []
        }
        return record("7f3a01", .savepoint(directory: nil), "completed", "/var/lib/weir/savepoints/savepoint-a41f9c-4114", "INC-2201")
            + record("91bc02", .cancel(.byPolicy), "refused", "the job is RESTARTING, not RUNNING", "")
    }

    static func detail(_ id: UInt64 = 4120) -> CheckpointReport {
        var checkpoint = checkpoint(id, ago: 2400)
        func part(_ uid: String, _ name: String, _ slow: Int64) -> OperatorCheckpointReport {
            OperatorCheckpointReport(
                uid: uid, name: name, operatorID: OperatorID(uid: uid), parallelism: 4, stateSize: 762_356_695,
                subtasks: (0..<4).map { index in
                    SubtaskCheckpointReport(
                        index: index, acknowledgedAt: checkpoint.triggeredAt + Milliseconds(200 + Int64(index) * slow), stateSize: 190_589_173,
                        startDelayMicroseconds: 400, alignmentMicroseconds: Int64(index) * slow * 300, syncMicroseconds: 1200,
                        asyncMicroseconds: 180_000 + Int64(index) * slow * 600)
                })
        }
        checkpoint.operators = [part("source", "orders -> key", 10), part("win-agg", "revenue -> sink", 200)]
        return checkpoint
    }
}
