internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// How S3 and its likes are asked, and how their errors read.
final class S3Dialect: StorageDialect {
    let settings: S3Settings
    private let identity: S3Identity
    private let now: @Sendable () -> WallTime
    /// Regions that the store named, by bucket.
    private let regions = Mutex<[String: String]>([:])

    init(_ settings: S3Settings, _ identity: S3Identity, now: @escaping @Sendable () -> WallTime = { WallTime.now() }) {
        (self.settings, self.identity, self.now) = (settings, identity, now)
    }

    /// A request for a key; the endpoint is chosen when it is signed, since the region may be learned in between.
    func request(_ method: String, _ location: StorageLocation, key: String, query: [QueryItem] = []) -> WireRequest {
        WireRequest(
            method, settings.endpoint(of: location.authority, region: settings.region), path: "/" + PercentEncoding.path(key), query: query,
            headers: [("User-Agent", "weir")])
    }

    func authorize(_ request: inout WireRequest, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) {
        let bucket = subject.location.authority
        let region = regions.withLock { $0[bucket] } ?? settings.region
        request.endpoint = settings.endpoint(of: bucket, region: region)
        do throws(CredentialProblem) {
            switch identity {
            case .anonymous: request.set("Host", request.endpoint.hostHeader)
            case .bearer(let source):
                guard request.endpoint.isSecure || request.endpoint.isAddress else {
                    throw CredentialProblem("a token is not sent over plain http", remedy: "use https")
                }
                request.set("Authorization", "Bearer \(try source.value(by: deadline).reveal())")
            case .keys(let source):
                let keys = try source.value(by: deadline)
                SignatureV4(accessKey: keys.accessKey, secret: keys.secret, sessionToken: keys.sessionToken, region: region, service: "s3")
                    .sign(&request, at: now())
            }
        } catch {
            throw subject.failure(.noCredentials, error.problem, remedy: error.remedy)
        }
    }

    func renew() -> Bool {
        switch identity {
        case .keys(let source): source.forget()
        case .bearer(let source): source.forget()
        case .anonymous: false
        }
    }

    // MARK: Errors

    func judge(_ answer: CollectedAnswer, _ request: WireRequest, _ subject: Subject) -> Judgement {
        let error = S3Error(answer)
        if let region = error.region, region != request.signedRegion ?? settings.region { return judge(otherRegion: region, error, subject) }
        if let failure = failure(error, request, subject) {
            return error.tellsOfExpiry ? .renew(failure) : .failed(failure)
        }
        if let advice = error.advice {
            let problem = advice == .wait ? "the store asks to slow down" : "the store failed"
            return .again(
                advice, subject.failure(advice == .wait ? .throttled : .unavailable, status: error.status, "\(problem)\(error.said)", remedy: "try again later")
            )
        }
        if (300..<400).contains(error.status) {
            return .failed(subject.failure(.wrongRegion, status: error.status, "the bucket is elsewhere\(error.said)", remedy: "set its region or endpoint"))
        }
        return .failed(subject.failure(.rejected, status: error.status, "the store refused\(error.said)"))
    }

    private func judge(otherRegion region: String, _ error: S3Error, _ subject: Subject) -> Judgement {
        let bucket = subject.location.authority
        let asked = regions.withLock { $0[bucket] } ?? settings.region
        let failure = subject.failure(
            .wrongRegion, status: error.status, "the bucket \(bucket) is in region \(region), and was asked for in \(asked)",
            remedy: "set region = \"\(region)\"")
        // Learned once; a store that names another one each time is at fault.
        guard settings.regionIsGuess, regions.withLock({ $0.updateValue(region, forKey: bucket) }) == nil else { return .failed(failure) }
        return .again(.tryAgain, failure)
    }

    private func failure(_ error: S3Error, _ request: WireRequest, _ subject: Subject) -> StorageFailure? {
        let bucket = subject.location.authority
        func failure(_ kind: StorageFailure.Kind, _ problem: String, _ remedy: String?) -> StorageFailure {
            subject.failure(kind, status: error.status, problem, remedy: remedy)
        }
        switch error.code {
        case "NoSuchBucket", "InvalidBucketName":
            return failure(.noContainer, "there is no bucket \(bucket) there", "check its name, the endpoint and the profile")
        case "NoSuchKey" where error.isDeleteMarker, "MethodNotAllowed" where error.isDeleteMarker:
            return failure(.notFound, "it was deleted: its newest version is a delete marker", "an older version may be left in the bucket")
        case "NoSuchKey": return failure(.notFound, "nothing is there", nil)
        case "SignatureDoesNotMatch":
            return failure(.unauthenticated, "the store does not accept the signature: the secret does not belong to the key", "correct the secret")
        case "InvalidAccessKeyId": return failure(.unauthenticated, "the store does not know the access key", "check profile and endpoint")
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
            return failure(.unauthenticated, "the session token has expired", "sign in again, or renew the credentials")
        case "InvalidToken", "InvalidClientTokenId", "InvalidSecurity":
            return failure(.unauthenticated, "the store does not accept the session token\(error.said)", "renew the credentials")
        case "RequestTimeTooSkewed", "RequestExpired": return failure(.clockSkew, skewText(error, request) ?? "the clocks differ too much", ClockSkew.remedy)
        case "PreconditionFailed": return failure(.changed, "its content is another one now", "try again")
        case "AccessDenied", "AllAccessDisabled", "Forbidden", "AccountProblem":
            return failure(.denied, "access denied\(error.said)", permission(subject))
        case "KeyTooLongError": return failure(.rejected, "the key is longer than the store takes", nil)
        default: break
        }
        switch error.status {
        case 404 where error.isDeleteMarker:
            return failure(.notFound, "it was deleted: its newest version is a delete marker", "an older version may be left in the bucket")
        // HEAD has no body. Whoever else answers 404 without an error of S3 is no store: a proxy, or a wrong path in the endpoint.
        case 404 where request.method == "HEAD": return failure(.notFound, "nothing is there", nil)
        case 404:
            return failure(.malformed, "404 without an S3 error: something other than the store answered", "check the endpoint, and what stands before it")
        case 401: return failure(.unauthenticated, "the store does not accept who asks\(error.said)", "check the credentials")
        case 403: return failure(.denied, "access denied\(error.said)", permission(subject))
        case 412: return failure(.changed, "its content is another one now", "try again")
        default: return nil
        }
    }

    private func skewText(_ error: S3Error, _ request: WireRequest) -> String? {
        guard let theirs = error.serverTime, let ours = request.header("X-Amz-Date").flatMap({ WallTime(iso: $0) }) else { return nil }
        return ClockSkew(ours: ours, theirs: theirs).text
    }

    private func permission(_ subject: Subject) -> String {
        let bucket = subject.location.authority
        switch subject.verb {
        case .list: return settings.isGoogle ? "it needs storage.objects.list on \(bucket)" : "it needs s3:ListBucket on \(bucket)"
        case .delete: return settings.isGoogle ? "it needs storage.objects.delete" : "it needs s3:DeleteObject"
        case .status, .read, .open:
            return settings.isGoogle
                ? "it needs storage.objects.get" : "it needs s3:GetObject, and s3:ListBucket to tell what is missing from what is forbidden"
        }
    }
}

/// What an answer of S3 that is no success says.
struct S3Error {
    var status: Int
    var code: String?
    var message: String?
    var region: String?
    var serverTime: WallTime?
    var isDeleteMarker: Bool

    init(_ answer: CollectedAnswer) {
        status = answer.status
        // XMLError: proxies answer with pages of their own, and HEAD without a body.
        let body = try? XMLElement.parse(answer.body, elementsMax: 1000)
        let error = body?.name == "Error" ? body : body?["Error"]
        code = error?.text("Code")
        message = error?.text("Message")
        // A wrong region in the signature, and a redirect, name the right one.
        let isElsewhere = (300..<400).contains(status) || status == 400
        region = isElsewhere ? answer.header("x-amz-bucket-region") ?? error?.text("Region") : nil
        if code == "IllegalLocationConstraintException" { region = nil }
        serverTime = error?.text("ServerTime").flatMap { WallTime(iso: $0) } ?? answer.header("Date").flatMap { WallTime(http: $0) }
        isDeleteMarker = answer.header("x-amz-delete-marker") == "true"
    }

    var advice: RetryPolicy.Advice? {
        switch code {
        case "SlowDown", "ServiceUnavailable", "TooManyRequests", "ThrottlingException", "RequestLimitExceeded": .wait
        case "RequestTimeout", "InternalError", "OperationAborted": .tryAgain
        default: RetryPolicy.advice(status: status)
        }
    }

    var tellsOfExpiry: Bool { ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"].contains(code) || status == 401 }

    /// ": AccessDenied, ..." for the end of a sentence; shortened, for it comes from outside.
    var said: String {
        let words = [code, message].compactMap { $0 }.map { String($0.prefix(200)) }
        return words.isEmpty ? "" : ": \(words.joined(separator: ", "))"
    }
}

extension WireRequest {
    /// The region that the signature names.
    var signedRegion: String? {
        guard let scope = header("Authorization")?.split(separator: ",").first?.split(separator: "/"), scope.count >= 5 else { return nil }
        return String(scope[scope.count - 3])
    }
}
