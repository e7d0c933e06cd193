// Goal: what the tables of the commands say at 3 a.m.: when, how long ago, what came of it; and what was proven once stays proven.
// Method: one engine; operations with `weir`, then the tables, the console's own screens and the wrong input.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct Records {
        let home = TestHome()

        /// The lines of a table without its header.
        private func rows(_ words: String...) throws -> [String] {
            try Array(home.weir(words).output.split(separator: "\n").dropFirst().map(String.init))
        }

        /// "12:04:31 UTC   7s  " at the start of a row.
        private func hasTime(_ row: String) -> Bool { row.contains(/\d\d:\d\d:\d\d UTC +\d+[smh]/) }

        @Test func `a proven restart stays proven when its job is canceled`() throws {
            let engine = try BackgroundEngine(home)
            defer { _ = try? engine.end() }  // Broken: the home's end kills what is left.
            try home.succeed("submit", "orders", "--set", "interval=100ms", "--set", "rate=500")
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 2 }
            let savepoint = try home.succeed("savepoint", "orders", "--wait", "--json").record(OperationReport.self)
            let old = try home.job("orders")
            let restarted = try home.succeed("restart", "orders", "--from", "savepoint", "--cancel-first", "--wait")
            #expect(restarted.output.hasPrefix("VERDICT RESUMED+DURABLE"))
            #expect(restarted.errors.contains("from savepoint #\(savepoint.checkpoint?.description ?? "?")"), "\(restarted.transcript)")

            let candidates = try rows("checkpoints", "orders")
            #expect(candidates.allSatisfy { hasTime($0) }, "\(candidates)")
            let saved = try #require(candidates.first { $0.contains(savepoint.path ?? "?") }, "\(candidates)")
            #expect(saved.contains("\(old.id.short) (earlier)") && saved.contains("yes"), "\(saved)")

            let canceled = try home.succeed("cancel", "orders", "--discard")
            #expect(canceled.output.contains("cancel+discard of orders: accepted"), "\(canceled.output)")
            _ = try home.waitForJob("orders", "canceled") { $0.state == .canceled }
            for table in try [rows("operations"), rows("audit", "--utc")] {
                #expect(table.allSatisfy { hasTime($0) }, "\(table)")
                let restart = try #require(table.first { $0.contains("  restart ") })
                #expect(restart.contains("  proven "), "\(table)")
                let cancel = try #require(table.first { $0.contains("  cancel+discard ") }, "\(table)")
                #expect(cancel.contains(/\d+ checkpoints? deleted/) && !cancel.contains("chk-"), "\(cancel)")
            }
            let screen = try home.succeed("dump", "operations", "--size", "160x40").output
            #expect(screen.contains(/restart .* proven/) && screen.contains(/cancel\+discard .* checkpoints? deleted/), "\(screen)")
            let list = try home.succeed("dump", "checkpoints", "--job", "orders", "--size", "120x40").output
            #expect(list.contains("discarded"), "\(list)")
        }

        @Test func `a row of watch has a time, and they do not come in a flood`() throws {
            let engine = try BackgroundEngine(home)
            defer { _ = try? engine.end() }  // Broken: the home's end kills what is left.
            try home.succeed("submit", "orders", "--set", "interval=1h")
            _ = try home.waitForJob("orders", "running") { $0.state == .running }
            let lines = try home.succeed("watch", "orders", "--limit", "40", "--utc").output.split(separator: "\n")
            #expect((1..<40).contains(lines.count) && lines.allSatisfy { $0.contains(#/^\d\d:\d\d:\d\d UTC  /#) }, "\(lines)")
            #expect(try home.weir("dump", "job", "--job", "nosuch").exitCode == ExitCode.refused)
            #expect(try home.weir("savepoint", "nosuch").exitCode == ExitCode.refused)
        }

        @Test func `input that cannot become right fails once`() throws {
            let pipe = home.path + "/pipe", text = home.write("in.txt", "a b\n"), out = home.path + "/out"
            #expect(mkfifo(pipe, 0o600) == 0)
            let cases = [
                (pipe, out, "is a named pipe"), ("/dev/null", out, "is a character device"), (home.path + "/none", out, "No such file"),
                (text, text, "is a file, not a directory"),
            ]
            for (input, output, words) in cases {
                let run = try home.weir("run", "wordcount", "--input", input, "--output", output, "--interval", "100ms")
                #expect(run.exitCode == ExitCode.failed && run.errors.contains(words), "\(run.transcript)")
                #expect(!run.errors.contains("RESTARTING"), "\(run.transcript)")
            }
        }

        @Test func `an engine spends no restart on a device`() throws {
            let engine = try BackgroundEngine(home)
            defer { _ = try? engine.end() }  // Broken: the home's end kills what is left.
            try home.succeed("submit", "wordcount", "--set", "input=/dev/null", "--set", "output=\(home.path)/out")
            let job = try home.waitForJob("wordcount", "failed") { $0.state == .failed }
            #expect(job.restarts == 0 && job.lastFailure?.message.contains("is not a regular file but a character device") == true, "\(job)")
        }

        @Test func `the end of a resumed run counts all of its input`() throws {
            let text = home.write("in.txt", (0..<30_000).map { "line \($0)\n" }.joined())
            let words = ["run", "wordcount", "--input", text, "--output", home.path + "/out", "--interval", "50ms", "--rate", "3000"]
            let first = try home.start(words)
            try first.waitForErrors("listens at")
            try first.waitForErrors("wordcount RUNNING")
            _ = try home.waitForJob("wordcount", "with checkpoints") { $0.counts.completed >= 3 }
            first.signal(SIGKILL)
            _ = first.end(within: 10)
            let second = try home.weir(words)
            #expect(second.errors.contains(/FINISHED: 30000 read \(\d+ since the restore\)/), "\(second.transcript)")
        }

        @Test func `a state directory that cannot be made is a failure of the doctor`() throws {
            let doctor = try home.weir("doctor", environment: ["XDG_STATE_HOME": "/sys/weir"])
            #expect(doctor.output.contains(/fail +state +.*\/sys\/weir.* cannot be created in \/sys/), "\(doctor.output)")
            let homeless = try home.weir("doctor", environment: ["HOME": nil, "XDG_STATE_HOME": nil, "XDG_CONFIG_HOME": nil])
            #expect(!homeless.output.contains(" /.config") && !homeless.output.contains(" /.local"), "\(homeless.output)")
        }
    }
}
