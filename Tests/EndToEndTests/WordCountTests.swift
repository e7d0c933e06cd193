// Goal: what the word count writes is what coreutils count, whatever happens to the engine in between. Method: real text, the real command,
// kill -9 at random moments, restarts from chosen checkpoints; the oracle is `tr | sort | uniq -c`.

import Dispatch
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

extension EndToEnd {
    @Suite struct WordCount {
        let home = TestHome()

        private func run(_ corpus: TextCorpus, to output: String, _ options: [String] = []) -> [String] {
            ["run", "wordcount", "--input"] + corpus.files + ["--output", output] + options
        }

        @Test(arguments: [1, 2, 5]) func `counts what coreutils count`(parallelism: Int) throws {
            let corpus = try TextCorpus(in: home, pages: 60)
            let output = home.path + "/counts"
            let result = try home.weir(run(corpus, to: output, ["--parallelism", "\(parallelism)", "--interval", "50ms"]))
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            #expect(corpus.difference(from: output) == nil)
            #expect(result.output.isEmpty, "progress goes to standard error")
            #expect(home.processes().map(\.command) == [])
        }

        /// 50 runs, each killed once at a random moment and started again by the same command until it is done.
        @Test func `kill -9 at 50 random moments changes nothing`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let rate = "\(corpus.lineCount * 2)"
            let trial = KillTrial(home: home, corpus: corpus, options: ["--rate", rate, "--interval", "25ms"])
            let length = try trial.undisturbed()
            let seed = SeededGenerator.chosenSeed()
            print("kill -9 of the word count: seed \(seed) (WEIR_SEED), \(corpus.lineCount) lines, \(length) s undisturbed")
            let outcomes = Mutex<[KillTrial.Outcome]>([])
            DispatchQueue.concurrentPerform(iterations: 2) { lane in
                for round in stride(from: lane, to: 50, by: 2) {
                    let outcome = trial.round(round, seed: seed &+ UInt64(round), within: length)
                    outcomes.withLock { $0.append(outcome) }
                }
            }
            let all = outcomes.withLock { $0 }.sorted { $0.round < $1.round }
            for outcome in all { if let problem = outcome.problem { Issue.record("seed \(seed) round \(outcome.round): \(problem)") } }
            let restored = all.count { $0.resumedFromCheckpoint }
            print("killed \(all.count) times at \(all.map { Int($0.killedAt * 1000) }) ms; \(restored) went on from a checkpoint")
            #expect(all.count == 50)
            // Otherwise the kills hit too early to prove anything.
            #expect(restored >= 20)
            #expect(home.processes().map(\.command) == [])
        }

        /// One long run, killed again and again before it can end.
        @Test func `ten kills in one run change nothing`() throws {
            let corpus = try TextCorpus(in: home, pages: 30)
            let seed = SeededGenerator.chosenSeed()
            print("ten kills of one word count: seed \(seed) (WEIR_SEED)")
            var generator = SeededGenerator(seed: seed)
            let output = home.path + "/counts"
            let command = run(corpus, to: output, ["--rate", "\(corpus.lineCount / 5)", "--interval", "20ms"])
            for _ in 0..<10 {
                let child = try home.start(command)
                let early = child.end(within: Double.random(in: 0.1...0.6, using: &generator))
                #expect(early == nil, "seed \(seed): it ended before it could be killed: \(child.transcript)")
                child.signal(SIGKILL)
                _ = child.end(within: 10)
            }
            let last = try home.weir(command)
            #expect(last.exitCode == ExitCode.ok, "seed \(seed): \(last.transcript)")
            #expect(corpus.difference(from: output) == nil, "seed \(seed)")
        }

        /// A kill can come after the last result and before the end of the process: the same command again must be safe then, too.
        @Test func `a finished run, repeated, says so and changes nothing`() throws {
            let corpus = try TextCorpus(in: home, pages: 1)
            let output = home.path + "/counts"
            #expect(try home.weir(run(corpus, to: output)).exitCode == ExitCode.ok)
            let files = listDirectory(output)
            let again = try home.weir(run(corpus, to: output))
            #expect(again.exitCode == ExitCode.ok, "\(again.transcript)")
            #expect(corpus.difference(from: output) == nil && listDirectory(output) == files)
            // Other work does not get into the same directory.
            let other = try home.weir("run", "wordcount", "--input", corpus.files[0], "--output", output)
            #expect(other.exitCode == ExitCode.refused, "\(other.transcript)")
            #expect(corpus.difference(from: output) == nil && listDirectory(output) == files)
        }

        @Test func `a run killed in the middle goes on from an older checkpoint by --from`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let output = home.path + "/counts", state = home.path + "/engine"
            let command = run(corpus, to: output, ["--rate", "\(corpus.lineCount / 2)", "--interval", "100ms", "--state", state])
            let child = try home.start(command)
            let kept = try waitForCheckpoints(4, of: "wordcount")
            child.signal(SIGKILL)
            _ = child.end(within: 10)
            // The newest four of those that were listed; later ones may have pushed the oldest out.
            let older = try #require(kept.compactMap(\.path).first { access($0 + "/_metadata", F_OK) == 0 && $0 != kept.first?.path })
            let result = try home.weir(command + ["--from", older])
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            #expect(corpus.difference(from: output) == nil, "from \(older)")
        }

        @Test func `weir restart takes a running job back to an older checkpoint`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let output = home.path + "/counts"
            let child = try home.start(run(corpus, to: output, ["--rate", "\(corpus.lineCount / 3)", "--interval", "100ms"]))
            let kept = try waitForCheckpoints(4, of: "wordcount")
            let older = kept[2]
            let restart = try home.weir("restart", "wordcount", "--from", "\(older.id)", "--cancel-first", "--wait", "--timeout", "60s")
            #expect(restart.exitCode == ExitCode.ok, "\(restart.transcript)")
            #expect(restart.output.contains("VERDICT RESUMED+DURABLE"))
            #expect(restart.output.contains("engine reports \(older.id), chosen \(older.id), path matches"))
            #expect(try child.finish() == .exited(0), "\(child.transcript)")
            #expect(corpus.difference(from: output) == nil, "from #\(older.id)")
        }

        @Test func `a savepoint taken while it runs restores at another parallelism`() throws {
            let corpus = try TextCorpus(in: home, pages: 10)
            let output = home.path + "/counts", target = home.folder("savepoints")
            let child = try home.start(run(corpus, to: output, ["--rate", "\(corpus.lineCount / 3)", "--interval", "100ms"]))
            _ = try waitForCheckpoints(2, of: "wordcount")
            let taken = try home.succeed("savepoint", "wordcount", "--directory", target, "--wait", "--json").record(OperationReport.self)
            let path = try #require(taken.path)
            #expect(path.hasPrefix(target + "/savepoint-"))
            child.signal(SIGTERM)
            _ = try child.finish()
            let result = try home.weir(
                run(corpus, to: output, ["--rate", "\(corpus.lineCount / 3)", "--interval", "100ms", "--parallelism", "3", "--from", path]))
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            #expect(corpus.difference(from: output) == nil)
        }

        /// The completed checkpoints of a job, newest first, once there are so many.
        private func waitForCheckpoints(_ count: Int, of job: String) throws -> [CheckpointReport] {
            var last = ""
            return try wait(for: "\(count) checkpoints of \(job)", evidence: { last }) {
                let result = try home.weir("checkpoints", job, "--json")
                last = result.transcript
                // The engine may not listen yet.
                guard result.exitCode == ExitCode.ok else { return nil }
                let rows = try result.record([CheckpointReport].self).filter(\.isRestorable)
                return rows.count >= count ? rows : nil
            }
        }
    }
}

/// Word counts that are killed once. Used by two threads: every round has files of its own.
private struct KillTrial: Sendable {
    struct Outcome {
        var round: Int
        /// Seconds after the start.
        var killedAt: Double
        /// The run after the kill began with a checkpoint.
        var resumedFromCheckpoint: Bool
        /// nil = exact.
        var problem: String?
    }

    let home: TestHome
    let command: @Sendable (_ output: String, _ socket: String) -> [String]
    let difference: @Sendable (_ output: String) -> String?

    init(home: TestHome, corpus: TextCorpus, options: [String]) {
        self.home = home
        let files = corpus.files
        command = { output, socket in ["run", "wordcount", "--input"] + files + ["--output", output, "--socket", socket] + options }
        difference = { corpus.difference(from: $0) }
    }

    /// Runs once without a kill: how many seconds it takes.
    func undisturbed() throws -> Double {
        let output = home.path + "/undisturbed", start = monotonicSeconds()
        let child = try home.start(command(output, home.path + "/run/u.sock"))
        guard try child.finish() == .exited(0) else { throw Broken(child.transcript) }
        if let problem = difference(output) { throw Broken(problem) }
        return monotonicSeconds() - start
    }

    /// Starts, kills within the time that a run takes, starts again until it is done, and compares.
    func round(_ round: Int, seed: UInt64, within length: Double) -> Outcome {
        var generator = SeededGenerator(seed: seed)
        var outcome = Outcome(round: round, killedAt: 0, resumedFromCheckpoint: false)
        do {
            for attempt in 0... {
                let output = "\(home.path)/counts-\(round)-\(attempt)", words = command(output, "\(home.path)/run/k\(round % 2).sock")
                outcome.killedAt = Double.random(in: 0..<length, using: &generator)
                let child = try home.start(words)
                if let end = child.end(within: outcome.killedAt) {
                    // It was done before its moment came: that is no kill, another one is needed.
                    guard end == .exited(0), difference(output) == nil else { throw Broken("\(child.transcript) \(difference(output) ?? "")") }
                    continue
                }
                child.signal(SIGKILL)
                _ = child.end(within: 10)
                let again = try home.start(words)
                guard try again.finish() == .exited(0) else { throw Broken("killed after \(outcome.killedAt) s: \(again.transcript)") }
                outcome.resumedFromCheckpoint = again.errors.contains("newest recorded checkpoint")
                outcome.problem = difference(output).map { "killed after \(outcome.killedAt) s: \($0)\n\(again.transcript)" }
                removeTree(output)
                return outcome
            }
        } catch {
            outcome.problem = "\(error)"
        }
        return outcome
    }
}
