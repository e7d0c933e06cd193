// Goal: two processes that are told to write one output do not write it together. Method: real runs of the word count, the second from a
// checkpoint of the first and with a state of its own; the oracle is coreutils.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct OutputOwnership {
        let home = TestHome()

        /// `WEIR_ROUNDS`, else 10.
        private static var rounds: Int { Binaries.variable("WEIR_ROUNDS").flatMap { Int($0) } ?? 10 }

        private func checkpoint(at socket: String) throws -> String {
            var last = ""
            return try wait(for: "a checkpoint", evidence: { last }) {
                let result = try home.weir("checkpoints", "wordcount", "--json", "--socket", socket)
                last = result.transcript
                // The engine may not listen yet.
                guard result.exitCode == ExitCode.ok else { return nil }
                return try result.record([CheckpointReport].self).first(where: \.isRestorable)?.path
            }
        }

        @Test func `a second run on the output of the first is refused, and the first is exact`() throws {
            let corpus = try TextCorpus(in: home, pages: 5)
            var refused = 0
            for round in 0..<Self.rounds {
                let output = "\(home.path)/counts-\(round)", sockets = ["a", "b"].map { "\(home.path)/run/\($0)\(round).sock" }
                let common = ["run", "wordcount", "--input"] + corpus.files + ["--output", output, "--interval", "20ms"]
                let first = try home.start(common + ["--rate", "\(corpus.lineCount / 2)", "--state", "\(home.path)/first-\(round)", "--socket", sockets[0]])
                _ = try checkpoint(at: sockets[0])
                // A savepoint stays where it is, however fast checkpoints follow each other.
                let taken = try home.succeed("savepoint", "wordcount", "--wait", "--json", "--socket", sockets[0]).record(OperationReport.self)
                let chosen = try #require(taken.path)
                let second = try home.weir(common + ["--state", "\(home.path)/second-\(round)", "--from", chosen, "--socket", sockets[1]])
                // Otherwise it proves nothing.
                try #require(first.pollEnd() == nil, "round \(round): the first ended before the second was answered: \(second.transcript)")
                #expect(second.exitCode == ExitCode.refused, "round \(round): \(second.transcript)")
                let owner = "\(output) is being written by job "
                #expect(second.errors.contains(owner) && second.errors.contains("(process \(first.id)"), "round \(round): \(second.transcript)")
                if second.exitCode == ExitCode.refused { refused += 1 }
                #expect(try first.finish() == .exited(0), "round \(round): \(first.transcript)")
                #expect(corpus.difference(from: output) == nil, "round \(round)")
                removeTree(output)
            }
            print("the second run was refused in \(refused) of \(Self.rounds) rounds (WEIR_ROUNDS)")
        }

        /// The newest complete checkpoint in the directory of another one, which may be gone by now.
        private func newest(beside path: String) throws -> String {
            let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
            let complete = listDirectory(directory).filter { $0.hasPrefix("chk-") && access("\(directory)/\($0)/_metadata", F_OK) == 0 }
            return directory + "/" + (try #require(complete.max { Int($0.dropFirst(4)) ?? 0 < Int($1.dropFirst(4)) ?? 0 }))
        }

        @Test func `the output of a killed run is free at once`() throws {
            let corpus = try TextCorpus(in: home, pages: 5)
            let output = home.path + "/counts", sockets = ["a", "b"].map { "\(home.path)/run/\($0).sock" }
            let common = ["run", "wordcount", "--input"] + corpus.files + ["--output", output, "--interval", "20ms"]
            let first = try home.start(common + ["--rate", "\(corpus.lineCount / 4)", "--state", home.path + "/first", "--socket", sockets[0]])
            let chosen = try checkpoint(at: sockets[0])
            first.signal(SIGKILL)
            _ = first.end(within: 10)
            let second = try home.weir(common + ["--state", home.path + "/second", "--from", try newest(beside: chosen), "--socket", sockets[1]])
            #expect(second.exitCode == ExitCode.ok, "\(second.transcript)")
            #expect(corpus.difference(from: output) == nil)
            // The killed one comes back to an output that is another's past now, but nobody's present: it is let in, and is exact as well.
            let again = try home.weir(common + ["--rate", "\(corpus.lineCount)", "--state", home.path + "/first", "--socket", sockets[0]])
            #expect([ExitCode.ok, ExitCode.refused].contains(again.exitCode), "\(again.transcript)")
            #expect(corpus.difference(from: output) == nil)
        }
    }
}
