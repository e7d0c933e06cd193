internal import Glibc
internal import NIOCore
internal import NIOPosix
public import ControlProtocol
public import StreamModel

/// A client's connection to an engine: calls with replies, and reports once subscribed.
///
/// Callbacks come on the shared event loop and must not block. Ended by `close()`, or with its last reference. Never reconnects: its owner
/// decides when to try again.
public final class ControlClient: Sendable {
    /// The engine's greeting.
    public let hello: HelloReply
    public let path: String

    private let channel: any Channel
    private let connection: NIOLoopBound<ClientConnection>

    private init(hello: HelloReply, path: String, channel: any Channel, connection: NIOLoopBound<ClientConnection>) {
        self.hello = hello
        self.path = path
        self.channel = channel
        self.connection = connection
    }

    deinit { channel.close(promise: nil) }

    /// Connects, checks the engine's user, and says hello; calls `completion` once. Sends nothing to an engine of an untrusted user. Calls `onReport`
    /// for each report of a subscription, and `onClose` once when an established connection ends, for any reason.
    public static func connect(
        path: String, client: String, trust: EngineTrust = .own, timeout: Milliseconds = .seconds(5),
        onReport: @escaping @Sendable (ReportNotification) -> Void = { _ in },
        onClose: @escaping @Sendable (ControlClientError) -> Void = { _ in },
        completion: @escaping @Sendable (Result<ControlClient, ControlClientError>) -> Void
    ) {
        let length = path.utf8.count
        guard length <= SocketPath.maximumLength else { return completion(.failure(.pathTooLong(path: path, length: length))) }
        let loop: any EventLoop
        do throws(ControlClientError) {
            try trust.checkDirectory(of: path)
            loop = try eventLoop(for: path)
        } catch {
            return completion(.failure(error))
        }
        let greeting = Greeting(path: path, trust: trust, timeout: timeout, completion: completion)
        let deadline = NIODeadline.now() + .milliseconds(timeout.count)
        loop.execute {
            let connection = ClientConnection(path: path, onReport: onReport, onClose: onClose)
            attempt(client: client, connection: NIOLoopBound(connection, eventLoop: loop), greeting: greeting, before: deadline, on: loop)
        }
    }

    private static let attemptPause = TimeAmount.milliseconds(20)

    private static func attempt(
        client: String, connection: NIOLoopBound<ClientConnection>, greeting: Greeting, before deadline: NIODeadline, on loop: any EventLoop
    ) {
        ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(greeting.timeout.count))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(connection.value) }
            }
            // Not by path: NIO accepts four bytes fewer than the kernel.
            .connect(to: SocketAddress(SocketPath.address(of: greeting.path)))
            .whenComplete { result in
                switch result {
                case .success(let channel): greeting.begin(client: client, channel: channel, connection: connection)
                // The backlog of the kernel is full for the moment.
                case .failure(let error as IOError) where error.errnoCode == EAGAIN && NIODeadline.now() < deadline:
                    loop.scheduleTask(in: attemptPause) {
                        let fresh = NIOLoopBound(connection.value.fresh(), eventLoop: loop)
                        attempt(client: client, connection: fresh, greeting: greeting, before: deadline, on: loop)
                    }
                case .failure(let error): greeting.completion(.failure(connectError(error, path: greeting.path, timeout: greeting.timeout)))
                }
            }
    }

    /// Connects and waits. For commands; never call it on the event loop.
    public static func connectAndWait(
        path: String, client: String, trust: EngineTrust = .own, timeout: Milliseconds = .seconds(5),
        onReport: @escaping @Sendable (ReportNotification) -> Void = { _ in },
        onClose: @escaping @Sendable (ControlClientError) -> Void = { _ in }
    ) throws(ControlClientError) -> ControlClient {
        let outcome = try eventLoop(for: path).makePromise(of: Result<ControlClient, ControlClientError>.self)
        connect(path: path, client: client, trust: trust, timeout: timeout, onReport: onReport, onClose: onClose) { outcome.succeed($0) }
        return try wait(for: outcome, path: path)
    }

    /// Sends a request; calls `completion` once, with the reply or the reason for its absence. A `timeout` of nil sets no timer and leaves it to the
    /// owner to end a silent connection.
    public func call(
        _ request: ControlRequest, timeout: Milliseconds? = .seconds(10),
        completion: @escaping @Sendable (Result<ControlReply, ControlClientError>) -> Void
    ) {
        channel.eventLoop.execute { [connection] in connection.value.call(request, timeout: timeout, completion: completion) }
    }

    /// Sends a request and waits. For commands; never call it on the event loop.
    public func callAndWait(_ request: ControlRequest, timeout: Milliseconds = .seconds(10)) throws(ControlClientError) -> ControlReply {
        let outcome = channel.eventLoop.makePromise(of: Result<ControlReply, ControlClientError>.self)
        call(request, timeout: timeout) { outcome.succeed($0) }
        return try Self.wait(for: outcome, path: path)
    }

    /// Ends the connection; pending calls fail as `closed`.
    public func close() { channel.close(promise: nil) }

    private static func eventLoop(for path: String) throws(ControlClientError) -> any EventLoop {
        do throws(ControlLoops.LoopFailure) { return try ControlLoops.forClients() } catch { throw .system(path: path, errno: error.errno) }
    }

    private static func wait<Value: Sendable>(
        for outcome: EventLoopPromise<Result<Value, ControlClientError>>, path: String
    ) throws(ControlClientError) -> Value {
        let result: Result<Value, ControlClientError>
        do { result = try outcome.futureResult.wait() } catch {
            // The promise is always kept; it breaks only if the loop ends, which it does not while the process lives.
            throw .closed(path: path)
        }
        return try result.get()
    }

    private static func connectError(_ error: any Error, path: String, timeout: Milliseconds) -> ControlClientError {
        switch error {
        case let error as IOError where error.errnoCode == EAGAIN: return .connectTimedOut(path: path, timeout.count)
        case let error as IOError: return .connecting(to: path, error.errnoCode)
        case ChannelError.connectTimeout: return .connectTimedOut(path: path, timeout.count)
        default: return .system(path: path, errno: EIO)
        }
    }

    /// The steps between a connected channel and a client: checking the engine's user, and hello.
    private struct Greeting: Sendable {
        let path: String
        let trust: EngineTrust
        let timeout: Milliseconds
        let completion: @Sendable (Result<ControlClient, ControlClientError>) -> Void

        func begin(client: String, channel: any Channel, connection: NIOLoopBound<ClientConnection>) {
            guard let provider = channel as? any SocketOptionProvider else { return fail(.closed(path: path), channel) }
            let credentials: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
                level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
            credentials.whenComplete { result in
                guard case .success(let peer) = result else { return fail(.closed(path: path), channel) }
                guard trust.includes(peer.userID) else { return fail(.foreignEngine(path: path, owner: peer.userID), channel) }
                sayHello(client: client, channel: channel, connection: connection)
            }
        }

        private func sayHello(client: String, channel: any Channel, connection: NIOLoopBound<ClientConnection>) {
            let request = ControlRequest.hello(versions: ControlVersion.supported, client: client)
            connection.value.call(request, timeout: timeout) { result in
                switch result {
                case .success(.hello(let hello)):
                    connection.value.isEstablished = true
                    completion(.success(ControlClient(hello: hello, path: path, channel: channel, connection: connection)))
                case .success: fail(.unreadable(path: path, "the engine answered hello with something else"), channel)
                case .failure(.callTimedOut): fail(.connectTimedOut(path: path, timeout.count), channel)
                case .failure(let error): fail(error, channel)
                }
            }
        }

        private func fail(_ error: ControlClientError, _ channel: any Channel) {
            channel.close(promise: nil)
            completion(.failure(error))
        }
    }
}

/// The client's end of the channel: pairs replies with calls. Lives on the event loop.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Call {
        var completion: @Sendable (Result<ControlReply, ControlClientError>) -> Void
        var timer: Scheduled<Void>?
    }

    private let path: String
    private let onReport: @Sendable (ReportNotification) -> Void
    private let onClose: @Sendable (ControlClientError) -> Void
    private var context: ChannelHandlerContext?
    private var decoder = FrameDecoder(maximumLength: FrameLimits.reply.maximumLength)
    private var calls: [Int64: Call] = [:]
    private var lastID: Int64 = 0
    /// Reason of the end, if this side knows more than "closed".
    private var closeReason: ControlClientError?
    private var hasEnded = false
    /// Whether hello succeeded: its owner is then notified of the end.
    var isEstablished = false

    init(
        path: String, onReport: @escaping @Sendable (ReportNotification) -> Void, onClose: @escaping @Sendable (ControlClientError) -> Void
    ) {
        self.path = path
        self.onReport = onReport
        self.onClose = onClose
    }

    /// A new instance of the same kind for another attempt.
    func fresh() -> ClientConnection { ClientConnection(path: path, onReport: onReport, onClose: onClose) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func call(
        _ request: ControlRequest, timeout: Milliseconds?, completion: @escaping @Sendable (Result<ControlReply, ControlClientError>) -> Void
    ) {
        guard let context, !hasEnded else { return completion(.failure(closeReason ?? .closed(path: path))) }
        lastID += 1
        let id = lastID
        let frame: [UInt8]
        do throws(ControlCodecError) { frame = try ControlCodec.encode(request, id: .number(id)) } catch {
            return completion(.failure(.unreadable(path: path, error.problem)))
        }
        let timer = timeout.map { timeout in
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(timeout.count)) {
                self.finish(id, .failure(.callTimedOut(verb: request.verb, timeout.count)))
            }
        }
        calls[id] = Call(completion: completion, timer: timer)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: frame)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        decoder.feed(unwrapInboundIn(data).readableBytesView)
        do {
            while let frame = try decoder.nextFrame() { take(try ControlCodec.decodeServerMessage(frame)) }
        } catch {
            closeReason = .unreadable(path: path, (error as? ControlCodecError)?.problem ?? "the engine sent a frame that is too long")
            context.close(promise: nil)
        }
    }

    private func take(_ message: ServerMessage) {
        switch message {
        case .report(let report): onReport(report)
        case .reply(.number(let id), let result): finish(id, result.mapError { .failure($0) })
        // A failure without an id concerns the whole connection: the engine reports why it closes.
        case .reply(nil, .failure(let failure)): closeReason = .failure(failure)
        case .reply, .unknown: break
        }
    }

    private func finish(_ id: Int64, _ result: Result<ControlReply, ControlClientError>) {
        guard let call = calls.removeValue(forKey: id) else { return }
        call.timer?.cancel()
        call.completion(result)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasEnded = true
        self.context = nil
        let reason = closeReason ?? .closed(path: path)
        for id in calls.keys.sorted() { finish(id, .failure(reason)) }
        if isEstablished { onClose(reason) }
        context.fireChannelInactive()
    }
}
