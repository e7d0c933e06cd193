internal import AsyncHTTPClient
internal import HTTPConnections
internal import Glibc
internal import HostEnvironment
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
public import StreamModel
internal import Synchronization

/// Sends requests with async-http-client. Makes its client with the first request and keeps connections; `close` it when done.
public final class HTTPTransport: StorageTransport {
    private let authorityFile: String?
    private let http = LazyHTTPClient(on: HTTPTransport.eventLoops)

    /// A connection that brings nothing for so long is given up.
    private static let stall: Milliseconds = .seconds(20)
    private static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// - Parameter authorityFile: PEM file of the certificate authorities to trust instead of the system's.
    public init(authorityFile: String? = nil) { self.authorityFile = authorityFile }

    public func close() { http.close() }

    public func open(_ request: WireRequest, by deadline: EngineInstant) throws(TransportFailure) -> any WireAnswer {
        let left = deadline - EngineInstant.now()
        guard left.count > 0 else { throw TransportFailure(.timedOut, "no time was left to ask") }
        let client = try client()
        let wire: HTTPClient.Request
        do {
            wire = try HTTPClient.Request(
                url: request.url, method: HTTPMethod(rawValue: request.method), headers: HTTPHeaders(request.headers.map { ($0.name, $0.value) }),
                body: request.body.isEmpty ? nil : .bytes(request.body))
        } catch {
            throw TransportFailure(.unreachable, "\(request.endpoint) is no address that can be asked")
        }
        let answer = StreamedAnswer(endpoint: request.endpoint)
        answer.begin(client.execute(request: wire, delegate: answer, deadline: .now() + .milliseconds(left.count + 1000)))
        try answer.awaitHead(by: deadline)
        return answer
    }

    private func client() throws(TransportFailure) -> HTTPClient {
        try http.client(orThrow: TransportFailure(.closed, "the storage was closed"), configuration)
    }

    private func configuration() throws(TransportFailure) -> HTTPClient.Configuration {
        // WebHDFS follows its own redirects.
        var configuration = HTTPClient.Configuration.strict(connect: .seconds(5), read: Self.stall, connections: FlightLimit.standard)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let path = authorityFile {
            do {
                let authorities = try NIOSSLCertificate.fromPEMFile(path)
                guard !authorities.isEmpty else { throw NIOSSLError.failedToLoadCertificate }
                tls.trustRoots = .certificates(authorities)
            } catch {
                throw TransportFailure(.insecure, "the CA file \(path) has no certificate in PEM form that can be read", remedy: "correct `ca`")
            }
        }
        configuration.tlsConfiguration = tls
        return configuration
    }
}

/// One answer, handed from the event loop to the thread that reads it. A piece is taken from the network when the one before it was read.
private final class StreamedAnswer: HTTPClientResponseDelegate, WireAnswer, @unchecked Sendable {
    typealias Response = Void
    private let endpoint: StorageEndpoint
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    // All below is touched only under the mutex.
    private var head: HTTPResponseHead?
    private var pieces: [(bytes: [UInt8], taken: EventLoopPromise<Void>)] = []
    private var isComplete = false
    private var failure: TransportFailure?
    private var task: HTTPClient.Task<Void>?

    init(endpoint: StorageEndpoint) {
        self.endpoint = endpoint
        pthread_mutex_init(mutex, nil)
        condition.initializeMonotonic()
    }

    deinit {
        for piece in pieces { piece.taken.succeed() }
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    private func change(_ body: () -> Void) {
        locked {
            body()
            pthread_cond_broadcast(condition)
        }
    }

    func begin(_ task: HTTPClient.Task<Void>) { locked { self.task = task } }

    // MARK: On the event loop

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        change { self.head = head }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let taken = task.eventLoop.makePromise(of: Void.self)
        let isWanted = locked {
            guard failure == nil else { return false }
            pieces.append((Array(buffer.readableBytesView), taken))
            pthread_cond_broadcast(condition)
            return true
        }
        if !isWanted { taken.succeed() }
        return taken.futureResult
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws { change { isComplete = true } }

    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) {
        change { if failure == nil { failure = TransportFailure(error, endpoint, hasBegun: head != nil) } }
    }

    // MARK: On the reader's thread

    func awaitHead(by deadline: EngineInstant) throws(TransportFailure) {
        let found: Result<Void, TransportFailure> = locked {
            while head == nil {
                if let failure { return .failure(failure) }
                guard condition.wait(mutex, until: deadline) else { return .failure(late()) }
            }
            return .success(())
        }
        if case .failure(let failure) = found { cancel(failure) }
        try found.get()
    }

    var status: Int { locked { head.map { Int($0.status.code) } ?? 0 } }

    func header(_ name: String) -> String? { locked { head?.headers.first(name: name) } }

    func next(by deadline: EngineInstant) throws(TransportFailure) -> [UInt8]? {
        let found: Result<[UInt8]?, TransportFailure> = locked {
            while pieces.isEmpty {
                if let failure { return .failure(failure) }
                if isComplete { return .success(nil) }
                guard condition.wait(mutex, until: deadline) else { return .failure(late()) }
            }
            let piece = pieces.removeFirst()
            piece.taken.succeed()
            return .success(piece.bytes)
        }
        if case .failure(let failure) = found { cancel(failure) }
        return try found.get()
    }

    private func late() -> TransportFailure { TransportFailure(.timedOut, "\(endpoint) did not answer in time", remedy: "try again, or give it more time") }

    func cancel() { cancel(TransportFailure(.closed, "given up")) }

    private func cancel(_ reason: TransportFailure) {
        let (task, left) = locked {
            if failure == nil { failure = reason }
            defer { pieces = [] }
            return (self.task, pieces)
        }
        for piece in left { piece.taken.succeed() }
        task?.cancel()
    }
}
