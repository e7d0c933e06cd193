internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// Opens the store of a location, with the endpoint and the credentials that settings, environment and the clouds' own files say. Stores are
/// kept, so that connections, credentials and learned regions are; all together have at most eight requests in flight.
public final class Storages: Sendable {
    private let settings: StorageSettings
    private let environment: CredentialEnvironment
    private let notify: @Sendable (StorageNotice) -> Void
    private let flights = FlightLimit()
    private let state = Mutex(State())

    private struct State {
        var opened: [String: Opened] = [:]
        /// By CA file.
        var transports: [String: HTTPTransport] = [:]
        var isClosed = false
    }

    private struct Opened {
        var storage: any SnapshotStorage
        var access: StorageAccess
    }

    /// - Parameter notify: Called on the thread that waits.
    public init(
        _ settings: StorageSettings = StorageSettings(), environment: CredentialEnvironment = .process,
        notify: @escaping @Sendable (StorageNotice) -> Void = { _ in }
    ) { (self.settings, self.environment, self.notify) = (settings, environment, notify) }

    /// Ends connections, and requests that are under way. Without it they end with the last store that is held.
    public func close() {
        let transports = state.withLock { state in
            state.isClosed = true
            state.opened = [:]
            defer { state.transports = [:] }
            return state.transports.values.map { $0 }
        }
        for transport in transports { transport.close() }
    }

    /// The store of a location. Sends nothing.
    public func storage(for location: StorageLocation) throws(StorageFailure) -> any SnapshotStorage { try opened(location).storage }

    /// How a location would be reached, for people: endpoint, region and where its credentials were found. No secrets.
    public func access(to location: StorageLocation) throws(StorageFailure) -> StorageAccess { try opened(location).access }

    private func opened(_ location: StorageLocation) throws(StorageFailure) -> Opened {
        if location.store == .local { return Opened(storage: LocalStorage(), access: StorageAccess(endpoint: "this machine", credentials: "none needed")) }
        let rule = settings.rule(for: location)
        let place = location.store == .azure || location.store == .hdfs ? location.authority : ""
        let name = "\(rule?.prefix.canonical ?? "")|\(location.store)|\(place)"
        if let opened = state.withLock({ $0.opened[name] }) { return opened }
        let made: Opened
        do throws(CredentialProblem) {
            switch location.store {
            case .local: throw CredentialProblem("a local path", remedy: "")
            case .s3: made = try s3(rule)
            case .google: made = try google(rule)
            case .azure: made = try azure(location, rule)
            case .hdfs: made = try hdfs(location, rule)
            case .other:
                guard let rule, !rule.endpoints.isEmpty else {
                    throw CredentialProblem(
                        "\(location.scheme): is not spoken here",
                        remedy: "if its store speaks S3, name the endpoint: [storage.\"\(location.scheme)://\(location.authority)\"] endpoint = \"https://...\""
                    )
                }
                made = try s3(rule)
            }
        } catch {
            throw StorageFailure(location.store == .other ? .unsupported : .misconfigured, location, .open, error.problem, remedy: error.remedy)
        }
        return state.withLock { state in
            if let other = state.opened[name] { return other }
            state.opened[name] = made
            return made
        }
    }

    private func transport(_ authorityFile: String?) throws(CredentialProblem) -> HTTPTransport {
        let found: HTTPTransport? = state.withLock { state in
            guard !state.isClosed else { return nil }
            let name = authorityFile ?? ""
            if let transport = state.transports[name] { return transport }
            let transport = HTTPTransport(authorityFile: authorityFile)
            state.transports[name] = transport
            return transport
        }
        guard let found else { throw CredentialProblem("the storages were closed", remedy: "open them anew") }
        return found
    }

    private func exchange(_ transport: any StorageTransport, _ dialect: any StorageDialect) -> Exchange {
        Exchange(transport: transport, flights: flights, dialect: dialect, notify: notify)
    }

    private func source(_ reference: SecretReference) -> RenewingSource<Secret> {
        let environment = environment
        return RenewingSource { deadline in
            do throws(CredentialProblem) {
                // A command is dear; a file is read anew as often as somebody may have renewed it.
                let life: Milliseconds = if case .command = reference { .minutes(5) } else { .seconds(10) }
                return .success((try reference.reveal(environment, by: deadline), freshUntil: WallTime.now() + life))
            } catch {
                return .failure(error)
            }
        }
    }

    // MARK: S3

    private func s3(_ rule: StorageRule?) throws(CredentialProblem) -> Opened {
        let chain = AWSCredentialChain(environment: environment, profile: rule?.profile)
        var endpoint = rule?.endpoints.first
        if endpoint == nil, let text = try chain.endpoint() {
            guard let named = StorageEndpoint(text) else {
                throw CredentialProblem("the endpoint URL of AWS's settings is no URL", remedy: "write https://host:port")
            }
            endpoint = named
        }
        var region = rule?.region
        if region == nil { region = try chain.region() }
        var pathStyle = rule?.usesPathStyle
        if pathStyle == nil { pathStyle = try chain.usesPathStyle() }
        var authority = rule?.authorityFile
        if authority == nil { authority = try chain.authorityFile() }
        let settings = S3Settings(
            endpoint: endpoint, region: region ?? "us-east-1", regionIsGuess: region == nil, pathStyle: pathStyle)
        let (identity, words) = try identity(rule, chain, settings)
        let dialect = S3Dialect(settings, identity)
        return Opened(
            storage: S3Storage(dialect: dialect, exchange: exchange(try transport(authority), dialect)),
            access: StorageAccess(endpoint: endpoint?.description ?? "AWS S3", region: settings.region, credentials: words))
    }

    private func identity(_ rule: StorageRule?, _ chain: AWSCredentialChain, _ settings: S3Settings) throws(CredentialProblem) -> (S3Identity, String) {
        if rule?.isAnonymous == true { return (.anonymous, "none (anonymous)") }
        if let key = rule?.accessKey, let secret = rule?.secret {
            return (.keys(keys(key, secret, rule?.token)), "access_key of the configuration, with \(secret)")
        }
        let plan = try chain.plan()
        let fetch = AWSCredentialFetch(environment: environment, transport: try transport(nil), region: settings.region)
        let isFixed = if case .ready = plan { true } else { false }
        let source = RenewingSource<AWSCredentials>(isFixed: isFixed) { deadline in
            do throws(CredentialProblem) {
                let credentials = try fetch.credentials(plan, by: deadline)
                // What comes already near its end is used as long as it lasts.
                let margin = credentials.expiresAt.map { $0 + Milliseconds(-AWSCredentials.margin.count) }
                return .success((credentials, freshUntil: margin))
            } catch {
                return .failure(error)
            }
        }
        return (.keys(source), plan.source)
    }

    private func keys(_ accessKey: String, _ secret: SecretReference, _ token: SecretReference?) -> RenewingSource<AWSCredentials> {
        let environment = environment
        return RenewingSource { deadline in
            do throws(CredentialProblem) {
                let session: Secret? = if let token { try token.reveal(environment, by: deadline) } else { nil }
                let keys = AWSCredentials(
                    accessKey: accessKey, secret: try secret.reveal(environment, by: deadline), sessionToken: session, expiresAt: nil, source: "configuration")
                return .success((keys, freshUntil: WallTime.now() + .seconds(10)))
            } catch {
                return .failure(error)
            }
        }
    }

    // MARK: Google

    private func google(_ rule: StorageRule?) throws(CredentialProblem) -> Opened {
        var endpoint = rule?.endpoints.first ?? StorageEndpoint(isSecure: true, host: "storage.googleapis.com")
        if rule?.endpoints.isEmpty ?? true, let text = environment.variable("STORAGE_EMULATOR_HOST") {
            guard let emulator = StorageEndpoint(text.contains("://") ? text : "http://" + text) else {
                throw CredentialProblem("STORAGE_EMULATOR_HOST is no URL", remedy: "write http://host:port")
            }
            endpoint = emulator
        }
        let http = try transport(rule?.authorityFile)
        let identity: S3Identity, words: String
        switch rule?.isAnonymous == true ? nil : GoogleCredentials.plan(rule, environment) {
        case nil: (identity, words) = (.anonymous, "none (anonymous)")
        case .hmac(let key, let secret): (identity, words) = (.keys(keys(key, secret, nil)), "an HMAC key, with \(secret)")
        case .token(let reference): (identity, words) = (.bearer(source(reference)), "a token in \(reference)")
        case .metadata(let host):
            words = "the metadata server"
            identity = .bearer(
                RenewingSource { deadline in
                    do throws(CredentialProblem) { return .success(try GoogleCredentials.token(from: host, http, now: WallTime.now(), by: deadline)) } catch {
                        return .failure(error)
                    }
                })
        }
        let settings = S3Settings(
            endpoint: endpoint, region: rule?.region ?? "auto", regionIsGuess: false, pathStyle: rule?.usesPathStyle ?? true, isGoogle: true)
        let dialect = S3Dialect(settings, identity)
        return Opened(
            storage: S3Storage(dialect: dialect, exchange: exchange(http, dialect)), access: StorageAccess(endpoint: endpoint.description, credentials: words))
    }

    // MARK: Azure

    private func azure(_ location: StorageLocation, _ rule: StorageRule?) throws(CredentialProblem) -> Opened {
        guard let place = AzureDialect.Place(location) else {
            throw CredentialProblem("it does not name its account", remedy: "write \(location.scheme)://container@account.dfs.core.windows.net/path")
        }
        var endpoint = rule?.endpoints.first
        let identity: AzureIdentity, words: String
        switch try AzureCredentials.plan(rule, account: place.account, environment) {
        case .anonymous: (identity, words) = (.anonymous, "none (anonymous)")
        case .sharedKey(let reference): (identity, words) = (.sharedKey(source(reference)), "the account's key in \(reference)")
        case .signature(let reference): (identity, words) = (.signature(source(reference)), "a SAS in \(reference)")
        case .token(let reference): (identity, words) = (.bearer(source(reference)), "a token in \(reference)")
        case .fixed(let key, let signature, let named):
            if endpoint == nil, let named { endpoint = StorageEndpoint(named) }
            words = "AZURE_STORAGE_CONNECTION_STRING"
            if let key {
                identity = .sharedKey(RenewingSource(isFixed: true) { _ in .success((key, freshUntil: nil)) })
            } else if let signature {
                identity = .signature(RenewingSource(isFixed: true) { _ in .success((signature, freshUntil: nil)) })
            } else {
                identity = .anonymous
            }
        }
        let dialect = AzureDialect(endpoint: endpoint, identity)
        return Opened(
            storage: AzureStorage(dialect: dialect, exchange: exchange(try transport(rule?.authorityFile), dialect)),
            access: StorageAccess(endpoint: endpoint?.description ?? "https://\(place.host)", credentials: words))
    }

    // MARK: HDFS

    private func hdfs(_ location: StorageLocation, _ rule: StorageRule?) throws(CredentialProblem) -> Opened {
        var endpoints = rule?.endpoints ?? []
        if endpoints.isEmpty, location.scheme != "viewfs" {
            // `hdfs:` names the port of another protocol; WebHDFS has its own.
            let isSecure = location.scheme == "swebhdfs"
            let host = location.authority.prefix { $0 != ":" }
            let port = location.scheme == "hdfs" ? "9870" : String(location.authority.dropFirst(host.count + 1))
            endpoints = StorageEndpoint("\(isSecure ? "https" : "http")://\(host):\(port.isEmpty ? isSecure ? "9871" : "9870" : port)").map { [$0] } ?? []
        }
        guard !endpoints.isEmpty else {
            throw CredentialProblem(
                "nothing says where its WebHDFS is", remedy: "[storage.\"\(location.scheme)://\(location.authority)\"] endpoint = \"http://namenode:9870\"")
        }
        let identity: HDFSIdentity, words: String
        if let token = rule?.token {
            (identity, words) = (.delegation(source(token)), "a delegation token in \(token)")
        } else if let user = rule?.user ?? environment.variable("HADOOP_USER_NAME") {
            (identity, words) = (.user(user), "the user name \(user)")
        } else {
            (identity, words) = (.anonymous, "none")
        }
        let dialect = WebHDFSDialect(endpoints: endpoints, identity)
        let http = RedirectingTransport(base: try transport(rule?.authorityFile))
        return Opened(
            storage: WebHDFSStorage(dialect, exchange(http, dialect)),
            access: StorageAccess(endpoint: endpoints.map(\.description).joined(separator: ", "), credentials: words))
    }
}

/// How a location is reached, in words that hold no secret.
public struct StorageAccess: Sendable, Equatable {
    public var endpoint: String
    public var region: String?
    /// Where they were found.
    public var credentials: String

    public init(endpoint: String, region: String? = nil, credentials: String) {
        (self.endpoint, self.region, self.credentials) = (endpoint, region, credentials)
    }
}
