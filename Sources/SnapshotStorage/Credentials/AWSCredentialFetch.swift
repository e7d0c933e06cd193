internal import HostEnvironment
internal import JSON
internal import StreamModel

/// Carries out a plan: asks the program, STS, the container or the instance.
struct AWSCredentialFetch: Sendable {
    var environment: CredentialEnvironment
    var transport: any StorageTransport
    var region: String
    var now: @Sendable () -> WallTime = { WallTime.now() }

    private static let answerMax = 128 << 10

    func credentials(_ plan: AWSCredentialPlan, by deadline: EngineInstant) throws(CredentialProblem) -> AWSCredentials {
        switch plan {
        case .ready(let credentials): return credentials
        case .process(let words, let source):
            return try Self.read(json: try CommandRunner.output(of: words, by: deadline), keys: ("SecretAccessKey", "SessionToken"), source: source)
        case .webIdentity(let file, let role, let session, let source):
            let token = try SecretReference.file(file).reveal(environment, by: deadline)
            let body = [
                QueryItem("Action", "AssumeRoleWithWebIdentity"), QueryItem("Version", "2011-06-15"), QueryItem("RoleArn", role),
                QueryItem("RoleSessionName", session), QueryItem("WebIdentityToken", token.reveal()),
            ]
            return try Self.read(sts: try ask(sts(body), "STS", by: deadline), source: source)
        case .role(let role, let session, let externalID, let base, let source):
            var body = [
                QueryItem("Action", "AssumeRole"), QueryItem("Version", "2011-06-15"), QueryItem("RoleArn", role), QueryItem("RoleSessionName", session),
            ]
            if let externalID { body.append(QueryItem("ExternalId", externalID)) }
            let own = try credentials(base, by: deadline)
            var request = sts(body)
            SignatureV4(accessKey: own.accessKey, secret: own.secret, sessionToken: own.sessionToken, region: region, service: "sts")
                .sign(&request, at: now(), sendsBodyHash: false)
            return try Self.read(sts: try ask(request, "STS", by: deadline), source: source)
        case .container(let url, let tokenFile, let token, let source):
            return try container(url, tokenFile, token, source, by: deadline)
        case .instance(let endpoint, let source): return try instance(endpoint, source, by: deadline)
        }
    }

    // MARK: STS

    private func sts(_ body: [QueryItem]) -> WireRequest {
        let chosen = environment.variable("AWS_ENDPOINT_URL_STS") ?? environment.variable("AWS_ENDPOINT_URL")
        let host = region.hasPrefix("cn-") ? "sts.\(region).amazonaws.com.cn" : "sts.\(region).amazonaws.com"
        let endpoint = chosen.flatMap { StorageEndpoint($0) } ?? StorageEndpoint(isSecure: true, host: host)
        return WireRequest(
            "POST", endpoint, path: "/", headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: Array(QueryItem.text(body).utf8)
        )
    }

    static func read(sts body: [UInt8], source: String) throws(CredentialProblem) -> AWSCredentials {
        let answer: XMLElement
        do throws(XMLError) { answer = try XMLElement.parse(body) } catch {
            throw CredentialProblem("STS answered with something that \(error.what.rawValue)", remedy: "check the endpoint of STS")
        }
        let found = answer.children.lazy.compactMap { $0["Credentials"] }.first
        guard let found, let key = found.text("AccessKeyId"), let secret = found.text("SecretAccessKey"), let token = found.text("SessionToken") else {
            throw CredentialProblem("STS answered without credentials", remedy: "check the endpoint of STS")
        }
        return AWSCredentials(
            accessKey: key, secret: Secret(secret), sessionToken: Secret(token), expiresAt: found.text("Expiration").flatMap { WallTime(iso: $0) },
            source: source)
    }

    // MARK: Container and instance

    private func container(_ url: String, _ file: String?, _ token: Secret?, _ source: String, by deadline: EngineInstant) throws(CredentialProblem)
        -> AWSCredentials
    {
        guard let parts = Self.split(url), parts.endpoint.isSecure || Self.isNear(parts.endpoint.host) else {
            throw CredentialProblem("the container's endpoint is no URL that can be trusted with a token", remedy: "use https, or an address of this host")
        }
        var request = WireRequest("GET", parts.endpoint, path: parts.path, query: parts.query)
        if let file {
            request.set("Authorization", try SecretReference.file(file).reveal(environment, by: deadline).reveal())
        } else if let token {
            request.set("Authorization", token.reveal())
        }
        return try Self.read(json: try ask(request, source, by: deadline), keys: ("SecretAccessKey", "Token"), source: source)
    }

    /// Plain HTTP is for the loopback and for the addresses that ECS and EKS use.
    private static func isNear(_ host: String) -> Bool {
        host == "localhost" || host.hasPrefix("127.") || host == "::1" || host == "169.254.170.2" || host == "169.254.170.23" || host == "fd00:ec2::23"
    }

    private func instance(_ endpoint: String, _ source: String, by deadline: EngineInstant) throws(CredentialProblem) -> AWSCredentials {
        guard let endpoint = StorageEndpoint(endpoint) else {
            throw CredentialProblem("\(endpoint) is no URL", remedy: "correct AWS_EC2_METADATA_SERVICE_ENDPOINT")
        }
        // Where there is no instance nobody answers; nobody waits long for that.
        let soon = min(deadline, EngineInstant.now() + 2000)
        let path = "/latest/meta-data/iam/security-credentials/"
        do throws(CredentialProblem) {
            var question = WireRequest("PUT", endpoint, path: "/latest/api/token", headers: [("X-aws-ec2-metadata-token-ttl-seconds", "21600")])
            question.set("Content-Length", "0")
            let token = String(decoding: try ask(question, source, by: soon), as: UTF8.self)
            guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw CredentialProblem("\(source) gave no token", remedy: AWSCredentialChain.remedy)
            }
            let headers = [("X-aws-ec2-metadata-token", token)]
            let roles = String(decoding: try ask(WireRequest("GET", endpoint, path: path, headers: headers), source, by: soon), as: UTF8.self)
            guard let role = roles.split(whereSeparator: \.isNewline).first else {
                throw CredentialProblem("the instance has no role", remedy: "attach a role to it, or \(AWSCredentialChain.remedy)")
            }
            let answer = try ask(WireRequest("GET", endpoint, path: path + PercentEncoding.query(String(role)), headers: headers), source, by: soon)
            return try Self.read(json: answer, keys: ("SecretAccessKey", "Token"), source: source)
        } catch {
            throw CredentialProblem("no AWS credentials were found, and \(error.problem)", remedy: AWSCredentialChain.remedy)
        }
    }

    static func split(_ url: String) -> (endpoint: StorageEndpoint, path: String, query: [QueryItem])? {
        let bare = url.prefix { $0 != "?" }
        guard let scheme = bare.firstRange(of: "://"), let query = QueryItem.parse(url.dropFirst(bare.count)) else { return nil }
        let rest = bare[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        guard let endpoint = StorageEndpoint(String(bare[..<scheme.upperBound]) + authority) else { return nil }
        let path = String(rest.dropFirst(authority.count))
        return (endpoint, path.isEmpty ? "/" : path, query)
    }

    /// What a program, the container or the instance writes.
    static func read(json: [UInt8], keys: (secret: String, token: String), source: String) throws(CredentialProblem) -> AWSCredentials {
        // JSONSyntaxError: said below, without showing what it was.
        let value = try? JSONValue.parse(json, maximumDepth: 8)
        guard let key = value?["AccessKeyId"]?.text, let secret = value?[keys.secret]?.text, !key.isEmpty, !secret.isEmpty else {
            throw CredentialProblem("\(source) gave no credentials", remedy: "it has to write JSON with AccessKeyId and SecretAccessKey")
        }
        var expiry: WallTime?
        if let text = value?["Expiration"]?.text {
            expiry = WallTime(iso: text)
            if expiry == nil { throw CredentialProblem("\(source) gave an expiry that is no time", remedy: "it has to be like 2026-01-31T12:00:00Z") }
        }
        return AWSCredentials(
            accessKey: key, secret: Secret(secret), sessionToken: value?[keys.token]?.text.map { Secret($0) }, expiresAt: expiry, source: source)
    }

    private func ask(_ request: WireRequest, _ whom: String, by deadline: EngineInstant) throws(CredentialProblem) -> [UInt8] {
        let answer: CollectedAnswer
        do throws(TransportFailure) {
            answer = try CollectedAnswer(try transport.open(request, by: deadline), limit: Self.answerMax, by: deadline)
        } catch {
            throw CredentialProblem("\(whom): \(error.problem)", remedy: error.remedy ?? "try again")
        }
        guard (200..<300).contains(answer.status), !answer.isCut else {
            // XMLError: the status says enough.
            let code = (try? XMLElement.parse(answer.body)).flatMap { $0["Error"]?.text("Code") }
            throw CredentialProblem("\(whom) refused (\(answer.status)\(code.map { ", \($0.prefix(80))" } ?? ""))", remedy: "check the role and the token")
        }
        return answer.body
    }
}
