import ArgumentParser
import ControlProtocol
import ControlSocket
import Dispatch
import Glibc
import Ledger
import StreamModel

/// The console with very many jobs and a long history: twenty engines in this process with their sockets, and a prefilled ledger.
struct LargeConsole {
    let binary: String
    let home: BenchHome
    let jobs: Int
    let checkpoints: Int
    let seconds: Int

    private static let contexts = 20

    func measure() throws {
        let engines = (0..<Self.contexts).map { Fleet(number: $0, jobs: jobs / Self.contexts) }
        var servers: [ControlServer] = []
        for engine in engines { servers.append(try ControlServer.start(path: "\(home.path)/\(engine.number).sock", handler: engine)) }
        let timers = zip(servers, engines).map { server, engine in Self.report(engine, through: server) }
        try writeConfiguration()
        let filled = try fillLedger(engines)
        print("large jobs \(jobs) contexts \(Self.contexts) ledger_checkpoints \(filled)")
        let console = try PtyRecorder([binary, "console"], environment: home.environment)
        defer {
            console.end()
            for timer in timers { timer.cancel() }
            for server in servers { server.stop() }
        }
        while console.byteCount == 0 { console.read(within: 1) }
        let limit = monotonicSeconds() + 30
        while !console.showsWhenPainted("jobs \(jobs / Self.contexts * Self.contexts):") {
            guard monotonicSeconds() < limit else { throw ValidationError("the console did not show all jobs within 30 s") }
        }
        print("large all_jobs_shown_ms \(rounded((monotonicSeconds() - console.startedAt) * 1000))")
        console.burst(quiet: 0.3)
        keys("overview_move", ["j", "j", "\u{04}", "k", "\u{15}", "G", "g"], 210, console)
        keys("overview_filter", ["/", "j", "o", "b", "-", "7", "\u{7f}", "\u{7f}", "-", "1", "\u{1b}"], 220, console)
        keys("overview_sort", ["o", "o", "O", "j"], 100, console)
        idle("overview", console)
        // In every row, and on no other screen: only differences of rows reach the terminal.
        try list("history", ":history\r", "done", console)
        console.type(":history\r")
        console.burst(quiet: 0.3)
        for _ in 0..<4 {
            console.type("G")
            console.burst(quiet: 0.3)
        }
        keys("history_move", ["g", "j", "\u{04}", "k", "G", "\u{15}"], 180, console)
        keys("history_filter", ["/", "c", "h", "k", "-", "9", "\u{7f}", "1", "\u{1b}"], 180, console)
        keys("history_sort", ["o", "O", "j"], 90, console)
        console.type("1")
        console.burst(quiet: 0.3)
        console.type(":job job-0-0\r")
        console.burst(quiet: 0.3)
        try list("checkpoints", "3", "every 30s", console)
        console.type("3")
        console.burst(quiet: 0.3)
        keys("checkpoints_move", ["G", "k", "\u{15}", "g", "j", "\u{04}"], 180, console)
    }

    /// Reports every second, each engine at its own time.
    private static func report(_ engine: Fleet, through server: ControlServer) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "engine \(engine.number)"))
        timer.schedule(deadline: .now() + .milliseconds(1000 / contexts * engine.number), repeating: 1)
        timer.setEventHandler { server.publish(engine.currentReport()) }
        timer.activate()
        return timer
    }

    // MARK: Measuring

    /// Measures from a key to its first painted byte.
    private func keys(_ name: String, _ keys: [String], _ count: Int, _ console: PtyRecorder) {
        var times: [Double] = []
        for index in 0..<count {
            console.burst(quiet: 0.004)
            let start = monotonicSeconds()
            console.type(keys[index % keys.count])
            if console.read(within: 1) > 0 { times.append((monotonicSeconds() - start) * 1000) }
        }
        console.type("\u{1b}")
        console.burst(quiet: 0.3)
        times.sort()
        guard !times.isEmpty else { return print("large \(name) nothing was painted") }
        print("large \(name)_key_to_paint_ms_p50 \(rounded(times[times.count / 2])) p99 \(rounded(times[times.count * 99 / 100])) keys \(times.count)")
    }

    /// Measures from the key that opens a list to its first rows.
    private func list(_ name: String, _ opening: String, _ word: String, _ console: PtyRecorder) throws {
        var times: [Double] = []
        for _ in 0..<20 {
            console.type(String(opening.dropLast()))
            console.burst(quiet: 0.05)
            console.forget()
            let start = monotonicSeconds()
            console.type(String(opening.suffix(1)))
            times.append((try console.time(of: word) - start) * 1000)
            console.burst(quiet: 0.05)
            console.type(name == "checkpoints" ? "2" : "1")
            console.burst(quiet: 0.1)
        }
        times.sort()
        print("large \(name)_list_opens_ms_p50 \(rounded(times[times.count / 2])) worst \(rounded(times[times.count - 1])) times \(times.count)")
    }

    private func idle(_ name: String, _ console: PtyRecorder) {
        let before = ProcessUse(of: console.process), start = monotonicSeconds()
        let bytes = console.collect(for: Double(seconds))
        let after = ProcessUse(of: console.process), took = monotonicSeconds() - start
        print(
            "large \(name) bytes_per_s \(Int(Double(bytes) / took)) cpu_percent \(rounded((after.processor - before.processor) / took * 100)) resident_mib \(rounded(Double(after.residentKiB) / 1024))"
        )
    }

    // MARK: Preparing

    private func writeConfiguration() throws {
        mkdir(home.path + "/config/weir", 0o700)
        let text = (0..<Self.contexts).map { "[contexts.ctx\($0)]\nsocket = \"\(home.path)/\($0).sock\"\nclass = \"lab\"\n" }.joined()
        guard let file = fopen(home.path + "/config/weir/config.toml", "w") else { throw ValidationError("cannot write into \(home.path)") }
        fputs(text, file)
        fclose(file)
    }

    /// Fills in one checkpoint a minute, of a hundred jobs in turn; the newest are current.
    private func fillLedger(_ engines: [Fleet]) throws -> Int {
        let ledger = try Ledger.open(path: home.path + "/state/weir/ledger.sqlite")
        let origins = (0..<100).map { index -> JobOrigin in
            let engine = engines[index % engines.count], number = index / engines.count
            return JobOrigin(context: "ctx\(engine.number)", job: engine.id(number), jobName: engine.name(number))
        }
        let each = checkpoints / origins.count, now = Fleet.now()
        for (index, origin) in origins.enumerated() {
            let rows = (0..<each).map {
                Fleet.checkpoint(
                    UInt64($0 + 1), at: WallTime(milliseconds: now.milliseconds - Int64((each - $0) * origins.count - index) * 60_000), of: origin.job)
            }
            try ledger.remember([.reported(rows, of: origin, at: now)])
        }
        return try ledger.countCheckpoints()
    }
}

/// An engine with many running jobs, each with a few checkpoints.
private final class Fleet: ControlHandler {
    let number: Int
    private let jobs: Int

    init(number: Int, jobs: Int) {
        self.number = number
        self.jobs = jobs
    }

    static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    func id(_ job: Int) -> JobID { JobID(high: UInt64(number + 1) << 32, low: UInt64(job + 1)) }
    func name(_ job: Int) -> String { "job-\(number)-\(job)" }

    static func checkpoint(_ id: UInt64, at time: WallTime, of job: JobID) -> CheckpointReport {
        CheckpointReport(
            id: CheckpointID(id), kind: .checkpoint, status: .completed, triggeredAt: time, endedAt: time + 812, duration: 812, timeoutAt: time + .minutes(10),
            acknowledgedSubtasks: 8, totalSubtasks: 8, stateSize: ByteCount(1_500_000_000 + Int64(id)), path: "/var/lib/weir/checkpoints/\(job)/chk-\(id)")
    }

    func currentReport() -> EngineReport {
        let now = Self.now(), step = now.milliseconds / 30_000
        let reports = (0..<jobs).map { index -> JobReport in
            var configuration = CheckpointConfiguration()
            configuration.interval = .seconds(30)
            configuration.storageDirectory = "/var/lib/weir/checkpoints"
            var job = JobReport(
                id: id(index), name: name(index), state: index % 17 == 16 ? .restarting : .running, stateSince: WallTime(milliseconds: 0),
                submittedAt: WallTime(milliseconds: 0),
                parallelism: 4, maxParallelism: 128,
                throughput: Throughput(
                    recordsRead: UInt64(now.milliseconds), recordsWritten: 1, recordsReadPerSecond: Double((index * 37 + Int(now.milliseconds / 1000)) % 1000)),
                configuration: configuration, budget: FailureBudget(counted: index % 4, tolerable: 3, source: .exact, cumulative: index))
            job.counts.completed = Int(clamping: step)
            job.checkpointsRevision = UInt64(step)
            job.latestCompleted = Self.checkpoint(UInt64(step), at: WallTime(milliseconds: step * 30_000), of: job.id)
            return job
        }
        return EngineReport(
            engine: EngineInfo(name: "fleet", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/"), at: now, jobs: reports,
            operations: [])
    }

    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        switch request {
        case .operations: reply(.success(.operations([])))
        case .checkpoints(let reference, _):
            let now = Self.now(), newest = UInt64(now.milliseconds / 30_000)
            let job = JobID(reference.text) ?? id(0)
            reply(.success(.checkpoints((0..<10).map { Self.checkpoint(newest - $0, at: WallTime(milliseconds: Int64(newest - $0) * 30_000), of: job) })))
        case .exceptions: reply(.success(.exceptions([])))
        default: reply(.failure(.refused(request.verb, "this engine is for looking at")))
        }
    }
}
