/// What an operator says of one place: the settings of `[storage."s3://bucket/prefix"]`. What is nil is found as the cloud's own tools find it.
public struct StorageRule: Sendable, Equatable {
    /// Everything below it is meant; the longest one counts.
    public var prefix: StorageLocation
    /// Several = NameNodes of which one is active.
    public var endpoints: [StorageEndpoint] = []
    public var region: String?
    /// Of the AWS tools.
    public var profile: String?
    /// PEM file of the authorities to trust.
    public var authorityFile: String?
    public var usesPathStyle: Bool?
    /// S3's or Google's HMAC key, with `secret`.
    public var accessKey: String?
    /// Belongs to `accessKey`.
    public var secret: SecretReference?
    /// A bearer token, an HDFS delegation token, or the session token of `accessKey`.
    public var token: SecretReference?
    /// Of Azure.
    public var accountKey: SecretReference?
    public var sharedAccessSignature: SecretReference?
    /// Of HDFS without Kerberos.
    public var user: String?
    public var isAnonymous = false
    public var entropy: EntropyMarker?

    public init(_ prefix: StorageLocation) { self.prefix = prefix }

    func covers(_ location: StorageLocation) -> Bool {
        let own = prefix.canonical, text = location.canonical
        return text == own || text.hasPrefix(own.hasSuffix("/") ? own : own + "/")
    }
}

public struct StorageSettings: Sendable, Equatable {
    public var rules: [StorageRule]
    public init(_ rules: [StorageRule] = []) { self.rules = rules }

    /// The rule for a location: that with the longest prefix.
    public func rule(for location: StorageLocation) -> StorageRule? {
        rules.filter { $0.covers(location) }.max { $0.prefix.canonical.utf8.count < $1.prefix.canonical.utf8.count }
    }
}
