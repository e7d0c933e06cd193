// Goal: whoever dies, nothing is forgotten: an operation survives the command that began it, a console the JobManager that it watches, and a job
// the JobManager that has forgotten it.

import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct Survival {
        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `a savepoint whose command was killed is found again by the console`(
            version: FlinkVersionUnderTest
        ) throws {
            let weir = try WeirOnFlink(version)
            let switches = try Switches(weir.cluster)
            _ = try weir.launch("orphan", ["--interval", "60000", "--switches", switches.folder])
            try switches.on("slow", "2500")
            let command = try weir.home.start(["savepoint", "orphan", "--wait", "--directory", weir.savepoints, "--flink", weir.cluster.url])
            try command.waitForErrors("accepted")
            command.signal(SIGKILL)
            _ = command.end(within: 10)
            let before = try #require(try weir.succeed("operations", "--json").record([OperationReport].self).first)
            #expect(!before.state.isTerminal, "its end is not known yet: \(before.state)")

            // Asked for again, without a console: it goes on.
            #expect(before.jobName == "orphan")

            let console = try TmuxSession(weir.home, [try #require(Binaries.weir), "--flink", weir.cluster.url])
            try console.waitFor("re-attached", 30)
            try console.type("6")
            _ = try console.waitFor(/savepoint .*orphan.* observed/, "its end to be observed", 40)
            switches.off("slow")
            let after = try wait(10, for: "its end to be on record") {
                try weir.succeed("operations", "--json").record([OperationReport].self).first { $0.request.id == before.request.id && $0.state.isTerminal }
            }
            #expect(after.state == .completed)
            #expect(try weir.exists(after.path))
            try weir.operation("cancel", "orphan").expectCompleted()
        }

        @Test func `a JobManager that is killed and comes back is seen to, and its job goes on from the record`() throws {
            let weir = try WeirOnFlink(.newest)
            let job = try weir.launch("forgotten", ["--interval", "400"])
            try weir.cluster.waitForCompleted(2, of: job.description)
            let saved = try weir.operation("savepoint", "forgotten", "--directory", weir.savepoints)
            let console = try TmuxSession(weir.home, [try #require(Binaries.weir), "--flink", weir.cluster.url])
            try console.wait(for: "the job on the overview") { $0.contains("forgotten") && $0.contains("RUNNING") }

            try weir.cluster.order("kill jobmanager")
            try console.wait(30, for: "the loss to be told") { $0.contains("DOWN") || $0.contains("down") }
            // The keys answer while nobody else does.
            try console.type("?")
            try console.waitFor("help")
            try console.press("Escape")
            let down = try weir.run(["status"])
            #expect(down.exitCode == ExitCode.noLink)
            try weir.cluster.order("start jobmanager")
            try console.wait(60, for: "the link to be back") { !$0.contains("DOWN") && !$0.contains(" down") && $0.contains("reconnected") }

            // The new JobManager knows no jobs; the ledger knows how this one was launched, and the operator where its state is.
            #expect(try weir.succeed("jobs", "--json").record([JobReport].self).isEmpty)
            let again = try weir.restart(job.description, "--from", try #require(saved.path))
            #expect(again.exitCode == ExitCode.ok, "\(again.proof)")
            try console.wait(30, for: "the job on the overview") { $0.contains("forgotten") && $0.contains("RUNNING") }
            try weir.operation("cancel", "forgotten").expectCompleted()
        }
    }
}
