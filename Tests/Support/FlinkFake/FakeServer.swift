internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// An HTTP server on the loopback that answers as it is told, well or badly, and keeps what it was asked.
public final class FakeServer: Sendable {
    public struct Request: Sendable, Equatable {
        public var method: String
        /// Path and query.
        public var target: String
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]

        public var path: String { String(target.prefix { $0 != "?" }) }
        public var text: String { String(decoding: body, as: UTF8.self) }
    }

    public enum Reply: Sendable {
        case status(Int, body: String, headers: [String: String] = [:])
        /// 200 and these bytes.
        case bytes([UInt8], headers: [String: String])
        /// The request is taken, and nothing comes.
        case silence
        /// 200 and a body that never ends.
        case endless(String)
        /// The connection is closed.
        case close

        public static func json(_ body: String) -> Reply { .status(200, body: body, headers: ["Content-Type": "application/json; charset=UTF-8"]) }
    }

    /// PEM files of the server's certificate, and of the authority whose certificates clients must have.
    public struct Identity: Sendable {
        public var certificate: String
        public var key: String
        public var clientAuthority: String?
        /// The newest version of TLS that it offers, as 10 for 1.0; nil = all there are.
        public var newestTLS: Int?
        public init(certificate: String, key: String, clientAuthority: String? = nil, newestTLS: Int? = nil) {
            (self.certificate, self.key, self.clientAuthority, self.newestTLS) = (certificate, key, clientAuthority, newestTLS)
        }
    }

    public let port: Int
    public let isSecure: Bool
    public var url: String { "\(isSecure ? "https" : "http")://127.0.0.1:\(port)" }
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let log: Log

    private final class Log: Sendable {
        let requests = Mutex<[Request]>([])
        let answer: Mutex<@Sendable (Request) -> Reply>
        init(_ answer: @escaping @Sendable (Request) -> Reply) { self.answer = Mutex(answer) }
    }

    /// - Parameter port: 0 = any that is free.
    public init(port: Int = 0, identity: Identity? = nil, answer: @escaping @Sendable (Request) -> Reply) throws {
        let log = Log(answer)
        let tls = try identity.map { try Self.context($0) }
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Answerer(log: log))
                }
            }
            .bind(host: "127.0.0.1", port: port).wait()
        self.port = channel.localAddress?.port ?? 0
        isSecure = identity != nil
        self.log = log
    }

    /// Something that is no HTTP server: says these bytes to whoever says anything, and closes.
    public init(raw bytes: [UInt8]) throws {
        channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Babbler(bytes: bytes)) }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
        isSecure = false
        log = Log { _ in .close }
    }

    private static func context(_ identity: Identity) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(identity.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: identity.key, format: .pem)))
        if let authority = identity.clientAuthority {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority))
        }
        if let newest = identity.newestTLS {
            configuration.minimumTLSVersion = .tlsv1
            configuration.maximumTLSVersion = newest == 10 ? .tlsv1 : newest == 11 ? .tlsv11 : .tlsv12
            configuration.cipherSuites = "ALL"
        }
        return try NIOSSLContext(configuration: configuration)
    }

    /// What was asked so far.
    public var requests: [Request] { log.requests.withLock { $0 } }

    /// From now on it answers like this.
    public func answer(_ answer: @escaping @Sendable (Request) -> Reply) { log.answer.withLock { $0 = answer } }

    public func forgetRequests() { log.requests.withLock { $0 = [] } }

    public func stop() throws {
        try channel.close().wait()
        try group.syncShutdownGracefully()
    }

    private final class Babbler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let bytes: [UInt8]
        init(bytes: [UInt8]) { self.bytes = bytes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            context.close(promise: nil)
        }
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let log: Log
        private var request: Request?

        init(log: Log) { self.log = log }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                let headers = Dictionary(head.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { _, last in last })
                request = Request(method: head.method.rawValue, target: head.uri, headers: headers, body: [])
            case .body(let buffer): request?.body.append(contentsOf: buffer.readableBytesView)
            case .end:
                guard let request else { return }
                log.requests.withLock { $0.append(request) }
                let answer = log.answer.withLock { $0 }
                reply(answer(request), context)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func reply(_ reply: Reply, _ context: ChannelHandlerContext) {
            switch reply {
            case .silence: break
            case .close: context.close(promise: nil)
            case .status(let status, let body, let headers): answer(status, ByteBuffer(string: body), headers, context)
            case .bytes(let bytes, let headers): answer(200, ByteBuffer(bytes: bytes), headers, context)
            case .endless(let piece):
                context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Transfer-Encoding": "chunked"]))), promise: nil)
                pour(ByteBuffer(string: piece), NIOLoopBound(context, eventLoop: context.eventLoop))
            }
        }

        private func answer(_ status: Int, _ body: ByteBuffer, _ headers: [String: String], _ context: ChannelHandlerContext) {
            var head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status))
            for (name, value) in headers { head.headers.add(name: name, value: value) }
            head.headers.add(name: "Content-Length", value: String(body.readableBytes))
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }

        /// Writes the piece again and again, as fast as it is taken, until the other side has enough.
        private func pour(_ piece: ByteBuffer, _ context: NIOLoopBound<ChannelHandlerContext>) {
            let this = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            context.value.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece)))).whenSuccess { this.value.pour(piece, context) }
        }
    }
}
