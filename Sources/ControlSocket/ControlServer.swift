internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import ControlProtocol
public import StreamModel

/// The listening end of the control socket: accepts clients, checks who they are, keeps them within limits, passes requests to
/// its handler and streams reports.
///
/// Runs on the shared event loop; `publish` and `stop` may be called from any other thread. It knows no engine.
public final class ControlServer: Sendable {
    public let path: String
    public let viewerPath: String?

    private let bindings: [SocketBinding]
    private let channels: [any Channel]
    private let hub: ConnectionHub

    private init(path: String, viewerPath: String?, bindings: [SocketBinding], channels: [any Channel], hub: ConnectionHub) {
        self.path = path
        self.viewerPath = viewerPath
        self.bindings = bindings
        self.channels = channels
        self.hub = hub
    }

    /// Binds and starts to accept. Blocks until the event loop has taken over; never call it on the event loop. `viewerPath` is
    /// a second socket, readable by the group, on which only looking is possible.
    public static func start(
        path: String, viewerPath: String? = nil, handler: any ControlHandler, limits: ControlLimits = ControlLimits()
    ) throws(ControlServerError) -> ControlServer {
        let hub = ConnectionHub(handler: handler, limits: limits, eventLoop: sharedEventLoops.next())
        var bindings: [SocketBinding] = []
        var channels: [any Channel] = []
        do throws(ControlServerError) {
            bindings.append(try SocketBinding.open(path: path, mode: 0o600))
            channels.append(try accept(on: bindings[0], level: .operator, hub: hub))
            if let viewerPath {
                bindings.append(try SocketBinding.open(path: viewerPath, mode: 0o660))
                channels.append(try accept(on: bindings[1], level: .viewer, hub: hub))
            }
        } catch {
            closeAll(channels, bindings)
            throw error
        }
        return ControlServer(path: path, viewerPath: viewerPath, bindings: bindings, channels: channels, hub: hub)
    }

    /// Connections that receive reports: an engine without any need not make one every second.
    public var subscriberCount: Int { hub.subscriberCount }

    public var clientCount: Int { hub.clientCount }

    /// Hands a new picture to all subscribers. Never blocks and never queues more than one picture: a subscriber that has not
    /// taken the one before gets the newest, and the number of those it missed.
    public func publish(_ report: EngineReport) { hub.publish(report) }

    /// Removes the sockets, closes every connection, and returns when that is done. Calling it twice does no harm.
    public func stop() {
        guard hub.beginStop() else { return }
        Self.closeAll(channels, bindings)
        hub.closeAllConnections()
    }

    private static func accept(on binding: SocketBinding, level: AccessLevel, hub: ConnectionHub) throws(ControlServerError) -> any Channel {
        let bootstrap = ServerBootstrap(group: hub.eventLoop)
            // Out of file descriptors: rest a moment instead of trying again and again.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler(shouldForwardIOErrorCaught: false))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in admit(channel, level: level, hub: hub) }
        do {
            return try bootstrap.withBoundSocket(binding.listeningDescriptor).wait()
        } catch {
            close(binding.listeningDescriptor)
            throw .system(operation: "serve", path: binding.path, errno: (error as? IOError)?.errnoCode ?? EIO)
        }
    }

    /// Asks the kernel who connected, then gives the channel its handler.
    private static func admit(_ channel: any Channel, level: AccessLevel, hub: ConnectionHub) -> EventLoopFuture<Void> {
        guard let provider = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let credentials: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        return credentials.flatMapThrowing { peer in
            let connection = ControlConnection(hub: hub, level: level, credentials: peer)
            try channel.pipeline.syncOperations.addHandler(connection)
        }
    }

    private static func closeAll(_ channels: [any Channel], _ bindings: [SocketBinding]) {
        for binding in bindings { binding.release() }
        for channel in channels {
            // Closing fails only if the channel is closed already.
            try? channel.close().wait()
        }
    }
}

/// The connections of one server, and the newest report on its way to them. Shared between the threads that publish and the
/// event loop; every connection itself lives on the event loop alone.
final class ConnectionHub: Sendable {
    let handler: any ControlHandler
    let limits: ControlLimits
    let eventLoop: any EventLoop

    private struct State {
        var connections: [UInt64: NIOLoopBound<ControlConnection>] = [:]
        var lastConnection: UInt64 = 0
        var subscriberCount = 0
        var sequence: UInt64 = 0
        /// The newest report not yet distributed, and its number.
        var newest: (UInt64, EngineReport)?
        var isStopped = false
    }
    private let state = Mutex(State())

    init(handler: any ControlHandler, limits: ControlLimits, eventLoop: any EventLoop) {
        self.handler = handler
        self.limits = limits
        self.eventLoop = eventLoop
    }

    var subscriberCount: Int { state.withLock { $0.subscriberCount } }
    var clientCount: Int { state.withLock { $0.connections.count } }
    var sequence: UInt64 { state.withLock { $0.sequence } }

    /// Takes in a connection; nil = there are too many, or the server stops.
    func register(_ connection: ControlConnection) -> UInt64? {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        return state.withLock { state in
            guard state.connections.count < limits.clients, !state.isStopped else { return nil }
            state.lastConnection += 1
            state.connections[state.lastConnection] = bound
            return state.lastConnection
        }
    }

    func unregister(_ number: UInt64, wasSubscribed: Bool) {
        state.withLock { state in
            guard state.connections.removeValue(forKey: number) != nil else { return }
            if wasSubscribed { state.subscriberCount -= 1 }
        }
    }

    func countSubscriber() { state.withLock { $0.subscriberCount += 1 } }

    func publish(_ report: EngineReport) {
        let mustSchedule = state.withLock { state in
            state.sequence += 1
            guard state.subscriberCount > 0, !state.isStopped else { return false }
            let isFirst = state.newest == nil
            state.newest = (state.sequence, report)
            return isFirst
        }
        if mustSchedule { eventLoop.execute { self.distribute() } }
    }

    /// On the event loop: encodes the newest report once, and offers it to every subscriber.
    private func distribute() {
        let (newest, connections) = state.withLock { state in
            defer { state.newest = nil }
            return (state.newest, Array(state.connections.values))
        }
        guard let (sequence, report) = newest else { return }
        // A report that cannot be encoded cannot be sent; the next one may be.
        guard let bytes = try? ControlCodec.encode(report: report) else { return }
        for connection in connections { connection.value.offer(EncodedReport(sequence: sequence, bytes: bytes)) }
    }

    /// True for the first caller.
    func beginStop() -> Bool {
        state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
    }

    func closeAllConnections() {
        let closing = eventLoop.submit {
            let connections = self.state.withLock { Array($0.connections.values) }
            for connection in connections { connection.value.closeNow() }
        }
        // The closure cannot fail, and the loop never ends.
        try? closing.wait()
    }
}

/// A report as text, made once for all subscribers.
struct EncodedReport: Sendable {
    var sequence: UInt64
    var bytes: [UInt8]
}
