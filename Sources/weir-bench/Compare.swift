import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "The keyed counts here, on a real Apache Flink and in a bare C loop, in turn in one run; prints the ratios.",
        discussion: """
            Run it in the repository: it uses Tests/Benchmarks (a C compiler, a JDK 17 and python3-venv are needed, and PyPI once for Flink's jars). \
            Everything runs one after the other, in rounds; ratios are those of the medians.
            Example: weir-bench compare --rounds 3
            """)

    @Option(help: "Rounds of all of them in turn.") var rounds = 3
    @Option(help: "Records that Flink counts in a run; the others count more, so that all run for seconds.") var records: UInt64 = 20_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Milliseconds between checkpoints; 0 = none.") var interval = 3000
    @Option(help: "The directory with the scripts.") var scripts = "Tests/Benchmarks"

    func run() throws {
        guard access("\(scripts)/flink", X_OK) == 0 else {
            throw ValidationError("there is no \(scripts)/flink: run weir-bench in the repository, or name the directory with --scripts")
        }
        let span = interval == 0 ? "off" : "\(interval)ms"
        let shape = ["--keys", "\(keys)", "--parallelism", "\(parallelism)", "--interval", span]
        var runs: [String: [Double]] = [:]
        for round in 1...max(rounds, 1) {
            try add("loop", ["\(scripts)/bare-loop", "\(records * 10)", "\(keys)"], round, to: &runs)
            try add("weir", [CommandLine.arguments[0], "keyed-count", "--records", "\(records * 15)"] + shape, round, to: &runs)
            try add("flink", ["\(scripts)/flink", "long", "\(records)", "\(keys)", "\(parallelism)", "\(interval)"], round, to: &runs)
            let strings = [CommandLine.arguments[0], "string-count", "--records", "\(records * 3)"] + shape
            try add("weir-short-texts", strings + ["--type", "short"], round, to: &runs)
            try add("weir-strings", strings + ["--type", "string"], round, to: &runs)
            try add("flink-strings", ["\(scripts)/flink", "string", "\(records / 2)", "\(keys)", "\(parallelism)", "\(interval)"], round, to: &runs)
        }
        ratio("keyed-count", "weir", "flink", runs)
        ratio("keyed-count", "weir", "loop", runs)
        ratio("string-count", "weir-short-texts", "flink-strings", runs)
        ratio("string-count", "weir-strings", "flink-strings", runs)
    }

    private func add(_ name: String, _ command: [String], _ round: Int, to runs: inout [String: [Double]]) throws {
        let output = try outputOf(command)
        let words = output.split { $0 == " " || $0 == "\n" }
        guard let at = words.firstIndex(of: "records_per_s"), at + 1 < words.count, let rate = Double(words[at + 1]) else {
            throw ValidationError("\(command[0]) said no records_per_s: \(output)")
        }
        runs[name, default: []].append(rate)
        print("round \(round) \(name) records_per_s \(Int(rate))")
    }

    private func ratio(_ benchmark: String, _ ours: String, _ theirs: String, _ runs: [String: [Double]]) {
        guard let left = runs[ours], let right = runs[theirs] else { return }
        print(
            "ratio \(benchmark) \(ours) \(Int(median(left))) \(theirs) \(Int(median(right))) \(ours)/\(theirs) \(rounded(median(left) / median(right)))")
    }

    /// Standard output of a command that must succeed; it shares our standard error.
    private func outputOf(_ command: [String]) throws -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ValidationError("cannot make a pipe: \(String(cString: strerror(errno)))") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let status = posix_spawnp(&process, command[0], &actions, nil, arguments, environ)
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            throw ValidationError("cannot start \(command[0]): \(String(cString: strerror(status)))")
        }
        let output = readAll(ends[0])
        close(ends[0])
        var exit: Int32 = 0
        waitpid(process, &exit, 0)
        guard exit == 0 else { throw ValidationError("\(command.joined(separator: " ")) failed (wait status \(exit)): \(output)") }
        return output
    }

    private func readAll(_ descriptor: Int32) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
