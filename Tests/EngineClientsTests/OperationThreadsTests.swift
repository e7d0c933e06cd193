import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients

/// Goal: operations wait for each other only where there are very many, all run, and all can be told at once to go no further.
@Suite struct OperationThreadsTests {
    @Test func `more than there are threads run all, and no more at once than there are`() {
        let threads = OperationThreads()
        let counts = Mutex((running: 0, most: 0, done: 0))
        let count = OperationThreads.limit * 3
        for _ in 0..<count {
            threads.run {
                counts.withLock { counts in
                    counts.running += 1
                    counts.most = max(counts.most, counts.running)
                }
                _ = threads.pause(5)
                counts.withLock { counts in
                    counts.running -= 1
                    counts.done += 1
                }
            }
        }
        #expect(eventually { counts.withLock { $0.done } == count })
        #expect(counts.withLock { $0.most } <= OperationThreads.limit)
    }

    @Test func `a stop ends every pause, and nothing begins after it`() {
        let threads = OperationThreads()
        let ended = Mutex(0), began = Mutex(0)
        for _ in 0..<OperationThreads.limit {
            threads.run {
                began.withLock { $0 += 1 }
                while threads.pause(.minutes(10)) {}
                ended.withLock { $0 += 1 }
            }
        }
        threads.run { began.withLock { $0 += 100 } }
        #expect(eventually { began.withLock { $0 } == OperationThreads.limit })
        threads.stop()
        threads.stop()
        #expect(eventually { ended.withLock { $0 } == OperationThreads.limit })
        #expect(!threads.run { began.withLock { $0 += 100 } })
        #expect(began.withLock { $0 } == OperationThreads.limit, "what waited for its turn is dropped")
    }
}
