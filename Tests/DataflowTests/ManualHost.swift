import CheckpointStore
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

/// The real machine with a clock of the test's own: nothing waits for time, the test moves it. Wall and monotonic clock go together.
final class ManualHost: EngineHost {
    private let nanoseconds: Atomic<Int64>
    private let machine = MachineHost()
    private let parkers = Mutex<[ManualParker]>([])

    /// Milliseconds on the wall clock.
    init(at milliseconds: Int64 = 1_000_000) { nanoseconds = Atomic(milliseconds * 1_000_000) }

    var milliseconds: Int64 { nanoseconds.load(ordering: .acquiring) / 1_000_000 }

    /// Sets both clocks to this wall time and wakes everybody who may wait for it.
    func set(to milliseconds: Int64) {
        nanoseconds.store(milliseconds * 1_000_000, ordering: .sequentiallyConsistent)
        wakeAll()
    }

    /// Whoever sleeps looks again at what it waits for.
    func wakeAll() {
        for parker in parkers.withLock({ $0 }) { parker.poke() }
    }

    func advance(by milliseconds: Int64) { set(to: self.milliseconds + milliseconds) }

    func now() -> EngineInstant { EngineInstant(nanoseconds: nanoseconds.load(ordering: .acquiring)) }
    func wall() -> WallTime { WallTime(milliseconds: milliseconds) }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { machine.filesystem }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }

    func makeParker() -> any Parker {
        let parker = ManualParker(self)
        parkers.withLock { $0.append(parker) }
        return parker
    }

    private final class ManualParker: Parker {
        private let thread = ThreadParker()
        private unowned let host: ManualHost
        init(_ host: ManualHost) { self.host = host }

        private let isPoked = Atomic<Bool>(false)

        func park(until deadline: EngineInstant?, unless hasWork: () -> Bool) {
            thread.park(until: nil) {
                if isPoked.exchange(false, ordering: .sequentiallyConsistent) { return true }
                if let deadline, host.now() >= deadline { return true }
                return hasWork()
            }
        }

        func poke() {
            isPoked.store(true, ordering: .sequentiallyConsistent)
            thread.unpark()
        }
        func unpark() { thread.unpark() }
    }
}

/// Waits for what no report shows; fails the test when it does not come within 30 s.
func poll(_ what: String, sourceLocation: SourceLocation = #_sourceLocation, for isMet: () -> Bool) throws {
    let deadline = MachineHost().now() + .seconds(30)
    while !isMet() {
        try #require(MachineHost().now() < deadline, "waited 30 s for: \(what)", sourceLocation: sourceLocation)
        usleep(500)
    }
}

/// An input that the test hands out value by value, to one subtask. Its place is checkpointed like that of any source.
final class Feed<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var hasEnded = false
    }
    private let state = Mutex(State())
    private let processed = Atomic<Int>(0)

    /// Hands out values and wakes the source.
    func give(_ values: [Value], waking host: ManualHost) {
        state.withLock { $0.values += values }
        host.wakeAll()
    }

    func end(waking host: ManualHost) {
        state.withLock { $0.hasEnded = true }
        host.wakeAll()
    }

    /// To be called by whatever is at the end of the records' way.
    func noteProcessed() { processed.wrappingAdd(1, ordering: .relaxed) }
    var processedCount: Int { processed.load(ordering: .relaxed) }

    fileprivate func next(_ index: Int) -> (value: Value?, hasEnded: Bool) {
        state.withLock { (index < $0.values.count ? $0.values[index] : nil, $0.hasEnded) }
    }
}

struct FeedSource<Value: Sendable>: Source {
    let feed: Feed<Value>
    static var splitType: String { "feed" }
    func makeReader(subtask: Int, parallelism: Int) throws -> Reader { Reader(feed: feed, isReading: subtask == 0) }

    struct Reader: SourceReader {
        let feed: Feed<Value>
        var isReading: Bool
        var position: UInt64 = 0
        var progress: InputProgress? { nil }

        mutating func read(into out: Emitter<Value>, at now: EngineInstant) throws -> SourceStatus {
            let (value, hasEnded) = isReading ? feed.next(Int(position)) : (nil, feed.next(0).hasEnded)
            if let value {
                position += 1
                out.emit(value)
                return .more
            }
            return hasEnded ? .ended : .waiting(until: nil)
        }
        func splits() -> [[UInt8]] { isReading ? [withUnsafeBytes(of: position.littleEndian) { Array($0) }] : [] }
        mutating func restore(_ splits: [[UInt8]]) throws {
            isReading = !splits.isEmpty
            for split in splits { position = split.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        }
    }
}
