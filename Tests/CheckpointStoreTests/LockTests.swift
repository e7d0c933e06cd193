import CheckpointStore
import TestKit
import Testing

// Goal: shared locks stand beside each other and not beside the exclusive one, on the real disk and on its stand-in alike.
@Suite struct LockTests {
    private let temporary = Sandbox()

    private var disks: [(filesystem: any Filesystem, path: String)] {
        [(PosixFilesystem(), temporary.path + "/file"), (FaultyFilesystem(), "/file")]
    }

    @Test("A lock is shared by many or exclusive to one, and released by closing")
    func sharedAndExclusive() throws {
        for (disk, path) in disks {
            let writer = try disk.openForUpdating(path)
            let readers = try [disk.openForReading(path), disk.openForReading(path)]
            for reader in readers { #expect(try disk.tryLockShared(reader)) }
            #expect(try !disk.tryLock(writer), "readers keep the writer out")
            try disk.close(readers[0])
            #expect(try !disk.tryLock(writer), "one reader is left")
            try disk.close(readers[1])
            #expect(try disk.tryLock(writer))
            let late = try disk.openForReading(path)
            #expect(try !disk.tryLockShared(late), "the writer keeps readers out")
            try disk.close(writer)
            #expect(try disk.tryLockShared(late))
            #expect(try disk.tryLockShared(late), "saying it twice is saying it once")
            try disk.close(late)
        }
    }
}
