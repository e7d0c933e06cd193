// Goal: whoever looks at the Overview and presses no key is told cause and next step within ten seconds of each kind of trouble. Method: a real
// engine, faults one after the other, and a clock from the moment at which the trouble is a fact.

import Foundation
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct CauseAndNextStep {
        let home = TestHome()

        private struct Trouble: Sendable {
            var name: String
            var fault: String
            /// The trouble is a fact from then on; a fault may take a while to become one.
            var isFact: @Sendable (JobReport) -> Bool
            var words: [String]
            var next: String
        }

        private static let troubles = [
            Trouble(
                name: "budget 3/3", fault: "fail 3", isFact: { $0.budget.cumulative >= 3 }, words: ["3/3 tolerated failures used"],
                next: "3 checkpoints show why"),
            // A checkpoint that takes four intervals; the first such one is a fact when it is done.
            Trouble(
                name: "slow storage", fault: "slow 4s", isFact: { ($0.latestCompleted?.duration ?? 0) >= .seconds(4) }, words: ["CKPT slow: #"],
                next: "3 checkpoints show where the time goes"),
            Trouble(
                name: "stalled source", fault: "stall", isFact: { $0.throughput.recordsReadPerSecond == 0 }, words: ["SOURCE", "has read nothing for"],
                next: "look upstream of"),
            Trouble(name: "crash loop", fault: "crash-loop 1s", isFact: { $0.restarts >= 3 }, words: ["CRASH LOOP", "injected fault"], next: "5 failures"),
        ]

        @Test func `cause and next step are told within ten seconds`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "shaky", "--set", "interval=1s")
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "a job without trouble") { $0.contains("shaky") && $0.contains("1 ok") && $0.contains("0/3") }
            for trouble in Self.troubles {
                try home.succeed("fault", "shaky", trouble.fault)
                try wait(40, for: "\(trouble.name) to be a fact") { try trouble.isFact(home.job("shaky")) }
                try expect(trouble.words, trouble.next, of: trouble.name, on: terminal)
                // A job that is being restarted takes no orders; the crash loop is the last.
                if trouble.name != "crash loop" {
                    try home.succeed("fault", "shaky", "off")
                    try terminal.wait(60, for: "the end of \(trouble.name)") { !isTold(trouble.words, on: $0) }
                }
            }
            try engine.killNow()
            try expect(["no link"], "r retry now", of: "engine killed", on: terminal)
        }

        /// A disk that is full: no checkpoint can be written, and no restart changes that.
        @Test(.enabled(if: Requirement.mounts.isMet, "needs mounts")) func `a full disk is told within ten seconds`() throws {
            let disk = home.folder("disk")
            let engine = SmallDisk.run(home, at: disk, options: "size=4m", try #require(Binaries.weir), ["engine", "--state", disk + "/state"])
            try engine.waitForErrors("listens at")
            defer { engine.signal(SIGTERM) }
            try home.succeed("submit", "shaky", "--set", "interval=1s")
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "a job without trouble") { $0.contains("shaky") && $0.contains("1 ok") && $0.contains("0/3") }
            // The mount is the engine's own.
            let ballast = "/proc/\(engine.id)/root\(disk)/ballast"
            try fill(ballast)
            try wait(40, for: "a checkpoint that fails of it") {
                let job = try home.job("shaky")
                return job.state == .restarting || job.latestFailed.map { $0.id > job.latestCompleted?.id ?? CheckpointID(0) } ?? false
            }
            try expect(["DISK FULL", "checkpoints"], "free space at", of: "full disk", on: terminal)
            unlink(ballast)
            try terminal.wait(90, for: "the end of the full disk") { !isTold(["DISK FULL"], on: $0) && $0.contains("1 ok") }
        }

        /// All that a job could go back to is damaged, and it has to go back: it stays down.
        @Test func `a job without a restorable checkpoint is told within ten seconds`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "shaky", "--set", "interval=1h")
            for _ in 1...2 { try home.succeed("checkpoint", "shaky", "--wait") }
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "a job without trouble") { $0.contains("shaky") && $0.contains("1 ok") }
            let kept = try home.checkpoints(of: "shaky").filter { $0.isRestorable }.compactMap(\.path)
            try #require(!kept.isEmpty)
            for path in kept { for name in listDirectory(path) { home.write(path + "/" + name, "damaged\n") } }
            try home.succeed("fault", "shaky", "crash")
            try wait(40, for: "the job to stay down") { try home.job("shaky").state == .failed }
            try expect(["FAILED", "all 2 snapshots are damaged"], "submit it anew", of: "no restorable checkpoint", on: terminal)
            let log = try home.succeed("log", "shaky").output
            #expect(log.contains("ERROR") && log.contains("all 2 snapshots are damaged"), "\(log)")
        }

        /// An engine that stands still keeps its connection: only its silence tells.
        @Test func `a link that is lost without a word is told within ten seconds`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "shaky", "--set", "interval=1s")
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "a job without trouble") { $0.contains("shaky") && $0.contains("1 ok") }
            engine.process.signal(SIGSTOP)
            try expect(["no link", "no word from the engine", "it may hang"], "r retry now", of: "link lost", on: terminal)
            engine.process.signal(SIGCONT)
            try terminal.wait(60, for: "the link to be back") { $0.contains("1 ok") && !isTold(["no link"], on: $0) }
        }

        /// Takes all that is left of a disk.
        private func fill(_ path: String) throws {
            let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw Broken("cannot open \(path): \(errno)") }
            defer { close(file) }
            let block = [UInt8](repeating: 1, count: 4096)
            for _ in 0..<100_000 where write(file, block, block.count) < 0 {
                #expect(errno == ENOSPC)
                return
            }
            throw Broken("the disk of \(path) does not fill up")
        }

        private func isTold(_ words: [String], on screen: TmuxSession.Screen) -> Bool {
            screen.lines.contains { line in line.hasPrefix(" now   ") && words.allSatisfy(line.contains) }
        }

        private func expect(_ words: [String], _ next: String, of name: String, on terminal: TmuxSession) throws {
            let began = monotonicSeconds()
            try terminal.wait(30, for: "the words of \(name)") { screen in
                screen.contains("[1 overview]") && isTold(words, on: screen)
                    && screen.lines.contains { $0.hasPrefix(" next  ") && $0.contains(next) }
            }
            let seconds = monotonicSeconds() - began
            print("\(name): cause and next step after \(String(format: "%.1f", seconds)) s")
            #expect(seconds <= 10, "\(name)")
        }
    }
}
