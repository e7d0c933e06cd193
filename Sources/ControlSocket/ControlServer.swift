internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import ControlProtocol
public import StreamModel

/// The listening end of the control socket: accepts clients, checks their users, enforces limits, passes requests to its handler and streams
/// reports.
///
/// Runs on the shared event loop; `publish` and `stop` may be called from any other thread. Independent of the engine.
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

    /// Binds and starts to accept. Blocks until the event loop has taken over; never call it on the event loop. `viewerPath` is a second,
    /// group-readable socket for read-only access.
    public static func start(
        path: String, viewerPath: String? = nil, handler: any ControlHandler, limits: ControlLimits = ControlLimits()
    ) throws(ControlServerError) -> ControlServer {
        let loop: any EventLoop
        do throws(ControlLoops.LoopFailure) { loop = try ControlLoops.forServers() } catch {
            throw .system(operation: "start the thread that serves", path: path, errno: error.errno)
        }
        var limits = limits
        limits.clients = min(limits.clients, OpenFileLimit.roomForClients)
        let hub = ConnectionHub(handler: handler, limits: limits, eventLoop: loop)
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

    /// Number of connections that receive reports: without any, an engine need not make one every second.
    public var subscriberCount: Int { hub.subscriberCount }

    public var clientCount: Int { hub.clientCount }

    /// Passes a new report to all subscribers. Never blocks and queues at most one report: a subscriber that has not taken the previous one gets the
    /// newest, and the number of missed ones.
    public func publish(_ report: EngineReport) { hub.publish(report) }

    /// Removes the sockets, closes every connection, and returns when done. Idempotent.
    public func stop() {
        guard hub.beginStop() else { return }
        Self.closeAll(channels, bindings)
        hub.closeAllConnections()
    }

    private static let acceptBackoff = TimeAmount.milliseconds(250)

    private static func accept(on binding: SocketBinding, level: AccessLevel, hub: ConnectionHub) throws(ControlServerError) -> any Channel {
        let bootstrap = ServerBootstrap(group: hub.eventLoop)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Out of file descriptors: pause instead of retrying immediately.
                    let backoff = AcceptBackoffHandler(shouldForwardIOErrorCaught: true, backoffProvider: { _ in acceptBackoff })
                    try channel.pipeline.syncOperations.addHandlers([backoff, AcceptFailureHandler(hub: hub, level: level)])
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

    /// Checks the peer's user with the kernel, then gives the channel its handler.
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
            // ChannelError.alreadyClosed.
            try? channel.close().wait()
        }
    }
}

/// Makes room when accepting a connection failed for lack of file descriptors; the connection waits in the kernel for the next attempt.
private final class AcceptFailureHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = Channel

    private let hub: ConnectionHub
    private let level: AccessLevel

    init(hub: ConnectionHub, level: AccessLevel) {
        self.hub = hub
        self.level = level
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE].contains(error.errnoCode) else { return }
        hub.makeRoom(for: level)
    }
}
