// Goal: Tab completes what only an engine or the configuration knows, in a moment, and is silent where there is nothing. Method: the line and the candidates
// as values; then the built executable as a shell asks it, with an engine, without one, and with one that does not answer.

import FoundationEssentials
import Glibc
import HostEnvironment
import StreamModel
import TestKit
import Testing

@testable import CommandLineApp

@Suite struct CompletedLineTests {
    @Test func `the engine and the job are found among the options`() {
        func line(_ text: String) -> CompletedLine { CompletedLine(text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)) }
        #expect(line("weir savepoint ").job == "")
        #expect(line("weir restart orders --from ").job == "orders")
        #expect(line("weir restart --reason why --wait orders --from ").job == "orders")
        #expect(line("weir --socket /x restart orders").socket == "/x" && line("weir --socket /x restart orders").job == "orders")
        #expect(line("weir restart --context=prod orders").context == "prod")
        #expect(line("weir restart --flink http://host:8081 orders").flink == "http://host:8081")
        #expect(line("weir restart --socket").socket == nil)
        #expect(line("weir").job == nil && CompletedLine([]).job == nil)
    }

    @Test func `runs of one name are told apart by id, and names that cannot be typed are ids`() {
        func job(_ id: UInt64, _ name: String) -> JobReport {
            JobReport(
                id: JobID(high: id << 32, low: 1), name: name, state: .running, stateSince: .now(), submittedAt: .now(), parallelism: 1, maxParallelism: 1,
                configuration: CheckpointConfiguration(), budget: FailureBudget(counted: 0, tolerable: nil, source: .exact, cumulative: 0))
        }
        let jobs = [job(0xaaaa_0001, "orders"), job(0xaaaa_0002, "orders"), job(0xaaaa_0003, "shaky"), job(0xaaaa_0004, "x\u{1b}[2J"), job(0xaaaa_0005, "")]
        #expect(ShellCompletion.candidates(jobs) == ["orders", "shaky", "aaaa0001", "aaaa0002", "aaaa0004", "aaaa0005"])
    }
}

@Suite(.enabled(if: weirExecutable != nil, "the executable was not built")) struct ShellCompletionTests {
    private let sandbox = Sandbox()

    /// What a shell is answered for the last word; the argument is named as in the generated script.
    private func complete(_ command: String, _ argument: String, _ words: String...) throws -> (status: Int32?, output: String, errors: String) {
        let line = ["weir", command] + words
        return try weir(["---completion", command, "--", argument, "\(line.count - 1)", "\(words.last?.utf8.count ?? 0)"] + line, in: sandbox)
    }

    private func candidates(_ answer: (status: Int32?, output: String, errors: String)) -> [String] {
        #expect(answer.status == 0 && answer.errors.isEmpty, "\(answer)")
        return answer.output.split(separator: "\n").map(String.init)
    }

    @Test func `jobs and checkpoints of the engine are completed`() throws {
        let engine = try WeirProcess(["engine"], in: sandbox, label: "engine")
        defer { engine.kill9() }
        #expect(try eventually { try weir(["status"], in: sandbox).status == 0 })
        #expect(try weir(["submit", "orders", "--set", "interval=50ms"], in: sandbox).status == 0)
        #expect(candidates(try complete("savepoint", "positional@0", "")) == ["orders"])
        #expect(candidates(try complete("log", "positional@0", "or")) == ["orders"])
        #expect(try weir(["savepoint", "orders", "--wait"], in: sandbox).status == 0)
        let from = candidates(try complete("restart", "--from", "orders", "--from", ""))
        #expect(from.prefix(2) == ["latest", "savepoint"] && from.count > 2 && from.dropFirst(2).allSatisfy { UInt64($0) != nil }, "\(from)")
        let paths = candidates(try complete("restart", "--from", "orders", "--from", "/"))
        #expect(!paths.isEmpty && paths.allSatisfy { $0.hasPrefix("/") && access($0, F_OK) == 0 }, "\(paths)")
    }

    @Test func `without an engine there is nothing, and no word of it`() throws {
        #expect(candidates(try complete("savepoint", "positional@0", "")).isEmpty)
        #expect(candidates(try complete("restart", "--from", "orders", "--from", "")) == ["latest", "savepoint"])
        #expect(candidates(try complete("savepoint", "positional@0", "--context", "nowhere", "")).isEmpty)
        #expect(candidates(try complete("savepoint", "positional@0", "--flink", "http://127.0.0.1:9", "")).isEmpty)
        #expect(candidates(try complete("savepoint", "positional@0", "--flink", "no address", "")).isEmpty)
    }

    @Test func `an engine that does not answer costs a moment`() throws {
        // It listens and says nothing.
        let path = sandbox["silent.sock"]
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
        try #require(isBound && listen(listener, 4) == 0)
        let start = EngineInstant.now()
        #expect(candidates(try complete("savepoint", "positional@0", "--socket", path, "")).isEmpty)
        // The limit is 0.8 s; the rest is the start of a process on a busy machine.
        #expect(EngineInstant.now() - start < .seconds(4))
    }

    @Test func `contexts are those of the configuration`() throws {
        let folder = sandbox[".config/weir"]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("[contexts.prod-eu]\nsocket = \"/run/weir/eu.sock\"\n[contexts.lab]\nsocket = \"/run/weir/lab.sock\"\n".utf8).write(
            to: URL(filePath: folder + "/config.toml"))
        #expect(candidates(try complete("status", "--context", "--context", "")) == ["lab", "prod-eu"])
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func `the scripts ask for them`(shell: String) throws {
        let script = try weir(["--generate-completion-script", shell], in: sandbox)
        #expect(script.status == 0 && script.errors.isEmpty)
        #expect(script.output.contains("---completion savepoint -- positional@0"), "\(shell)")
        #expect(script.output.contains("---completion restart -- --from"), "\(shell)")
    }
}
