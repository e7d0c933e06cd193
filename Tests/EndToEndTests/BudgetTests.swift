// Goal: the console and the engine keep their budgets of bytes, time and memory. Method: release builds on a pseudo-terminal, whose other end
// counts and times. Where a name says so, the best of three rounds counts: no round can be faster than the code. A round begins once the
// machine has no other work.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.release.isMet, "needs the release build"))
    struct Budgets {
        let home = TestHome()
        private let weir: String

        init() throws { weir = try #require(Binaries.release) }

        private func console(_ environment: [String: String?] = [:]) -> Pty {
            Pty(weir, ["console", "--socket", home.socket], environment: home.environment(environment))
        }

        private func engine() throws -> BackgroundEngine { try BackgroundEngine(home, binary: weir) }

        /// A console on the job screen of `orders`.
        private func jobScreen() throws -> Pty {
            let console = console()
            _ = try console.time(of: "orders")
            console.type("\r")
            _ = try console.time(of: "duplicates")
            console.burst(quiet: 0.1)
            return console
        }

        // MARK: Bytes

        /// With a stopped engine only the clock, the age of the numbers and the countdown to the next attempt change on the job screen, and
        /// under the help nothing but the clock.
        @Test func `an unchanged frame writes nothing, a clock tick at most 100 bytes, one that shifts a row 128`() throws {
            let engine = try engine()
            try home.succeed("submit", "orders")
            let console = try jobScreen()
            engine.process.signal(SIGSTOP)
            // The numbers turn old and the link is called silent; each is painted once.
            _ = console.collect(for: 7)
            let reads = console.collect(for: 4)
            let ticks = reads.reduce(into: [:]) { $0[Int($1.at - reads[0].at + 0.02), default: 0] += $1.count }.values.sorted()
            console.type("?")
            console.burst(quiet: 0.2)
            var clocks: [Int] = []
            for _ in 0..<4 {
                let tick = try TestKit.wait(5, for: "a tick") {
                    let count = console.read(within: 1.5); return count > 0 ? count : nil
                }
                clocks.append(tick + console.burst(quiet: 0.03))
                let unchanged = unchangedFrame(console)
                #expect(unchanged.isEmpty, "an unchanged frame wrote \(unchanged.debugDescription)")
            }
            print("a second of the job screen with a stopped engine: \(ticks) bytes; a tick of the clock alone: \(clocks) bytes")
            // When a number gains a digit, once in a while, what stands behind it is painted anew.
            #expect(!ticks.isEmpty && ticks.dropLast().allSatisfy { $0 <= 100 } && ticks.allSatisfy { $0 <= 128 })
            #expect(clocks.allSatisfy { $0 <= 100 })
        }

        /// What keys without a meaning and windows of the same size paint. The next second of the clock may come at any moment of a machine
        /// that has other work: what wrote nothing but a time is tried again, so a clock that is painted with every frame is still told.
        private func unchangedFrame(_ console: Pty) -> String {
            var painted = ""
            for _ in 0..<3 {
                let start = console.output.count
                for _ in 0..<5 {
                    console.type("u")
                    kill(console.id, SIGWINCH)
                }
                _ = console.collect(for: 0.5)
                painted = String(decoding: console.output[start...], as: UTF8.self)
                let cells = painted.replacing(/\u{1b}\[[0-9;]*[A-Za-z]/, with: "")
                guard !cells.isEmpty, cells.wholeMatch(of: /[0-9:]{1,8}/) != nil else { return painted }
            }
            return painted
        }

        @Test func `a full paint takes at most 2.2 kB, a live job screen at most 600 bytes a second`() throws {
            let engine = try engine()
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders")
            let console = try jobScreen()
            let start = console.output.count
            console.type("\u{0c}")
            _ = try console.time(of: "duplicates", after: start)
            console.burst(quiet: 0.05)
            let full = console.output.count - start
            let live = console.collect(for: 10).reduce(0) { $0 + $1.count } / 10
            print("full paint \(full) bytes; live job screen \(live) bytes/s")
            #expect(full <= 2200)
            #expect(live <= 600)
        }

        // MARK: Time

        @Test(arguments: ["no socket", "dead socket", "live socket", "hanging engine"])
        func `the first frame is there within 25 ms of exec, as the best of three medians`(link: String) throws {
            var engine: BackgroundEngine?
            if link != "no socket" {
                engine = try self.engine()
                try home.succeed("submit", "orders")
            }
            if link == "dead socket" { try engine?.killNow() }
            if link == "hanging engine" { engine?.process.signal(SIGSTOP) }
            let median = try best(of: 3, budget: 25) { try self.firstFrame() }
            print("first frame with \(link): median \(median.map { rounded($0) }) ms of 20 starts each")
            #expect(median.contains { $0 <= 25 })
            withExtendedLifetime(engine) {}
        }

        /// The median of 20 starts, in milliseconds.
        private func firstFrame() throws -> Double {
            var times: [Double] = []
            for _ in 0..<20 {
                let console = console()
                // In the last row: ncurses paints from the top.
                times.append((try console.time(of: "past") - console.startedAt) * 1000)
                console.end()
            }
            return times.sorted()[times.count / 2]
        }

        @Test func `a key is painted within 16 ms while the engine is stopped, as the best of three p99`() throws {
            let engine = try engine()
            try home.succeed("submit", "orders")
            let console = try jobScreen()
            engine.process.signal(SIGSTOP)
            _ = console.collect(for: 2.5)
            var p50 = 0.0
            let rounds = try best(of: 3, budget: 16) {
                let times = try self.keyToPaint(console)
                p50 = times[times.count / 2]
                return times[times.count * 99 / 100]
            }
            print("key to paint with a stopped engine: p50 \(rounded(p50)) ms, p99 \(rounds.map { rounded($0) }) ms of 200 keys each")
            #expect(rounds.contains { $0 <= 16 })
        }

        /// Milliseconds from a key to the first byte that it paints, sorted.
        private func keyToPaint(_ console: Pty) throws -> [Double] {
            var times: [Double] = []
            for round in 0..<200 {
                // The help opens and closes: a large change either way.
                console.burst(quiet: 0.004)
                let start = monotonicSeconds()
                console.type(round % 2 == 0 ? "?" : "q")
                guard console.read(within: 1) > 0 else { throw Broken("a key was not painted within 1 s") }
                times.append((monotonicSeconds() - start) * 1000)
            }
            return times.sorted()
        }

        /// Measures again while the budget is not met; all results.
        private func best(of rounds: Int, budget: Double, _ measure: () throws -> Double) throws -> [Double] {
            var results: [Double] = []
            while results.count < rounds, !results.contains(where: { $0 <= budget }) {
                waitForQuiet()
                results.append(try measure())
            }
            return results
        }

        /// Waits until the processors have had nothing to do for most of half a second; goes on after two minutes in any case.
        private func waitForQuiet() {
            /// Ticks of all processors together, and those of them without work.
            func ticks() -> (all: Int, idle: Int) {
                let line = String(decoding: readFile("/proc/stat").prefix { $0 != 0x0a }, as: UTF8.self)
                let numbers = line.split(separator: " ").compactMap { Int($0) }
                return (numbers.prefix(8).reduce(0, +), numbers.count > 4 ? numbers[3] + numbers[4] : 0)
            }
            let end = monotonicSeconds() + 120
            var before = ticks()
            while monotonicSeconds() < end {
                usleep(500_000)
                let now = ticks()
                if (now.idle - before.idle) * 10 >= (now.all - before.all) * 8 { return }
                before = now
            }
        }

        // MARK: Memory and rest

        @Test func `the console stays within 32 MiB`() throws {
            let engine = try engine()
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=50ms")
            try home.succeed("submit", "shaky", "--set", "interval=50ms")
            let console = try jobScreen()
            for key in ["1", "2", "3", "\r", "\r", "q", "5", "6", "\r", "?", "q", "T", "q", "2", "S", "B", "6", "1"] {
                console.type(key)
                console.burst(quiet: 0.03)
            }
            let resident = try settledResident(of: console.id)
            _ = console.collect(for: 5)
            let later = try settledResident(of: console.id)
            print("console: \(resident) KiB resident, \(later) KiB after 5 s of reports")
            #expect(later <= 32 << 10)
        }

        private func settledResident(of id: pid_t) throws -> Int {
            guard let resident = statusNumber(of: id, "VmRSS") else { throw Broken("the console is gone") }
            return resident
        }

        @Test func `the engine stays within 300 MiB with a million keys`() throws {
            let bench = try #require(Binaries.bench)
            let child = ChildProcess(
                bench, ["keyed-count", "--records", "40000000", "--keys", "1000000", "--parallelism", "2", "--interval", "500ms"],
                environment: home.environment())
            #expect(try child.finish(within: 300) == .exited(0), "\(child.transcript)")
            print("keyed count: \(child.output.filter { $0 != "\n" })")
            let peak = try #require(child.output.firstMatch(of: /rss_peak_mib (\d+)/).flatMap { Int($0.1) }, "\(child.transcript)")
            #expect((1...300).contains(peak))
            let checkpoints = try #require(child.output.firstMatch(of: /\ checkpoints (\d+)/).flatMap { Int($0.1) })
            #expect(checkpoints > 0, "without a checkpoint the number says nothing")
        }

        /// Wake-ups are counted as the kernel counts them: every time a thread of the console gave up the processor by itself.
        @Test func `an idle console wakes up at most twice a second and takes 0.1 % of a core, with a report every second 2.3 times and 0.2 %`() throws {
            let console = console()
            _ = try console.time(of: "past")
            // The pauses between two attempts to connect grow to 10 s.
            _ = console.collect(for: 5)
            var disconnected = rest(console, for: 8)
            if disconnected.wakes > 2 { disconnected = rest(console, for: 8) }
            let engine = try engine()
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=60s")
            console.type("r")
            _ = try console.time(of: "orders", within: 15)
            // The job has just begun, and the first questions are asked.
            _ = console.collect(for: 6)
            var connected = rest(console, for: 8)
            // A list that is asked for, and its row in the ledger, are seldom; in a few seconds they weigh too much.
            if connected.wakes > 2.3 { connected = rest(console, for: 12) }
            // Half a minute after the last key, numbers come half as often.
            _ = console.collect(for: 18)
            var alone = rest(console, for: 8)
            if alone.wakes > 2 { alone = rest(console, for: 20) }
            print(
                "idle console: \(rounded(disconnected.wakes)) wake-ups/s and \(rounded(disconnected.cpu * 100)) % of a core without an engine, "
                    + "\(rounded(connected.wakes)) and \(rounded(connected.cpu * 100)) % with a report every second, "
                    + "\(rounded(alone.wakes)) and \(rounded(alone.cpu * 100)) % when no key was pressed for 30 s")
            #expect(disconnected.wakes <= 2 && disconnected.cpu <= 0.001)
            // A report wakes the thread that takes it in and the one that paints it, and nothing else wakes up: 2.00 to 2.06 were measured.
            #expect(connected.wakes <= 2.3 && connected.cpu <= 0.002)
            // 1.6 to 1.8 were measured: a report every two seconds, the clock every second.
            #expect(alone.wakes <= 2 && alone.cpu <= 0.001)
        }

        private func rest(_ console: Pty, for seconds: Double) -> (wakes: Double, cpu: Double) {
            /// By thread: how often it woke up, and nanoseconds on a processor.
            func threads() -> [pid_t: (wakes: Int, busy: Int)] {
                let folder = "/proc/\(console.id)/task"
                return listDirectory(folder).compactMap { pid_t($0) }.reduce(into: [:]) { threads, thread in
                    let status = String(decoding: readFile("\(folder)/\(thread)/status"), as: UTF8.self)
                    let schedule = String(decoding: readFile("\(folder)/\(thread)/schedstat"), as: UTF8.self).split(separator: " ")
                    guard let wakes = status.firstMatch(of: /\nvoluntary_ctxt_switches:\s+(\d+)/).flatMap({ Int($0.1) }),
                        let busy = schedule.first.flatMap({ Int($0) })
                    else { return }
                    threads[thread] = (wakes, busy)
                }
            }
            let before = threads(), start = monotonicSeconds()
            _ = console.collect(for: seconds)
            let after = threads(), elapsed = monotonicSeconds() - start
            // A thread that has ended meanwhile is not counted, one that has begun is counted whole.
            let wakes = after.reduce(0) { $0 + $1.value.wakes - (before[$1.key]?.wakes ?? 0) }
            let busy = after.reduce(0) { $0 + $1.value.busy - (before[$1.key]?.busy ?? 0) }
            return (Double(wakes) / elapsed, Double(busy) / 1e9 / elapsed)
        }
    }
}

/// Two decimals.
private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
