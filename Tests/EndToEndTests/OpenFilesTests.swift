// Goal: where the limit on open files is low, every program of ours works or ends with one clear sentence; and an engine that runs out of files
// later rests, and serves again when there are some. Method: the real executable under `ulimit -n`, and the limit of a running engine lowered.

import ControlProtocol
import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct OpenFiles {
        let home = TestHome()

        private static let limits = [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 24, 28, 31, 32, 33, 40, 48, 55, 56, 57, 60, 64]

        /// Runs the executable with so many files, for both limits.
        private func limited(_ count: Int, _ arguments: [String]) throws -> ChildProcess {
            let weir = try #require(Binaries.weir)
            // What the test runner has open and hands down would count, too.
            let script = """
                for file in /proc/$$/fd/*; do number=${file##*/}; if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi; done
                ulimit -n \(count); exec "$0" "$@"
                """
            return ChildProcess("/bin/bash", ["-c", script, weir] + arguments, environment: home.environment())
        }

        private func expectRefusal(_ child: ChildProcess, _ count: Int, location: SourceLocation = #_sourceLocation) throws {
            #expect(try child.finish(within: 20) == .exited(ExitCode.failed), "\(child.transcript)", sourceLocation: location)
            let lines = child.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(child.transcript)", sourceLocation: location)
            for words in ["may open \(count) files", "ulimit -n"] { #expect(child.errors.contains(words), "\(child.transcript)", sourceLocation: location) }
        }

        @Test(arguments: limits) func `an engine works or says what it needs`(count: Int) throws {
            let engine = try limited(count, ["engine"])
            try wait(20, for: "a word of the engine", evidence: { engine.transcript }) { engine.errors.contains("\n") || engine.pollEnd() != nil }
            guard engine.errors.contains("listens at") else { return try expectRefusal(engine, count) }
            #expect(count >= 56)
            try home.succeed("submit", "orders", "--name", "o", "--set", "rate=1000", "--set", "interval=100ms")
            _ = try home.waitForJob("o", "with 3 checkpoints") { $0.state == .running && $0.counts.completed >= 3 }
            engine.signal(SIGTERM)
            #expect(try engine.finish(within: 20) == .exited(0), "\(engine.transcript)")
        }

        @Test(arguments: limits) func `run, demo, console and commands work or say what they need`(count: Int) throws {
            let run = try limited(count, ["run", "orders", "--set", "count=1000", "--rate", "100000", "--state", home.path + "/run\(count)"])
            if try run.finish(within: 30) != .exited(0) { try expectRefusal(run, count) }
            let dump = try limited(count, ["dump", "overview", "--timeout", "100ms"])
            if try dump.finish(within: 30) != .exited(0) {
                if !dump.errors.contains("no engine"), !dump.errors.contains("not answer") { try expectRefusal(dump, count) }
            }
            let status = try limited(count, ["status"])
            if try status.finish(within: 30) == .exited(ExitCode.noLink) {
                #expect(status.errors.contains("no engine at"))
            } else {
                try expectRefusal(status, count)
            }
        }

        @Test(arguments: [8, 16, 40, 64]) func `a demo works or says what it needs`(count: Int) throws {
            let demo = try limited(count, ["demo"])
            if try demo.finish(within: 120) != .exited(0) {
                try expectRefusal(demo, count)
                #expect(count < 56)
            }
        }

        @Test func `an engine that runs out of files serves again when there are some`() throws {
            let engine = try BackgroundEngine(home)
            let id = engine.process.id
            let first = try LineClient(home.socket)
            try first.hello()
            // One more fits, and is served; what comes then waits in the kernel.
            let open = try #require(openFiles(of: id))
            let tool = try #require(Binaries.tool("prlimit"), "util-linux is part of every Debian")
            let lowering = ChildProcess(tool, ["--pid", "\(id)", "--nofile=\(open + 1):\(open + 1)"], environment: home.environment())
            #expect(try lowering.finish() == .exited(0), "\(lowering.transcript)")
            let second = try LineClient(home.socket)
            try second.hello()
            let before = try #require(processorSeconds(of: id))
            let third = try LineClient(home.socket)
            let start = monotonicSeconds()
            try third.hello()
            // The longest idle one gave its place.
            #expect(monotonicSeconds() - start < 5)
            let busy = try #require(processorSeconds(of: id)) - before
            #expect(busy < 1, "\(busy) s of processor time for waiting")
            _ = try third.ask(#"{"jsonrpc":"2.0","id":1,"method":"jobs"}"#)
        }

        private func openFiles(of id: pid_t) -> Int? {
            guard let directory = opendir("/proc/\(id)/fd") else { return nil }
            defer { closedir(directory) }
            var highest = 0
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                highest = max(highest, Int(name) ?? 0)
            }
            return highest + 1
        }

        private func processorSeconds(of id: pid_t) -> Double? {
            let words = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            guard words.count > 12, let user = Double(words[11]), let system = Double(words[12]) else { return nil }
            return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }
}
