internal import HostEnvironment
internal import JSON
internal import StreamModel
internal import Synchronization

/// Who asks HDFS.
enum HDFSIdentity: Sendable {
    /// A delegation token. Kerberos itself is not spoken.
    case delegation(RenewingSource<Secret>)
    case user(String)
    case anonymous
}

/// How WebHDFS and HttpFS are asked, and how their errors read. Of several NameNodes the one that answers is kept.
final class WebHDFSDialect: StorageDialect {
    private let endpoints: [StorageEndpoint]
    private let identity: HDFSIdentity
    private let active = Mutex(0)

    init(endpoints: [StorageEndpoint], _ identity: HDFSIdentity) { (self.endpoints, self.identity) = (endpoints, identity) }

    func request(_ method: String, _ operation: String, _ location: StorageLocation, query: [QueryItem] = []) -> WireRequest {
        WireRequest(
            method, endpoints[0], path: "/webhdfs/v1/" + PercentEncoding.path(location.key), query: [QueryItem("op", operation)] + query,
            headers: [("User-Agent", "weir")])
    }

    func authorize(_ request: inout WireRequest, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) {
        request.endpoint = endpoints[active.withLock { $0 } % endpoints.count]
        switch identity {
        case .anonymous: break
        case .user(let name): request.query.append(QueryItem("user.name", name))
        case .delegation(let source):
            do throws(CredentialProblem) { request.query.append(QueryItem("delegation", try source.value(by: deadline).reveal())) } catch {
                throw subject.failure(.noCredentials, error.problem, remedy: error.remedy)
            }
        }
    }

    func renew() -> Bool { if case .delegation(let source) = identity { source.forget() } else { false } }

    private func next() { active.withLock { $0 = ($0 + 1) % endpoints.count } }

    func judge(_ answer: CollectedAnswer, _ request: WireRequest, _ subject: Subject) -> Judgement {
        // JSONSyntaxError: a proxy or another server answers with a page.
        let exception = (try? JSONValue.parse(answer.body, maximumDepth: 16))?["RemoteException"]
        let name = exception?["exception"]?.text
        let message = exception?["message"]?.text.map { ": \($0.prefix { !$0.isNewline }.prefix(200))" } ?? ""
        func failure(_ kind: StorageFailure.Kind, _ problem: String, _ remedy: String? = nil) -> StorageFailure {
            subject.failure(kind, status: answer.status, problem, remedy: remedy)
        }
        switch (name, answer.status) {
        case ("StandbyException", _):
            next()
            return .again(.tryAgain, failure(.unavailable, "\(request.endpoint) is the standby NameNode", "name the other NameNode as endpoint, too"))
        case ("RetriableException", _), ("SafeModeException", _):
            return .again(.wait, failure(.unavailable, "the NameNode is not ready\(message)", "try again later"))
        case ("FileNotFoundException", _): return .failed(failure(.notFound, "nothing is there"))
        case ("AccessControlException", _): return .failed(failure(.denied, "access denied\(message)", "ask as a user who may (user or a delegation token)"))
        case ("InvalidToken", _), ("SecretManager$InvalidToken", _):
            return .renew(failure(.unauthenticated, "the delegation token has expired, or is unknown", "fetch a new one"))
        case ("SecurityException", _), ("AuthenticationException", _), (_, 401):
            return .renew(failure(.unauthenticated, "HDFS does not accept who asks\(message)", "give a delegation token, or a user"))
        case ("PathIsNotEmptyDirectoryException", _): return .failed(failure(.notAFile, "the directory is not empty"))
        case ("UnsupportedOperationException", _), ("IllegalArgumentException", _): return .failed(failure(.unsupported, "HDFS does not know this\(message)"))
        case (_, 404) where exception == nil:
            return .failed(failure(.malformed, "\(request.endpoint) has no WebHDFS", "check the endpoint: http://namenode:9870 or HttpFS"))
        default: break
        }
        if let advice = RetryPolicy.advice(status: answer.status) {
            return .again(advice, failure(advice == .wait ? .throttled : .unavailable, "HDFS failed\(message)", "try again later"))
        }
        return .failed(failure(answer.status == 403 ? .denied : .rejected, "HDFS refused\(message)"))
    }
}

/// Follows the one redirect of WebHDFS: from the NameNode to the DataNode that has the file.
struct RedirectingTransport: StorageTransport {
    var base: any StorageTransport

    func open(_ request: WireRequest, by deadline: EngineInstant) throws(TransportFailure) -> any WireAnswer {
        let answer = try base.open(request, by: deadline)
        guard answer.status == 307, let place = answer.header("Location") else { return answer }
        answer.cancel()
        guard let (endpoint, path, query) = AWSCredentialFetch.split(place), endpoint.isSecure || !request.endpoint.isSecure else {
            throw TransportFailure(.notHTTP, "\(request.endpoint) redirects to a place that is no URL, or from https to http")
        }
        let onward = WireRequest(request.method, endpoint, path: path, query: query, headers: [("User-Agent", "weir")])
        let second = try base.open(onward, by: deadline)
        guard second.status == 307 else { return second }
        second.cancel()
        throw TransportFailure(.notHTTP, "\(request.endpoint) redirects in a circle")
    }
}
