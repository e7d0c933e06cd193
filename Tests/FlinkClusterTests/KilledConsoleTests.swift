// Goal: a console that dies in the middle of a restart loses no job and doubles none: whoever comes next is told where it stands, and can go on.
// Method: a restart of a running job on a real cluster; the console is killed at moments between `y` and the proof, and the next one looks.

import Foundation
import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct KilledConsole {
        @Test(arguments: [0, 0.1, 0.5, 2]) func `a restart whose console was killed ends with one live job`(seconds: Double) throws {
            let weir = try WeirOnFlink(.newest)
            weir.home.write(weir.home.configuration, "[contexts.live]\nurl = \"\(weir.cluster.url)\"\nclass = \"lab\"\n")
            let first = try weir.launch("victim", ["--interval", "500"])
            try weir.cluster.waitForCompleted(2, of: first.description)
            let console = try TmuxSession(weir.home, [try #require(Binaries.weir), "--context", "live"])
            try console.wait(for: "the job on the overview") { $0.contains("victim") && $0.contains("RUNNING") }
            try console.command("job \(first)")
            try console.wait(for: "its screen") { $0.lines[0].contains("victim") && $0.lines[0].contains(first.short.prefix(4)) }
            // A key right behind typed text counts as pasted, and does not act.
            try console.press(for: "the chooser", { try console.type("R") }, until: { $0.contains("restart from: 1 choose") })
            try console.press(for: "the sheet", { try console.press("Enter") }, until: { $0.contains("RESTART FROM A CHECKPOINT") })
            try console.accept("RESTART FROM A CHECKPOINT")
            // The moment of the kill is what is tried.
            Thread.sleep(forTimeInterval: seconds)
            kill(try console.processID, SIGKILL)

            // What the commands say, what the next console says, and what the cluster has, agree.
            let restart = try weir.succeed("operations", "--json").record([OperationReport].self).first { $0.request.kind.isRestart }
            let next = try TmuxSession(weir.home, [try #require(Binaries.weir), "--context", "live"])
            var told = "nothing"
            try next.wait(30, for: "the restart to be told") { screen in
                let live = try live(weir)
                let runs = screen.lines.contains { $0.contains("victim") && $0.contains("RUNNING") }
                if screen.contains("never launched") { told = "never launched" }
                if runs, live.count == 1, live != [first] { told = "launched" }
                if runs, live == [first], restart == nil || screen.contains("nothing was sent") { told = "not sent" }
                return told != "nothing"
            }
            print("console killed \(seconds) s after y: \(told); operation \(restart?.state.rawValue ?? "not on record")")
            switch told {
            case "never launched":
                let resumed = try weir.run(["resume", try #require(restart).request.id.description, "--wait"])
                #expect(resumed.exitCode == ExitCode.ok, "\(resumed.transcript)")
            case "not sent":
                let again = try weir.restart("victim", "--cancel-first")
                #expect(again.exitCode == ExitCode.ok, "\(again.proof)")
            default: break
            }
            let jobs = try wait(30, for: "one live job") { try live(weir).count == 1 ? live(weir) : nil }
            #expect(jobs != [first])
            let restored = try weir.cluster.get("/jobs/\(jobs[0])/checkpoints").text("latest.restored.external_path") ?? "nothing"
            #expect(restored.contains(first.description), "it began from \(restored)")
            try next.wait(30, for: "one row that runs") { screen in
                // A message of a moment ago may name the job, too.
                screen.lines.count { $0.contains(" live ") && $0.contains("victim") && $0.contains("RUNNING") } == 1 && !screen.contains("never launched")
            }
            try weir.cluster.cancelAll()
        }

        private func live(_ weir: WeirOnFlink) throws -> [JobID] {
            let jobs = try weir.cluster.get("/jobs/overview")["jobs"] as? [[String: Any]] ?? []
            return jobs.compactMap { job in
                guard job["name"] as? String == "victim", let state = job["state"] as? String, !["CANCELED", "FINISHED", "FAILED"].contains(state) else {
                    return nil
                }
                return (job["jid"] as? String).flatMap { JobID($0) }
            }
        }
    }
}
