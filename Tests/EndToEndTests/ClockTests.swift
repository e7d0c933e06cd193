// Goal: a wall clock that is set, by an hour or by a second, forward or back, disturbs neither a console nor an engine: ages and limits are counted by a
// clock that never jumps. Method: a library that sets the wall clock of one program is preloaded; what the screen shows is read from its dumps.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.compiler.isMet, "needs a C compiler"))
    struct Clocks {
        private let home = TestHome()
        private let shim: String

        init() throws {
            shim = home.path + "/set_clock.so"
            let compiler = ChildProcess(
                try #require(Binaries.compiler), ["-O2", "-shared", "-fPIC", "-o", shim, Binaries.harness + "/set_clock.c"], environment: home.environment([:]))
            guard try compiler.finish(within: 60) == .exited(0) else { throw Broken(compiler.transcript) }
        }

        /// A wall clock that can be set.
        private final class WallClock {
            let environment: [String: String?]
            private let path: String

            init(_ home: TestHome, shim: String, name: String) {
                path = home.write(name, [UInt8](repeating: 0, count: 8))
                environment = ["LD_PRELOAD": shim, "SET_CLOCK_FILE": path]
            }

            /// As many milliseconds ahead of the machine's.
            func set(_ ahead: Int64) {
                // In place and at once: the program has the file in its memory.
                let file = open(path, O_WRONLY | O_CLOEXEC)
                defer { close(file) }
                var ahead = ahead
                guard file >= 0, pwrite(file, &ahead, 8, 0) == 8 else { fatalError("cannot set the clock: \(String(cString: strerror(errno)))") }
            }
        }

        /// One after the other: how far the clock is ahead from then on, in milliseconds, and how the console says that.
        private static let settings: [(ahead: Int64, words: String)] = [
            (3_600_000, "set forward by 1h00m"), (0, "set back by 1h00m"), (1000, "set forward by 1.0s"), (0, "set back by 1.0s"),
            (-3_600_000, "set back by 1h00m"), (0, "set forward by 1h00m"),
        ]

        private static func now() -> Int64 {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Int64(time.tv_sec)
        }

        private func console(_ clock: WallClock) throws -> Pty {
            let console = Pty(try #require(Binaries.weir), ["console", "--socket", home.socket], environment: home.environment(clock.environment))
            _ = try console.time(of: "orders")
            console.type("\r")
            _ = try console.time(of: "duplicates")
            console.burst(quiet: 0.1)
            return console
        }

        /// The rows of the screen.
        private func screen(of console: Pty) throws -> [String] {
            let path = home.path + "/screen-\(listDirectory(home.path).count).txt"
            console.type(":dump \(path)\r")
            return try wait(10, for: "a dump of the screen", evidence: { console.text.suffix(2000).debugDescription }) {
                console.read(within: 0.02)
                let rows = String(decoding: readFile(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
                return rows.count >= 24 ? rows.map { String($0) } : nil
            }
        }

        /// `both`: the engine lives by the same clock, as on one machine.
        @Test(arguments: [false, true])
        func `a console goes on when the clock is set`(both: Bool) throws {
            let clock = WallClock(home, shim: shim, name: "clock")
            let engine = try BackgroundEngine(home, environment: both ? clock.environment : [:])
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=1s")
            let console = try console(clock)
            for (ahead, words) in Self.settings {
                let start = console.output.count, cpu = cpuSeconds(of: console.id), setAt = monotonicSeconds()
                clock.set(ahead)
                _ = console.collect(for: 5)
                let span = monotonicSeconds() - setAt
                let bytes = Double(console.output.count - start) / span, busy = (cpuSeconds(of: console.id) - cpu) / span
                print("clock \(ahead) ms ahead: \(Int(bytes)) bytes/s, \((busy * 1000).rounded() / 10) % of a core")
                #expect(bytes <= 1500 && busy <= 0.1, "after the clock was set \(ahead) ms ahead")
                let said = String(decoding: console.output[start...], as: UTF8.self)
                let rows = try screen(of: console), text = rows.joined(separator: "\n")
                #expect(rows[23].contains(words), "\(text)")
                // The title has the time of day of the clock as it is set.
                let times = (-3...1).map { timeOfDay(Self.now() + ahead / 1000 + Int64($0)) }
                #expect(times.contains { rows[0].contains($0) }, "none of \(times)\n\(text)")
                for word in ["no word", "is old", "lost the link to local", "reconnected", "stale"] where said.contains(word) || text.contains(word) {
                    Issue.record("\"\(word)\" after the clock was set \(ahead) ms ahead\n\(text)")
                }
                #expect(rows[0].contains("age 0s") || rows[0].contains("age 1s"), "\(text)")
                for (number, row) in rows.enumerated() where number < 23 {
                    // How long a job has run comes of what the engine wrote down by its wall clock when it began.
                    let row = both && number == 0 ? row.replacing(/RUNNING \S+/, with: "") : row
                    #expect(!row.contains(/\b1h\d\dm|\b59m\b|\b60m\b|-\d+ ?[smh]\b/), "an age of an hour\n\(text)")
                }
                let keyed = console.output.count
                console.type("?")
                _ = try console.time(of: "ACT (", after: keyed, within: 2)
                console.type("q")
                console.burst(quiet: 0.1)
            }
        }

        /// Set back an hour, a console that waits for a moment of the wall clock would wait for an hour.
        @Test func `a stopped engine is called silent in time although the clock was set back`() throws {
            let clock = WallClock(home, shim: shim, name: "clock")
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=1s")
            let console = try console(clock)
            // A wait that began before.
            _ = console.collect(for: 1)
            let start = console.output.count
            engine.process.signal(SIGSTOP)
            clock.set(-3_600_000)
            let stoppedAt = monotonicSeconds()
            let silentAt = try console.time(of: "no word from the engine", after: start, within: 12)
            print("called silent \(((silentAt - stoppedAt) * 10).rounded() / 10) s after the stop")
            #expect(silentAt - stoppedAt > 4.5)
            let end = console.output.count
            engine.process.signal(SIGCONT)
            _ = try console.time(of: "reconnected", after: end, within: 20)
        }

        @Test func `an engine goes on with its checkpoints when the clock is set`() throws {
            let clock = WallClock(home, shim: shim, name: "clock")
            let engine = try BackgroundEngine(home, environment: clock.environment)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            _ = try home.waitForJob("orders", "has completed two checkpoints") { $0.counts.completed >= 2 }
            for (ahead, _) in Self.settings {
                let before = try home.job("orders")
                let cpu = cpuSeconds(of: engine.process.id), setAt = monotonicSeconds()
                clock.set(ahead)
                // Not at once, that would be a burst, and not later than the interval; a report a second tells of it.
                let after = try home.waitForJob("orders", "has completed six more checkpoints", within: 10) {
                    $0.counts.completed >= before.counts.completed + 6
                }
                let span = monotonicSeconds() - setAt, busy = (cpuSeconds(of: engine.process.id) - cpu) / span
                let made = after.counts.completed - before.counts.completed
                print("clock \(ahead) ms ahead: \(made) checkpoints in \((span * 10).rounded() / 10) s, \((busy * 100).rounded()) % of a core")
                #expect(Double(made) <= span / 0.5 + 2)
                #expect(span <= 6, "\(made) checkpoints took \(span) s")
                #expect(after.state == .running && after.restarts == 0 && after.counts.failed == before.counts.failed)
                #expect(busy <= 1.5)
            }
        }

        private func timeOfDay(_ seconds: Int64) -> String {
            let ofDay = seconds % 86400
            func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
            return "\(two(ofDay / 3600)):\(two(ofDay / 60 % 60)):\(two(ofDay % 60))"
        }

        private func cpuSeconds(of id: pid_t) -> Double {
            // The name, in brackets, may have anything in it.
            let fields = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            return fields.dropFirst(11).prefix(2).reduce(0) { $0 + (Double($1) ?? 0) } / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }
}
