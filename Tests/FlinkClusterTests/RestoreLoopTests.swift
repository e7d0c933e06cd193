// Goal: the loop that Weir is for, on Flink itself, of the oldest, the last 1.x and the newest version: launched, saved, stopped, canceled, restarted
// and proven, without one record too many or too few. Method: a job that counts its records in its state, throttled until the last restart
// lets it run to its end; its sum must be the number of records that there were.

import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct RestoreLoop {
        @Test func `a jar file is uploaded once`() throws {
            let weir = try WeirOnFlink(.oldest)
            let file = try weir.cluster.jarFile()
            let arguments = ["--dir", weir.checkpoints, "--records", "100", "--parallelism", "1", "--interval", "500"]
            func launch(_ name: String) throws -> OperationReport {
                try weir.run(["jars", "run", file, "--json", "--", "--name", name] + arguments).record(OperationReport.self)
            }
            let first = try launch("once"), second = try launch("twice")
            #expect(first.state == .completed && first.request.kind.verb == "launch" && first.jar?.hasSuffix(", uploaded") == true, "\(first.jar ?? "")")
            #expect(second.state == .completed && second.jar?.contains("used again") == true, "\(second.jar ?? "")")
            #expect(first.jar?.prefix { $0 != "," } == second.jar?.prefix { $0 != "," })
            for job in [first.newJob, second.newJob] { try weir.cluster.waitForState("FINISHED", of: try #require(job).description) }
        }

        @Test(arguments: FlinkVersionUnderTest.allCases) func `through the commands, every record is counted once`(version: FlinkVersionUnderTest) throws {
            let weir = try WeirOnFlink(version)
            let records = 60_000
            let total = weir.home.path + "/total"
            let jar = try weir.succeed("jars", "upload", try weir.cluster.jarFile()).output.filter { $0 != "\n" }
            let arguments = [
                "--name", "loop", "--dir", weir.checkpoints, "--records", "\(records)", "--parallelism", "1", "--interval", "500", "--total", total,
            ]
            let launched = try weir.run(["jars", "run", jar, "--wait", "--json", "--"] + arguments)
            let first = try #require(try launched.record(OperationReport.self).newJob)
            #expect(try weir.job(first).state == .running)

            let saved = try weir.operation("savepoint", "loop", "--directory", weir.savepoints)
            #expect(saved.state == .completed && saved.inference == nil)
            #expect(try weir.exists(saved.path))
            if version.canCheckpointNow {
                let taken = try weir.operation("checkpoint", "loop")
                #expect(taken.state == .completed && taken.checkpoint != nil)
            } else {
                try weir.expectRefusal("checkpoint", "loop", "--wait", says: ["1.17 and later can", "take a savepoint"])
            }

            // The recipe is on record: it is not told again.
            let second = try weir.restart("loop", "--from", try #require(saved.path), "--cancel-first")
            try expectProven(second, of: weir, from: saved.path)
            #expect(try weir.job(first).state == .canceled)

            let stopped = try weir.operation("stop", "loop", "--directory", weir.savepoints)
            #expect(stopped.state == .completed)
            #expect(try weir.exists(stopped.path))
            let third = try weir.restart("loop")
            try expectProven(third, of: weir, from: stopped.path)

            let canceled = try weir.operation("cancel", "loop", "--keep")
            #expect(canceled.state == .completed)
            #expect(try weir.exists(canceled.path), "it was promised to be kept")
            let kept = try #require(canceled.checkpoint)
            // To the end, as fast as it goes.
            let recipe = "\(jar) -- \(arguments.joined(separator: " ")) --rate 0"
            let last = try weir.restart("loop", "--from", "\(kept)", "--recipe", recipe)
            try expectProven(last, of: weir, from: canceled.path)
            let job = try #require(last.proof.newJob)
            try weir.cluster.waitForState("FINISHED", of: job.description)
            let counted = String(decoding: readFile(total + ".1"), as: UTF8.self).filter { $0 != "\n" }
            #expect(counted == "\(records)", "records counted over three restores")

            let operations = try weir.succeed("operations", "--json").record([OperationReport].self)
            #expect(operations.filter { $0.state == .completed }.count >= 6)
            #expect(operations.first?.request.kind.isRestart == true, "the newest first")
            #expect(try weir.succeed("audit").output.contains("upload jar"))
        }

        @Test(arguments: FlinkVersionUnderTest.allCases) func `status tells who is there and how the jobs are`(version: FlinkVersionUnderTest) throws {
            let weir = try WeirOnFlink(version)
            let job = try weir.launch("told", ["--interval", "300"])
            try weir.cluster.waitForCompleted(2, of: job.description)
            let report = try weir.succeed("status", "--json").record(EngineReport.self)
            #expect(report.engine.version == "Flink \(version.rawValue)")
            let told = try #require(report.jobs.first { $0.id == job })
            #expect(told.state == .running && told.name == "told" && told.latestCompleted != nil)
            #expect(told.budget.source == .estimated && told.budget.tolerable == 3 && told.budget.counted == 0)
            #expect(told.configuration.retention == .retainOnCancellation)
            try weir.operation("cancel", "told").expectCompleted()
        }

        private func expectProven(
            _ restart: (proof: WeirOnFlink.Proof, exitCode: Int32?), of weir: WeirOnFlink, from path: String?, location: SourceLocation = #_sourceLocation
        ) throws {
            let proof = restart.proof
            #expect(restart.exitCode == ExitCode.ok, "\(proof)", sourceLocation: location)
            #expect(proof.verdict.hasPrefix("RESUMED+DURABLE") || proof.verdict == "CAUGHT UP", "\(proof)", sourceLocation: location)
            for step in 1...5 { #expect(proof.state(step) == "done", "\(proof)", sourceLocation: location) }
            #expect(proof.state(6) == "unproven", "Flink counts no gaps and no repeats", sourceLocation: location)
            let chosen = proof.operation.path.map(SnapshotLocation.init)
            #expect(chosen == path.map(SnapshotLocation.init), sourceLocation: location)
        }
    }
}

extension OperationReport {
    func expectCompleted(location: SourceLocation = #_sourceLocation) { #expect(state == .completed, "\(self)", sourceLocation: location) }
}

extension OperationRequest.Kind {
    var isRestart: Bool { if case .restart = self { true } else { false } }
}
