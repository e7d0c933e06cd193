// Goal: two operators who restart one job at the same moment, each on a machine and with a record of their own, get one live job, and both are told so.
// Method: real clusters; two commands at once, several rounds; afterwards the cluster is asked which jobs live.

import Foundation
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct TwoOperators {
        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `two restarts at once end with one live job`(version: FlinkVersionUnderTest) throws {
            let weir = try WeirOnFlink(version)
            defer { withExtendedLifetime(weir) {} }
            let jar = try weir.cluster.jar(), name = "contested"
            var job = try weir.launch(name, ["--interval", "500"])
            var winners = 0
            for round in 1...3 {
                try weir.cluster.waitForCompleted(1, of: job.description)
                let recipe = "\(jar) -- --name \(name) --dir \(weir.checkpoints) --interval 500"
                let words = ["restart", job.description, "--cancel-first", "--wait", "--timeout", "60s", "--recipe", recipe, "--flink", weir.url]
                let homes = [TestHome(), TestHome()]
                let commands = try homes.map { try $0.start(words) }
                let ended = try commands.map { command in
                    let end = try command.finish(within: 90)
                    return CommandResult(end: end, output: command.output, errors: command.errors, transcript: command.transcript)
                }
                let live = try wait(30, for: "one live job", evidence: { ended.map(\.transcript).joined(separator: "\n") }) { () -> JobID? in
                    let jobs = try self.live(weir, name)
                    return jobs.count == 1 ? jobs[0] : nil
                }
                // A second one may have been launched and ended again: no run but the one that lives was begun.
                let begun = try runs(weir, name)
                #expect(begun.count == round + 1, "\(begun): \(ended.map(\.transcript))")
                #expect(live != job)
                let proven = ended.filter { $0.exitCode == ExitCode.ok }
                winners += proven.count
                #expect(proven.count == 1, "\(ended.map(\.transcript))")
                for loser in ended where loser.exitCode != ExitCode.ok {
                    // It came second, or saw the job in a state that did not last; it never says that it restarted the job.
                    let words = ["another restart of \(name) got there first", "nothing was sent", "when the cancel arrived"]
                    #expect(words.contains { loser.transcript.contains($0) } && !loser.transcript.contains("RESUMED"), "\(loser.transcript)")
                }
                job = live
            }
            #expect(winners == 3)
            try weir.cluster.cancelAll()
        }

        private func live(_ weir: WeirOnFlink, _ name: String) throws -> [JobID] {
            try jobs(weir, name).filter { !["CANCELED", "FINISHED", "FAILED"].contains($0.state) }.map(\.id)
        }

        private func runs(_ weir: WeirOnFlink, _ name: String) throws -> Set<JobID> { Set(try jobs(weir, name).map(\.id)) }

        private func jobs(_ weir: WeirOnFlink, _ name: String) throws -> [(id: JobID, state: String)] {
            let jobs = try weir.cluster.get("/jobs/overview")["jobs"] as? [[String: Any]] ?? []
            return jobs.compactMap { job in
                guard job["name"] as? String == name, let state = job["state"] as? String, let id = (job["jid"] as? String).flatMap({ JobID($0) }) else {
                    return nil
                }
                return (id, state)
            }
        }
    }
}
