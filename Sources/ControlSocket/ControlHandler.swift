public import ControlProtocol
public import StreamModel

/// Who is at the other end of a connection.
public struct ControlPeer: Sendable, Equatable {
    /// Number of the connection in this process, from 1.
    public var connection: UInt64
    public var level: AccessLevel
    /// As the kernel says it (SO_PEERCRED, taken when the connection was made).
    public var userID: UInt32
    public var groupID: UInt32
    public var processID: Int32
    /// As the client said it in `hello`.
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

/// What a server asks of the engine behind it.
public protocol ControlHandler: Sendable {
    /// Carries out a request, and calls `reply` once, from any thread. Called on the event loop, so it must not block. The
    /// server has checked level and version; it answers `hello` and `subscribe` itself.
    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void)
    /// The newest picture. Called on the event loop, so it must not block.
    func currentReport() -> EngineReport
    /// The connection of this number is gone, and nobody waits for its replies. Called on the event loop, so it must not block.
    func connectionEnded(_ connection: UInt64)
}

extension ControlHandler {
    public func connectionEnded(_ connection: UInt64) {}
}

/// Bounds of a server. None of them can make the engine wait.
public struct ControlLimits: Sendable, Equatable {
    /// Connections at once, both sockets together; fewer where the process may not open so many files.
    public var clients = 64
    /// Of these, the ones that viewers leave to operators.
    public var seatsForOperators = 16
    /// What clients may have of the processor.
    public var shares = ControlShares()
    public var frame = FrameLimits.request
    /// Requests of one connection that wait for their reply; more are not read.
    public var requestsInFlight = 32
    /// From the connection to a whole `hello`.
    public var helloTimeout = Milliseconds.seconds(5)
    /// From the first byte of a frame to its newline.
    public var frameTimeout = Milliseconds.seconds(10)
    /// Without a request, a pending reply or a subscription.
    public var idleTimeout = Milliseconds.minutes(5)
    /// While written bytes wait and the client takes none: a slow subscriber gets the newest report only, and is cut off then.
    public var stallTimeout = Milliseconds.seconds(30)

    public init() {}
}
