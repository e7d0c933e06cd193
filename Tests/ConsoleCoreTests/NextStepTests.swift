// Goal: every condition says what is wrong and what to press, and offers nothing that would be refused. Method: conditions as values, with what is
// allowed, and the words that come of them; no console.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct NextStepTests {
    private static let obstacle = Obstacle(.diskFull, path: "/data/ckpt")
    private static let hottest = HottestSubtask(index: 2, recordsPermille: 960, busyPermille: 990)
    private static let spread = HottestSubtask(index: 2, recordsPermille: 450, busyPermille: 990)
    private static let id = CheckpointID(4120)

    private static func situation(
        _ change: (inout JobReport) -> Void = { _ in }, suspect: Diagnosis? = nil, hasWay: Bool = true, livesAs: JobID? = nil, capacity: ClusterCapacity? = nil,
        allows: @escaping (Command) -> Bool = { _ in true }
    ) -> NextStep.Situation {
        var job = Sample.running()
        change(&job)
        let way = hasWay ? WayBack(id: id, path: "/x", kind: .checkpoint, own: Sample.checkpoint(4120, ago: 120_000), since: Sample.ago(120_000)) : nil
        return .init(job: job, way: way, age: .minutes(2), suspect: suspect, livesAs: livesAs, capacity: capacity, allows: allows)
    }

    private struct Row: CustomTestStringConvertible, Sendable {
        var condition: Condition
        var words: String
        var next: String
        var suspect: Diagnosis?

        init(_ condition: Condition, _ words: String, _ next: String, beside suspect: Diagnosis? = nil) {
            (self.condition, self.words, self.next, self.suspect) = (condition, words, next, suspect)
        }

        var testDescription: String { words }
    }

    private static let rows: [Row] = [
        Row(.fine, "", ""),
        Row(.finished(by: "the input has ended"), "FINISHED: the input has ended", ""),
        Row(
            .linkDown(reason: "connection refused", retryAt: nil, attempts: 1), "no link: connection refused",
            "r retry now; 'weir doctor' checks the link"),
        Row(.stale(.seconds(20)), "the last report is 20s old: the engine does not answer", "r refresh; check that the engine process is running"),
        Row(.gone, "GONE (JobManager restarted?): R restarts it from a kept checkpoint", "R restart it from a kept checkpoint"),
        Row(.failed("boom"), "FAILED boom", "R restart from #4120 (2m ago); 5 failures"),
        Row(.restarting(attempt: 2, at: nil, cause: "boom"), "RESTARTING attempt 2: boom", "5 failures"),
        Row(
            .blocked(obstacle, checkpoints: 44), "DISK FULL /data/ckpt: free some space (44 checkpoints failed in a row)",
            "free space at /data/ckpt; 5 failures"),
        Row(
            .blocked(Obstacle(.forbidden, path: "/x"), checkpoints: 0), "NO PERMISSION /x: let the engine's user write there",
            "let the engine's user write to /x; 5 failures"),
        Row(
            .blocked(Obstacle(.forbidden, path: "/x", isWriting: false), checkpoints: 1),
            "NO PERMISSION /x: let the engine's user use it (1 checkpoint failed)", "let the engine's user use /x; 5 failures"),
        Row(.canceled(restorable: true), "CANCELED: checkpoints are kept, R restarts from one", "R restart from #4120 (2m ago)"),
        Row(
            .budgetExhausted(counted: 3, tolerable: 3), "CKPT 3/3 tolerated failures used: the next counted failure fails the job",
            "3 checkpoints show why; 5 failures; S savepoint resets the count"),
        Row(
            .budgetUsed(counted: 2, tolerable: 3), "CKPT 2 of 3 tolerated consecutive failures used",
            "3 checkpoints show where the time goes; look at /var/lib/w~eckpoints",
            beside: .slowStorage(id, duration: .seconds(6), asyncPermille: 970)),
        Row(
            .nothingToGoBackTo(.minutes(3)), "CKPT none completed in 3m: nothing to restore",
            "3 checkpoints show why; S savepoint: a fresh way back"),
        Row(
            .cannotGoBack, "CKPT checkpointing is off and there is no savepoint: the job cannot go back, a failure begins it anew",
            "S savepoint: a way back; turn checkpointing on"),
        Row(
            .noTasks(state: "RUNNING", tasks: 8, ClusterCapacity(taskManagers: 0, slots: 0, freeSlots: 0)),
            "RUNNING, but none of 8 tasks runs: 0 TaskManagers, 0 slots", "start a TaskManager"),
        Row(
            .suspect(.hotKey(vertex: "count", hottest)), "HOT KEY? count sub 2 gets 96% of the records, busy 99%",
            "probably one key, which cannot be split: change the key; 4 metrics"),
        Row(
            .suspect(.hotKey(vertex: "count", spread)), "HOT KEY? count sub 2 gets 45% of the records, busy 99%",
            "R restart with more parallelism; or change the key; 4 metrics"),
        Row(
            .suspect(.stalledSource(vertex: "orders", since: .seconds(20))), "SOURCE orders has read nothing for 20s, without back pressure",
            "look upstream of orders: nothing arrives; 4 metrics"),
        Row(
            .suspect(.slowCheckpoint(id, duration: .seconds(6), interval: .seconds(2))), "CKPT slow: #4120 took 6.0s; the interval is 2s",
            "3 checkpoints show where the time goes"),
        Row(.suspect(.crashLoop(failures: 5, within: .seconds(20), cause: "boom")), "CRASH LOOP 5 failures in 20s: boom", "5 failures show the cause"),
        Row(.backPressure(permille: 600, vertex: "sink"), "FLOW sink is back-pressured 60% of the time", "4 metrics; R restart with more parallelism"),
    ]

    @Test(arguments: rows) private func `a condition has words and a next step`(_ row: Row) {
        #expect(row.condition.text(at: Sample.start, keys: .standard).string == row.words)
        #expect(NextStep(row.condition, Self.situation(suspect: row.suspect)).text(.standard).string == row.next)
    }

    @Test(arguments: rows) private func `nothing that is refused is offered`(_ row: Row) {
        let next = NextStep(row.condition, Self.situation(suspect: row.suspect, allows: { _ in false }))
        #expect(Command.acting.allSatisfy { next.words($0) == nil } && next.vain.isEmpty, "\(next.text(.standard))")
    }

    @Test func `a job without a snapshot is not sent back`() {
        #expect(NextStep(.failed("boom"), Self.situation(hasWay: false)).text(.standard) == "no snapshot is left: repair one, or submit it anew; 5 failures")
        #expect(NextStep(.canceled(restorable: false), Self.situation(hasWay: false)).isEmpty)
    }

    @Test func `a crash loop after a restart from a snapshot is not restarted from it again`() {
        let situation = Self.situation { job in
            job.restored = RestoreReport(
                checkpoint: CheckpointID(27), path: "/sp/27", kind: .savepoint, fromJob: Sample.otherJob, at: Sample.start, stateSize: 1, chosen: true)
        }
        let next = NextStep(.suspect(.crashLoop(failures: 3, within: .seconds(9), cause: "boom")), situation)
        #expect(next.text(.standard) == "5 failures show the cause" && next.vain[.restart] == "it would fail again")
    }

    @Test func `an ended run whose name lives is not started a second time`() {
        let look = "lives as job \(Sample.otherJob.short): look there"
        func text(_ condition: Condition, hasWay: Bool = true) -> String {
            NextStep(condition, Self.situation({ $0.state = .failed }, hasWay: hasWay, livesAs: Sample.otherJob)).text(.standard).string
        }
        #expect(text(.failed("boom")) == "\(look); 5 failures" && text(.failed("boom"), hasWay: false) == "\(look); 5 failures")
        #expect(text(.canceled(restorable: true)) == look)
        #expect(text(.blocked(Self.obstacle, checkpoints: 0)) == "free space at /data/ckpt; \(look); 5 failures")
        var console = ScriptedConsole()
        console.report([Sample.running(state: .canceled), Sample.running(Sample.otherJob)])
        let next = console.model.nextStep(JobKey(context: "lab", job: Sample.job))
        #expect(next.text(.standard).string == look, "\(next.text(.standard))")
        console.report([Sample.running(state: .canceled), Sample.running(Sample.otherJob, state: .canceled)])
        #expect(console.model.nextStep(JobKey(context: "lab", job: Sample.job)).words(.restart) != nil)
    }

    @Test func `a savepoint is called vain only where the obstacle is at its place`() {
        func vain(_ path: String?) -> SafeText? {
            NextStep(.blocked(Obstacle(.diskFull, path: path), checkpoints: 1), Self.situation { $0.configuration.storageDirectory = "/ck" }).vain[.savepoint]
        }
        #expect(vain("/ck") != nil && vain("/ck/a") != nil)
        #expect(vain(nil) == nil && vain("/ckpt") == nil && vain("/sink/out") == nil && vain("/") == nil)
    }

    @Test func `half of the records of two subtasks are not called one key`() {
        func text(_ permille: Int, parallelism: Int, most: Int = 128, capacity: ClusterCapacity? = nil) -> String {
            let hottest = HottestSubtask(index: 0, recordsPermille: permille, busyPermille: 990)
            let situation = Self.situation({ ($0.parallelism, $0.maxParallelism) = (parallelism, most) }, capacity: capacity)
            return NextStep(.suspect(.hotKey(vertex: "count", hottest)), situation).text(.standard).string
        }
        #expect(text(800, parallelism: 2).hasPrefix("R restart with more parallelism") && text(950, parallelism: 2).hasPrefix("probably one key"))
        #expect(text(800, parallelism: 4).hasPrefix("probably one key"))
        #expect(text(450, parallelism: 4, most: 4) == "parallelism is at its maximum: change the key; 4 metrics")
        let full = ClusterCapacity(taskManagers: 1, slots: 4, freeSlots: 0), free = ClusterCapacity(taskManagers: 2, slots: 8, freeSlots: 4)
        #expect(text(450, parallelism: 4, capacity: full) == "change the key, or free slots for more parallelism; 4 metrics")
        #expect(text(450, parallelism: 4, capacity: free).hasPrefix("R restart with more parallelism"))
    }

    @Test func `back pressure asks for more parallelism only where there is room`() {
        let condition = Condition.backPressure(permille: 600, vertex: "sink")
        #expect(NextStep(condition, Self.situation { $0.maxParallelism = $0.parallelism }).text(.standard) == "4 metrics")
        #expect(NextStep(condition, Self.situation(capacity: ClusterCapacity(taskManagers: 1, slots: 4, freeSlots: 0))).text(.standard) == "4 metrics")
    }

    @Test func `a reason fits into the menu at 80 columns`() {
        for row in Self.rows {
            #expect(NextStep(row.condition, Self.situation(suspect: row.suspect)).vain.values.allSatisfy { $0.columns <= 20 }, "\(row.words)")
        }
    }

    @Test func `a failed job whose disk is full is started again once there is room`() {
        let next = NextStep(.blocked(Self.obstacle, checkpoints: 44), Self.situation { $0.state = .failed })
        #expect(next.text(.standard) == "free space at /data/ckpt; R then restart from #4120 (2m ago); 5 failures")
    }

    @Test func `the menu names what would not help`() {
        #expect(NextStep(.suspect(.hotKey(vertex: "count", Self.hottest)), Self.situation()).vain[.restart] != nil)
        #expect(NextStep(.suspect(.hotKey(vertex: "count", Self.spread)), Self.situation()).vain[.restart] == nil)
        #expect(NextStep(.suspect(.slowStorage(Self.id, duration: .seconds(6), asyncPermille: 900)), Self.situation()).vain[.savepoint] != nil)
    }

    @Test func `the keys are those of the key map`() throws {
        let keys = try KeyMap(remapping: [KeyRemapping(command: "restart", keys: ["W"])])
        #expect(NextStep(.failed("boom"), Self.situation()).text(keys) == "W restart from #4120 (2m ago); 5 failures")
    }
}

@Suite struct ObstacleTests {
    private static let cases: [(String, Obstacle.Kind, String?)] = [
        ("no space left on device on /disk/out: free space", .diskFull, "/disk/out"),
        (
            "Cannot write /small/weir/ck/b3/chk-7/_metadata: no space left on device (errno 28); the disk of /small/weir is full: free some space there.",
            .diskFull, "/small/weir"
        ),
        ("java.io.IOException: No space left on device", .diskFull, nil),
        ("mkdir: ENOSPC: '/d'", .diskFull, "/d"),
        ("disk quota exceeded on /home/x: free space, or raise the quota", .quota, "/home/x"),
        ("Cannot create /mnt/ro/chk-1: read-only filesystem", .readOnly, "/mnt/ro/chk-1"),
        ("java.nio.file.FileSystemException: /mnt/ro/a: Read-only file system", .readOnly, "/mnt/ro/a"),
        ("java.io.FileNotFoundException: /data/ckpt/x (Permission denied)", .forbidden, "/data/ckpt/x"),
        ("open failed: EACCES (/secret)", .forbidden, "/secret"),
        ("/sink/out: no space left on device; see https://example.org/full and /var/log/x", .diskFull, "/sink/out"),
        ("no space left on device; see /var/log/x", .diskFull, nil),
        ("EROFS: see https://example.org/ro", .readOnly, nil),
        ("http://jm:8081/jobs: EDQUOT", .quota, nil),
    ]

    @Test(arguments: [
        "org.springframework.web.client.ResourceAccessException: /data/x: I/O error", "loading /plugins/zerofs.so failed", "/data/enospc-test is empty",
        "/tmp/medquota: gone", "MY_ENOSPC at /x", "ERROR: permission denied for table orders", "ERROR: permission denied for table /x orders",
        "Permission denied (publickey)", "java.lang.SecurityException: permission denied", "EACCES", "see http://x/y: permission denied",
    ]) func `what only looks like an obstacle is none`(text: String) { #expect(Obstacle(text) == nil) }

    @Test func `a denied read is not called a denied write`() {
        #expect(Obstacle("Cannot read /in/a: permission denied")?.text == "NO PERMISSION /in/a: let the engine's user use it")
        #expect(Obstacle("Cannot write /out/a: permission denied")?.text == "NO PERMISSION /out/a: let the engine's user write there")
        #expect(Obstacle("the rewriter of /in/a: permission denied")?.step == "let the engine's user use /in/a")
    }

    @Test func `a long text is read at its beginning, and once`() {
        let far = String(repeating: "x ", count: 1200) + "/d: no space left on device"
        #expect(Obstacle(far) == nil && FailureReading(far, storage: nil).cause.utf8.count == 2000)
        #expect(FailureReading(String(repeating: "\u{20AC}", count: 1000), storage: nil).cause.utf8.count == 1998)
        var job = Sample.running(), readings = FailureReadings()
        job.lastFailure = FailureReport(at: Sample.start, message: "RuntimeException: x; Caused by: /d: no space left on device", attempt: 1)
        for _ in 0..<5 { readings.renew(job) }
        #expect(readings.count == 1 && readings.of(job.lastFailure?.message ?? "", job).obstacle == Obstacle(.diskFull, path: "/d"))
        job.lastFailure?.message = "boom"
        readings.renew(job)
        #expect(readings.count == 2 && readings.of("boom", job) == FailureReading("boom", storage: nil))
        var console = ScriptedConsole()
        for _ in 0..<5 {
            console.report([job])
            console.advance(1000)
        }
        #expect(console.model.live.memory(JobKey(context: "lab", job: job.id)).readings.count == 1)
    }

    @Test func `the words of the system are found behind paths and identifiers`() {
        for (message, kind, path) in Self.cases {
            let found = Obstacle(message)
            #expect(found?.kind == kind && found?.path == path, "\(message): \(String(describing: found))")
        }
        #expect(Obstacle("checkpoint 7 expired") == nil && Obstacle("") == nil)
    }

    @Test func `the directory of all checkpoints stands for a file in it`() {
        #expect(Obstacle("Cannot create /ck/b3/chk-1: permission denied", storage: "/ck") == Obstacle(.forbidden, path: "/ck"))
    }

    @Test func `the cause comes first and the path last`() {
        #expect(CauseFirst.words("Cannot read /a/b: checksum mismatch") == "checksum mismatch: cannot read /a/b")
        #expect(CauseFirst.words("RuntimeException: x; Caused by: java.io.IOException: refused") == "java.io.IOException: refused")
        #expect(CauseFirst.words("Cannot say: anything") == "Cannot say: anything")
        #expect(
            CauseFirst.words("Exceeded checkpoint tolerable failure threshold. 4 failed in a row, 3 are tolerable: checkpoint 7 X")
                == "checkpoints: 4 failed in a row, 3 are tolerable: checkpoint 7 X")
    }
}
