// Goal: on a real cluster nothing is ended, deleted or lost that the operator did not mean. Method: orders that cannot succeed, or that would lose
// state; the job must be as it was, and the message must say what to do.

import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct Refusals {
        let weir: WeirOnFlink

        init() throws { weir = try WeirOnFlink(.newest) }

        @Test func `a restore from nothing, or from what lost a file, leaves the job running`() throws {
            // Enough keys for the state to have a file of its own beside the metadata.
            let job = try weir.launch("whole", ["--rate", "20000", "--keys", "20000", "--interval", "1000"])
            try weir.cluster.waitForCompleted(3, of: job.description)
            try weir.expectRefusal(
                "restart", "whole", "--from", "file:/nowhere/chk-3", "--cancel-first", "--wait", says: ["nothing was sent", "/nowhere/chk-3", "missing"])
            let saved = try weir.operation("savepoint", "whole", "--directory", weir.savepoints)
            let folder = try weir.path(saved.path)
            let file = try #require(listDirectory(folder).first { $0 != "_metadata" }, "the state has a file of its own")
            try #require(unlink(folder + "/" + file) == 0)
            try weir.expectRefusal(
                "restart", "whole", "--from", try #require(saved.path), "--cancel-first", "--wait", says: ["nothing was sent", "damaged", file])
            #expect(try weir.job(job).state == .running)
            try weir.operation("cancel", "whole").expectCompleted()
        }

        @Test func `what deletes its checkpoints is not canceled unless its state is to be discarded`() throws {
            let job = try weir.launch("fleeting", ["--retention", "DELETE_ON_CANCELLATION", "--interval", "300"])
            let newest = try weir.cluster.waitForCompleted(2, of: job.description).text("latest.completed.external_path")
            for keeping in [[], ["--keep"]] {
                let result = try weir.run(["cancel", "fleeting", "--wait"] + keeping)
                #expect(result.exitCode == ExitCode.refused && result.errors.contains("deletes its checkpoints on cancellation"), "\(result.transcript)")
            }
            #expect(try weir.job(job).state == .running)
            try weir.operation("cancel", "fleeting", "--discard").expectCompleted()
            try wait(10, for: "the checkpoints to be gone") { try !weir.exists(newest) }
            try weir.expectRefusal("restart", "fleeting", "--wait", says: ["no checkpoint that can be restored"])
        }

        @Test func `what retains them is canceled, kept, and not discarded by mistake`() throws {
            let job = try weir.launch("lasting", ["--interval", "300"])
            try weir.cluster.waitForCompleted(2, of: job.description)
            try weir.expectRefusal("cancel", "lasting", "--discard", "--wait", says: ["retains its checkpoints", "no other way"])
            #expect(try weir.job(job).state == .running)
            let canceled = try weir.operation("cancel", "lasting")
            #expect(try weir.exists(canceled.path))
            try weir.expectRefusal("cancel", "lasting", "--wait", says: ["CANCELED already"])
            try weir.expectRefusal("savepoint", "lasting", "--wait", says: ["needs a RUNNING job"])
        }

        @Test func `a savepoint is disposed of, a checkpoint in use is not`() throws {
            let job = try weir.launch("tidy", ["--interval", "60000"])
            let saved = try weir.operation("savepoint", "tidy", "--directory", weir.savepoints)
            let taken = try weir.operation("checkpoint", "tidy")
            try weir.expectRefusal("dispose", try #require(taken.path), says: ["is a checkpoint of tidy", "nothing was sent"])
            #expect(try weir.exists(taken.path))
            try weir.succeed("dispose", try #require(saved.path), "--reason", "tidying up")
            #expect(try !weir.exists(saved.path))
            let again = try weir.run(["dispose", try #require(saved.path)])
            #expect(again.exitCode == ExitCode.failed && again.errors.contains("was not deleted"), "\(again.transcript)")
            #expect(try weir.succeed("audit").output.contains("tidying up"))
            #expect(try weir.job(job).state == .running)
            try weir.operation("cancel", "tidy").expectCompleted()
        }

        @Test func `a jar that is none, a program that throws, and a jar that is not there`() throws {
            let text = weir.home.write("no.jar", "this is no jar\n")
            try weir.expectRefusal("jars", "run", text, says: ["no.jar is no jar", "Nothing was uploaded"])
            try weir.expectRefusal("jars", "upload", text, says: ["no.jar is no jar", "Nothing was uploaded"])
            let jar = try weir.cluster.jarFile()
            try weir.expectRefusal("jars", "run", jar, "--class", "com.example.Nope", code: ExitCode.failed, says: ["ClassNotFoundException: com.example.Nope"])
            try weir.expectRefusal(
                "jars", "run", try weir.cluster.jarFile(), "--", "--throw", "true", code: ExitCode.failed, says: ["this program was told to throw"])
            try weir.expectRefusal("jars", "run", weir.home.path + "/none.jar", says: ["none.jar"])
            let unknown = "00000000-0000-0000-0000-000000000000_count.jar"
            try weir.expectRefusal("jars", "run", unknown, says: ["is not on the cluster"])
            try weir.expectRefusal("jars", "delete", unknown, says: ["there is no jar"])
            try weir.expectRefusal("restart", "nobody", "--wait", says: ["nobody"])
        }

        @Test func `the same operation id is the same operation`() throws {
            _ = try weir.launch("once", ["--interval", "0"])
            let folder = weir.cluster.folder + "/once"
            let first = try weir.operation("savepoint", "once", "--directory", "file://\(folder)", "--operation", "op-once")
            let second = try weir.operation("savepoint", "once", "--directory", "file://\(folder)", "--operation", "op-once")
            #expect(first.path == second.path && first.request.id == second.request.id)
            #expect(listDirectory(folder).count == 1, "one savepoint: \(listDirectory(folder))")
            try weir.expectRefusal("stop", "once", "--operation", "op-once", says: ["op-once", "another operation"])
            try weir.operation("stop", "once", "--directory", weir.savepoints).expectCompleted()
        }
    }
}
