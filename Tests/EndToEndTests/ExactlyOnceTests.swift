// Goal: a job with a keyed state and a sink of files writes every result exactly once, through crashes of its engine, savepoints, cancels
// and restarts at another parallelism. Method: the generated orders are the same in every run, so an undisturbed run is the oracle.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct ExactlyOnce {
        let home = TestHome()
        private static let orders = 30_000

        /// What a run has written: how many lines, and the last sum of each product. Sums only grow.
        private struct Written: Equatable, CustomStringConvertible {
            var lines = 0
            var sums: [String: Int] = [:]
            /// Files that are not committed.
            var pending: [String] = []

            init(_ directory: String) {
                for name in listDirectory(directory) {
                    if name.hasSuffix(".pending") { pending.append(name) }
                    guard name.hasPrefix("part-") else { continue }
                    for line in String(decoding: readFile(directory + "/" + name), as: UTF8.self).split(separator: "\n") {
                        let fields = line.split(separator: "\t")
                        lines += 1
                        sums[String(fields[0])] = max(sums[String(fields[0])] ?? 0, fields.count > 1 ? Int(fields[1]) ?? 0 : 0)
                    }
                }
            }

            var description: String { "\(lines) lines, \(sums.count) products, \(sums.values.reduce(0, +)) in all, pending \(pending)" }
        }

        /// A run that nothing disturbs, at parallelism 1.
        private func undisturbed() throws -> Written {
            let output = home.path + "/reference"
            let result = try home.weir(
                "run", "orders", "--parallelism", "1", "--output", output, "--set", "count=\(Self.orders)", "--rate", "10000000", "--socket",
                home.path + "/run/reference.sock")
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            let written = Written(output)
            #expect(written.lines == Self.orders && written.pending.isEmpty)
            return written
        }

        private func submit(to output: String) throws {
            try home.succeed(
                "submit", "orders", "--set", "count=\(Self.orders)", "--set", "rate=8000", "--set", "interval=80ms", "--set", "output=\(output)")
        }

        @Test func `through five crashes of the engine`() throws {
            let expected = try undisturbed(), output = home.path + "/sums"
            let engine = try BackgroundEngine(home)
            try submit(to: output)
            let seed = SeededGenerator.chosenSeed()
            print("five crashes of the engine: seed \(seed) (WEIR_SEED)")
            var generator = SeededGenerator(seed: seed)
            for round in 1...5 {
                // Without progress in three rounds the engine would keep the job down.
                if round.isMultiple(of: 3) { _ = try home.waitForJob("orders", "with a checkpoint") { $0.counts.completed > 0 || $0.state.isTerminal } }
                if let end = engine.process.end(within: Double.random(in: 0.05...0.7, using: &generator)) {
                    throw Broken("the engine \(end): \(engine.process.transcript)")
                }
                try engine.killNow()
                try engine.startAgain()
            }
            let job = try home.waitForJob("orders", "finished", within: 60) { $0.state.isTerminal }
            #expect(job.state == .finished && job.audit?.duplicates == 0 && job.audit?.lost == 0, "seed \(seed): \(job)")
            #expect(Written(output) == expected, "seed \(seed)")
        }

        @Test func `through a savepoint, a cancel and restarts from older checkpoints at other parallelisms`() throws {
            let expected = try undisturbed(), output = home.path + "/sums"
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try submit(to: output)
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 4 }
            try home.succeed("savepoint", "orders", "--wait")
            for (age, parallelism) in [(2, 3), (1, 1), (3, 4)] {
                _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 4 }
                try home.succeed("cancel", "orders", "--keep", "--wait")
                let kept = try home.checkpoints(of: "orders").filter { $0.isRestorable && !$0.kind.isSavepoint }
                let chosen = try #require(kept.dropFirst(age).first?.path)
                let result = try home.weir("restart", "orders", "--from", chosen, "--parallelism", "\(parallelism)", "--wait")
                #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
                #expect(try home.job("orders").parallelism == parallelism)
            }
            let job = try home.waitForJob("orders", "finished", within: 60) { $0.state.isTerminal }
            #expect(job.state == .finished && job.audit?.duplicates == 0 && job.audit?.lost == 0, "\(job)")
            #expect(Written(output) == expected)
        }
    }
}
