// Goal: an engine takes no records that somebody else could have written. Method: directories with every wrong mode and owner, and links.

import Glibc
import TestKit
import Testing

@testable import EngineHost

@Suite struct StateDirectoryTests {
    private let sandbox = Sandbox()

    private func problem() -> StateDirectory.Problem? {
        do throws(StateDirectory.Problem) { try StateDirectory.requireOwn(sandbox["state"]) } catch { return error }
        return nil
    }

    /// A state directory with a record in it.
    private func make() throws -> (record: String, log: String) {
        for name in ["state", "state/jobs", "state/checkpoints"] { #expect(mkdir(sandbox[name], 0o700) == 0) }
        let record = try sandbox.write("state/jobs/1.json", "{}"), log = try sandbox.write("state/operations.log", "")
        for path in [record, log] { chmod(path, 0o600) }
        return (record, log)
    }

    @Test func aMissingDirectoryIsAccepted() { #expect(problem() == nil) }

    @Test(arguments: [0o777, 0o770, 0o702, 0o720] as [mode_t]) func entriesWritableByOthersAreRefused(mode: mode_t) throws {
        let (record, log) = try make()
        #expect(problem() == nil)
        for path in [sandbox["state"], sandbox["state/jobs"], sandbox["state/checkpoints"], record, log] {
            var before = stat()
            #expect(stat(path, &before) == 0)
            chmod(path, mode)
            #expect(problem() == .writable(path: path, mode: mode), "\(path)")
            #expect(problem()?.description.contains("chmod -R go-w") == true)
            chmod(path, before.st_mode & 0o7777)
        }
        #expect(problem() == nil)
    }

    @Test(.enabled(if: geteuid() == 0, "SKIPPED: only root can give a file away")) func entriesOfOthersAreRefused() throws {
        let (record, _) = try make()
        for path in [sandbox["state"], sandbox["state/jobs"], record] {
            #expect(chown(path, 65534, 65534) == 0)
            #expect(problem() == .foreign(path: path, owner: 65534, user: 0))
            #expect(chown(path, 0, 0) == 0)
        }
        #expect(problem() == nil)
    }

    @Test func aLinkAmongTheRecordsIsRefused() throws {
        let (record, _) = try make()
        #expect(rename(record, sandbox["elsewhere"]) == 0)
        #expect(symlink(sandbox["elsewhere"], record) == 0)
        #expect(problem() == .link(path: record))
    }
}
