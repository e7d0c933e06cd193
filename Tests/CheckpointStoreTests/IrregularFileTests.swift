import CheckpointStore
import Glibc
import StreamModel
import TestKit
import Testing

// Goal: whatever stands where a regular file is due is named, by path and kind, and nobody waits for it. Method: real pipes, devices, sockets
// and directories at every place where a snapshot has a file.
@Suite struct IrregularFileTests {
    private let temporary = Sandbox()

    static let kinds: [IrregularFile] = [.pipe, .characterDevice, .socket, .directory]

    private func put(_ kind: IrregularFile, at path: String) throws {
        switch kind {
        case .pipe: try #require(mkfifo(path, 0o600) == 0)
        case .directory: try #require(mkdir(path, 0o700) == 0)
        case .socket:
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
            }
            try #require(bound == 0)
        default:
            // /dev/zero: a reader that takes it for a file never comes to its end.
            try #require(mknod(path, S_IFCHR | 0o600, dev_t(1 << 8 | 5)) == 0)
        }
    }

    /// Making a device is root's.
    private func canMake(_ kind: IrregularFile) -> Bool { kind != .characterDevice || geteuid() == 0 }

    private func problem(_ body: () throws(StoreError) -> Void) -> StoreError? {
        do throws(StoreError) {
            try body()
            return nil
        } catch { return error }
    }

    @Test("An irregular entry in place of a manifest or a state file is named", arguments: kinds)
    func snapshot(_ kind: IrregularFile) throws {
        guard canMake(kind) else { return }
        for name in ["_metadata", "count-1.state"] {
            let directory = try JobDirectory(root: temporary.path + "/" + name, job: Samples.job)
            let attempt = try directory.begin(CheckpointID(1))
            try Samples.write(attempt)
            let path = attempt.path + "/" + name
            Plain.remove(path)
            try put(kind, at: path)
            let expected = StoreError.notAFile(path: path, found: kind)
            #expect(problem { () throws(StoreError) in _ = try Snapshot.load(path: attempt.path) } == expected)
            let inspection = Snapshot.inspect(path: attempt.path)
            #expect(inspection.verdict == .damaged && inspection.problem == expected.description)
            let scans = try [StoredCheckpoint.Verification.lengths, .contents].map { try directory.completed(verification: $0) }
            for found in scans { #expect(found.map(\.condition) == [.damaged(expected)]) }
            if name == "_metadata" {
                #expect(problem { () throws(StoreError) in _ = try SnapshotPin.take(path: attempt.path) } == expected)
                #expect(problem { () throws(StoreError) in try directory.discard(CheckpointID(1)) } == expected)
            }
            directory.close()
        }
        #expect(StoreError.notAFile(path: "/d/x", found: kind).description.contains("/d/x is \(kind.rawValue), not a regular file"))
    }

    @Test("An irregular entry in place of a snapshot, a record, a log or a lock is named", arguments: kinds)
    func others(_ kind: IrregularFile) throws {
        guard canMake(kind) else { return }
        let path = temporary.path + "/x"
        try put(kind, at: path)
        let expected = StoreError.notAFile(path: path, found: kind)
        if kind != .directory { #expect(problem { () throws(StoreError) in _ = try Snapshot.load(path: path) } == expected) }
        #expect(problem { () throws(StoreError) in _ = try DurableFile.read(path: path, maximum: 10) } == expected)
        #expect(problem { () throws(StoreError) in _ = try DurableLog(path: path) } == expected)
        let lock = temporary.path + "/.weir-lock-sink"
        try put(kind, at: lock)
        #expect(
            problem { () throws(StoreError) in _ = try PlaceClaim(directory: temporary.path, name: "sink", filesystem: PosixFilesystem()) }
                == .notAFile(path: lock, found: kind))
    }

    @Test("A foreign device is not read to its end")
    func device() {
        let found = problem { () throws(StoreError) in _ = try Snapshot.load(path: "/dev/zero") }
        #expect(found == .notAFile(path: "/dev/zero", found: .characterDevice))
    }
}
