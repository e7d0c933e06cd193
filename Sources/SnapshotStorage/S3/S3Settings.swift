internal import StreamModel

/// How buckets of one kind are reached.
struct S3Settings: Sendable {
    /// nil = AWS, by region.
    var endpoint: StorageEndpoint?
    var region: String
    /// Nobody named it: another one that the store names is taken.
    var regionIsGuess: Bool
    /// nil = the bucket in the path at endpoints of one's own, and before the host at AWS.
    var pathStyle: Bool?
    /// Google's XML API: what it takes and how its permissions are called.
    var isGoogle = false

    /// Where a bucket is asked: the endpoint with the bucket in host or path.
    func endpoint(of bucket: String, region: String) -> StorageEndpoint {
        let base = endpoint ?? StorageEndpoint(isSecure: true, host: region.hasPrefix("cn-") ? "s3.\(region).amazonaws.com.cn" : "s3.\(region).amazonaws.com")
        // TLS certificates cover one label before the host, and addresses have no labels.
        let canBeHost = !base.isAddress && !(base.isSecure && bucket.contains(".")) && !bucket.contains("_") && bucket == bucket.lowercased()
        let usesPath = pathStyle ?? (endpoint != nil || !canBeHost)
        guard usesPath else { return base.withBucket(bucket) }
        return StorageEndpoint(isSecure: base.isSecure, host: base.host, port: base.port, prefix: base.prefix + "/" + PercentEncoding.path(bucket))
    }
}

/// Who asks.
enum S3Identity: Sendable {
    case keys(RenewingSource<AWSCredentials>)
    case bearer(RenewingSource<Secret>)
    case anonymous
}
