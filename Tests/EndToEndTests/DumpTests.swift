// Goal: a screen of the console can be had without a terminal, for a mail, a ticket or a script. Method: the command on a real engine, its output
// through a pipe.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct Dumps {
        let home = TestHome()
        private let engine: BackgroundEngine

        init() throws {
            engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            // A checkpoint, so that there is something in the list.
            try home.succeed("savepoint", "orders", "--wait")
        }

        private func lines(_ result: CommandResult) -> [String] { result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }

        @Test func `a screen at a size, as text`() throws {
            let overview = try home.succeed("dump", "--socket", home.socket, "--size", "80x24")
            #expect(lines(overview).count == 25 && overview.output.contains("[1 overview]") && overview.output.contains("orders"), "\(overview.transcript)")
            #expect(!overview.output.contains("\u{1b}"))
            let job = try home.succeed("dump", "job", "--job", "orders", "--socket", home.socket)
            #expect(lines(job).count == 41 && job.output.contains("failure budget") && job.output.contains("save SP done"), "\(job.transcript)")
            let ascii = try home.succeed("dump", "checkpoints", "--job", "orders", "--socket", home.socket, "--ascii", "--size", "100x30")
            #expect(ascii.output.utf8.allSatisfy { $0 < 0x80 } && ascii.output.contains("save SP done"), "\(ascii.transcript)")
        }

        @Test func `in colour, as a picture, as records and as a table`() throws {
            #expect(try home.succeed("dump", "--socket", home.socket, "--format", "ansi").output.contains("\u{1b}["))
            #expect(try home.succeed("dump", "--socket", home.socket, "--format", "svg").output.hasPrefix("<svg"))
            // RFC 4180: lines end in CR LF.
            let table = try home.succeed("dump", "checkpoints", "--job", "orders", "--socket", home.socket, "--format", "csv").output
            #expect(table.hasPrefix("id,kind,status") && table.contains(",savepoint,COMPLETED,") && table.hasSuffix("\r\n"), "\(table)")
            struct Record: Decodable {
                var screen: String
                var jobs: [JobReport]
                var checkpoints: [CheckpointReport]?
            }
            let record = try home.succeed("dump", "job", "--job", "orders", "--socket", home.socket, "--format", "json").record(Record.self)
            #expect(record.screen == "job" && record.jobs.map(\.name) == ["orders"] && record.checkpoints?.isEmpty == false)
        }

        @Test func `without a link it ends with 2, without the screen or the job with 1`() throws {
            try home.expectRefusal(["dump", "--socket", home.path + "/none.sock"], code: ExitCode.noLink, says: "no link", "local")
            try home.expectRefusal(["dump", "--socket", home.socket, "job", "--job", "nosuch"], code: ExitCode.refused, says: "no job \"nosuch\"")
            try home.expectRefusal(["dump", "--socket", home.socket, "desktop"], code: ExitCode.usage, says: "no screen 'desktop'", "overview")
            try home.expectRefusal(["dump", "--socket", home.socket, "--size", "0x9"], code: ExitCode.usage, says: "size")
        }

        @Test func `an engine that does not answer costs no more than was allowed`() throws {
            engine.process.signal(SIGSTOP)
            defer { engine.process.signal(SIGCONT) }
            let start = monotonicSeconds()
            let result = try home.weir("dump", "--socket", home.socket, "--timeout", "1s")
            #expect(result.exitCode == ExitCode.noLink && monotonicSeconds() - start < 10, "\(result.transcript)")
        }
    }
}
