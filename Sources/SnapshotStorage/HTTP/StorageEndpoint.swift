/// Scheme, host, port and path prefix of a store's HTTP API.
public struct StorageEndpoint: Hashable, Sendable, CustomStringConvertible {
    public let isSecure: Bool
    /// An IPv6 address without brackets.
    public let host: String
    public let port: Int
    /// "/prefix" or empty; encoded.
    public let prefix: String

    public init(isSecure: Bool, host: String, port: Int? = nil, prefix: String = "") {
        (self.isSecure, self.host, self.port, self.prefix) = (isSecure, host, port ?? (isSecure ? 443 : 80), prefix)
    }

    /// "https://host:port/prefix"; nil = it is no such URL, or has a user, a query or a fragment.
    public init?(_ text: String) {
        let lower = text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { lower.hasPrefix($0) }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        guard !authority.isEmpty, !authority.contains("@"), !rest.contains(where: { $0 == "?" || $0 == "#" || $0.isWhitespace }), text.allSatisfy(\.isASCII)
        else { return nil }
        var host = authority, port: Int?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") && Int(tail.dropFirst()) != nil else { return nil }
            port = Int(tail.dropFirst())
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            guard let number = Int(authority[authority.index(after: colon)...]) else { return nil }
            port = number
        }
        guard !host.isEmpty, port.map({ (1...65_535).contains($0) }) ?? true else { return nil }
        var prefix = String(path)
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.init(isSecure: scheme == "https://", host: host.lowercased(), port: port, prefix: prefix)
    }

    /// The `Host` header: with the port only where it is not the scheme's own.
    var hostHeader: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(hostHeader)\(prefix)" }

    /// The same with a bucket before the host's name.
    func withBucket(_ bucket: String) -> StorageEndpoint {
        StorageEndpoint(isSecure: isSecure, host: "\(bucket).\(host)", port: port, prefix: prefix)
    }

    /// A name that TLS and virtual hosts can use: no address, and no dots in the bucket.
    var isAddress: Bool { host.contains(":") || host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e } || host == "localhost" }
}

/// A request as it is signed and sent.
public struct WireRequest: Sendable, Equatable {
    var method: String
    var endpoint: StorageEndpoint
    /// Encoded, without the endpoint's prefix; begins with a slash.
    var path: String
    var query: [QueryItem] = []
    /// Names as they are sent.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    init(
        _ method: String, _ endpoint: StorageEndpoint, path: String, query: [QueryItem] = [], headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        (self.method, self.endpoint, self.path, self.query, self.headers, self.body) = (method, endpoint, path, query, headers, body)
    }

    /// Path with the endpoint's prefix.
    var fullPath: String { endpoint.prefix + path }

    var url: String {
        "\(endpoint.isSecure ? "https" : "http")://\(endpoint.hostHeader)\(fullPath)\(query.isEmpty ? "" : "?" + QueryItem.text(query))"
    }

    mutating func set(_ name: String, _ value: String) {
        headers.removeAll { $0.name.lowercased() == name.lowercased() }
        headers.append((name, value))
    }

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }

    public static func == (left: WireRequest, right: WireRequest) -> Bool {
        left.method == right.method && left.url == right.url && left.body == right.body
            && left.headers.map { "\($0.name): \($0.value)" } == right.headers.map { "\($0.name): \($0.value)" }
    }
}
