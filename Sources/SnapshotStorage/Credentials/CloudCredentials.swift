internal import HostEnvironment
internal import JSON
internal import StreamModel

/// How to get at Google's storage. Pure.
enum GoogleCredentials {
    enum Plan: Equatable {
        case hmac(accessKey: String, SecretReference)
        case token(SecretReference)
        /// The metadata server of a machine in Google's cloud.
        case metadata(host: String)
    }

    static let remedy = "set token_command = [\"gcloud\", \"auth\", \"print-access-token\"], or access_key and a secret (HMAC)"

    static func plan(_ rule: StorageRule?, _ environment: CredentialEnvironment) -> Plan {
        if let key = rule?.accessKey, let secret = rule?.secret { return .hmac(accessKey: key, secret) }
        if let token = rule?.token { return .token(token) }
        for name in ["GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"] where environment.variable(name) != nil { return .token(.environment(name)) }
        if let file = environment.variable("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE") { return .token(.file(file)) }
        return .metadata(host: environment.variable("GCE_METADATA_HOST") ?? "metadata.google.internal")
    }

    /// Asks the metadata server for a token and its end.
    static func token(
        from host: String, _ transport: any StorageTransport, now: WallTime, by deadline: EngineInstant
    ) throws(CredentialProblem) -> (Secret, freshUntil: WallTime?) {
        guard let endpoint = StorageEndpoint("http://\(host)") else { throw CredentialProblem("\(host) is no host", remedy: "correct GCE_METADATA_HOST") }
        let request = WireRequest(
            "GET", endpoint, path: "/computeMetadata/v1/instance/service-accounts/default/token", headers: [("Metadata-Flavor", "Google")])
        let soon = min(deadline, EngineInstant.now() + 2000)
        let answer: CollectedAnswer
        do throws(TransportFailure) { answer = try CollectedAnswer(try transport.open(request, by: soon), limit: 64 << 10, by: soon) } catch {
            throw CredentialProblem("no Google credentials were found", remedy: remedy)
        }
        // JSONSyntaxError: what answers there is no metadata server.
        let json = try? JSONValue.parse(answer.body, maximumDepth: 8)
        guard answer.status == 200, let token = json?["access_token"]?.text, let seconds = json?["expires_in"]?.integer, seconds >= 0 else {
            throw CredentialProblem("the metadata server gave no token (\(answer.status))", remedy: remedy)
        }
        return (Secret(token), now + .seconds(max(0, seconds - 60)))
    }
}

/// How to get at Azure's storage. Pure.
enum AzureCredentials {
    enum Plan: Equatable {
        case sharedKey(SecretReference)
        case signature(SecretReference)
        case token(SecretReference)
        /// From `AZURE_STORAGE_CONNECTION_STRING`.
        case fixed(key: Secret?, signature: Secret?, endpoint: String?)
        case anonymous
    }

    static let remedy = "set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or name a key or SAS in [storage]"

    static func plan(_ rule: StorageRule?, account: String, _ environment: CredentialEnvironment) throws(CredentialProblem) -> Plan {
        if rule?.isAnonymous == true { return .anonymous }
        if let key = rule?.accountKey { return .sharedKey(key) }
        if let signature = rule?.sharedAccessSignature { return .signature(signature) }
        if let token = rule?.token { return .token(token) }
        if let text = environment.variable("AZURE_STORAGE_CONNECTION_STRING") {
            let parts = try connection(text)
            // What is for another account helps nobody here.
            if parts["AccountName"].map({ $0 == account }) ?? true {
                return .fixed(
                    key: parts["AccountKey"].map { Secret($0) }, signature: parts["SharedAccessSignature"].map { Secret($0) }, endpoint: parts["BlobEndpoint"])
            }
        }
        guard environment.variable("AZURE_STORAGE_ACCOUNT").map({ $0 == account }) ?? true else { return .anonymous }
        if environment.variable("AZURE_STORAGE_KEY") != nil { return .sharedKey(.environment("AZURE_STORAGE_KEY")) }
        if environment.variable("AZURE_STORAGE_SAS_TOKEN") != nil { return .signature(.environment("AZURE_STORAGE_SAS_TOKEN")) }
        return .anonymous
    }

    static func connection(_ text: String) throws(CredentialProblem) -> [String: String] {
        var parts: [String: String] = [:]
        for part in text.split(separator: ";") {
            guard let equals = part.firstIndex(of: "=") else {
                throw CredentialProblem("AZURE_STORAGE_CONNECTION_STRING is no list of NAME=VALUE", remedy: "copy it anew from the portal")
            }
            parts[String(part[..<equals])] = String(part[part.index(after: equals)...])
        }
        return parts
    }
}
