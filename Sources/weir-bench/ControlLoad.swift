import ArgumentParser
import ControlProtocol
import ControlSocket
import Dataflow
import Dispatch
import Glibc
import StreamModel

/// Measures the cost of control-socket clients to a job on both cores. The processor time of the clients and their replies does not count.
struct ControlLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control-load",
        abstract: "The keyed count alone, with a client of the control socket at full speed, and with a busy loop of the same processor time.",
        discussion: """
            The cost of a client is what the rate loses against the run alone; its excess is what it costs beyond the busy loop. Kinds take turns in \
            rounds, and the medians of the rounds are compared.
            Example: weir-bench control-load --rounds 5
            """)

    @Option(help: "Records of each run.") var records: UInt64 = 200_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Rounds.") var rounds = 3
    @Option(help: "Jobs in each reply and report.") var jobs = 1

    enum Kind: String, CaseIterable { case flood, viewer, subscriber }

    func run() throws {
        var alone: [Double] = []
        var outcomes: [Kind: [Outcome]] = [:]
        for round in 1...max(1, rounds) {
            alone.append(try LoadedRun(self).measure(nil).rate)
            print("round \(round) alone records_per_s \(Int(alone[alone.count - 1]))")
            for kind in Kind.allCases {
                let loaded = try LoadedRun(self).measure(.client(kind))
                let busy = try LoadedRun(self).measure(.loop(share: loaded.controlShare))
                outcomes[kind, default: []].append(Outcome(loaded: loaded, busy: busy))
                print(
                    "round \(round) \(kind.rawValue) records_per_s \(Int(loaded.rate)) replies_per_s \(Int(loaded.repliesPerSecond)) "
                        + "client_percent \(rounded(loaded.clientShare * 100)) control_percent \(rounded((loaded.controlShare - loaded.clientShare) * 100)) "
                        + "busy_loop records_per_s \(Int(busy.rate)) loop_percent \(rounded(busy.clientShare * 100))")
            }
        }
        let base = median(alone)
        for kind in Kind.allCases {
            let runs = outcomes[kind] ?? []
            let cost = (1 - median(runs.map(\.loaded.rate)) / base) * 100, loop = (1 - median(runs.map(\.busy.rate)) / base) * 100
            print("ratio \(kind.rawValue) cost_percent \(rounded(cost)) busy_loop_percent \(rounded(loop)) excess_percent \(rounded(cost - loop))")
        }
    }

    private struct Outcome {
        var loaded: LoadedRun.Result
        var busy: LoadedRun.Result
    }
}

/// A keyed count in this process behind a control socket, with a child beside it.
private struct LoadedRun {
    enum Company {
        case client(ControlLoad.Kind)
        /// A loop that uses this share of cores.
        case loop(share: Double)
    }

    struct Result {
        var rate: Double
        var repliesPerSecond: Double
        /// Cores used by the child.
        var clientShare: Double
        /// Cores used by the child and by serving it.
        var controlShare: Double
    }

    private let load: ControlLoad

    init(_ load: ControlLoad) { self.load = load }

    func measure(_ company: Company?) throws -> Result {
        try BenchDirectory.with(nil) { root in
            let job = try BenchJob(
                KeyedCountJob(records: load.records, keys: load.keys, interval: .seconds(3), directory: root), parallelism: load.parallelism, root: root)
            let answers = JobAnswers(job, copies: load.jobs)
            let server = try ControlServer.start(path: root + "/e.sock", viewerPath: root + "/v.sock", handler: answers)
            defer { server.stop() }
            let publishing = publish(answers, to: server)
            defer { publishing.cancel() }
            let child = try company.map { try start($0, root) }
            let servedBefore = servingSeconds()
            let measurement = try job.finish(records: load.records)
            let served = servingSeconds() - servedBefore
            let took = measurement.seconds
            let (used, replies) = child.map { stop($0) } ?? (0, 0)
            return Result(
                rate: measurement.recordsPerSecond, repliesPerSecond: Double(replies) / took, clientShare: used / took,
                controlShare: (used + served) / took)
        }
    }

    /// Publishes as often as an engine may.
    private func publish(_ answers: JobAnswers, to server: ControlServer) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "publisher"))
        timer.schedule(deadline: .now() + 0.1, repeating: 0.1)
        timer.setEventHandler { if server.subscriberCount > 0 { server.publish(answers.currentReport()) } }
        timer.activate()
        return timer
    }

    /// Processor time of the socket-serving threads, in seconds.
    private func servingSeconds() -> Double {
        guard let threads = opendir("/proc/self/task") else { return 0 }
        defer { closedir(threads) }
        var seconds = 0.0
        while let entry = readdir(threads) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard !name.hasPrefix("."), let facts = smallFile("/proc/self/task/\(name)/stat"), facts.contains("(NIO-ELT") else { continue }
            // `schedstat` counts nanoseconds, `stat` only ticks.
            seconds += Double(smallFile("/proc/self/task/\(name)/schedstat")?.split(separator: " ").first ?? "0").map { $0 / 1e9 } ?? 0
        }
        return seconds
    }

    private func smallFile(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    // MARK: The child

    private struct Child {
        var process: pid_t
        var output: Int32
    }

    private func start(_ company: Company, _ root: String) throws -> Child {
        var arguments: [String]
        switch company {
        case .client(let kind):
            arguments = ["control-client", "--socket", root + (kind == .viewer ? "/v.sock" : "/e.sock")] + (kind == .subscriber ? ["--subscribe"] : [])
        case .loop(let share): arguments = ["control-client", "--busy", "\(share)"]
        }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ValidationError("cannot make a pipe: \(String(cString: strerror(errno)))") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        arguments.insert("/proc/self/exe", at: 0)
        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        let status = posix_spawn(&process, "/proc/self/exe", &actions, nil, words, environ)
        close(ends[1])
        guard status == 0 else { throw ValidationError("cannot start this program again: \(String(cString: strerror(status)))") }
        return Child(process: process, output: ends[0])
    }

    /// Stops the child; returns its seconds of processor time, and its replies.
    private func stop(_ child: Child) -> (Double, Int) {
        var facts = ProcessUse(of: child.process).processor
        kill(child.process, SIGTERM)
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 256)
        while case let count = read(child.output, &bytes, bytes.count), count > 0 { text += bytes[..<count] }
        close(child.output)
        var status: Int32 = 0, use = rusage()
        if wait4(child.process, &status, 0, &use) == child.process {
            facts = Double(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + Double(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6
        }
        return (facts, Int(String(decoding: text, as: UTF8.self).split(separator: "\n").last ?? "0") ?? 0)
    }
}

/// Answers with the job as an engine does.
private final class JobAnswers: ControlHandler {
    private let job: BenchJob
    private let copies: Int

    init(_ job: BenchJob, copies: Int) { (self.job, self.copies) = (job, max(1, copies)) }

    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        reply(.success(.jobs(currentReport().jobs)))
    }

    func currentReport() -> EngineReport {
        let report = job.running.report()
        let zero = WallTime(milliseconds: 0)
        return EngineReport(
            engine: EngineInfo(name: "bench", version: "1", processID: getpid(), startedAt: zero, stateDirectory: "/nowhere"), at: zero,
            jobs: Array(repeating: report, count: copies), operations: [])
    }
}

/// The child of `control-load`: sends requests as fast as they are answered, reads reports, or only uses processor time. Ends with SIGTERM and
/// then prints the number of lines it received.
struct ControlLoadClient: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "control-client", abstract: "The client of control-load.", shouldDisplay: false)

    @Option(help: "The socket to ask at.") var socket: String?
    @Flag(help: "Subscribe instead of asking.") var subscribe = false
    @Option(help: "No socket: a loop that takes so many cores.") var busy: Double?

    private static let depth = 32

    func run() throws {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        if let busy { return spin(share: busy, until: set) }
        guard let socket else { throw ValidationError("control-client needs --socket or --busy") }
        let line = try connectTo(socket)
        send(line, #"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"versions":[1],"client":"load"}}"# + "\n")
        let request = #"{"jsonrpc":"2.0","id":1,"method":"jobs"}"# + "\n"
        if subscribe {
            send(line, #"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"# + "\n")
        } else {
            send(line, String(repeating: request, count: Self.depth))
        }
        var replies = 0
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while !isPending(set) {
            var waiting = pollfd(fd: line, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 100) == 1 else { continue }
            let count = recv(line, &bytes, bytes.count, 0)
            guard count > 0 else { break }
            let lines = bytes[..<count].count { $0 == UInt8(ascii: "\n") }
            replies += lines
            if !subscribe, lines > 0 { send(line, String(repeating: request, count: lines)) }
        }
        print(replies)
    }

    private func isPending(_ set: sigset_t) -> Bool {
        var set = set, none = timespec()
        return sigtimedwait(&set, nil, &none) > 0
    }

    private func spin(share: Double, until set: sigset_t) {
        let start = monotonicSeconds()
        // More than a core takes a second process.
        let second: pid_t = share > 1 ? startAnother(share - 1) : -1
        let own = min(share, 1)
        while !isPending(set) {
            if Double(clock()) / Double(CLOCKS_PER_SEC) < own * (monotonicSeconds() - start) {
                for _ in 0..<200 { _ = clock() }
            } else {
                poll(nil, 0, 1)
            }
        }
        if second > 0 {
            kill(second, SIGTERM)
            var status: Int32 = 0
            waitpid(second, &status, 0)
        }
    }

    private func startAnother(_ share: Double) -> pid_t {
        let arguments: [String] = ["weir-bench", "control-client", "--busy", String(share)]
        let words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        return posix_spawn(&process, "/proc/self/exe", nil, nil, words, environ) == 0 ? process : -1
    }

    private func send(_ line: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(line, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    private func connectTo(_ path: String) throws -> Int32 {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw ValidationError("cannot connect to \(path): \(String(cString: strerror(errno)))") }
        return descriptor
    }
}
