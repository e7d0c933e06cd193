internal import ControlProtocol
internal import Glibc
internal import NIOCore
internal import StreamModel
internal import Synchronization

/// The connections of one server, their serving order, and the newest report for them. Shared between the publishing threads and the event loop;
/// every connection itself lives only on the event loop.
final class ConnectionHub: Sendable {
    let handler: any ControlHandler
    let limits: ControlLimits
    let eventLoop: any EventLoop

    private struct State {
        var connections: [UInt64: NIOLoopBound<ControlConnection>] = [:]
        var lastConnection: UInt64 = 0
        var subscriberCount = 0
        var sequence: UInt64 = 0
        /// Newest report not yet distributed, with its number.
        var newest: (UInt64, EngineReport)?
        var isStopped = false
    }
    private let state = Mutex(State())
    /// State touched only on the event loop, so the lock never waits.
    private let desk: Mutex<Desk>

    private struct Desk {
        var order: ServingOrder
        var reports: WorkBudget
        /// Whether a turn is scheduled, or will be without a request.
        var isTurnDue = false
        /// Timer set while all who ask have to wait.
        var alarm: Scheduled<Void>?
    }

    init(handler: any ControlHandler, limits: ControlLimits, eventLoop: any EventLoop) {
        self.handler = handler
        self.limits = limits
        self.eventLoop = eventLoop
        desk = Mutex(Desk(order: ServingOrder(limits.shares), reports: WorkBudget(limits.shares.reports, at: .monotonic())))
    }

    var subscriberCount: Int { state.withLock { $0.subscriberCount } }
    var clientCount: Int { state.withLock { $0.connections.count } }
    var sequence: UInt64 { state.withLock { $0.sequence } }

    // MARK: Seats

    /// Registers a connection, replacing another if needed; nil = there are too many, or the server is stopping.
    func register(_ connection: ControlConnection) -> UInt64? {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        guard !state.withLock({ $0.isStopped }) else { return nil }
        switch plan.decide(connection.seat, taken: seats()) {
        case .admit: break
        case .replace(let number): dismiss(number)
        case .refuse: return nil
        }
        let number = state.withLock { state in
            state.lastConnection += 1
            state.connections[state.lastConnection] = bound
            return state.lastConnection
        }
        let owner = ServingOrder.Owner(level: connection.seat.level, userID: connection.seat.userID)
        desk.withLock { $0.order.join(number, owner, at: .monotonic()) }
        return number
    }

    /// Makes room for a connection that could not even be accepted.
    func makeRoom(for level: AccessLevel) {
        let plan = SeatPlan(total: 0, forOperators: 0)
        let newcomer = Seat(number: 0, level: level, userID: .max, processID: 0, heardAt: .monotonic())
        if case .replace(let number) = plan.decide(newcomer, taken: seats()) { dismiss(number) }
    }

    private var plan: SeatPlan { SeatPlan(total: limits.clients, forOperators: min(limits.seatsForOperators, limits.clients - 1)) }

    private func seats() -> [Seat] { state.withLock { Array($0.connections.values) }.map(\.value.seat) }

    private func dismiss(_ number: UInt64) {
        state.withLock { $0.connections[number] }?.value.dismiss()
    }

    func unregister(_ number: UInt64, wasSubscribed: Bool) {
        let wasThere = state.withLock { state in
            guard state.connections.removeValue(forKey: number) != nil else { return false }
            if wasSubscribed { state.subscriberCount -= 1 }
            return true
        }
        guard wasThere else { return }
        desk.withLock { $0.order.leave(number, at: .monotonic()) }
        handler.connectionEnded(number)
    }

    func countSubscriber() { state.withLock { $0.subscriberCount += 1 } }

    // MARK: Turns

    /// Queues the connection for a turn to serve its requests.
    func ask(_ number: UInt64) {
        desk.withLock { $0.order.ask(number) }
        scheduleTurn()
    }

    /// Does work on the loop for a connection, and charges it to the budgets.
    func charging<Result>(_ number: UInt64?, _ work: () -> Result) -> Result {
        let start = threadTime()
        defer {
            let cost = threadTime() - start
            if let number { desk.withLock { $0.order.charge(cost, to: number, at: .monotonic()) } }
        }
        return work()
    }

    private func scheduleTurn() {
        let isNew = desk.withLock { desk in
            desk.alarm?.cancel()
            desk.alarm = nil
            defer { desk.isTurnDue = true }
            return !desk.isTurnDue
        }
        if isNew { eventLoop.execute { self.turn() } }
    }

    /// Longest turn before the loop checks its sockets again. A new request waits for one turn and not for everything others have sent. The
    /// loop would run a due task at once before it checks.
    private static let longestTurn: Int64 = 1_000_000
    private static let betweenTurns = TimeAmount.microseconds(50)

    private func turn() {
        let start = threadTime()
        while threadTime() - start < Self.longestTurn {
            switch desk.withLock({ $0.order.next(at: .monotonic()) }) {
            case .idle: return desk.withLock { $0.isTurnDue = false }
            case .serve(let number):
                if let connection = state.withLock({ $0.connections[number] }) { charging(number) { connection.value.serveNext() } }
            case .wait(let until):
                desk.withLock { $0.isTurnDue = false }
                return setAlarm(until)
            }
        }
        eventLoop.scheduleTask(in: Self.betweenTurns) { self.turn() }
    }

    private func setAlarm(_ instant: EngineInstant) {
        let alarm = eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, instant.nanoseconds)))) {
            self.desk.withLock { $0.alarm = nil }
            self.scheduleTurn()
        }
        desk.withLock { desk in
            desk.alarm?.cancel()
            desk.alarm = alarm
        }
    }

    private func threadTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    // MARK: Reports

    func publish(_ report: EngineReport) {
        let mustSchedule = state.withLock { state in
            state.sequence += 1
            guard state.subscriberCount > 0, !state.isStopped else { return false }
            let isFirst = state.newest == nil
            state.newest = (state.sequence, report)
            return isFirst
        }
        if mustSchedule { eventLoop.execute { self.distributeInTime() } }
    }

    /// Longest pause between reports, even of very many jobs.
    private static let longestReportPause = Milliseconds.seconds(2)

    private func distributeInTime() {
        let now = EngineInstant.monotonic()
        let ready = min(desk.withLock { $0.reports.readyAt(now) }, now + Self.longestReportPause)
        guard ready > now else { return distribute() }
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(UInt64(max(0, ready.nanoseconds)))) { self.distribute() }
    }

    /// Encodes the newest report once, on the event loop, and offers it to every subscriber, operators first.
    private func distribute() {
        let start = threadTime()
        let (newest, connections) = state.withLock { state in
            defer { state.newest = nil }
            return (state.newest, Array(state.connections.values))
        }
        guard let (sequence, report) = newest else { return }
        // ControlCodecError: this report cannot be sent; the next one may be.
        guard let bytes = try? ControlCodec.encode(report: report) else { return }
        let encoded = EncodedReport(sequence: sequence, bytes: bytes)
        for level in AccessLevel.allCases.sorted(by: >) {
            for connection in connections where connection.value.seat.level == level { connection.value.offer(encoded) }
        }
        let cost = threadTime() - start
        desk.withLock { $0.reports.charge(cost, at: .monotonic()) }
    }

    // MARK: The end

    /// Marks the stop; true for the first caller.
    func beginStop() -> Bool {
        state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
    }

    func closeAllConnections() {
        let closing = eventLoop.submit {
            self.desk.withLock { $0.alarm?.cancel() }
            let connections = self.state.withLock { Array($0.connections.values) }
            for connection in connections { connection.value.closeNow() }
        }
        // No EventLoopError occurs: the closure cannot fail, and the loop never ends.
        try? closing.wait()
    }
}

/// A report as text, encoded once for all subscribers.
struct EncodedReport: Sendable {
    var sequence: UInt64
    var bytes: [UInt8]
}

extension EngineInstant {
    /// The present time by the clock of the event loops.
    static func monotonic() -> EngineInstant { EngineInstant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) }
}
