internal import HostEnvironment
internal import StreamModel

/// Who asks Azure.
enum AzureIdentity: Sendable {
    case sharedKey(RenewingSource<Secret>)
    /// A shared access signature: the query that a portal or a command hands out.
    case signature(RenewingSource<Secret>)
    case bearer(RenewingSource<Secret>)
    case anonymous
}

/// How Azure's Blob service is asked, and how its errors read. `abfs:` names are asked for there too: both services show the same files.
final class AzureDialect: StorageDialect {
    private let endpoint: StorageEndpoint?
    private let identity: AzureIdentity
    private let now: @Sendable () -> WallTime

    init(endpoint: StorageEndpoint?, _ identity: AzureIdentity, now: @escaping @Sendable () -> WallTime = { WallTime.now() }) {
        (self.endpoint, self.identity, self.now) = (endpoint, identity, now)
    }

    /// Container, account and host of `container@account.dfs.core.windows.net`.
    struct Place: Equatable {
        var container: String
        var account: String
        var host: String

        init?(_ location: StorageLocation) {
            let parts = location.authority.split(separator: "@", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let account = parts[1].split(separator: ".").first else { return nil }
            (container, self.account) = (String(parts[0]), String(account))
            host = String(parts[1]).replacing(".dfs.", with: ".blob.", maxReplacements: 1)
        }
    }

    func request(_ method: String, _ subject: Subject, key: String, query: [QueryItem] = []) throws(StorageFailure) -> WireRequest {
        guard let place = Place(subject.location) else {
            throw subject.failure(.misconfigured, "it does not name its account", remedy: "write container@account.dfs.core.windows.net")
        }
        let endpoint = endpoint ?? StorageEndpoint(isSecure: true, host: place.host)
        let path = "/\(PercentEncoding.path(place.container))" + (key.isEmpty ? "" : "/" + PercentEncoding.path(key))
        return WireRequest(method, endpoint, path: path, query: query, headers: [("User-Agent", "weir")])
    }

    func authorize(_ request: inout WireRequest, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) {
        request.set("x-ms-version", AzureSharedKey.version)
        request.set("x-ms-date", CivilTime(now()).http)
        do throws(CredentialProblem) {
            guard request.endpoint.isSecure || request.endpoint.isAddress else {
                throw CredentialProblem("Azure is not asked over plain http", remedy: "use https")
            }
            switch identity {
            case .anonymous: break
            case .bearer(let source): request.set("Authorization", "Bearer \(try source.value(by: deadline).reveal())")
            case .signature(let source):
                guard let items = QueryItem.parse(try source.value(by: deadline).reveal()) else {
                    throw CredentialProblem("the SAS is no query", remedy: "it has to be like sv=...&sig=...")
                }
                request.query += items
            case .sharedKey(let source):
                let signer = AzureSharedKey(account: Place(subject.location)?.account ?? "", key: try source.value(by: deadline))
                guard signer.sign(&request, at: now()) else {
                    throw CredentialProblem("the account key is not base 64", remedy: "copy it anew from the portal")
                }
            }
        } catch {
            throw subject.failure(.noCredentials, error.problem, remedy: error.remedy)
        }
    }

    func renew() -> Bool {
        switch identity {
        case .sharedKey(let source), .signature(let source), .bearer(let source): source.forget()
        case .anonymous: false
        }
    }

    // MARK: Errors

    func judge(_ answer: CollectedAnswer, _ request: WireRequest, _ subject: Subject) -> Judgement {
        // XMLError: HEAD has no body, and proxies answer with pages.
        let body = try? XMLElement.parse(answer.body, elementsMax: 1000)
        let code = answer.header("x-ms-error-code") ?? body?.text("Code")
        let detail = body?.text("AuthenticationErrorDetail") ?? ""
        func failure(_ kind: StorageFailure.Kind, _ problem: String, _ remedy: String? = nil) -> StorageFailure {
            subject.failure(kind, status: answer.status, problem, remedy: remedy)
        }
        let said = code.map { ": \($0.prefix(100))" } ?? ""
        if let advice = RetryPolicy.advice(status: answer.status) {
            let text = advice == .wait ? "the store asks to slow down" : "the store failed"
            return .again(advice, failure(advice == .wait ? .throttled : .unavailable, text + said, "try again later"))
        }
        switch (code, answer.status) {
        case ("ContainerNotFound", _), ("ContainerBeingDeleted", _), ("ContainerDisabled", _):
            let name = Place(subject.location)?.container ?? subject.location.authority
            return .failed(failure(.noContainer, "there is no container \(name) there", "check its name and the account"))
        case ("ConditionNotMet", _), (_, 412): return .failed(failure(.changed, "its content is another one now", "try again"))
        case (.some, 404): return .failed(failure(.notFound, "nothing is there"))
        case (nil, 404):
            return .failed(
                failure(.malformed, "404 without an Azure error: something other than the store answered", "check the endpoint, and what stands before it"))
        case ("AuthenticationFailed", _), ("InvalidAuthenticationInfo", _), (_, 401):
            return authentication(answer, detail, said, failure)
        case (_, 403):
            let verb = subject.verb == .list ? "List" : subject.verb == .delete ? "Delete" : "Read"
            return .failed(failure(.denied, "access denied\(said)", "the SAS or role needs \(verb); a firewall of the account answers so too"))
        case (_, 300..<400): return .failed(failure(.malformed, "the store redirects\(said)", "check the endpoint"))
        default: return .failed(failure(.rejected, "the store refused\(said)"))
        }
    }

    private func authentication(
        _ answer: CollectedAnswer, _ detail: String, _ said: String, _ failure: (StorageFailure.Kind, String, String?) -> StorageFailure
    ) -> Judgement {
        if let theirs = answer.header("Date").flatMap({ WallTime(http: $0) }) {
            let skew = ClockSkew(ours: now(), theirs: theirs)
            if skew.isTooMuch { return .failed(failure(.clockSkew, skew.text, ClockSkew.remedy)) }
        }
        switch identity {
        case .signature where detail.contains("time frame") || detail.contains("expiry"):
            return .renew(failure(.unauthenticated, "the SAS has expired, or is not valid yet", "make a new one"))
        case .signature: return .renew(failure(.unauthenticated, "the store does not accept the SAS\(said)", "make a new one"))
        case .sharedKey: return .renew(failure(.unauthenticated, "the store does not accept the signature: the key is not the account's", "correct the key"))
        case .bearer: return .renew(failure(.unauthenticated, "the store does not accept the token\(said)", "sign in again"))
        case .anonymous: return .failed(failure(.noCredentials, "no credentials were found, and the container is not public", AzureCredentials.remedy))
        }
    }
}
