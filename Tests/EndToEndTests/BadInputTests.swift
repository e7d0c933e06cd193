// Goal: bad input ends in one clear sentence and the right exit code, loses nothing and traps nowhere. Method: every kind of it, through the
// real command line, the real socket and the real terminal; afterwards the engine must still be there.

import ControlProtocol
import Glibc
import JSON
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    // MARK: Sockets

    @Suite struct BadSockets {
        let home = TestHome()

        @Test func `a path over 107 bytes`() throws {
            let path = home.path + "/" + String(repeating: "s", count: 108 - home.path.utf8.count)
            try home.expectRefusal(["engine", "--socket", path], code: ExitCode.refused, says: "socket path is 109 bytes, the limit is 107", path)
            try home.expectRefusal(["status", "--socket", path], code: ExitCode.noLink, says: "socket path is 109 bytes, the limit is 107", path)
        }

        @Test func `a path of 107 bytes`() throws {
            let path = home.path + "/" + String(repeating: "s", count: 106 - home.path.utf8.count)
            let engine = try BackgroundEngine(home, ["--socket", path])
            try home.succeed("status", "--socket", path)
            #expect(try engine.end() == .exited(0))
        }

        @Test func `a file in the place of the socket is left alone`() throws {
            let file = home.write("engine.sock", "precious\n")
            try home.expectRefusal(["engine", "--socket", file], code: ExitCode.refused, says: file, "not a socket", "remove it or choose another")
            try home.expectRefusal(["status", "--socket", file], code: ExitCode.noLink, says: file, "not a socket", "--socket")
            #expect(readFile(file) == Array("precious\n".utf8))
        }

        @Test func `a stale socket is told to clients and taken over by the next engine`() throws {
            let engine = try BackgroundEngine(home)
            try engine.killNow()
            #expect(access(home.socket, F_OK) == 0)
            try home.expectRefusal(["status"], code: ExitCode.noLink, says: home.socket, "stale", "weir engine")
            try engine.startAgain()
            try home.succeed("status")
        }

        @Test func `a live socket belongs to its engine`() throws {
            let engine = try BackgroundEngine(home)
            try home.expectRefusal(
                ["engine", "--state", home.path + "/other"], code: ExitCode.refused, says: "already listens at \(home.socket)", "pid \(engine.process.id)",
                "stop it or choose another")
            try home.expectRefusal(
                ["engine", "--socket", home.path + "/other.sock"], code: ExitCode.refused, says: "in use by another engine", "pid \(engine.process.id)",
                "--state")
            let status = try home.succeed("status", "--json").record(EngineReport.self)
            #expect(status.engine.processID == engine.process.id)
            // `weir run` steps aside instead.
            let run = try home.weir("run", "orders", "--set", "count=1000", "--rate", "100000")
            #expect(run.exitCode == ExitCode.ok, "\(run.transcript)")
            #expect(run.errors.contains("this run listens at"))
        }

        @Test func `no socket at all`() throws {
            for command in [["status"], ["jobs"], ["savepoint", "orders"], ["restart", "orders"], ["operations", "--json"]] {
                try home.expectRefusal(command, code: ExitCode.noLink, says: "no engine at \(home.socket)", "weir engine")
            }
        }

        @Test func `a directory that others may write to`() throws {
            let shared = home.folder("shared")
            chmod(shared, 0o777)
            try home.expectRefusal(["engine", "--socket", shared + "/e.sock"], code: ExitCode.refused, says: shared, "can be written by others")
        }
    }

    // MARK: Frames

    @Suite struct BadFrames {
        let home = TestHome()

        /// The kind and message of an error answer.
        private func failure(_ answer: JSONValue) throws -> (kind: String, message: String) {
            guard case .object(let frame) = answer, case .object(let error)? = frame["error"], case .object(let data)? = error["data"],
                case .string(let kind)? = data["kind"], case .string(let message)? = error["message"]
            else { throw Broken("this is no error: \(answer)") }
            return (kind, message)
        }

        @Test func `each is answered by its own error, and the engine goes on`() throws {
            let engine = try BackgroundEngine(home)
            let client = try LineClient(home.socket)
            try client.hello()
            let cases: [(line: String, kind: String, says: String)] = [
                ("this is no JSON", "parse", "JSON"),
                (#"{"jsonrpc":"2.0","id":1,"method":"jobs""#, "parse", "JSON"),
                (String(repeating: "[", count: 5000), "parse", "nest"),
                (#"[1,2,3]"#, "invalidRequest", "object"),
                (#"{"jsonrpc":"2.0","id":1,"method":"explode"}"#, "unknownVerb", "explode"),
                (#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":[99],"client":"x"}}"#, "version", "99"),
                (#"{"jsonrpc":"2.0","id":1,"method":"checkpoints"}"#, "badField", "job"),
                (#"{"jsonrpc":"2.0","id":1,"method":"checkpoints","params":{"job":7}}"#, "badField", "job"),
                (#"{"jsonrpc":"2.0","id":1,"method":"job","params":{"job":"nosuch"}}"#, "unknownJob", "nosuch"),
            ]
            for (line, kind, says) in cases {
                let answer = try failure(try client.ask(line))
                #expect(answer.kind == kind, "\(line.prefix(80)): \(answer)")
                #expect(answer.message.contains(says), "\(line.prefix(80)): \(answer)")
            }
            guard case .object(let frame) = try client.ask(#"{"jsonrpc":"2.0","id":2,"method":"jobs"}"#) else { throw Broken("no answer") }
            #expect(frame["result"] != nil)
            try home.succeed("status")
            withExtendedLifetime(engine) {}
        }

        @Test func `a frame that is too long ends its connection and no other`() throws {
            let engine = try BackgroundEngine(home)
            let other = try LineClient(home.socket)
            try other.hello()
            let client = try LineClient(home.socket)
            try client.hello()
            client.send([UInt8](repeating: 0x20, count: 3 << 20))
            let line = try #require(try client.line(), "no answer before the end")
            #expect(try failure(try JSONValue.parse(line, maximumDepth: 64)).kind == "frameTooLong")
            #expect(try client.line() == nil)
            guard case .object(let frame) = try other.ask(#"{"jsonrpc":"2.0","id":2,"method":"jobs"}"#) else { throw Broken("no answer") }
            #expect(frame["result"] != nil)
            withExtendedLifetime(engine) {}
        }

        @Test func `a client must say hello, in a version that both speak`() throws {
            let engine = try BackgroundEngine(home)
            #expect(try failure(try LineClient(home.socket).ask(#"{"jsonrpc":"2.0","id":1,"method":"jobs"}"#)).kind == "version")
            let old = try failure(try LineClient(home.socket).ask(#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":[0,77],"client":"old"}}"#))
            #expect(old.kind == "version")
            withExtendedLifetime(engine) {}
        }

        @Test func `noise of all kinds does no harm`() throws {
            let engine = try BackgroundEngine(home)
            let seed = SeededGenerator.chosenSeed()
            print("noise on the socket: seed \(seed) (WEIR_SEED)")
            var generator = SeededGenerator(seed: seed)
            for _ in 0..<200 {
                let client = try LineClient(home.socket)
                if Bool.random(using: &generator) { try client.hello() }
                client.send((0..<Int.random(in: 1...4000, using: &generator)).map { _ in UInt8.random(in: .min ... .max, using: &generator) } + [10])
            }
            try home.succeed("status")
            #expect(engine.process.pollEnd() == nil)
        }
    }

    // MARK: Restores and launches

    @Suite struct BadRestores {
        let home = TestHome()

        @Test func `paths that cannot be restored are named, and nothing is started or lost`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            try home.succeed("submit", "shaky", "--set", "interval=100ms")
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 3 }
            _ = try home.waitForJob("shaky", "with a checkpoint") { $0.latestCompleted != nil }
            // Ended, so that its checkpoint is not subsumed while the test goes on.
            try home.succeed("cancel", "shaky", "--keep", "--wait")
            let foreign = try #require(try home.checkpoints(of: "shaky").last(where: \.isRestorable)?.path)
            try home.expectRefusal(["restart", "orders"], code: ExitCode.refused, says: "RUNNING")
            try home.succeed("cancel", "orders", "--keep", "--wait")
            let kept = try home.checkpoints(of: "orders").filter(\.isRestorable)
            #expect(kept.count >= 3)

            let empty = home.folder("empty"), missing = home.path + "/missing", file = home.write("file", "text")
            for start in [["restart", "orders", "--from"], ["submit", "orders", "--name", "other", "--from"]] {
                try home.expectRefusal(start + [missing], code: ExitCode.refused, says: missing, "nothing is there")
                try home.expectRefusal(start + [empty], code: ExitCode.refused, says: empty, "no _metadata", "choose another")
                try home.expectRefusal(start + [file], code: ExitCode.refused, says: file)
                try home.expectRefusal(start + [foreign], code: ExitCode.refused, says: foreign, "belongs to job 'shaky'", "choose a checkpoint of this job")
            }
            try home.expectRefusal(["restart", "orders", "--from", "9999"], code: ExitCode.refused, says: "no checkpoint 9999")
            try home.expectRefusal(["restart", "nosuch"], code: ExitCode.refused, says: "no job 'nosuch'")
            try refuseDamaged(try #require(kept.last?.path))
            #expect(try home.checkpoints(of: "orders").filter(\.isRestorable).map(\.id) == kept.map(\.id))
            #expect(try home.jobs().count == 2)
            let resumed = try home.weir("restart", "orders", "--wait")
            #expect(resumed.exitCode == ExitCode.ok, "\(resumed.transcript)")
        }

        /// A flipped bit, a missing byte, a missing file: each is named and stays where it is.
        private func refuseDamaged(_ path: String) throws {
            let manifest = readFile(path + "/_metadata"), names = listDirectory(path)
            var flipped = manifest
            flipped[flipped.count / 2] ^= 0x10
            for damage in [flipped, Array(manifest.dropLast()), [], manifest + [0]] {
                home.write(path + "/_metadata", damage)
                try home.expectRefusal(["restart", "orders", "--from", path], code: ExitCode.refused, says: path)
                let inspection = try home.weir("inspect", path, "--json")
                #expect(inspection.exitCode == ExitCode.failed, "\(inspection.transcript)")
                #expect(readFile(path + "/_metadata") == damage, "a failed read has changed the file")
            }
            home.write(path + "/_metadata", manifest)
            #expect(listDirectory(path) == names)
            try home.succeed("inspect", path)
            // Every byte is read before the request is accepted, also when nobody waits for its end.
            let state = try #require(names.first { $0 != "_metadata" })
            let bytes = readFile(path + "/" + state)
            var wrong = bytes
            wrong[bytes.count - 1] ^= 1
            for damage in [wrong, Array(bytes.dropLast()), nil] {
                if let damage { home.write(path + "/" + state, damage) } else { unlink(path + "/" + state) }
                try home.expectRefusal(["restart", "orders", "--from", path], code: ExitCode.refused, says: state)
                #expect(readFile(path + "/" + state) == damage ?? [], "a failed read has changed the file")
            }
            home.write(path + "/" + state, bytes)
        }

        @Test func `parallelism 0 and above the maximum`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            for number in ["0", "-1", "40000"] {
                try home.expectRefusal(
                    ["submit", "orders", "--parallelism", number], code: number == "-1" ? ExitCode.usage : ExitCode.refused, says: "parallelism")
                try home.expectRefusal(
                    ["run", "orders", "--parallelism", number], code: number == "-1" ? ExitCode.usage : ExitCode.refused, says: "parallelism")
            }
            #expect(try home.jobs() == [])
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            _ = try home.waitForJob("orders", "with a checkpoint") { $0.latestCompleted != nil }
            try home.expectRefusal(
                ["restart", "orders", "--cancel-first", "--parallelism", "129"], code: ExitCode.refused, says: "parallelism must be 1 to 128", "129")
            // The job that was to be cancelled first was not.
            #expect(try home.job("orders").state == .running)
        }

        @Test func `programs and arguments that there are not`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.expectRefusal(["submit", "nosuch"], code: ExitCode.refused, says: "nosuch", "orders, shaky, wordcount")
            try home.expectRefusal(["submit", "orders", "--set", "speed=1"], code: ExitCode.refused, says: "speed", "rate, interval")
            try home.expectRefusal(["submit", "orders", "--set", "rate=fast"], code: ExitCode.refused, says: "rate", "fast")
            try home.expectRefusal(["submit", "wordcount"], code: ExitCode.refused, says: "input")
            try home.expectRefusal(
                ["run", "wordcount", "--input", home.path + "/none", "--output", home.path + "/o"], code: ExitCode.failed, says: home.path + "/none")
        }

        @Test func `a wrong command line is usage`() throws {
            for words in [
                ["restart"], ["operations", "--limit", "0"], ["savepoint", "orders", "--timeout", "soon"],
                ["cancel", "orders", "--keep", "--discard"],
                ["submit", "orders", "--operation", "no spaces here"], ["status", "--nosuch"],
            ] { try home.expectRefusal(words, code: ExitCode.usage, says: "Usage: weir") }
            try home.expectRefusal(["nosuch"], code: ExitCode.usage, says: "no command 'nosuch'", "weir help")
            let help = try home.succeed("--help")
            #expect(help.output.contains("EXAMPLES") && help.output.contains("Exit codes: 0 ok, 1 usage"))
            for command in [
                "demo", "engine", "run", "console", "status", "jobs", "checkpoints", "savepoint", "checkpoint", "stop", "cancel", "restart", "operations",
            ] {
                #expect(try home.succeed(command, "--help").output.contains("EXAMPLE"), "\(command) --help shows no example")
            }
            for shell in ["bash", "zsh", "fish"] { #expect(try home.succeed("--generate-completion-script", shell).output.contains("checkpoints")) }
        }
    }

    // MARK: Disks

    @Suite(.enabled(if: Requirement.mounts.isMet, "needs mounts"))
    struct BadDisks {
        let home = TestHome()
        private let disk: String

        init() { disk = home.folder("disk") }

        /// Runs a script that sees a disk of its own; `$WEIR` is the executable.
        private func onDisk(_ options: String, _ script: String) throws -> CommandResult {
            let child = SmallDisk.run(
                home, at: disk, options: options, "/usr/bin/env", ["WEIR=\(try #require(Binaries.weir))", "DISK=\(disk)", "/bin/sh", "-c", script])
            let end = try child.finish(within: 120)
            return CommandResult(end: end, output: child.output, errors: child.errors, transcript: child.transcript)
        }

        @Test func `a state directory that cannot be written`() throws {
            for command in ["engine --state $DISK/state", "run orders --state $DISK/state"] {
                let result = try onDisk("ro", "exec $WEIR \(command)")
                #expect(result.exitCode == ExitCode.refused, "\(result.transcript)")
                #expect(result.errors.contains("\(disk)/state: read-only filesystem"), "\(result.transcript)")
            }
        }

        @Test func `an output directory that cannot be written`() throws {
            let text = home.write("text", "one two two\n")
            let result = try onDisk("ro", "exec $WEIR run wordcount --input \(text) --output $DISK/counts")
            #expect(result.exitCode == ExitCode.failed, "\(result.transcript)")
            #expect(result.errors.contains("\(disk)/counts") && result.errors.contains("read-only filesystem"), "\(result.transcript)")
        }

        /// A disk of 1 MiB fills up under a running word count for more than ten seconds: the job waits with the reason, uses up none of its three
        /// restarts, goes on by itself, and the count ends exactly.
        @Test func `a checkpoint directory that fills up`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let result = try onDisk(
                "size=1m",
                """
                head -c 700000 /dev/zero > $DISK/ballast
                (sleep 15; rm $DISK/ballast; echo "room again" >&2) &
                exec $WEIR run wordcount --input \(corpus.files.joined(separator: " ")) --output \(home.path)/counts --state $DISK/state \
                    --interval 50ms --rate \(corpus.lineCount / 6)
                """)
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            let parts = result.errors.split(separator: "room again", maxSplits: 1)
            let before = try #require(parts.first, "\(result.transcript)"), after = try #require(parts.last)
            #expect(
                before.contains("RESTARTING: no space left on device on \(disk)/state") && before.contains("free space; tried again in"), "\(result.transcript)"
            )
            // More looks than the strategy has restarts.
            #expect(before.contains("tried again in 8 s"), "\(result.transcript)")
            #expect(after.contains("FINISHED"), "\(result.transcript)")
            #expect(corpus.difference(from: home.path + "/counts") == nil)
        }

        /// `ulimit -f`: a write beyond it is an error that is told, not a signal that kills the engine. The record of the job does not fit, so its end
        /// cannot be written down: the run does not claim it, and the same command without the limit ends it at once.
        @Test func `a limit of file sizes`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let run = """
                exec $WEIR run wordcount --input \(corpus.files.joined(separator: " ")) --output \(home.path)/counts --state \(home.path)/state --interval 50ms \
                    --rate \(corpus.lineCount / 6)
                """
            func start(_ script: String) throws -> ChildProcess {
                ChildProcess("/usr/bin/env", ["WEIR=\(try #require(Binaries.weir))", "/bin/sh", "-c", script], environment: home.environment())
            }
            let limited = try start("ulimit -f 64\n" + run)
            try limited.waitForErrors("file too large (errno 27); raise the limit of file sizes (ulimit -f)", 60)
            try wait(60, for: "the whole output") { corpus.difference(from: home.path + "/counts") == nil }
            #expect(limited.pollEnd() == nil, "\(limited.transcript)")
            limited.signal(SIGTERM)
            #expect(try limited.finish() == .exited(ExitCode.failed), "\(limited.transcript)")
            let free = try start(run)
            #expect(try free.finish() == .exited(ExitCode.ok), "\(free.transcript)")
            #expect(corpus.difference(from: home.path + "/counts") == nil)
        }

        @Test func `a full disk at the start`() throws {
            let text = home.write("text", "one two two\n")
            let result = try onDisk(
                "size=1m",
                "head -c 1048576 /dev/zero > $DISK/ballast 2>/dev/null; exec $WEIR run wordcount --input \(text) --output \(home.path)/counts --state $DISK/state"
            )
            #expect(result.exitCode == ExitCode.refused, "\(result.transcript)")
            #expect(result.errors.contains("is full"), "\(result.transcript)")
        }
    }

    // MARK: Terminals, themes, configuration

    @Suite struct BadTerminals {
        let home = TestHome()

        @Test(arguments: [nil, "", "dumb"] as [String?]) func `TERM unset, empty or dumb`(term: String?) throws {
            let console = Pty(try #require(Binaries.weir), ["console"], environment: home.environment(["TERM": term]))
            #expect(try console.waitForEnd() == ExitCode.usage)
            #expect(console.text.contains("TERM") && console.text.contains("weir status"), "\(console.text)")
        }

        @Test func `standard output or input that is no terminal`() throws {
            try home.expectRefusal(["console"], code: ExitCode.usage, says: "is not a terminal", "weir status")
            try home.expectRefusal([], code: ExitCode.usage, says: "is not a terminal", "weir status")
        }

        @Test(.enabled(if: Requirement.tmux.isMet, "needs tmux"), arguments: [(39, 6), (40, 5), (20, 3), (2, 1)])
        func `smaller than 40x6`(columns: Int, rows: Int) throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders")
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket], columns: columns, rows: rows)
            // As much as fits, the job first.
            if columns >= 20 { try terminal.wait(for: "the job") { $0.contains("orders") } }
            try terminal.resize(columns: 80, rows: 24)
            try terminal.wait(for: "the whole screen") { $0.contains("[1 overview]") && $0.contains("orders") }
            withExtendedLifetime(engine) {}
        }
    }

    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct BadFiles {
        let home = TestHome()

        /// A console of 120 columns, so that long messages fit.
        private func console(_ options: [String] = []) throws -> TmuxSession {
            try TmuxSession(home, [try #require(Binaries.weir), "console"] + options, columns: 160, rows: 40)
        }

        @Test func `an unknown key in the config file`() throws {
            home.write(home.configuration, "theme = \"slate\"\ncolour = \"red\"\n")
            let terminal = try console()
            try terminal.wait(for: "the banner") { $0.contains("config.toml:2") && $0.contains("unknown key \"colour\"") }
            try terminal.waitFor("[1 overview]")
        }

        @Test func `a config file that is no TOML, or no UTF-8`() throws {
            home.write(home.configuration, "theme = \n")
            try console().wait(for: "the banner") { $0.contains("config.toml:1") && $0.contains("not TOML") }
            home.write(home.configuration, Array("theme = \"sl".utf8) + [0xff] + Array("ate\"\n".utf8))
            try console().wait(for: "the banner") { $0.contains("config.toml") && $0.contains("not UTF-8") }
        }

        @Test func `an unknown key in a theme, with its line`() throws {
            let theme = String(decoding: readFile(Binaries.themes + "/slate.toml"), as: UTF8.self)
            let line = theme.split(separator: "\n", omittingEmptySubsequences: false).count
            let file = home.write("config/weir/themes/odd.toml", theme + "nosuchkey = \"red\"\n")
            let terminal = try console(["--theme", file])
            try terminal.wait(for: "the banner") { $0.contains("odd.toml") && $0.contains("nosuchkey") && $0.contains("\(line)") }
        }

        @Test func `a theme that is not UTF-8, not there, or a directory is kept out`() throws {
            home.write("config/weir/themes/latin.toml", Array("name = \"lat".utf8) + [0xe9] + Array("\"\n".utf8))
            try console(["--theme", "latin"]).wait(for: "the banner") { $0.contains("theme not loaded") && $0.contains("latin") && $0.contains("UTF-8") }
            try console(["--theme", "nosuchtheme"]).wait(for: "the banner") { $0.contains("theme not loaded") && $0.contains("nosuchtheme") }
            try console(["--theme", home.path]).wait(for: "the banner") { $0.contains("theme not loaded") }
        }
    }
}
