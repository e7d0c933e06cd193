import CheckpointStore
import StreamModel
import TestKit
import Testing

// Goal: a place on disk has one owner, whose successor is told apart from it, with locks and without. Method: two claims in one process are
// what two processes are, because locks belong to open files; a filesystem without locks is a real one that refuses them.
@Suite struct PlaceClaimTests {
    private let temporary = Sandbox()
    private let disk = PosixFilesystem()

    private func claim(_ filesystem: any Filesystem = PosixFilesystem(), name: String = "sink") throws(StoreError) -> PlaceClaim {
        try PlaceClaim(directory: temporary.path, name: name, filesystem: filesystem)
    }

    private func begin(_ claim: PlaceClaim, _ job: JobID = Samples.job) throws(StoreError) -> PlaceOwner {
        try claim.begin(job: job, lineage: Samples.job, at: WallTime(milliseconds: 5), token: UInt64.random(in: .min ... .max))
    }

    @Test("A second owner is refused with the first one's name until its release; the epoch grows")
    func refusal() throws {
        let first = try claim(), owner = try begin(first)
        #expect(owner.epoch == 1 && owner.job == Samples.job && owner.processID == disk.processID && owner.host == disk.hostName)
        #expect(throws: StoreError.outputOwned(path: temporary.path, owner: owner)) { try claim() }
        #expect(StoreError.outputOwned(path: "/o", owner: owner).description.contains("job \(Samples.job.short) (process \(disk.processID)"))
        try first.check()
        _ = try begin(try claim(name: "other"))
        first.release()
        let second = try claim()
        #expect(try begin(second, Samples.otherJob).epoch == 2)
        try second.check()
    }

    @Test("A dropped claim frees the place, and fences nobody before it begins")
    func forgotten() throws {
        let first = try claim(Lockless()), owner = try begin(first)
        do { _ = try claim(Lockless()) }
        try first.check()
        #expect(owner.epoch == 1)
        do { _ = try claim() }
        _ = try claim()
    }

    @Test("The newer owner fences the older one without locks, which learns its name")
    func fencing() throws {
        let first = try claim(Lockless())
        _ = try begin(first)
        let second = try claim(Lockless()), owner = try begin(second, Samples.otherJob)
        #expect(owner.epoch == 2)
        #expect(throws: StoreError.outputTaken(path: temporary.path, owner: owner)) { try first.check() }
        try second.check()
    }

    @Test("A lost lock and a missing record fence too")
    func lost() throws {
        let first = try claim()
        _ = try begin(first)
        // As an operator's hand, or a lease of a file server that ran out.
        Plain.remove(temporary.path + "/.weir-lock-sink")
        let second = try claim(), owner = try begin(second, Samples.otherJob)
        #expect(throws: StoreError.outputTaken(path: temporary.path, owner: owner)) { try first.check() }
        Plain.remove(temporary.path + "/.weir-owner-sink")
        #expect(throws: StoreError.outputTaken(path: temporary.path, owner: nil)) { try second.check() }
        second.release()
        first.release()
        #expect(try begin(try claim()).epoch == 1)
    }

    @Test("A damaged record is reported and not taken for a missing one")
    func damaged() throws {
        let path = temporary.path + "/.weir-owner-sink"
        do { _ = try begin(try claim()) }
        let bytes = Plain.read(path)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1
            Plain.write(path, damaged)
            #expect { _ = try begin(try claim()) } throws: { ($0 as? StoreError)?.path == path }
        }
        Plain.write(path, bytes)
        #expect(try begin(try claim()).epoch == 2)
    }

    /// The real disk, mounted where files have no locks.
    private struct Lockless: ForwardingFilesystem {
        func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { throw FilesystemError(.lock, errno: 37) }
        func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { throw FilesystemError(.lock, errno: 37) }
    }
}
