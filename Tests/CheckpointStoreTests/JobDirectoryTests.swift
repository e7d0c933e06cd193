import CheckpointStore
import StreamModel
import TestKit
import Testing

/// The job's directory on the real disk: ownership, numbers, attempts, removal and sweep.
@Suite struct JobDirectoryTests {
    private let temporary = Sandbox()
    private let later = WallTime(milliseconds: .max)

    private var jobPath: String { "\(temporary.path)/\(Samples.job)" }

    private func open(floor: UInt64 = 0) throws(StoreError) -> JobDirectory {
        try JobDirectory(root: temporary.path, job: Samples.job, freeSpaceFloor: floor)
    }

    private func begin(_ directory: JobDirectory, _ id: UInt64) throws(StoreError) -> CheckpointAttempt {
        try directory.begin(CheckpointID(id))
    }

    private func names(_ path: String) -> [String] { try! PosixFilesystem().list(path).sorted() }

    // MARK: Ownership

    @Test("A second owner is refused with the owning process until its release")
    func ownership() throws {
        let first = try open()
        let lock = jobPath + "/.lock"
        #expect(throws: StoreError.owned(path: lock, processID: PosixFilesystem().processID)) { try open() }
        first.close()
        let second = try open()
        #expect(throws: StoreError.closed(path: jobPath)) { try begin(first, 1) }
        first.close()
        #expect(throws: StoreError.self) { try open() }
        second.close()
    }

    @Test("Releasing the owner releases the directory; another job's is free")
    func ownershipByRelease() throws {
        do { _ = try open() }
        let directory = try open()
        _ = try JobDirectory(root: temporary.path, job: Samples.otherJob)
        _ = directory
    }

    @Test("Parent directories are created, and a file in the way is named")
    func makesDirectories() throws {
        let deep = temporary.path + "/a/b/c"
        let directory = try JobDirectory(root: deep + "/", job: Samples.job)
        #expect(directory.path == "\(deep)/\(Samples.job)")
        #expect(names(directory.path) == [".lock", "shared", "taskowned"])
        Plain.write(temporary.path + "/file", [])
        #expect(throws: StoreError.inputOutput(path: temporary.path + "/file/x", operation: .makeDirectory, errno: 20)) {
            try JobDirectory(root: temporary.path + "/file/x", job: Samples.job)
        }
    }

    @Test("A link in place of a checkpoint directory is never followed")
    func linkedDirectory() throws {
        let directory = try open()
        let elsewhere = temporary.path + "/elsewhere"
        try PosixFilesystem().makeDirectory(elsewhere)
        Plain.write(elsewhere + "/precious.state", [1])
        Plain.link(jobPath + "/chk-1", to: elsewhere)
        #expect(throws: StoreError.self) { try begin(directory, 1) }
        #expect(throws: StoreError.self) { try directory.discard(CheckpointID(1)) }
        _ = try directory.sweep(live: [], olderThan: later, dryRun: false)
        #expect(throws: FilesystemError(.remove, errno: 20)) { try PosixFilesystem().unlink(jobPath + "/chk-1/precious.state") }
        #expect(names(elsewhere) == ["precious.state"])
    }

    // MARK: Attempts

    @Test("An attempt is invisible until it is committed")
    func commit() throws {
        let directory = try open()
        let attempt = try begin(directory, 1)
        let manifest = try Samples.writeStateFiles(attempt)
        #expect(try directory.completed().map(\.condition) == [.incomplete])
        try attempt.commit(manifest)
        #expect(try directory.completed().map(\.summary) == [CheckpointSummary(manifest)])
        #expect(throws: StoreError.closed(path: attempt.path)) { try attempt.commit(manifest) }
        #expect(throws: StoreError.closed(path: attempt.path)) { try attempt.createStateFile(role: "r", name: "x") }
        try attempt.abandon()
        #expect(try directory.completed().count == 1)
    }

    @Test("An abandoned attempt leaves nothing, even with half-written files")
    func abandon() throws {
        let directory = try open()
        let attempt = try begin(directory, 1)
        _ = try Samples.writeStateFiles(attempt)
        let half = try attempt.createStateFile(role: "r", name: "half")
        try half.append([UInt8](repeating: 7, count: 3_000_000))
        try attempt.abandon()
        try attempt.abandon()
        #expect(!Plain.exists(attempt.path))
        #expect(throws: StoreError.closed(path: attempt.path)) { try half.finish() }
        #expect(throws: StoreError.closed(path: attempt.path)) { try attempt.commit(Samples.empty(1)) }
        #expect(try directory.highestID() == CheckpointID(1))
    }

    @Test("A manifest that contradicts its attempt is refused before any write")
    func wrongManifest() throws {
        let directory = try open()
        func refuses(_ id: UInt64, _ spoil: (inout CheckpointManifest) -> Void) throws {
            let attempt = try begin(directory, id)
            var manifest = try Samples.writeStateFiles(attempt)
            spoil(&manifest)
            #expect { try attempt.commit(manifest) } throws: { error in
                if case .invalidManifest(attempt.path, _)? = error as? StoreError { true } else { false }
            }
            #expect(names(attempt.path) == ["count-0.state", "count-1.state"])
            try attempt.abandon()
        }
        try refuses(1) { $0.job = Samples.otherJob }
        try refuses(2) { $0.checkpoint = CheckpointID(99) }
        try refuses(3) { $0.kind = .savepoint }
        try refuses(4) { $0.files[0].crc32c ^= 1 }
        try refuses(5) { $0.files.removeLast() }
        try refuses(6) { $0.operators[0].parallelism = 0 }
    }

    @Test("Names that lead out of the directory are refused", arguments: ["", "../x", "a/b", ".hidden", "a b", String(repeating: "x", count: 200)])
    func refusesName(_ name: String) throws {
        let attempt = try begin(try open(), 1)
        #expect(throws: StoreError.invalidName(path: attempt.path, name: name)) { try attempt.createStateFile(role: "r", name: name) }
    }

    @Test("A state file keeps its offsets through the buffer, and a duplicate name is refused")
    func stateFiles() throws {
        let attempt = try begin(try open(), 1)
        let writer = try attempt.createStateFile(role: "r", name: "a")
        #expect(throws: StoreError.inputOutput(path: attempt.path + "/a.state", operation: .create, errno: 17)) {
            try attempt.createStateFile(role: "r", name: "a")
        }
        let start = writer.offset
        var expected: [UInt8] = []
        var random = SeededGenerator(seed: 3)
        for size in [0, 1, 1000, 1 << 20, (1 << 20) - 1, 1, 2_500_000, 5] {
            let piece = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            try writer.append(piece)
            expected += piece
            #expect(writer.offset == start + UInt64(expected.count))
        }
        let entry = try writer.finish()
        #expect(throws: StoreError.closed(path: attempt.path + "/a.state")) { try writer.append([1]) }
        var manifest = Samples.empty(1)
        manifest.files = [entry]
        try attempt.commit(manifest)
        let snapshot = try Snapshot.load(path: attempt.path)
        #expect(try snapshot.read(file: entry.name, offset: start, length: expected.count) == expected)
    }

    @Test("The next attempt of a number removes the remains of a failed one; foreign files are set aside")
    func leftovers() throws {
        var directory = try open()
        _ = try Samples.writeStateFiles(try begin(directory, 1))
        Plain.write(jobPath + "/chk-1/_metadata.tmp", [1, 2])
        directory.close()
        directory = try open()
        try Samples.write(try begin(directory, 1))
        #expect(try Samples.difference(try Snapshot.load(path: jobPath + "/chk-1"), CheckpointID(1)) == nil)

        try PosixFilesystem().makeDirectory(jobPath + "/chk-9")
        Plain.write(jobPath + "/chk-9/notes.txt", [1])
        try Samples.write(try begin(directory, 9))
        #expect(names(jobPath + "/chk-9.aside-1") == ["notes.txt"])
        #expect(throws: StoreError.checkpointExists(path: jobPath + "/chk-9")) { try begin(directory, 9) }
    }

    @Test("Two concurrent attempts of one number are refused, even savepoints")
    func twice() throws {
        let directory = try open()
        let attempt = try begin(directory, 1)
        #expect(throws: StoreError.inFlight(path: jobPath + "/chk-1")) { try begin(directory, 1) }
        #expect(throws: StoreError.inFlight(path: jobPath + "/chk-1")) { try directory.discard(CheckpointID(1)) }
        #expect(throws: StoreError.inFlight(path: temporary.path)) { try directory.beginSavepoint(CheckpointID(1), in: temporary.path) { 0 } }
        try attempt.abandon()
        let second = try begin(directory, 1)
        withExtendedLifetime(attempt) {}
        #expect(throws: StoreError.inFlight(path: jobPath + "/chk-1")) { try begin(directory, 1) }
        try second.abandon()
    }

    @Test("No checkpoint begins below the free-space floor")
    func floor() throws {
        let directory = try open(floor: .max)
        #expect {
            try begin(directory, 1)
        } throws: { error in
            guard case .belowFreeSpaceFloor(let path, _, .max)? = error as? StoreError else { return false }
            return path == jobPath
        }
        #expect(!Plain.exists(jobPath + "/chk-1"))
    }

    // MARK: Savepoints

    @Test("Savepoints are named as in Flink, with at most ten attempts")
    func savepoints() throws {
        let directory = try open()
        let target = temporary.path + "/savepoints/today"
        let attempt = try directory.beginSavepoint(CheckpointID(1), in: target) { 0xFFFF_0000_0000_00AB }
        #expect(attempt.path == target + "/savepoint-012345-0000000000ab")
        try Samples.write(attempt, kind: .savepoint)
        #expect(try Samples.difference(try Snapshot.load(path: attempt.path), CheckpointID(1)) == nil)

        var calls = 0
        #expect(throws: StoreError.savepointNamesExhausted(directory: target)) {
            try directory.beginSavepoint(CheckpointID(2), in: target) {
                calls += 1
                return 0xAB
            }
        }
        #expect(calls == 10)
        var names = [0xAB, 0xAB, 0xCD] as [UInt64]
        let next = try directory.beginSavepoint(CheckpointID(2), in: target) { names.removeFirst() }
        #expect(next.path.hasSuffix("-0000000000cd"))
        try next.abandon()
        #expect(!Plain.exists(next.path))
    }

    // MARK: Numbers

    @Test("The highest number counts failed, abandoned, discarded and set-aside checkpoints and savepoints")
    func highestID() throws {
        var directory = try open()
        #expect(try directory.highestID() == nil)
        try Samples.write(try begin(directory, 1))
        try begin(directory, 2).abandon()
        #expect(try directory.highestID() == CheckpointID(2))
        try Samples.write(try directory.beginSavepoint(CheckpointID(3), in: temporary.path) { 1 }, kind: .savepoint)
        try directory.discard(CheckpointID(1))
        directory.close()
        directory = try open()
        #expect(try directory.highestID() == CheckpointID(3))
        for name in ["chk-7.aside-1", "chk-007", "chk-", "chk--1", "chk-99999999999999999999", "other-50"] {
            try PosixFilesystem().makeDirectory(jobPath + "/" + name)
        }
        #expect(try directory.highestID() == CheckpointID(7))
        try PosixFilesystem().makeDirectory(jobPath + "/chk-10")
        #expect(try directory.highestID() == CheckpointID(10))
    }

    @Test("A damaged record of the highest number is an error, not a smaller number")
    func damagedHighestID() throws {
        let directory = try open()
        try Samples.write(try begin(directory, 12))
        let path = jobPath + "/.highest-checkpoint-id"
        var bytes = Plain.read(path)
        bytes[10] ^= 1
        Plain.write(path, bytes)
        #expect { try directory.highestID() } throws: { ($0 as? StoreError)?.path == path }
        #expect { try begin(directory, 13) } throws: { ($0 as? StoreError)?.path == path }
    }

    // MARK: Listing and removal

    @Test("The listing distinguishes valid, damaged and incomplete checkpoints without changes")
    func listing() throws {
        let directory = try open()
        for id in [10, 9, 2] as [UInt64] { try Samples.write(try begin(directory, id)) }
        let open = try begin(directory, 11)
        var bytes = Plain.read(jobPath + "/chk-9/count-1.state")
        bytes[bytes.count / 2] ^= 1
        Plain.write(jobPath + "/chk-9/count-1.state", bytes)
        try PosixFilesystem().rename(jobPath + "/chk-2", to: jobPath + "/chk-3", replacing: true)

        let found = try directory.completed()
        #expect(found.map(\.id.rawValue) == [3, 9, 10, 11])
        guard case .damaged(.misdirected(_, "checkpoint", "3", "2")) = found[0].condition else { return #expect(Bool(false), "\(found[0])") }
        guard case .damaged(.checksumMismatch(let path, _, _)) = found[1].condition else { return #expect(Bool(false), "\(found[1])") }
        #expect(path == jobPath + "/chk-9/count-1.state")
        #expect(found[2].summary?.stateSize == 600)
        #expect(found[3].condition == .incomplete)
        #expect(try directory.completed(verification: .lengths)[1].summary != nil)
        #expect(Plain.read(jobPath + "/chk-9/count-1.state") == bytes)
        try open.abandon()
    }

    @Test("A discard removes the whole checkpoint and is idempotent; foreign files keep the directory")
    func discard() throws {
        let directory = try open()
        for id in 1...3 as ClosedRange<UInt64> { try Samples.write(try begin(directory, id)) }
        try directory.discard(CheckpointID(1))
        try directory.discard(CheckpointID(1))
        try directory.discard(CheckpointID(77))
        Plain.write(jobPath + "/chk-2/notes.txt", [1])
        try directory.discard(CheckpointID(2))
        #expect(names(jobPath + "/chk-2") == ["notes.txt"])
        #expect(try directory.completed().filter { $0.summary != nil }.map(\.id.rawValue) == [3])
    }

    @Test("A checkpoint with an unreadable manifest is not discarded")
    func discardDamaged() throws {
        let directory = try open()
        try Samples.write(try begin(directory, 1))
        let manifest = jobPath + "/chk-1/_metadata"
        Plain.write(manifest, Array(Plain.read(manifest).dropLast()))
        #expect(throws: StoreError.self) { try directory.discard(CheckpointID(1)) }
        #expect(names(jobPath + "/chk-1").count == 3)
    }

    // MARK: Sweep

    @Test("The sweep removes exactly the unneeded files")
    func sweep() throws {
        let directory = try open()
        try Samples.write(try begin(directory, 1))
        try begin(directory, 2).createStateFile(role: "r", name: "orphan").abandon()
        let inFlight = try begin(directory, 3)
        let writer = try inFlight.createStateFile(role: "r", name: "live")
        try PosixFilesystem().makeDirectory(jobPath + "/chk-4")
        Plain.write(jobPath + "/chk-1/stray.state", [1, 2, 3])
        Plain.write(jobPath + "/chk-1/notes.txt", [1])
        Plain.write(jobPath + "/shared/1-old.state", [1])
        Plain.link(jobPath + "/shared/1-link.state", to: jobPath + "/chk-1/_metadata")

        #expect(try directory.sweep(live: [], olderThan: WallTime(milliseconds: 0), dryRun: false) == [])
        let garbage = try directory.sweep(live: [CheckpointID(4)], olderThan: later, dryRun: true)
        #expect(
            Set(garbage.map { "\($0.path.dropFirst(jobPath.count)) \($0.reason.rawValue)" })
                == ["/chk-1/stray.state unlisted", "/chk-2/orphan.state incomplete", "/shared/1-old.state unreferenced"])
        #expect(garbage.first { $0.reason == .unlisted }?.size == 3)
        #expect(Plain.exists(jobPath + "/chk-2/orphan.state"))

        #expect(try directory.sweep(live: [CheckpointID(4)], olderThan: later, dryRun: false) == garbage)
        #expect(names(jobPath + "/chk-1") == ["_metadata", "count-0.state", "count-1.state", "notes.txt"])
        #expect(!Plain.exists(jobPath + "/chk-2"))
        #expect(Plain.exists(jobPath + "/chk-3/live.state"))
        #expect(Plain.exists(jobPath + "/chk-4"))
        #expect(names(jobPath + "/shared") == ["1-link.state"])
        #expect(try directory.sweep(live: [], olderThan: later, dryRun: false) == [])
        #expect(!Plain.exists(jobPath + "/chk-4"))
        writer.abandon()
        try inFlight.abandon()
    }

    @Test("The sweep keeps an unreadable checkpoint, and all files it might share")
    func sweepKeepsDamaged() throws {
        let directory = try open()
        try Samples.write(try begin(directory, 1))
        let manifest = jobPath + "/chk-1/_metadata"
        Plain.write(manifest, Array(Plain.read(manifest).dropLast()))
        Plain.write(jobPath + "/chk-1/stray.state", [1])
        for number in 1...2 { Plain.write(jobPath + "/shared/\(number)-old.state", [1]) }
        // What a later checkpoint wrote cannot be in its manifest.
        #expect(try directory.sweep(live: [], olderThan: later, dryRun: false).map(\.path) == [jobPath + "/shared/2-old.state"])
        #expect(names(jobPath + "/chk-1").count == 4)
        #expect(try directory.collectShared() == [])
        #expect(names(jobPath + "/shared") == ["1-old.state"])
    }

    // MARK: Shared files

    private func shared() -> [String] { names(jobPath + "/shared") }

    private func write(_ directory: JobDirectory, _ id: UInt64, over base: (CheckpointManifest, Samples.PageWriters)?) throws
        -> (CheckpointManifest, Samples.PageWriters)
    { try Samples.writeIncremental(try directory.begin(CheckpointID(id), base: base?.0), older: base?.1) }

    @Test("A shared file lives as long as a manifest lists it")
    func sharedFiles() throws {
        let directory = try open()
        let first = try write(directory, 1, over: nil)
        let second = try write(directory, 2, over: first)
        let third = try write(directory, 3, over: second)
        #expect(third.1[0] == [CheckpointID(3), CheckpointID(2)], "one page of its own, one of its base")
        #expect(try directory.collectShared() == [])
        #expect(shared().count == 6)
        try directory.discard(CheckpointID(1))
        try directory.discard(CheckpointID(2))
        try directory.collectShared()
        #expect(Set(shared().map { "shared/" + $0 }) == third.0.sharedFiles)
        #expect(try Samples.difference(try Snapshot.load(path: jobPath + "/chk-3"), CheckpointID(3), third.1) == nil)
        try directory.discard(CheckpointID(3))
        try directory.collectShared()
        #expect(shared() == [])
    }

    @Test("An attempt in flight keeps the files of its base, even after the base was subsumed")
    func pinnedBase() throws {
        let directory = try open()
        let first = try write(directory, 1, over: nil)
        let second = try directory.begin(CheckpointID(2), base: first.0)
        let third = try directory.begin(CheckpointID(3), base: first.0)
        _ = try Samples.writeIncremental(third, older: first.1)
        try directory.discard(CheckpointID(1))
        try directory.discard(CheckpointID(3))
        #expect(try directory.collectShared().allSatisfy { !first.0.sharedFiles.contains(String($0.dropFirst(jobPath.count + 1))) })
        let committed = try Samples.writeIncremental(second, older: first.1)
        #expect(try directory.collectShared() == [])
        #expect(try Samples.difference(try Snapshot.load(path: second.path), CheckpointID(2), committed.1) == nil)
        // A base that is gone is none.
        #expect(try directory.begin(CheckpointID(4), base: first.0).base == nil)
        #expect(try directory.begin(CheckpointID(5), base: committed.0).base == committed.0)
    }

    @Test("A failed attempt removes its shared files, and none of its base")
    func abandonedShared() throws {
        let directory = try open()
        let first = try write(directory, 1, over: nil)
        let attempt = try directory.begin(CheckpointID(2), base: first.0)
        _ = try attempt.createStateFile(role: "keyed-state", name: "count-0", isShared: true).finish()
        let half = try attempt.createStateFile(role: "keyed-state", name: "count-1", isShared: true)
        #expect(try directory.collectShared() == [], "what an attempt in flight has written stays")
        #expect(shared().count == 4)
        try attempt.abandon()
        half.abandon()
        #expect(Set(shared().map { "shared/" + $0 }) == first.0.sharedFiles)
    }

    @Test("A manifest may list only files of its attempt and of its base")
    func foreignShared() throws {
        let directory = try open()
        let first = try write(directory, 1, over: nil)
        for base in [nil, first.0] {
            let attempt = try directory.begin(CheckpointID(base == nil ? 2 : 3), base: base)
            var manifest = Samples.empty(attempt.id.rawValue)
            manifest.files = first.0.files
            if base != nil { manifest.files[0].crc32c ^= 1 }
            #expect(throws: StoreError.self) { try attempt.commit(manifest) }
            try attempt.abandon()
        }
        #expect(throws: StoreError.self) {
            try directory.beginSavepoint(CheckpointID(4), in: temporary.path + "/s") { 1 }
                .createStateFile(role: "r", name: "x", isShared: true)
        }
        #expect(Set(shared().map { "shared/" + $0 }) == first.0.sharedFiles)
    }

    @Test("Removing a claimed checkpoint collects its shared files, unless an engine runs its job")
    func removeForeign() throws {
        var directory: JobDirectory? = try open()
        let first = try write(directory!, 1, over: nil)
        let second = try write(directory!, 2, over: first)
        try Snapshot.remove(path: jobPath + "/chk-1")
        #expect(shared().count == 4, "the job is at work")
        directory = nil
        try Snapshot.remove(path: jobPath + "/chk-2")
        #expect(shared() == [])
        _ = second
    }

    @Test("A missing or damaged shared file is detected and named")
    func damagedShared() throws {
        let directory = try open()
        let first = try write(directory, 1, over: nil)
        let second = try write(directory, 2, over: first)
        let file = jobPath + "/" + (try #require(second.0.sharedFiles.subtracting(["shared/2-count-0.state", "shared/2-count-1.state"]).min()))
        let bytes = Plain.read(file)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1
            Plain.write(file, damaged)
            #expect(Snapshot.inspect(path: jobPath + "/chk-2").problem?.contains(file) == true, "byte \(index)")
        }
        Plain.write(file, bytes)
        #expect(Snapshot.inspect(path: jobPath + "/chk-2").verdict == .ok)
        #expect(Snapshot.inspect(path: jobPath + "/chk-2").checkpointedSize == 200)
        #expect(Snapshot.inspect(path: jobPath + "/chk-2").stateSize == 400)
        Plain.remove(file)
        #expect(Snapshot.inspect(path: jobPath + "/chk-2").problem?.contains(file) == true)
        #expect(try directory.completed(verification: .lengths).last?.summary == nil)
    }

    // MARK: Threads

    @Test("Writers of one attempt and of several jobs run concurrently")
    func concurrency() async throws {
        let directory = try open()
        let attempt = try begin(directory, 1)
        var manifest = Samples.empty(1)
        manifest.files = try await withThrowingTaskGroup(of: StateFileEntry.self) { group in
            for index in 0..<16 {
                group.addTask {
                    let writer = try attempt.createStateFile(role: "r", name: "file-\(index)")
                    try writer.append(Samples.stateBytes(attempt.id, subtask: index))
                    return try writer.finish()
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try attempt.commit(manifest)
        #expect(try Snapshot.load(path: attempt.path).manifest.files.count == 16)
    }
}

/// Damaged checkpoints that are set aside, and savepoints that nobody wrote down.
@Suite struct QuarantineTests {
    private let temporary = Sandbox()
    private var jobPath: String { "\(temporary.path)/\(Samples.job)" }

    private func open() throws(StoreError) -> JobDirectory { try JobDirectory(root: temporary.path, job: Samples.job) }

    private func complete(_ directory: JobDirectory, _ id: UInt64) throws(StoreError) {
        try directory.begin(CheckpointID(id)).commit(Samples.empty(id))
    }

    @Test func aQuarantinedDirectoryIsRenamedWhole() throws {
        let directory = try open()
        try complete(directory, 1)
        try complete(directory, 2)
        let manifest = Plain.read(jobPath + "/chk-2/_metadata")
        #expect(try directory.quarantine(CheckpointID(2)) == jobPath + "/chk-2.damaged")
        #expect(Plain.read(jobPath + "/chk-2.damaged/_metadata") == manifest)
        #expect(try directory.completed().map(\.id.rawValue) == [1], "it is no candidate any more")
        #expect(try directory.quarantined().map(\.path) == [jobPath + "/chk-2.damaged"])
        #expect(try directory.highestID() == CheckpointID(2), "its number is never used again")
        #expect(try directory.quarantine(CheckpointID(2)) == nil, "said twice is said once")
    }

    @Test func aTakenNameIsNotOverwritten() throws {
        let directory = try open()
        for round in 1...3 {
            try complete(directory, 5)
            #expect(try directory.quarantine(CheckpointID(5)) == jobPath + "/chk-5.damaged" + (round == 1 ? "" : "-\(round)"))
        }
        #expect(try directory.quarantined().map(\.id.rawValue) == [5, 5, 5])
    }

    @Test func aSweepKeepsQuarantinedCheckpoints() throws {
        let directory = try open()
        try complete(directory, 1)
        _ = try directory.quarantine(CheckpointID(1))
        _ = try directory.sweep(live: [], olderThan: WallTime(milliseconds: .max), dryRun: false)
        #expect(Plain.exists(jobPath + "/chk-1.damaged/_metadata"))
    }

    @Test func onlyThisJobsCompleteSavepointsAreFound() throws {
        let directory = try open(), other = try JobDirectory(root: temporary.path, job: Samples.otherJob)
        let place = temporary.path + "/savepoints"
        var number: UInt64 = 1
        let random = { () -> UInt64 in
            number += 1
            return number
        }
        try directory.beginSavepoint(CheckpointID(3), in: place, random: random).commit(Samples.empty(3, kind: .savepoint))
        try other.beginSavepoint(CheckpointID(9), in: place, random: random).commit(Samples.empty(9, job: Samples.otherJob, kind: .savepoint))
        _ = try directory.beginSavepoint(CheckpointID(4), in: place, random: random)
        let found = try StoredCheckpoint.savepoints(of: Samples.job, in: place)
        #expect(found.map(\.summary.checkpoint.rawValue) == [3])
        #expect(try StoredCheckpoint.savepoints(of: Samples.job, in: temporary.path + "/nowhere").isEmpty)
    }

    // Whether a snapshot is bad, or its read was refused, decides whether it may be moved.
    @Test(arguments: FileOperation.allForTests) func aRefusedCallIsNotALoss(_ operation: FileOperation) {
        #expect(!StoreError.inputOutput(path: "/x", operation: operation, errno: 5).isLoss)
        #expect(!StoreError.syncFailed(path: "/x", errno: 5).isLoss)
        #expect(!StoreError.unsupportedVersion(path: "/x", found: 9, supported: 1).isLoss)
        #expect(StoreError.checksumMismatch(path: "/x", expected: 1, found: 2).isLoss)
        #expect(StoreError.missingFile(path: "/x", manifest: "/y").isLoss)
    }
}

extension FileOperation {
    static let allForTests: [FileOperation] = [.open, .read, .examine, .list]
}
