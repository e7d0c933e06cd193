public import ControlProtocol
public import StreamModel

/// The peer of a connection.
public struct ControlPeer: Sendable, Equatable {
    /// Number of the connection in this process, from 1.
    public var connection: UInt64
    public var level: AccessLevel
    /// User id from the kernel (SO_PEERCRED, taken when the connection was made).
    public var userID: UInt32
    public var groupID: UInt32
    public var processID: Int32
    /// Client name from `hello`.
    public var client: String

    public init(connection: UInt64, level: AccessLevel, userID: UInt32, groupID: UInt32, processID: Int32, client: String) {
        self.connection = connection
        self.level = level
        self.userID = userID
        self.groupID = groupID
        self.processID = processID
        self.client = client
    }
}

/// The engine behind a server.
public protocol ControlHandler: Sendable {
    /// Carries out a request, and calls `reply` once, from any thread. Called on the event loop, so it must not block. The server has checked level
    /// and version; it answers `hello` and `subscribe` itself.
    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void)
    /// Returns the newest report. Called on the event loop, so it must not block.
    func currentReport() -> EngineReport
    /// Notes the end of a connection, whose replies nobody awaits. Called on the event loop, so it must not block.
    func connectionEnded(_ connection: UInt64)
}

extension ControlHandler {
    public func connectionEnded(_ connection: UInt64) {}
}

/// Limits of a server. None of them can make the engine wait.
public struct ControlLimits: Sendable, Equatable {
    /// Maximum number of connections, both sockets together; fewer with a low limit of open files.
    public var clients = 64
    /// Seats among them that viewers leave to operators.
    public var seatsForOperators = 16
    /// Clients' shares of processor time.
    public var shares = ControlShares()
    public var frame = FrameLimits.request
    /// Maximum number of unanswered requests per connection; further ones are not read.
    public var requestsInFlight = 32
    /// Time from the connection to a complete `hello`.
    public var helloTimeout = Milliseconds.seconds(5)
    /// Time from the first byte of a frame to its newline.
    public var frameTimeout = Milliseconds.seconds(10)
    /// Time without a request, a pending reply or a subscription.
    public var idleTimeout = Milliseconds.minutes(5)
    /// Time in which a client takes none of its pending bytes, before it is disconnected. A slow subscriber gets only the newest report.
    public var stallTimeout = Milliseconds.seconds(30)

    public init() {}
}
