internal import CheckpointStore
internal import ControlProtocol
internal import ControlSocket
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// Reads snapshots on separate threads, beside the data path and below its priority: each lane has at most one thread, which exists only while
/// there is work. `InspectionQueue` decides on the order.
///
/// Viewers' reads are paced while jobs run, pause while an operator waits for a verification, and end when their client has left.
final class InspectionLanes: Sendable {
    /// Reads a snapshot in pieces through this filesystem.
    typealias Look = @Sendable (any Filesystem) -> Void

    private typealias Queue = InspectionQueue<Look>
    private typealias Lane = Queue.Lane

    /// State of the lanes.
    private struct State {
        var queue = Queue()
        var busy: Set<Lane> = []
        /// Running tickets whose client has left.
        var abandoned: Set<UInt64> = []
        /// Whether the engine is ending: no more work is accepted.
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let host: any EngineHost
    private let pace: Mutex<Pace>

    /// Pace of viewers' reads.
    struct Pace: Sendable {
        /// Bytes per second while the pace applies.
        var bytes = 32 << 20
        /// Whether the pace applies because jobs need the disk and the cores.
        var holds: @Sendable () -> Bool = { true }
    }

    init(host: any EngineHost, pace: Pace = Pace()) {
        self.host = host
        self.pace = Mutex(pace)
    }

    func setPace(_ pace: Pace) { self.pace.withLock { $0 = pace } }

    /// Queues a read for a client; false when the engine is ending.
    /// - Parameter isWhole: whether every byte is read, not only the manifest.
    @discardableResult
    func add(for peer: ControlPeer, isWhole: Bool, _ look: @escaping Look) -> Bool {
        add(level: peer.level, connection: peer.connection, isWhole: isWhole, look)
    }

    /// Queues a verification that the engine needs for an operator's request.
    @discardableResult
    func verify(_ look: @escaping Look) -> Bool { add(level: .operator, connection: 0, isWhole: true, look) }

    private func add(level: AccessLevel, connection: UInt64, isWhole: Bool, _ look: @escaping Look) -> Bool {
        let lane = Lane(level: level, isWhole: isWhole)
        let (isTaken, mustStart) = state.withLock { state in
            guard !state.hasEnded else { return (false, false) }
            state.queue.add(look, level: level, connection: connection, isWhole: isWhole)
            return (true, state.busy.insert(lane).inserted)
        }
        if mustStart { start(lane) }
        return isTaken
    }

    /// Stops accepting work; queued work is still done.
    func end() { state.withLock { $0.hasEnded = true } }

    /// Drops the queued reads of a client that has left, and ends its running one at the next chunk.
    func leave(_ connection: UInt64) {
        state.withLock { state in
            let (running, _) = state.queue.drop(connection: connection)
            state.abandoned.formUnion(running)
        }
    }

    // MARK: Threads

    private func start(_ lane: Lane) {
        do throws(JobError) {
            try host.startThread(named: "inspections") {
                self.host.lowerPriority(to: lane.niceness)
                self.run(lane)
            }
        } catch {
            // No thread available: run it late on this one rather than never.
            run(lane)
        }
    }

    private func run(_ lane: Lane) {
        let parker = host.makeParker()
        while true {
            let next = state.withLock { state -> InspectionQueue<Look>.Ticket? in
                let next = state.queue.next(lane)
                if next == nil { state.busy.remove(lane) }
                return next
            }
            guard let next else { return }
            next.work(filesystem(for: next.number, lane, parker))
            state.withLock { state in
                state.queue.finish(next)
                state.abandoned.remove(next.number)
            }
        }
    }

    private func filesystem(for ticket: UInt64, _ lane: Lane, _ parker: any Parker) -> any Filesystem {
        guard lane == .viewing else { return host.filesystem }
        return PacedFilesystem(base: host.filesystem) { [self] count in mayRead(count, ticket, parker) }
    }

    private func rest(_ milliseconds: Milliseconds, _ parker: any Parker) {
        let end = host.now() + milliseconds
        while host.now() < end { parker.park(until: end) { false } }
    }

    /// Paces a read, called by the viewing lane between two chunks.
    private func mayRead(_ count: Int, _ ticket: UInt64, _ parker: any Parker) -> Bool {
        while true {
            let (isAbandoned, rests) = state.withLock { ($0.abandoned.contains(ticket), $0.queue.viewersRest) }
            if isAbandoned { return false }
            guard rests else { break }
            rest(20, parker)
        }
        // A pause for the cost of the bytes: never faster than the pace.
        let pace = pace.withLock { $0 }
        if pace.bytes > 0, pace.holds() { rest(Milliseconds(Int64(count) * 1000 / Int64(pace.bytes)), parker) }
        return !state.withLock { $0.abandoned.contains(ticket) }
    }
}

extension InspectionQueue.Lane {
    /// Nice value, below the threads that process records, which have 0.
    fileprivate var niceness: Int32 {
        switch self {
        case .manifest, .verification: 5
        case .viewing: 15
        }
    }
}
