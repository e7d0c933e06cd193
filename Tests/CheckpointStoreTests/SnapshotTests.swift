import CheckpointStore
import StreamModel
import TestKit
import Testing

/// Snapshots on the real disk: what was written comes back, and whatever is done to the files is found, named, and left
/// as it was.
@Suite struct SnapshotTests {
    private let temporary = Sandbox()
    private let id = CheckpointID(5)

    private func makeCheckpoint() throws -> String {
        let directory = try JobDirectory(root: temporary.path, job: Samples.job)
        let attempt = try directory.begin(id)
        try Samples.write(attempt)
        return attempt.path
    }

    private func problem(_ path: String) -> StoreError? {
        do throws(StoreError) {
            _ = try Snapshot.load(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test("A checkpoint is laid out as in Flink and read back by its directory or its manifest")
    func roundTrip() throws {
        let path = try makeCheckpoint()
        #expect(path == "\(temporary.path)/\(Samples.job)/chk-5")
        for name in [path, path + "/", path + "/_metadata", temporary.path + "/./\(Samples.job)//chk-5"] {
            let snapshot = try Snapshot.load(path: name)
            #expect(snapshot.path == path)
            #expect(try Samples.difference(snapshot, id) == nil)
        }
        #expect(try PosixFilesystem().list(path).sorted() == ["_metadata", "count-0.state", "count-1.state"])
    }

    @Test("Parts are read at their offsets, and never beyond the file")
    func parts() throws {
        let snapshot = try Snapshot.load(path: try makeCheckpoint())
        let handle = snapshot.manifest.operators[0].subtasks[1].states[0]
        guard case .file(let name, let offset, let length) = handle.location else { return #expect(Bool(false), "not in a file") }
        let state = Samples.stateBytes(id, subtask: 1)
        let file = try snapshot.open(file: name)
        #expect(try file.read(offset: offset + 10, length: 20) == Array(state[10..<30]))
        #expect(try snapshot.read(file: name, offset: offset, length: Int(length)) == state)
        var buffer = [UInt8](repeating: 0, count: 5)
        try buffer.withUnsafeMutableBytes { try file.read(into: $0, offset: offset + 1) }
        #expect(buffer == Array(state[1..<6]))
        #expect(throws: StoreError.self) { try file.read(offset: file.length - 1, length: 2) }
        #expect(throws: StoreError.self) { try file.read(offset: .max, length: 2) }
        #expect(throws: StoreError.self) { try snapshot.open(file: "../chk-5/_metadata") }
    }

    @Test("A copy or a link to a snapshot is readable; links inside are not followed")
    func places() throws {
        let path = try makeCheckpoint()
        let copy = temporary.path + "/backup"
        try PosixFilesystem().rename(path, to: copy, replacing: true)
        #expect(try Snapshot.load(path: copy).path == copy)
        Plain.link(temporary.path + "/latest", to: copy)
        #expect(try Snapshot.load(path: temporary.path + "/latest").path == copy)

        let file = copy + "/count-0.state"
        try PosixFilesystem().rename(file, to: temporary.path + "/moved", replacing: true)
        Plain.link(file, to: temporary.path + "/moved")
        #expect(problem(copy) == .inputOutput(path: file, operation: .open, errno: 40))
    }

    @Test("A state file truncated anywhere is refused by name", arguments: [0, 1, 7, 8, 47, 80, 200, -17, -16, -9, -8, -4, -1])
    func truncated(_ cut: Int) throws {
        let path = try makeCheckpoint()
        let file = path + "/count-1.state"
        let bytes = Plain.read(file)
        let length = cut >= 0 ? cut : bytes.count + cut
        Plain.write(file, Array(bytes[..<length]))
        #expect(problem(path) == .wrongLength(path: file, expected: UInt64(bytes.count), found: UInt64(length)))
        #expect(Plain.read(file).count == length)
    }

    @Test("An extended state file is refused")
    func grown() throws {
        let path = try makeCheckpoint()
        let file = path + "/count-1.state"
        let bytes = Plain.read(file)
        Plain.write(file, bytes + [0])
        #expect(problem(path) == .wrongLength(path: file, expected: UInt64(bytes.count), found: UInt64(bytes.count) + 1))
    }

    @Test("Every flipped byte of a state file is refused; the file is named and left alone")
    func flippedBytes() throws {
        let path = try makeCheckpoint()
        let file = path + "/count-0.state"
        let bytes = Plain.read(file)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= UInt8(1 << (index % 8))
            Plain.write(file, damaged)
            #expect(problem(path)?.path == file, "byte \(index)")
            #expect(Plain.read(file) == damaged)
        }
        Plain.write(file, bytes)
        #expect(problem(path) == nil)
    }

    @Test("Flipped bytes in a file of several megabytes are detected", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func flippedBytesOfLargeFile(seed: UInt64) throws {
        let directory = try JobDirectory(root: temporary.path, job: Samples.job)
        let attempt = try directory.begin(id)
        try Samples.write(attempt, count: 2_500_000)
        var random = SeededGenerator(seed: seed)
        let file = attempt.path + "/count-0.state"
        var bytes = Plain.read(file)
        let index = Int.random(in: bytes.indices, using: &random)
        bytes[index] ^= UInt8.random(in: 1...255, using: &random)
        Plain.write(file, bytes)
        #expect(problem(attempt.path)?.path == file, "seed \(seed), byte \(index)")
    }

    @Test("Two swapped state files are detected by their names")
    func swapped() throws {
        let path = try makeCheckpoint()
        let (first, second) = (Plain.read(path + "/count-0.state"), Plain.read(path + "/count-1.state"))
        Plain.write(path + "/count-0.state", second)
        Plain.write(path + "/count-1.state", first)
        #expect(
            problem(path)
                == .misdirected(path: path + "/count-0.state", field: "name", expected: "count-0.state", found: "count-1.state"))
    }

    @Test("A state file of another checkpoint or job is detected")
    func misdirected() throws {
        let path = try makeCheckpoint()
        let file = path + "/count-0.state"
        let directory = try JobDirectory(root: temporary.path, job: Samples.job)
        let next = try directory.begin(CheckpointID(6))
        try Samples.write(next)
        Plain.write(file, Plain.read(next.path + "/count-0.state"))
        #expect(problem(path) == .misdirected(path: file, field: "checkpoint", expected: "5", found: "6"))

        let stranger = try JobDirectory(root: temporary.path, job: Samples.otherJob).begin(id)
        try Samples.write(stranger, job: Samples.otherJob)
        Plain.write(file, Plain.read(stranger.path + "/count-0.state"))
        #expect(
            problem(path)
                == .misdirected(path: file, field: "job", expected: Samples.job.description, found: Samples.otherJob.description))
    }

    @Test("A missing state file is named, with the manifest that lists it")
    func missingFile() throws {
        let path = try makeCheckpoint()
        Plain.remove(path + "/count-1.state")
        #expect(problem(path) == .missingFile(path: path + "/count-1.state", manifest: path + "/_metadata"))
        let inspection = Snapshot.inspect(path: path)
        #expect(inspection.verdict == .damaged)
        #expect(inspection.problem?.contains("count-1.state") == true)
        #expect(inspection.checkpoint == id)
    }

    @Test("State files of another format version are refused")
    func otherVersion() throws {
        let path = try makeCheckpoint()
        let file = path + "/count-0.state"
        var bytes = Plain.read(file)
        bytes[8] = 9
        Plain.write(file, bytes)
        #expect(problem(path) == .unsupportedVersion(path: file, found: 9, supported: 1))
    }

    @Test("Errors of wrong paths name the entry found")
    func paths() throws {
        let path = try makeCheckpoint()
        let nowhere = temporary.path + "/nowhere"
        #expect(problem(nowhere) == .notFound(path: nowhere))
        #expect(problem(temporary.path) == .noManifest(path: temporary.path))
        let note = temporary.path + "/note.txt"
        Plain.write(note, Array("hello".utf8))
        #expect(problem(note) == .foreignFormat(path: note, looksLike: nil))
        Plain.write(temporary.path + "/_metadata", Array("hello, this is no manifest".utf8))
        #expect(problem(temporary.path) == .foreignFormat(path: temporary.path + "/_metadata", looksLike: nil))
        Plain.write(temporary.path + "/_metadata", [])
        #expect(problem(temporary.path) == .wrongLength(path: temporary.path + "/_metadata", expected: 24, found: 0))

        #expect(Snapshot.inspect(path: nowhere).verdict == .missing)
        #expect(Snapshot.inspect(path: note).verdict == .foreign)
        let inspection = Snapshot.inspect(path: path + "/")
        #expect(inspection.verdict == .ok)
        #expect(inspection.path == path)
        #expect(inspection.job == Samples.job)
        #expect(inspection.operators == ["count"])
        #expect(inspection.stateSize == 600)
    }

    @Test("A truncated or flipped manifest on disk is refused and stays")
    func damagedManifest() throws {
        let path = try makeCheckpoint()
        let file = path + "/_metadata"
        let bytes = Plain.read(file)
        Plain.write(file, Array(bytes.dropLast(3)))
        #expect(problem(path) == .wrongLength(path: file, expected: UInt64(bytes.count), found: UInt64(bytes.count) - 3))
        var flipped = bytes
        flipped[100] ^= 4
        Plain.write(file, flipped)
        #expect(problem(path)?.path == file)
        #expect(Plain.read(file) == flipped)
    }

    @Test("A snapshot is removed once; an unreadable one stays")
    func removal() throws {
        let path = try makeCheckpoint()
        let bytes = Plain.read(path + "/_metadata")
        Plain.write(path + "/_metadata", Array(bytes.dropLast()))
        #expect(throws: StoreError.self) { try Snapshot.remove(path: path) }
        #expect(Plain.exists(path + "/count-0.state"))
        Plain.write(path + "/_metadata", bytes)
        try Snapshot.remove(path: path)
        #expect(!Plain.exists(path))
        try Snapshot.remove(path: path)
    }
}
