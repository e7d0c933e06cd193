internal import Glibc
public import StreamModel

/// How to reach a cluster: where it is, who we are, whom we trust. Secrets are named here, not held, except where a configuration file
/// spells them out; no description shows one.
public struct FlinkConnection: Hashable, Sendable {
    /// The context of every cluster that is named by its address alone. Two of them have nothing but this name in common.
    public static let sharedContext = "flink"

    public var address: FlinkAddress
    /// Where the leader may be as well. What has no answer at one place is asked at the next; what changes something is sent to one only.
    public var alternatives: [FlinkAddress] = []
    /// Sent with every request, for proxies. By name.
    public var headers: [FlinkHeader]
    /// Sent as `Authorization: Bearer ...`. Read anew for every request, so that a token that is renewed on disk goes on working.
    public var token: FlinkSecret?
    /// PEM file of the certificate authorities to trust instead of the system's.
    public var authorityFile: String?
    /// PEM files of our own certificate chain and its key.
    public var clientCertificate: ClientCertificate?
    /// The name that the cluster's certificate must carry, and that is asked for; nil = the host of the address.
    public var serverName: String?
    /// From the request to the last byte of its answer.
    public var timeout: Milliseconds
    public var connectTimeout: Milliseconds

    /// Nothing that is sent says who we are.
    public var isAnonymous: Bool { token == nil && headers.isEmpty && clientCertificate == nil }

    public struct ClientCertificate: Hashable, Sendable {
        public var chainFile: String
        public var keyFile: String
        public init(chainFile: String, keyFile: String) { (self.chainFile, self.keyFile) = (chainFile, keyFile) }
    }

    public init(
        _ address: FlinkAddress, headers: [FlinkHeader] = [], token: FlinkSecret? = nil, authorityFile: String? = nil,
        clientCertificate: ClientCertificate? = nil, serverName: String? = nil, timeout: Milliseconds = .seconds(10), connectTimeout: Milliseconds = .seconds(4)
    ) {
        self.address = address
        self.headers = headers
        self.token = token
        self.authorityFile = authorityFile
        self.clientCertificate = clientCertificate
        self.serverName = serverName
        self.timeout = timeout
        self.connectTimeout = connectTimeout
    }
}

/// A header of every request.
public struct FlinkHeader: Hashable, Sendable, CustomStringConvertible {
    public let name: String
    public let value: FlinkSecret

    /// Headers that carry the message itself are not the operator's to set.
    private static let ours: Set<String> = ["host", "content-length", "transfer-encoding", "connection", "content-type", "expect", "upgrade", "te"]

    /// One line: why a header is none.
    public init(name: String, value: FlinkSecret) throws(FlinkAddress.Problem) {
        let isToken = name.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
        guard !name.isEmpty, name.utf8.count <= 200, isToken else {
            throw FlinkAddress.Problem(description: "'\(shortened(name, to: 100))' is no name of a header: letters, digits and hyphens")
        }
        guard !Self.ours.contains(name.lowercased()) else {
            throw FlinkAddress.Problem(description: "the header \(name) is set by the connection itself: leave it out")
        }
        self.name = name
        self.value = value
    }

    public var description: String { "\(name): \(value)" }
}

/// Where a secret comes from. Its value appears in no description, no message and no log.
public enum FlinkSecret: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    case file(String)
    case environment(String)
    /// Spelled out in a configuration file.
    case literal(String)

    /// "env:NAME", "file:/path", or the text itself.
    public init(_ text: String) {
        if text.hasPrefix("env:") {
            self = .environment(String(text.dropFirst(4)))
        } else if text.hasPrefix("file:") {
            self = .file(String(text.dropFirst(5)))
        } else {
            self = .literal(text)
        }
    }

    public var description: String {
        switch self {
        case .file(let path): "file:\(path)"
        case .environment(let name): "env:\(name)"
        case .literal: "in the configuration"
        }
    }

    /// A dump would otherwise show a literal.
    public var customMirror: Mirror { Mirror(self, children: []) }

    private static let bytesMax = 64 << 10

    /// The value; of a file its first line. Throws `.misconfigured`.
    public func reveal() throws(FlinkFailure) -> String {
        let text: String
        switch self {
        case .literal(let value): text = value
        case .environment(let name):
            guard let value = getenv(name) else {
                throw FlinkFailure(.misconfigured, "the variable \(name) is not set: set it, or name another one")
            }
            text = String(cString: value)
        case .file(let path): text = String(try Self.contents(of: path).prefix { !$0.isNewline })
        }
        let value = String(decoding: text.utf8.drop { $0 == 0x20 }.reversed().drop { $0 == 0x20 }.reversed(), as: UTF8.self)
        guard !value.isEmpty, value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
            throw FlinkFailure(.misconfigured, "the secret \(self) is empty or has control characters or others that a header cannot carry")
        }
        return value
    }

    private static func contents(of path: String) throws(FlinkFailure) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1), count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return Glibc.read(descriptor, rest.baseAddress, rest.count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
            if got == 0 { break }
            count += got
        }
        guard count <= bytesMax else { throw FlinkFailure(.misconfigured, "\(path) is longer than \(bytesMax) bytes: is it a token?") }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
