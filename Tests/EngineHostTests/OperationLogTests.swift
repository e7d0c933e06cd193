// Goal: the log of operations stays small while the engine runs, forgets nothing that has not ended, and never keeps an engine from starting for its
// size. Method: thousands of changes on a real file, refused calls, a log that is too large to be read.

import CheckpointStore
import ControlProtocol
import FoundationEssentials
import Glibc
import StreamModel
import TestKit
import Testing

@testable import EngineHost

@Suite struct OperationLogTests {
    private let sandbox = Sandbox()
    private var path: String { sandbox["operations.log"] }

    private func entry(_ number: UInt64, _ state: OperationReport.State = .completed, padding: Int = 0) -> OperationEntry {
        OperationEntry(
            operation: OperationID(random: number), verb: .savepoint, frame: String(repeating: "x", count: padding), by: "me", reason: "test", userID: 1,
            processID: 1, acceptedAt: WallTime(milliseconds: Int64(number)), job: nil, jobName: "job", report: nil, state: state)
    }

    private func size() -> Int {
        var facts = stat()
        return stat(path, &facts) == 0 ? Int(facts.st_size) : -1
    }

    @Test func theLogIsRewrittenDuringUse() throws {
        let log = try OperationLog(path: path, filesystem: PosixFilesystem())
        try log.append(entry(0, .running))
        var largest = 0
        for number in 1...1500 as ClosedRange<UInt64> {
            for state in [.accepted, .running, .completed] as [OperationReport.State] {
                try log.append(entry(number, state, padding: 6_000))
                largest = max(largest, size())
            }
        }
        #expect(largest < 2 * 1500 * 6_300 + OperationLog.largest, "\(largest) bytes")
        #expect(largest > OperationLog.largest, "the test reaches the limit")
        log.close()
        let again = try OperationLog(path: path, filesystem: PosixFilesystem())
        #expect(again.entries.first?.state == .running, "what has not ended is not forgotten")
        #expect(again.entries.last?.operation == OperationID(random: 1500))
        #expect(again.entries.count >= OperationLog.kept)
        #expect(again.problems == [])
    }

    @Test func onlyEndedOperationsAreForgotten() throws {
        let log = try OperationLog(path: path, filesystem: PosixFilesystem())
        for number in 0..<3000 as Range<UInt64> { try log.append(entry(number, number < 10 ? .running : .completed)) }
        #expect(log.entries.count <= 2 * OperationLog.kept)
        #expect(log.entries.prefix(10).allSatisfy { $0.state == .running })
    }

    // A file of more than a gigabyte, of which nothing is read.
    @Test func anOversizedLogIsMovedAwayAndReported() throws {
        _ = try sandbox.write("operations.log", "")
        #expect(truncate(path, (1 << 30) + 1) == 0)
        let log = try OperationLog(path: path, filesystem: PosixFilesystem())
        #expect(log.problems.count == 1 && log.problems[0].contains("moved to \(path).aside-1"), "\(log.problems)")
        try log.append(entry(1))
        log.close()
        #expect(try OperationLog(path: path, filesystem: PosixFilesystem()).entries.count == 1)
        var facts = stat()
        #expect(stat(path + ".aside-1", &facts) == 0 && facts.st_size == (1 << 30) + 1, "nothing of it is lost")
    }
}
