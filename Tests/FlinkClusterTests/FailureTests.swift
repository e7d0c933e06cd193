// Goal: how much of the failure budget is used is told as it is, with the failures that count and the cause of each. Method: jobs whose snapshots fail
// on demand, on the oldest and the newest version: which failures count differs between them.

import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct Failures {
        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `failed snapshots fill the budget, a success empties it`(version: FlinkVersionUnderTest)
            throws
        {
            let weir = try WeirOnFlink(version)
            let switches = try Switches(weir.cluster)
            let job = try weir.launch("filling", ["--interval", "400", "--tolerable", "50", "--switches", switches.folder])
            try weir.cluster.waitForCompleted(1, of: job.description)
            try switches.on("async-fail")
            let filled = try waitForJob(job, of: weir, "two failures counted") { $0.budget.counted >= 2 }
            #expect(filled.budget.source == .estimated && filled.budget.tolerable == 50)
            #expect(filled.latestFailed?.failure?.counted == true)
            switches.off("async-fail")
            let emptied = try waitForJob(job, of: weir, "an empty budget") { $0.budget.counted == 0 && $0.state == .running }
            #expect(emptied.budget.cumulative >= 2, "the sum stays: \(emptied.budget)")
            try weir.operation("cancel", "filling").expectCompleted()
        }

        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `an expired checkpoint counts, and says that it expired`(version: FlinkVersionUnderTest)
            throws
        {
            let weir = try WeirOnFlink(version)
            let switches = try Switches(weir.cluster)
            let job = try weir.launch("late", ["--interval", "300", "--timeout", "400", "--tolerable", "50", "--switches", switches.folder])
            try weir.cluster.waitForCompleted(1, of: job.description)
            try switches.on("slow", "1500")
            let late = try waitForJob(job, of: weir, "an expired checkpoint") { $0.latestFailed?.failure?.reason == .checkpointExpired }
            #expect(late.budget.counted >= 1 && late.state == .running)
            let told = try weir.succeed("checkpoints", "late").output
            #expect(told.contains("expired"), "\(told)")
            switches.off("slow")
            try weir.operation("cancel", "late").expectCompleted()
        }

        @Test func `a snapshot that fails its task restarts the job, and the cause is told`() throws {
            let weir = try WeirOnFlink(.last1)
            let switches = try Switches(weir.cluster)
            let job = try weir.launch("stumbling", ["--interval", "400", "--tolerable", "50", "--switches", switches.folder])
            try weir.cluster.waitForCompleted(1, of: job.description)
            try switches.on("sync-fail")
            let stumbled = try waitForJob(job, of: weir, "a restart") { $0.restarts >= 1 && $0.lastFailure != nil }
            #expect(stumbled.lastFailure?.message.contains("sync-fail on request") ?? false, "\(String(describing: stumbled.lastFailure))")
            switches.off("sync-fail")
            _ = try waitForJob(job, of: weir, "it to run again") { $0.state == .running && $0.budget.counted == 0 && $0.restored != nil }
            try weir.operation("cancel", "stumbling").expectCompleted()
        }

        @Test func `a failure beyond the budget fails the job, and the cause is told`() throws {
            let weir = try WeirOnFlink(.newest)
            let switches = try Switches(weir.cluster)
            let job = try weir.launch("doomed", ["--interval", "300", "--tolerable", "1", "--restarts", "0", "--switches", switches.folder])
            try weir.cluster.waitForCompleted(1, of: job.description)
            try switches.on("async-fail")
            try weir.cluster.waitForState("FAILED", of: job.description)
            let failed = try weir.job(job)
            #expect(failed.state == .failed)
            #expect(failed.lastFailure?.message.contains("threshold") ?? false, "\(String(describing: failed.lastFailure))")
            switches.off("async-fail")
            // From what was complete before it goes on.
            let again = try weir.restart("doomed")
            #expect(again.exitCode == ExitCode.ok, "\(again.proof)")
            try weir.operation("cancel", "doomed").expectCompleted()
        }

        private func waitForJob(_ id: JobID, of weir: WeirOnFlink, _ what: String, _ condition: (JobReport) -> Bool) throws -> JobReport {
            var last: JobReport?
            return try wait(40, for: what, evidence: { "\(String(describing: last?.budget)) \(String(describing: last?.latestFailed))" }) {
                let job = try weir.job(id)
                last = job
                return condition(job) ? job : nil
            }
        }
    }
}
