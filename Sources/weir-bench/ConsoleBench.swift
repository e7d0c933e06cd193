import ArgumentParser
import Glibc

struct ConsoleBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "The console's budgets, counted on a pseudo-terminal of 80x24, with two jobs and with a thousand; and htop and btop on the same one.",
        discussion: """
            Measures the `weir` beside this program, with an engine of its own in a temporary directory. Programs that are not installed are left \
            out with a word.
            Example: weir-bench console --seconds 30
            """)

    @Option(help: "Seconds that each rate is measured for.") var seconds = 10
    @Option(help: "The console to measure.") var weir: String?
    @Option(help: "Jobs of the large console, in 20 contexts; 0 leaves it out.") var jobs = 1000
    @Option(help: "Checkpoints in its ledger.") var checkpoints = 100_000
    @Flag(help: "Measure the large console only.") var onlyLarge = false

    func validate() throws {
        guard (0...20_000).contains(jobs), (0...5_000_000).contains(checkpoints) else { throw ValidationError("--jobs to 20000, --checkpoints to 5000000") }
        guard (1...3600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 3600") }
    }

    func run() throws {
        let own = try ownPath()
        let binary = weir ?? own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + "weir"
        guard access(binary, X_OK) == 0 else { throw ValidationError("there is no \(binary): swift build -c release --product weir") }
        let home = try BenchHome()
        defer { home.remove() }
        print("terminal 80x24 TERM xterm-256color rates_over_s \(seconds)")
        if !onlyLarge {
            try measureStart(binary, home)
            try measureConsole(binary, home)
        }
        if jobs > 0 { try LargeConsole(binary: binary, home: home, jobs: jobs, checkpoints: checkpoints, seconds: seconds).measure() }
        if !onlyLarge { try compare(home) }
    }

    // MARK: The console

    private func console(_ binary: String, _ home: BenchHome) throws -> PtyRecorder {
        try PtyRecorder([binary, "console", "--socket", home.socket], environment: home.environment)
    }

    /// Measures the start without an engine, whose absence must not delay it.
    private func measureStart(_ binary: String, _ home: BenchHome) throws {
        var first: [Double] = [], whole: [Double] = []
        for _ in 0..<20 {
            let console = try console(binary, home)
            while console.byteCount == 0 { console.read(within: 1) }
            first.append((now() - console.startedAt) * 1000)
            // In the last row: ncurses paints from the top.
            whole.append((try console.time(of: "past") - console.startedAt) * 1000)
            console.end()
        }
        print("weir first_byte_ms_p50 \(rounded(median(first))) first_frame_ms_p50 \(rounded(median(whole))) starts \(first.count)")
    }

    private func measureConsole(_ binary: String, _ home: BenchHome) throws {
        let engine = try BenchEngine(binary, home)
        defer { engine.end() }
        try engine.run("submit", "orders")
        let console = try console(binary, home)
        _ = try console.time(of: "orders")
        console.type("\r")
        _ = try console.time(of: "duplicates")
        console.burst(quiet: 0.2)

        console.forget()
        let before = console.byteCount
        console.type("\u{0c}")
        _ = try console.time(of: "duplicates")
        console.burst(quiet: 0.05)
        print("weir full_paint_bytes \(console.byteCount - before)")
        report("weir job_screen", console)
        // The screen shows one moment while frozen.
        console.type(" ")
        console.burst(quiet: 0.3)
        report("weir frozen", console)
        console.type(" ")
        console.burst(quiet: 0.3)
        measureKeys(console)
        measureClock(console)
        try engine.run("submit", "shaky", "--set", "interval=1s")
        try engine.run("fault", "shaky", "crash-loop 2s")
        console.type("1")
        console.burst(quiet: 0.3)
        report("weir incident_overview", console)
        console.end()
    }

    /// Measures from a key to its first painted byte: the help opens and closes, a large change either way.
    private func measureKeys(_ console: PtyRecorder) {
        var times: [Double] = []
        for round in 0..<200 {
            console.burst(quiet: 0.004)
            let start = now()
            console.type(round % 2 == 0 ? "?" : "q")
            if console.read(within: 1) > 0 { times.append((now() - start) * 1000) }
        }
        times.sort()
        guard !times.isEmpty else { return }
        print("weir key_to_paint_ms_p50 \(rounded(times[times.count / 2])) p99 \(rounded(times[times.count * 99 / 100])) keys \(times.count)")
    }

    /// Measures the clock, which alone changes under the help.
    private func measureClock(_ console: PtyRecorder) {
        console.type("?")
        console.burst(quiet: 0.3)
        var ticks: [Double] = []
        for _ in 0..<5 {
            let first = console.read(within: 1.5)
            if first > 0 { ticks.append(Double(first + console.burst(quiet: 0.03))) }
        }
        console.type("q")
        console.burst(quiet: 0.3)
        if !ticks.isEmpty { print("weir clock_tick_bytes \(Int(median(ticks)))") }
    }

    // MARK: Others

    private func compare(_ home: BenchHome) throws {
        for name in ["htop", "btop"] {
            guard let path = ["/usr/bin/", "/usr/local/bin/", "/bin/"].lazy.map({ $0 + name }).first(where: { access($0, X_OK) == 0 }) else {
                print("\(name) is not installed: left out")
                continue
            }
            // One refresh a second, as in the console.
            let command = name == "htop" ? [path, "-d", "10"] : [path]
            let program = try PtyRecorder(command, environment: home.environment)
            while program.byteCount == 0, program.read(within: 5) > 0 {}
            let first = (now() - program.startedAt) * 1000
            program.collect(for: 3)
            print("\(name) first_byte_ms \(rounded(first))")
            report(name, program)
            program.end()
        }
    }

    private func report(_ what: String, _ program: PtyRecorder) {
        let before = ProcessUse(of: program.process), start = now()
        let bytes = program.collect(for: Double(seconds))
        let after = ProcessUse(of: program.process), took = now() - start
        print(
            "\(what) bytes_per_s \(Int(Double(bytes) / took)) cpu_percent \(hundredths((after.processor - before.processor) / took * 100)) wakeups_per_s \(rounded(Double(after.wakeups - before.wakeups) / took)) resident_mib \(rounded(Double(after.residentKiB) / 1024))"
        )
    }

    private func now() -> Double { monotonicSeconds() }

    private func hundredths(_ value: Double) -> String {
        let count = Int((value * 100).rounded())
        return "\(count / 100).\(count % 100 < 10 ? "0" : "")\(count % 100)"
    }

    private func ownPath() throws -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw ValidationError("cannot find this program's own file: is /proc mounted?") }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A home directory for the bench only.
struct BenchHome {
    let path: String
    var socket: String { path + "/engine.sock" }

    init() throws {
        var template = Array("/tmp/weir-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ValidationError("cannot make a directory in /tmp: \(String(cString: strerror(errno)))") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for name in ["config", "state", "data"] { mkdir(path + "/" + name, 0o700) }
    }

    var environment: [String: String] {
        [
            "PATH": "/usr/bin:/bin", "HOME": path, "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "XDG_CONFIG_HOME": path + "/config",
            "XDG_STATE_HOME": path + "/state", "XDG_DATA_HOME": path + "/data", "XDG_RUNTIME_DIR": path,
        ]
    }

    func remove() { run(["/bin/rm", "-r", path]) }

    /// Runs a program to its end, without output.
    @discardableResult
    func run(_ command: [String]) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in [0, 1, 2] { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
        let words = command.map { strdup($0) } + [nil], variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var process: pid_t = 0, status: Int32 = 0
        guard posix_spawn(&process, command[0], &actions, nil, words, variables) == 0 else { return -1 }
        waitpid(process, &status, 0)
        return status
    }
}

/// A separate engine for the bench. It ends with its standard input.
private final class BenchEngine {
    private let binary: String
    private let home: BenchHome
    private let recorder: PtyRecorder

    init(_ binary: String, _ home: BenchHome) throws {
        self.binary = binary
        self.home = home
        recorder = try PtyRecorder(
            [binary, "engine", "--name", "bench", "--socket", home.socket, "--state", home.path + "/engine"], environment: home.environment)
        let limit = monotonicSeconds() + 10
        while home.run([binary, "status", "--socket", home.socket]) != 0 {
            guard monotonicSeconds() < limit else { throw ValidationError("the engine did not answer within 10 s") }
        }
    }

    func run(_ words: String...) throws {
        guard home.run([binary] + words + ["--socket", home.socket]) == 0 else { throw ValidationError("weir \(words.joined(separator: " ")) failed") }
    }

    func end() { recorder.end() }
}
