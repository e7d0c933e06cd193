internal import AsyncHTTPClient
internal import HTTPConnections
internal import HostEnvironment
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
public import StreamModel
internal import Synchronization

/// Asks a cluster. Makes its connection with the first request, on an event loop of its own, and keeps it; answers are bounded in time
/// and size. Safe from any thread; `close` it when done.
public final class FlinkClient: Sendable {
    public let connection: FlinkConnection
    private let state = Mutex(State())

    private let http = LazyHTTPClient(on: FlinkClient.eventLoops)

    private struct State {
        /// Which of the addresses is asked.
        var place = 0
        /// No answer is waited for beyond this.
        var end: EngineInstant?
    }

    public init(_ connection: FlinkConnection) { self.connection = connection }

    /// From now on no answer is waited for beyond `end`.
    public func bound(until end: EngineInstant) { state.withLock { $0.end = end } }

    /// A request on its way.
    public struct Call: Sendable {
        fileprivate let attempts = Attempts()

        /// Gives up on it: its completion gets `.cancelled`, unless it has the answer already.
        public func cancel() { attempts.cancel() }
    }

    /// The tries of one request, of which one is under way.
    fileprivate final class Attempts: Sendable {
        private let state = Mutex<(task: HTTPClient.Task<RawAnswer>?, isCancelled: Bool)>((nil, false))
        var isCancelled: Bool { state.withLock { $0.isCancelled } }

        func begin(_ task: HTTPClient.Task<RawAnswer>) {
            let isLate = state.withLock { state in
                state.task = task
                return state.isCancelled
            }
            if isLate { task.cancel() }
        }

        func cancel() {
            let task = state.withLock { state in
                state.isCancelled = true
                return state.task
            }
            task?.cancel()
        }
    }

    /// Sends a request; `completion` is called once, on the event loop, and must not block.
    @discardableResult
    public func send<Answer>(
        _ endpoint: FlinkEndpoint<Answer>, completion: @escaping @Sendable (Result<Answer, FlinkFailure>) -> Void
    ) -> Call {
        let call = Call()
        attempt(endpoint, call.attempts, left: connection.alternatives.count) { completion($0) }
        return call
    }

    private var addresses: [FlinkAddress] { [connection.address] + connection.alternatives }

    /// - Parameter left: places that may still be asked if this one is not the leader's.
    private func attempt<Answer>(
        _ endpoint: FlinkEndpoint<Answer>, _ attempts: Attempts, left: Int, completion: @escaping @Sendable (Result<Answer, FlinkFailure>) -> Void
    ) {
        let place = state.withLock { $0.place }
        ask(endpoint, at: addresses[place], attempts) { [weak self] result in
            guard let self, case .failure(let failure) = result, failure.isOfPlace else { return completion(result) }
            moveOn(from: place)
            // What may have been done is not sent again.
            guard left > 0, endpoint.method == .get, failure.kind != .timedOut, !attempts.isCancelled else { return completion(result) }
            attempt(endpoint, attempts, left: left - 1, completion: completion)
        }
    }

    /// The next question goes to the next address, unless another has found that already.
    private func moveOn(from place: Int) { state.withLock { if $0.place == place { $0.place = (place + 1) % addresses.count } } }

    private func ask<Answer>(
        _ endpoint: FlinkEndpoint<Answer>, at address: FlinkAddress, _ attempts: Attempts,
        completion: @escaping @Sendable (Result<Answer, FlinkFailure>) -> Void
    ) {
        var limit = endpoint.timeout ?? connection.timeout
        if let end = state.withLock({ $0.end }) { limit = min(limit, max(1, end - .now())) }
        let context = AnswerReader(address: address, method: endpoint.method, target: endpoint.target, timeout: limit)
        let prepared: (HTTPClient, HTTPClient.Request)
        do throws(FlinkFailure) { prepared = (try client(), try request(endpoint, at: address)) } catch { return completion(.failure(error)) }
        let collector = AnswerCollector(limit: endpoint.answerMax)
        let task: HTTPClient.Task<RawAnswer> = prepared.0.execute(request: prepared.1, delegate: collector, deadline: .now() + .milliseconds(limit.count))
        attempts.begin(task)
        task.futureResult.whenComplete { [connection] result in
            switch result {
            case .success(let raw): completion(context.read(raw.unpacked(limit: endpoint.answerMax), endpoint))
            case .failure(let error):
                let failure = context.failure(error)
                guard CertificateExamination.isRefusal(error) else { return completion(.failure(failure)) }
                CertificateExamination.examine(connection, on: Self.eventLoops.next()).whenSuccess { cause in
                    completion(.failure(cause.map { FlinkFailure(.insecure, $0) } ?? failure))
                }
            }
        }
    }

    /// As `send`, and waits. Never call it on an event loop.
    public func answer<Answer>(to endpoint: FlinkEndpoint<Answer>) throws(FlinkFailure) -> Answer {
        let promise = Self.eventLoops.next().makePromise(of: Result<Answer, FlinkFailure>.self)
        send(endpoint) { promise.succeed($0) }
        let result: Result<Answer, FlinkFailure>
        do { result = try promise.futureResult.wait() } catch {
            // The promise is only ever kept; the loop runs as long as the process.
            throw FlinkFailure(.cancelled, "the event loop has ended")
        }
        return try result.get()
    }

    /// Gives up on everything that is on its way, and takes no more.
    public func close() { http.close() }

    // MARK: Making requests

    /// One thread for all clusters: what it does is small.
    private static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private static let operationConnections = 4

    private func client() throws(FlinkFailure) -> HTTPClient {
        try http.client(orThrow: FlinkFailure(.cancelled, "the connection to \(connection.address) was closed"), configuration)
    }

    private func configuration() throws(FlinkFailure) -> HTTPClient.Configuration {
        // What a proxy compresses unasked is unpacked once it is all there, within the limit of the answer. What an operator sends never waits
        // behind questions, however slow the way.
        var configuration = HTTPClient.Configuration.strict(
            connect: connection.connectTimeout, read: connection.timeout, connections: FlinkScheduler.inFlightMax + Self.operationConnections)
        // The name is asked for and checked; the connection still goes to the address.
        if let name = connection.serverName, name != connection.address.host { configuration.dnsOverride = [name: connection.address.host] }
        if connection.address.isSecure { configuration.tlsConfiguration = try TrustSettings.configuration(of: connection) }
        return configuration
    }

    private func request<Answer>(_ endpoint: FlinkEndpoint<Answer>, at address: FlinkAddress) throws(FlinkFailure) -> HTTPClient.Request {
        var headers = HTTPHeaders([("Accept", "application/json"), ("User-Agent", "weir")])
        for header in connection.headers { headers.replaceOrAdd(name: header.name, value: try header.value.reveal()) }
        if let token = connection.token { headers.replaceOrAdd(name: "Authorization", value: "Bearer " + (try token.reveal())) }
        let body: HTTPClient.Body?
        switch endpoint.body {
        case .none: body = nil
        case .json(let value):
            headers.replaceOrAdd(name: "Content-Type", value: "application/json; charset=UTF-8")
            body = .string(value.json)
        case .file(let path, let name, let contentType):
            let upload = try FileUpload(path: path, name: name, contentType: contentType)
            headers.replaceOrAdd(name: "Content-Type", value: "multipart/form-data; boundary=\(upload.boundary)")
            body = upload.body
        }
        do {
            return try HTTPClient.Request(
                url: address.text(host: connection.serverName) + endpoint.target, method: HTTPMethod(rawValue: endpoint.method.rawValue),
                headers: headers, body: body)
        } catch {
            throw FlinkFailure(.misconfigured, "\(address) is no address that can be asked: \(error)")
        }
    }
}

/// What came, as far as it was taken.
struct RawAnswer: Sendable {
    var status: Int
    var location: String?
    /// How the body is compressed.
    var encoding: String?
    var body: [UInt8]
    /// There was more than the limit.
    var isCut: Bool
}

/// Collects one answer up to a limit, and breaks off behind it.
private final class AnswerCollector: HTTPClientResponseDelegate {
    /// The answer went on; what came of it is here.
    struct Cut: Error { var answer: RawAnswer }

    typealias Response = RawAnswer
    private let limit: Int
    private let answer = Mutex(RawAnswer(status: 0, location: nil, encoding: nil, body: [], isCut: false))

    /// Of an error only the beginning is of use.
    static let errorBodyMax = 256 << 10

    init(limit: Int) { self.limit = limit }

    func didReceiveHead(task: HTTPClient.Task<RawAnswer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        answer.withLock { answer in
            answer.status = Int(head.status.code)
            answer.location = head.headers.first(name: "Location")
            answer.encoding = head.headers.first(name: "Content-Encoding")?.lowercased()
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<RawAnswer>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let cut: RawAnswer? = answer.withLock { answer in
            let bound = (200..<300).contains(answer.status) ? limit : min(limit, Self.errorBodyMax)
            let room = max(0, bound - answer.body.count)
            answer.body.append(contentsOf: buffer.readableBytesView.prefix(room))
            guard buffer.readableBytes > room else { return nil }
            answer.isCut = true
            return answer
        }
        if let cut { return task.eventLoop.makeFailedFuture(Cut(answer: cut)) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<RawAnswer>) throws -> RawAnswer { answer.withLock { $0 } }

    /// What an error of the request carries of the answer.
    static func cutAnswer(in error: any Error) -> RawAnswer? { (error as? Cut)?.answer }
}

/// Reads answers and errors in the light of what was asked.
private struct AnswerReader: Sendable {
    var address: FlinkAddress
    var method: FlinkMethod
    var target: String
    var timeout: Milliseconds

    private static let depthMax = 64

    private var question: String { "\(method.rawValue) \(target.prefix { $0 != "?" })" }
    /// Every Flink has this, and it is asked for before anything else: one that does not know it is none, or is meant with another path.
    private var isFirst: Bool { target == "/config" }
    private static let doubt = ": is it Flink's REST port, and the path prefix right?"

    func read<Answer>(_ raw: RawAnswer, _ endpoint: FlinkEndpoint<Answer>) -> Result<Answer, FlinkFailure> {
        guard (200..<300).contains(raw.status) else { return .failure(rejection(raw)) }
        let bytes: [UInt8]
        if raw.isCut {
            guard endpoint.takesCutAnswer, let closed = CutJSON.closed(raw.body) else {
                return .failure(
                    FlinkFailure(
                        .tooLong,
                        "the answer of \(address) to \(question) is longer than \(endpoint.answerMax >> 10) KiB: left out\(isFirst ? Self.doubt : "")",
                        status: raw.status))
            }
            bytes = closed
        } else {
            bytes = raw.body.isEmpty ? Array("{}".utf8) : raw.body
        }
        let json: JSONValue
        do throws(JSONSyntaxError) { json = try JSONValue.parse(bytes, maximumDepth: Self.depthMax) } catch {
            return .failure(notJSON(raw, "\(error.problem.rawValue) at byte \(error.offset)"))
        }
        do throws(FlinkReadingProblem) { return .success(try endpoint.read(json)) } catch {
            return .failure(
                FlinkFailure(
                    .malformed, "the answer of \(address) to \(question) \(error.problem): is it Flink's REST API?", status: raw.status,
                    fullText: text(raw)))
        }
    }

    private func text(_ raw: RawAnswer) -> String { String(decoding: raw.body, as: UTF8.self) }

    private func notJSON(_ raw: RawAnswer, _ problem: String) -> FlinkFailure {
        let isMarkup = raw.body.first { ![0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].contains($0) } == 0x3c
        let what = isMarkup ? "a web page" : "something that is no JSON (it \(problem))"
        return FlinkFailure(
            .notFlink, "\(address) answered \(question) with \(what)\(Self.doubt)", status: raw.status,
            fullText: text(raw))
    }

    private func rejection(_ raw: RawAnswer) -> FlinkFailure {
        let body = raw.isCut ? CutJSON.closed(raw.body) ?? raw.body : raw.body
        // JSONSyntaxError: a proxy answers with a page.
        let json = try? JSONValue.parse(body, maximumDepth: Self.depthMax)
        let text = text(raw)
        let isFlinks = json?["errors"]?.items != nil
        let line = ErrorText.firstLine(of: json, text: text)
        func failure(_ kind: FlinkFailure.Kind, _ message: String) -> FlinkFailure {
            FlinkFailure(kind, message, status: raw.status, fullText: text.isEmpty ? nil : ErrorText.fullText(of: json, text: text))
        }
        let said = line.map { ": \($0)" } ?? ""
        switch raw.status {
        case 300..<400:
            let place = raw.location.map { "to \(shortened(withoutQuery($0), to: 200))" } ?? "elsewhere"
            return failure(
                .redirected, "\(address) redirects \(place): a standby JobManager or a proxy; redirects are not followed; name that address if it is meant")
        case 401, 403:
            return failure(.unauthorized, "\(address) refuses us with \(raw.status)\(said): give a token or headers that it takes")
        case 404 where isFlinks && line.map { !$0.hasPrefix("Not found") } ?? false: return failure(.notFound, line ?? "")
        case 404 where isFlinks && !isFirst: return failure(.notFound, "\(address) does not know \(question): there is no such thing")
        case 404: return failure(.notFlink, "\(address) does not know \(question)\(Self.doubt)")
        case 409: return failure(.conflict, line ?? "\(question): conflicts with the state of the job")
        case 503: return failure(.unavailable, "\(address) is not ready (503): a standby JobManager, or a leader is being elected\(said)")
        case 502, 504: return failure(.unavailable, "the proxy at \(address) does not reach the JobManager (\(raw.status))\(said)")
        default: return failure(.rejected, line ?? "\(address) answered \(question) with status \(raw.status)")
        }
    }

    /// Of the place that a redirect names, nothing that could carry a ticket.
    private func withoutQuery(_ location: String) -> String { String(location.prefix { $0 != "?" && $0 != "#" }) }

    func failure(_ error: any Error) -> FlinkFailure {
        if let cut = AnswerCollector.cutAnswer(in: error) {
            guard !(200..<300).contains(cut.status) else {
                return FlinkFailure(
                    .tooLong, "the answer of \(address) to \(question) is longer than \(cut.body.count >> 10) KiB: left out\(isFirst ? Self.doubt : "")",
                    status: cut.status, fullText: nil)
            }
            return rejection(cut)
        }
        return FlinkFailure(network: error, address: address, question: question, timeout: timeout)
    }
}
