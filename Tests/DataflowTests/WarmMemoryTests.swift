import CheckpointStore
import Foundation
import StreamModel
import Testing

@testable import Dataflow

@Suite struct WarmMemoryTests {
    private let memory = WarmMemory()

    @Test func `ordered memory is cleared, taken, and returned`() {
        memory.order(bytes: 64 << 20) { fill in
            fill()
            return true
        }
        let chunk = memory.take()
        #expect(chunk != nil)
        if let chunk {
            #expect(UInt(bitPattern: chunk) % UInt(PageArena.chunkBytes) == 0)
            #expect(UnsafeRawBufferPointer(start: chunk, count: PageArena.chunkBytes).allSatisfy { $0 == 0 })
            munmap(chunk, PageArena.chunkBytes)
        }
        memory.release()
        #expect(memory.chunkCount == 0)
    }

    @Test func `a small order is not worth a thread`() {
        memory.order(bytes: 1 << 20) { _ in
            Issue.record("a thread was asked for")
            return false
        }
    }

    @Test func `the estimate equals the size of the table`() {
        let section = KeyGroupSection(group: 0, offset: 0, length: 32768 * 64, entries: 32768)
        let state = StateHandle(
            name: "rows", kind: .keyed, valueType: "row", location: .file(name: "task-1-0.state", offset: 0, length: 32768 * 64),
            sections: [section, KeyGroupSection(group: 1, offset: 0, length: 0, entries: 0)])
        let job = JobID(high: 1, low: 2)
        let manifest = CheckpointManifest(
            job: job, jobName: "job", lineage: job, checkpoint: CheckpointID(1), kind: .checkpoint, triggeredAt: WallTime(milliseconds: 0),
            completedAt: WallTime(milliseconds: 0), generation: 1, maxParallelism: 128, keyHash: "h",
            operators: [
                OperatorState(
                    uid: "a", name: "a", operatorID: OperatorID(uid: "a"), parallelism: 1, subtasks: [SubtaskState(index: 0, states: [state])])
            ])
        #expect(manifest.tableBytes == 65536 * 64)
    }
}
