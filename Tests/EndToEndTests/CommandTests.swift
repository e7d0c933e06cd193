// Goal: the commands say what the console shows and the engine knows, in records that parse and agree, and asking twice is asking once.
// Method: one engine, all commands with --json, compared with each other and with the files.

import Glibc
import StreamModel
import TestKit
import Testing

/// The proof of `weir restart --wait --json`.
private struct ProofRecord: Decodable {
    struct Step: Decodable {
        var step: Int
        var state: RestartProof.StepState
        var evidence: String
    }
    var verdict: RestartProof.Verdict
    var chosenPath: String
    var newJob: JobID?
    var steps: [Step]
    var operation: OperationReport
}

extension EndToEnd {
    @Suite struct Commands {
        let home = TestHome()

        @Test(arguments: [
            (["statsu"], "no command 'statsu'; did you mean 'status'?"), (["run", "wordcount", "--output", "out"], "wordcount needs --input"),
            (["run", "wordcount", "--input", "/etc/hostname", "--output", "out", "--interval", "1y"], "--interval must be a span"),
            (["run", "nosuch"], "no program 'nosuch'"), (["run", "orders", "--set", "colour=red"], "no argument 'colour'"),
        ])
        func `wrong usage ends with 1 before anything is started`(words: [String], problem: String) throws {
            let run = try home.weir(words)
            #expect(run.exitCode == 1 && run.errors.contains(problem) && !run.errors.contains("listens"), "\(run.end): \(run.transcript)")
        }

        @Test func `the records of all commands parse and agree`() throws {
            let engine = try BackgroundEngine(home, ["--name", "twins"])
            let submitted = try home.succeed("submit", "orders", "--set", "interval=100ms", "--reason", "for a test", "--json").record(JobReport.self)
            try home.succeed("submit", "shaky")
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 3 }

            let status = try home.succeed("status", "--json").record(EngineReport.self)
            #expect(status.engine.name == "twins" && status.engine.processID == engine.process.id)
            #expect(Set(status.jobs.map(\.id)) == Set(try home.jobs().map(\.id)))
            let job = try home.job("orders")
            #expect(job.id == submitted.id && job.state == .running && job.parallelism == 2)

            let savepoint = try home.succeed("savepoint", "orders", "--wait", "--json", "--reason", "INC-1").record(OperationReport.self)
            #expect(savepoint.state == .completed && savepoint.request.reason == "INC-1" && savepoint.request.job == job.id)
            let checkpoint = try home.succeed("checkpoint", "orders", "--wait", "--json").record(OperationReport.self)
            #expect(checkpoint.state == .completed)
            let rows = try home.checkpoints(of: "orders")
            #expect(rows.map(\.id) == rows.map(\.id).sorted(by: >))
            let row = try #require(rows.first { $0.id == savepoint.checkpoint })
            #expect(row.kind == .savepoint && row.path == savepoint.path && row.requestedBy == savepoint.request.by)
            #expect(rows.contains { $0.id == checkpoint.checkpoint && $0.kind == .checkpoint && $0.status == .completed })
            for path in rows.filter(\.isRestorable).compactMap(\.path).prefix(3) { #expect(access(path + "/_metadata", F_OK) == 0) }

            let canceled = try home.succeed("cancel", "orders", "--keep", "--wait", "--json").record(OperationReport.self)
            #expect(canceled.state == .completed)
            #expect(try home.job("orders").state == .canceled)
            try restart(
                from: try #require(try home.checkpoints(of: "orders").filter { $0.isRestorable && !$0.kind.isSavepoint }.dropFirst(2).first), after: job.id)

            let operations = try home.succeed("operations", "--json").record([OperationReport].self)
            #expect(operations.count == 4)
            #expect(operations.first { $0.request.id == savepoint.request.id } == savepoint)
            #expect(operations.map(\.acceptedAt) == operations.map(\.acceptedAt).sorted(by: >))
            #expect(try home.succeed("operations", "--limit", "2", "--json").record([OperationReport].self).count == 2)
            let audit = try home.succeed("audit")
            #expect(audit.output.contains("INC-1") && audit.output.contains("for a test"))
        }

        private func restart(from chosen: CheckpointReport, after job: JobID) throws {
            let proof = try home.succeed("restart", "orders", "--from", "\(chosen.id)", "--wait", "--json").record(ProofRecord.self)
            #expect(proof.verdict.isProven && proof.chosenPath == chosen.path)
            #expect(proof.steps.map(\.step) == [1, 2, 3, 4, 5, 6])
            #expect(proof.steps.prefix(5).allSatisfy { $0.state == .done })
            let new = try home.job("orders")
            #expect(new.id == proof.newJob && new.id != job && new.state == .running)
            #expect(new.restored?.checkpoint == chosen.id && new.restored?.path == chosen.path && new.restored?.fromJob == job && new.restored?.chosen == true)
            let after = try home.waitForJob("orders", "replayed") { $0.audit.map { $0.toReplay == $0.replayed && $0.replayed > 0 } ?? false }
            #expect(after.audit?.duplicates == 0 && after.audit?.lost == 0)
        }

        @Test func `every command without --json prints plain lines`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 2 }
            for words in [
                ["status"], ["jobs"], ["checkpoints", "orders"], ["savepoint", "orders", "--wait"], ["operations"], ["audit"], ["cancel", "orders", "--wait"],
            ] {
                let result = try home.weir(words)
                #expect(result.exitCode == ExitCode.ok && !result.output.isEmpty, "\(result.transcript)")
                #expect(result.output.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 10 }, "\(result.transcript)")
            }
        }

        @Test func `the same operation id is the same operation`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            _ = try home.waitForJob("orders", "running") { $0.state == .running && $0.runningSubtasks == $0.totalSubtasks }
            let ask = ["savepoint", "orders", "--operation", "only-once", "--wait", "--json"]
            let first = try home.weir(ask).record(OperationReport.self), second = try home.weir(ask).record(OperationReport.self)
            #expect(first.state == .completed && first.request.id.description == "only-once")
            #expect(second.path == first.path && second.checkpoint == first.checkpoint && second.acceptedAt == first.acceptedAt)
            try home.expectRefusal(["cancel", "orders", "--operation", "only-once"], code: ExitCode.refused, says: "only-once")
            #expect(try home.job("orders").state == .running)
            // Also over a crash of the engine.
            try engine.killNow()
            try engine.startAgain()
            let third = try home.weir(ask).record(OperationReport.self)
            #expect(third.path == first.path && third.checkpoint == first.checkpoint)
            #expect(try home.checkpoints(of: "orders").count { $0.kind == .savepoint } == 1)
        }

        @Test func `stop takes a savepoint and finishes, and the job goes on from it`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            _ = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 1 }
            let stopped = try home.succeed("stop", "orders", "--wait", "--json").record(OperationReport.self)
            let path = try #require(stopped.path)
            #expect(try home.job("orders").state == .finished)
            let read = try home.job("orders").throughput.recordsRead
            #expect(read > 0)
            let restarted = try home.weir("restart", "orders", "--from", path, "--wait")
            #expect(restarted.exitCode == ExitCode.ok, "\(restarted.transcript)")
            let job = try home.job("orders")
            // Everything up to the savepoint was counted and nothing had been read beyond it.
            #expect(job.restored?.kind.isSavepoint == true && job.audit?.duplicates == 0 && job.audit?.lost == 0)
        }

        @Test func `what is accepted but not seen through ends with 4`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "shaky", "--set", "interval=60s")
            try home.succeed("fault", "shaky", "slow 5s", "--wait")
            let result = try home.weir("savepoint", "shaky", "--wait", "--timeout", "2s")
            #expect(result.exitCode == ExitCode.unproven, "\(result.transcript)")
            #expect(result.errors.contains("still runs") && result.errors.contains("weir operations"))
            try home.succeed("fault", "shaky", "off", "--wait")
            // The savepoint that is still under way would take the failure.
            #expect(try eventually { try home.succeed("operations", "--json").record([OperationReport].self).allSatisfy { $0.state.isTerminal } })
            try home.succeed("fault", "shaky", "fail 1", "--wait")
            let failed = try home.weir("checkpoint", "shaky", "--wait")
            #expect(failed.exitCode == ExitCode.failed, "\(failed.transcript)")
        }

        @Test func `the viewer socket looks and does not act`() throws {
            let viewer = home.path + "/run/viewer.sock"
            let engine = try BackgroundEngine(home, ["--viewer-socket", viewer])
            defer { withExtendedLifetime(engine) {} }
            let job = try home.succeed("submit", "orders", "--json").record(JobReport.self)
            #expect(try home.succeed("jobs", "--json", "--socket", viewer).record([JobReport].self).map(\.id) == [job.id])
            for words in [["savepoint", "orders"], ["cancel", "orders"], ["submit", "shaky"]] {
                try home.expectRefusal(words + ["--socket", viewer], code: ExitCode.refused, says: "needs the operator socket", "only looks")
            }
            #expect(try home.job("orders").state == .running && home.jobs().count == 1)
        }

        @Test func `names from outside cannot paint on a terminal`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            let name = "a\u{1b}[31mred\u{07}\n\u{202e}言葉e\u{0301}\u{9b}2J\u{85}\u{7f}\u{2066}"
            let id = try home.succeed("submit", "orders", "--name", name, "--json").record(JobReport.self).id.description
            for words in [
                ["jobs"], ["status"], ["savepoint", id, "--wait"], ["operations"], ["audit"], ["jobs", "--json"], ["dump", "overview", "--format", "json"],
            ] {
                let result = try home.weir(words)
                #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
                let hostile = (result.output + result.errors).unicodeScalars.filter {
                    ($0.properties.generalCategory == .control && $0 != "\n") || $0.properties.generalCategory == .format
                }
                #expect(hostile.isEmpty, "\(words): \(hostile) in \(result.output.debugDescription)")
            }
            #expect(try home.jobs().first?.name == name || home.jobs().first?.name.contains("red") == true)
            guard Requirement.tmux.isMet else { return }
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "the job") { $0.contains("red") && $0.contains("RUNNING") }
            try terminal.press("Enter")
            let screen = try terminal.waitFor("3 checkpoints")
            #expect(screen.lines.count == 24 && screen.lines[0].contains("red") && screen.lines[22].contains("? help"))
        }

        /// The engine is ended and killed; its jobs come back with their state either way.
        @Test func `jobs come back with the engine`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=100ms")
            var before = try home.waitForJob("orders", "with checkpoints") { $0.counts.completed >= 3 }
            for round in 1...3 {
                if round == 2 {
                    #expect(try engine.end() == .exited(0))
                    #expect(access(home.socket, F_OK) != 0, "the socket of an engine that ended in order is gone")
                } else {
                    try engine.killNow()
                }
                try engine.startAgain()
                let completed = before.latestCompleted?.id
                let after = try home.waitForJob("orders", "back and ahead") {
                    ($0.latestCompleted?.id).map { $0 > completed ?? $0 } ?? false && $0.state == .running
                }
                #expect(after.id == before.id && after.audit?.duplicates == 0 && after.audit?.lost == 0)
                let restored = try #require(after.restored)
                #expect(restored.checkpoint >= completed ?? restored.checkpoint && !restored.chosen)
                before = after
            }
        }
    }
}
