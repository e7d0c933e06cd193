import CheckpointStore
import Glibc
import StreamModel
import TestKit
import Testing

/// A real disk of 1 MiB, full and read-only: needs the right to mount.
@Suite(.enabled(if: SmallDisk.canMount, "SKIPPED: mounting a tmpfs needs root"))
struct FullDiskTests {
    @Test("A checkpoint that does not fit fails with an error that names directory and cause; the last intact one stays")
    func fullDisk() throws {
        let disk = try SmallDisk()
        let directory = try JobDirectory(root: disk.path, job: Samples.job)
        let good = try directory.begin(CheckpointID(1))
        try Samples.write(good, count: 100_000)

        let attempt = try directory.begin(CheckpointID(2))
        #expect {
            try Samples.write(attempt, count: 2_000_000)
        } throws: { error in
            guard case .inputOutput(_, .write, ENOSPC)? = error as? StoreError else { return false }
            return "\(error)".contains("the disk of \(attempt.path) is full")
        }
        try attempt.abandon()
        #expect(!Plain.exists(attempt.path))
        #expect(try directory.completed().map(\.summary?.checkpoint) == [CheckpointID(1)])

        let next = try directory.begin(CheckpointID(3))
        try Samples.write(next, count: 1000)
        #expect(try Samples.difference(try Snapshot.load(path: next.path), CheckpointID(3), count: 1000) == nil)
    }

    @Test("Filling the disk step by step ends in typed errors, and every reported checkpoint is intact")
    func fillsUp() throws {
        let disk = try SmallDisk()
        let directory = try JobDirectory(root: disk.path, job: Samples.job)
        var written: [CheckpointID] = []
        var failures = 0
        for number in 1...200 as ClosedRange<UInt64> where failures < 5 {
            do throws(StoreError) {
                let attempt = try directory.begin(CheckpointID(number))
                do throws(StoreError) {
                    try Samples.write(attempt, count: 20_000)
                    written.append(attempt.id)
                } catch {
                    try attempt.abandon()
                    throw error
                }
            } catch {
                failures += 1
                guard case .inputOutput(_, _, ENOSPC) = error else {
                    #expect(Bool(false), "\(error)")
                    continue
                }
            }
        }
        #expect(failures == 5)
        #expect(written.count > 5)
        #expect(try directory.completed().compactMap(\.summary?.checkpoint) == written)
    }

    @Test("The free-space floor refuses the checkpoint before the disk is full")
    func floor() throws {
        let disk = try SmallDisk()
        let directory = try JobDirectory(root: disk.path, job: Samples.job, freeSpaceFloor: 600_000)
        let attempt = try directory.begin(CheckpointID(1))
        try Samples.write(attempt, count: 300_000)
        #expect {
            try directory.begin(CheckpointID(2))
        } throws: { error in
            guard case .belowFreeSpaceFloor(directory.path, let free, 600_000)? = error as? StoreError else { return false }
            return free < 600_000
        }
    }

    @Test("A read-only disk is reported as such")
    func readOnly() throws {
        let disk = try SmallDisk()
        let directory = try JobDirectory(root: disk.path, job: Samples.job)
        directory.close()
        try disk.makeReadOnly()
        #expect {
            try JobDirectory(root: disk.path + "/new", job: Samples.job)
        } throws: { error in
            error as? StoreError == .inputOutput(path: disk.path + "/new", operation: .makeDirectory, errno: EROFS)
                && "\(error)".contains("read-only filesystem")
        }
        #expect { try JobDirectory(root: disk.path, job: Samples.job) } throws: { "\($0)".contains("read-only filesystem") }
    }
}

/// A tmpfs of 1 MiB for the life of the object.
private final class SmallDisk {
    struct Refused: Error { var errno: Int32 }

    /// Found out by trying.
    static let canMount: Bool = {
        do {
            _ = try SmallDisk()
            return true
        } catch {
            return false
        }
    }()

    let path: String
    private let temporary = Sandbox()

    init() throws {
        path = temporary.path + "/disk"
        try PosixFilesystem().makeDirectory(path)
        guard mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0 else { throw Refused(errno: errno) }
    }

    func makeReadOnly() throws {
        guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil) == 0 else { throw Refused(errno: errno) }
    }

    deinit {
        _ = umount2(path, Int32(MNT_DETACH))
    }
}
