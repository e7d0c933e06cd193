// Goal: the same loop with the keys an operator presses, in a real terminal of 80x24, on a real cluster.

import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct ConsoleLoop {
        @Test func `savepoint, cancel and keep, restart, and the proof`() throws {
            let weir = try WeirOnFlink(.newest)
            weir.home.write(weir.home.configuration, "[contexts.live]\nurl = \"\(weir.cluster.url)\"\nclass = \"lab\"\n")
            let job = try weir.launch("keys", ["--interval", "1000"])
            let console = try TmuxSession(weir.home, [try #require(Binaries.weir), "--context", "live"])
            try console.wait(for: "the job on the overview") { $0.contains("keys") && $0.contains("RUNNING") }
            // Jobs of earlier tests stand there, too.
            try console.command("job keys")
            try console.wait(for: "its screen") { $0.lines[0].contains("keys") && $0.lines[0].contains(job.short.prefix(4)) }
            try console.wait(for: "its checkpoints") { $0.contains("ok done") }

            try console.command("savepoint \(weir.cluster.folder)/savepoints")
            _ = try console.waitFor(/savepoint #\d+ is in the/, "the savepoint to be observed", 30)

            try console.type("C")
            // The record is read while the sheet stands there.
            let sheet = try console.wait(for: "the sheet") { $0.contains("CANCEL, KEEP CHECKPOINTS") && $0.contains("relaunch recipe known") }
            #expect(sheet.contains("PATCH /jobs/\(job)") && sheet.contains("retain on cancellation"))
            try console.accept("CANCEL, KEEP CHECKPOINTS")
            try console.wait(30, for: "the job to be CANCELED") { $0.lines[0].contains("CANCELED") }
            _ = try console.waitFor(/#\d+ is kept/, "the newest checkpoint to be looked at", 30)

            try console.type("R")
            try console.waitFor("restart from: 1 choose")
            let chosen = try console.waitFor(/^>\s+(\d+)\s+ckpt.*ok files/, "the newest checkpoint, its files looked at", 30)
            try console.press("Enter")
            try console.waitFor("as recorded")
            try console.press("Enter")
            let restart = try console.waitFor("RESTART FROM A CHECKPOINT")
            #expect(restart.contains("chk-\(chosen.1)") && restart.contains("POST /jars/"))
            try console.accept("RESTART FROM A CHECKPOINT")
            for (step, name) in [(1, "launched"), (2, "restored id"), (3, "tasks"), (4, "first new ckpt"), (5, "progress")] {
                try console.wait(30, for: "step \(step) to be proven") { $0.contains("[ok] \(step) \(name)") }
            }
            let proof = try console.wait(30, for: "the verdict") { $0.contains("RESUMED+DURABLE FROM #\(chosen.1)") || $0.contains("CAUGHT UP") }
            #expect(proof.contains("engine reports \(chosen.1), chosen \(chosen.1), path matches"))
            try console.type("q")
            let after = try console.wait(for: "the new job's screen") { $0.lines[0].contains("keys") && $0.lines[0].contains("RUNNING") }
            #expect(!after.lines[0].contains(job.short.prefix(4)), "another job id")
            try weir.operation("cancel", "keys").expectCompleted()
        }

        @Test func `a savepoint is deleted where it is looked at, and the checkpoints of the live job are not`() throws {
            let weir = try WeirOnFlink(.newest)
            weir.home.write(weir.home.configuration, "[contexts.live]\nurl = \"\(weir.cluster.url)\"\nclass = \"lab\"\n")
            let job = try weir.launch("dispose", ["--interval", "1000"])
            let saved = try weir.operation("savepoint", "dispose", "--directory", weir.savepoints)
            let path = try #require(saved.path)
            #expect(try weir.exists(path))
            let console = try TmuxSession(weir.home, [try #require(Binaries.weir), "--context", "live"])
            try console.wait(for: "the job on the overview") { $0.contains("RUNNING") }
            try console.command("job dispose")
            try console.wait(for: "its screen") { $0.lines[0].contains("dispose") && $0.lines[0].contains(job.short.prefix(4)) }
            try console.wait(for: "its savepoint") { $0.contains("save SP done") }
            try console.command("filter kind:save")
            try console.wait(for: "the savepoint alone") { $0.contains("save SP done") && !$0.contains("ckpt ok done") }
            try console.command("dispose")
            // The sheet follows the job: the next checkpoint makes the savepoint an older one.
            let sheet = try console.wait(for: "the sheet") { $0.contains("DELETE A SAVEPOINT") && $0.contains("[ok] a newer one can be restored") }
            #expect(sheet.contains("POST /savepoint-disposal"))
            try console.accept("DELETE A SAVEPOINT")
            try console.wait(30, for: "its files to be gone") { $0.contains("gone from its path") }
            #expect(try !weir.exists(path))
            try console.wait(for: "the list to show it") { $0.contains("save") && $0.contains("gone") }
            // By its path, a checkpoint of the live job.
            try console.command("filter")
            try console.wait(for: "all rows") { $0.contains("ckpt ok done") }
            // The newest row may be one that is under way: then once more, on the next.
            try console.press(for: "the refusal", { try console.command("dispose") }, until: { $0.contains("job is RUNNING and deletes its checkpoints") })
            try console.press("Escape")
            let operations = try weir.succeed("operations", "--json").record([OperationReport].self)
            #expect(operations.first?.request.kind == .dispose(path: path) && operations.first?.state == .completed)
            #expect(operations.contains { $0.request.job == job && $0.request.kind.verb == "launch" })
            #expect(try weir.succeed("audit").output.contains("dispose"))
            try weir.operation("cancel", "dispose", "--keep").expectCompleted()
        }
    }
}
