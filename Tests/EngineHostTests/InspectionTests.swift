// Goal: no viewer holds up an operator's restart, and a look that nobody waits for ends. Method: a table over the queue; the lanes on a disk that
// reads only when the test lets it; and an engine whose viewers ask for much.

import CheckpointStore
import ControlProtocol
import ControlSocket
import Dataflow
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineHost

@Suite struct InspectionQueueTests {
    private typealias Lane = InspectionQueue<String>.Lane

    private func names(_ queue: inout InspectionQueue<String>, _ lane: Lane) -> [String] {
        var names: [String] = []
        while let ticket = queue.next(lane) {
            names.append(ticket.work)
            queue.finish(ticket)
        }
        return names
    }

    @Test(arguments: [
        (AccessLevel.operator, true, "verification"), (.viewer, true, "viewing"), (.operator, false, "manifest"), (.viewer, false, "manifest"),
    ]) func everyReadGoesToItsLane(level: AccessLevel, isWhole: Bool, lane: String) {
        #expect("\(Lane(level: level, isWhole: isWhole))" == lane)
    }

    @Test func lanesAreIndependent() {
        var queue = InspectionQueue<String>()
        for number in 0..<32 { queue.add("viewer \(number)", level: .viewer, connection: 1, isWhole: true) }
        queue.add("restart", level: .operator, connection: 0, isWhole: true)
        queue.add("detail", level: .viewer, connection: 1, isWhole: false)
        #expect(queue.next(.viewing)?.work == "viewer 0")
        #expect(!queue.viewersRest)
        #expect(queue.next(.verification)?.work == "restart")
        #expect(queue.viewersRest)
        #expect(queue.next(.manifest)?.work == "detail")
        for lane in Lane.allCases { #expect(queue.next(lane) == nil, "a lane does one thing at a time") }
    }

    @Test func operatorsOvertakeViewersAndConnectionsTakeTurns() {
        var queue = InspectionQueue<String>()
        for (name, level, connection) in [
            ("a1", AccessLevel.viewer, UInt64(1)), ("a2", .viewer, 1), ("a3", .viewer, 1), ("b1", .viewer, 2), ("o1", .operator, 3), ("b2", .viewer, 2),
            ("o2", .operator, 3),
            ("p1", .operator, 4),
        ] { queue.add(name, level: level, connection: connection, isWhole: false) }
        #expect(names(&queue, .manifest) == ["o1", "p1", "o2", "a1", "b1", "a2", "b2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test func aDepartedClientsReadsAreDropped() {
        var queue = InspectionQueue<String>()
        for name in ["a1", "a2", "a3"] { queue.add(name, level: .viewer, connection: 1, isWhole: true) }
        queue.add("b1", level: .viewer, connection: 2, isWhole: true)
        let running = queue.next(.viewing)
        let (begun, dropped) = queue.drop(connection: 1)
        #expect(begun == [running?.number])
        #expect(dropped.map(\.work) == ["a2", "a3"])
        if let running { queue.finish(running) }
        #expect(names(&queue, .viewing) == ["b1"])
    }
}

/// A disk that reads nothing until it is let.
private final class StubbornDisk: Sendable {
    let isOpen = Atomic(false)
    let reads = Atomic(0)

    var filesystem: PacedFilesystem {
        PacedFilesystem(base: PosixFilesystem()) { [self] _ in
            reads.add(1, ordering: .relaxed)
            while !isOpen.load(ordering: .relaxed) { poll(nil, 0, 1) }
            return true
        }
    }
}

@Suite struct InspectionLanesTests {
    private func peer(_ connection: UInt64, _ level: AccessLevel) -> ControlPeer {
        ControlPeer(connection: connection, level: level, userID: 1, groupID: 1, processID: 1, client: "test")
    }

    private func read(_ filesystem: any Filesystem) throws(FilesystemError) {
        let file = try filesystem.openForReading(#filePath)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
        defer { buffer.deallocate() }
        let result = Result { () throws(FilesystemError) in try filesystem.read(into: buffer, from: file, at: 0) }
        try filesystem.close(file)
        _ = try result.get()
    }

    @Test func aVerificationOvertakesStuckViewers() throws {
        let disk = StubbornDisk()
        let lanes = InspectionLanes(host: MachineHost(), pace: InspectionLanes.Pace(bytes: 0))
        let done = Mutex<[String]>([])
        for number in 0..<32 {
            lanes.add(for: peer(UInt64(number / 8 + 1), .viewer), isWhole: true) { _ in
                guard case .success = Result(catching: { () throws(FilesystemError) in try self.read(disk.filesystem) }) else { return }
                done.withLock { $0.append("viewer") }
            }
        }
        #expect(eventually { disk.reads.load(ordering: .relaxed) == 1 })
        lanes.verify { _ in done.withLock { $0.append("restart") } }
        lanes.add(for: peer(9, .viewer), isWhole: false) { _ in done.withLock { $0.append("detail") } }
        #expect(eventually { Set(done.withLock { $0 }) == ["restart", "detail"] })
        disk.isOpen.store(true, ordering: .relaxed)
        #expect(eventually { done.withLock { $0.count } == 34 })
    }

    @Test func viewersPauseDuringAnOperatorsRead() throws {
        let lanes = InspectionLanes(host: MachineHost(), pace: InspectionLanes.Pace(bytes: 0))
        let isVerifying = Atomic(false), mayEnd = Atomic(false), hasRead = Atomic(false)
        lanes.verify { _ in
            isVerifying.store(true, ordering: .sequentiallyConsistent)
            while !mayEnd.load(ordering: .sequentiallyConsistent) { poll(nil, 0, 1) }
        }
        #expect(eventually { isVerifying.load(ordering: .sequentiallyConsistent) })
        lanes.add(for: peer(1, .viewer), isWhole: true) { filesystem in
            guard case .success = Result(catching: { () throws(FilesystemError) in try self.read(filesystem) }) else { return }
            hasRead.store(mayEnd.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
        }
        mayEnd.store(true, ordering: .sequentiallyConsistent)
        #expect(eventually { hasRead.load(ordering: .sequentiallyConsistent) }, "it read only after the verification had ended")
    }

    @Test func anAbandonedReadEnds() throws {
        let lanes = InspectionLanes(host: MachineHost(), pace: InspectionLanes.Pace(bytes: 0))
        let isVerifying = Atomic(false), mayEnd = Atomic(false), begun = Atomic(0)
        let ends = Mutex<[Int32?]>([])
        lanes.verify { _ in
            isVerifying.store(true, ordering: .sequentiallyConsistent)
            while !mayEnd.load(ordering: .sequentiallyConsistent) { poll(nil, 0, 1) }
        }
        #expect(eventually { isVerifying.load(ordering: .sequentiallyConsistent) })
        for _ in 0..<3 {
            lanes.add(for: peer(7, .viewer), isWhole: true) { filesystem in
                begun.add(1, ordering: .sequentiallyConsistent)
                var problem: Int32?
                do throws(FilesystemError) { try self.read(filesystem) } catch { problem = error.errno }
                ends.withLock { $0.append(problem) }
            }
        }
        #expect(eventually { begun.load(ordering: .sequentiallyConsistent) == 1 })
        lanes.leave(7)
        #expect(eventually { ends.withLock { $0 } == [ECANCELED] }, "while the verification goes on")
        mayEnd.store(true, ordering: .sequentiallyConsistent)
        #expect(begun.load(ordering: .sequentiallyConsistent) == 1, "the others never begin")
    }
}

@Suite struct ViewersAndRestartTests {
    private let sandbox = Sandbox()

    /// The viewers' looks would take hours at the pace that the test sets.
    @Test func aRestartIsAnsweredInTwoSecondsDespiteThirtyTwoViewerReads() throws {
        let engine = try TestEngine(sandbox["state"])
        defer { engine.close() }
        let job = try engine.submit("orders", ["interval": "50ms", "rate": "20000"])
        try engine.waitForCheckpoints(2, of: job.id)
        let savepoint = try #require(try engine.complete(job.id, .savepoint(directory: sandbox["saves"])).path)
        #expect(try engine.complete(job.id, .cancel(.keep)).state == .completed)
        engine.service.inspections.setPace(InspectionLanes.Pace(bytes: 1))
        let viewer = ControlPeer(connection: 99, level: .viewer, userID: 7, groupID: 7, processID: 7, client: "viewer")
        let looked = Atomic(0)
        for _ in 0..<32 { engine.service.handle(.inspect(path: savepoint), peer: viewer) { _ in looked.add(1, ordering: .relaxed) } }
        let start = MachineHost().now()
        _ = try engine.operate(job.id, .restart(RestartOptions(path: savepoint)))
        let took = MachineHost().now() - start
        #expect(took <= .seconds(2), "\(took.count) ms")
        #expect(looked.load(ordering: .relaxed) == 0)
        engine.service.inspections.setPace(InspectionLanes.Pace(bytes: 0))
        engine.service.connectionEnded(99)
    }
}
