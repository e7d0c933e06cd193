import Glibc
import Synchronization
import TestKit
import Testing

@testable import CheckpointStore

// Goal: what the kernel does rarely costs nothing: reads and writes that stop half-way, and calls that a signal interrupts. Method: a table
// of system calls that do so, before the real ones.

/// How often each call fell short.
private final class Tally: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    /// True on the first of every `period` calls.
    func falls(_ call: String, every period: Int) -> Bool {
        counts.withLock { counts in
            counts[call, default: 0] += 1
            return counts[call, default: 0] % period == 1
        }
    }
    subscript(call: String) -> Int { counts.withLock { $0[call] ?? 0 } }
}

private func interrupted() -> Int32 {
    errno = EINTR
    return -1
}

/// Every other call is interrupted; those that are not move at most `most` bytes.
private func shortCalls(_ tally: Tally, most: Int) -> SystemCalls {
    SystemCalls(
        write: { tally.falls("write", every: 2) ? Int(interrupted()) : Glibc.write($0, $1, min($2, most)) },
        pread: { tally.falls("pread", every: 2) ? Int(interrupted()) : Glibc.pread($0, $1, min($2, most), $3) },
        open: { tally.falls("open", every: 2) ? interrupted() : Glibc.open($0, $1, $2) },
        close: { descriptor in
            let result = Glibc.close(descriptor)
            return tally.falls("close", every: 2) ? interrupted() : result
        })
}

@Suite struct SystemCallTests {
    @Test(arguments: [1, 7, 4096]) func shortAndInterruptedCallsAreCompleted(most: Int) throws {
        let directory = Sandbox(), tally = Tally()
        let filesystem = PosixFilesystem(calls: shortCalls(tally, most: most))
        let path = directory.path + "/file", bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let file = try filesystem.createExclusive(path)
        try bytes.withUnsafeBytes { try filesystem.write($0, to: file) }
        try filesystem.sync(file)
        try filesystem.close(file)
        let again = try filesystem.openForReading(path)
        var found = [UInt8](repeating: 0, count: bytes.count + 100)
        let count = try found.withUnsafeMutableBytes { try filesystem.read(into: $0, from: again, at: 0) }
        try filesystem.close(again)
        #expect(count == bytes.count && Array(found.prefix(count)) == bytes)
        #expect(tally["write"] >= 2 * bytes.count / most && tally["pread"] >= 2 * bytes.count / most && tally["open"] == 4 && tally["close"] == 2)
    }

    @Test func aCheckpointIsIntactWhenEveryCallFallsShort() throws {
        let directory = Sandbox(), tally = Tally()
        let filesystem = PosixFilesystem(calls: shortCalls(tally, most: 11))
        try DurableFile.replace(path: directory.path + "/record", bytes: Array("a record of some length".utf8), filesystem: filesystem)
        #expect(try DurableFile.read(path: directory.path + "/record", maximum: 100) == Array("a record of some length".utf8))
        let log = try DurableLog(path: directory.path + "/log", filesystem: filesystem)
        for number in 0..<20 { try log.append("operation \(number) of twenty") }
        log.close()
        #expect(try DurableLog(path: directory.path + "/log").recovered == (0..<20).map { "operation \($0) of twenty" })
    }

    /// A write that moves nothing and gives no reason is not tried for ever.
    @Test func aWriteWithoutProgressIsAFullDisk() throws {
        let directory = Sandbox()
        let filesystem = PosixFilesystem(calls: SystemCalls(write: { _, _, _ in 0 }))
        let file = try filesystem.createExclusive(directory.path + "/file")
        let error = #expect(throws: FilesystemError.self) { try [1, 2, 3].withUnsafeBytes { try filesystem.write($0, to: file) } }
        #expect(error == FilesystemError(.write, errno: ENOSPC))
        try filesystem.close(file)
    }

    /// After a failed or interrupted fsync nobody knows what is on the platter: it is never asked again.
    @Test(arguments: [EIO, EINTR]) func aFailedSyncIsNotRepeated(number: Int32) throws {
        let directory = Sandbox(), tally = Tally()
        let filesystem = PosixFilesystem(
            calls: SystemCalls(fsync: { _ in
                _ = tally.falls("fsync", every: 2)
                errno = number
                return -1
            }))
        let file = try filesystem.createExclusive(directory.path + "/file")
        #expect(throws: FilesystemError(.sync, errno: number)) { try filesystem.sync(file) }
        #expect(tally["fsync"] == 1)
        try filesystem.close(file)
    }

    /// An error of close is told, and the file is not closed a second time: another thread may have the number by then.
    @Test func anErrorOfCloseIsReportedAndTheFileClosedOnce() throws {
        let directory = Sandbox(), tally = Tally()
        let filesystem = PosixFilesystem(
            calls: SystemCalls(close: { descriptor in
                _ = tally.falls("close", every: 2)
                _ = Glibc.close(descriptor)
                errno = EIO
                return -1
            }))
        #expect(throws: StoreError.self) { try DurableFile.replace(path: directory.path + "/record", bytes: [1], filesystem: filesystem) }
        #expect(tally["close"] == 1)
        #expect(try DurableFile.read(path: directory.path + "/record", maximum: 100) == nil, "what may be broken is not put in place")
    }

    @Test func tooManyOpenFilesIsOneClearError() throws {
        let directory = Sandbox()
        let filesystem = PosixFilesystem(
            calls: SystemCalls(open: { _, _, _ in
                errno = EMFILE
                return -1
            }))
        let error = #expect(throws: StoreError.self) { try DurableFile.replace(path: directory.path + "/record", bytes: [1], filesystem: filesystem) }
        #expect(error?.description.contains("too many open files") == true && error?.description.contains(directory.path) == true)
    }
}
