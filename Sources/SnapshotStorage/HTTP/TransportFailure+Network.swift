internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

extension TransportFailure {
    /// What the network, TLS or HTTP said, in the operator's words.
    init(_ error: any Error, _ endpoint: StorageEndpoint, hasBegun: Bool) {
        switch error {
        case let error as HTTPClientError: self.init(error, endpoint, hasBegun)
        case let error as NIOConnectionError: self.init(error, endpoint)
        case is ChannelError:
            self.init(hasBegun ? .cut : .timedOut, hasBegun ? "the answer of \(endpoint) was cut" : "\(endpoint) did not take the connection in time")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: self.init(tls: error, endpoint, hasBegun)
        case let error as IOError: self.init(hasBegun ? .cut : .unreachable, "\(endpoint): \(Self.words(error.errnoCode))")
        case is HTTPParserError where hasBegun: self.init(.cut, "the answer of \(endpoint) was cut")
        case is HTTPParserError: self.init(.notHTTP, "\(endpoint) does not speak HTTP", remedy: "check scheme and port of the endpoint")
        default: self.init(hasBegun ? .cut : .unreachable, "\(endpoint): \("\(error)".prefix(200))")
        }
    }

    private init(_ error: HTTPClientError, _ endpoint: StorageEndpoint, _ hasBegun: Bool) {
        switch error {
        case .readTimeout: self.init(hasBegun ? .cut : .timedOut, "\(endpoint) fell silent")
        case .deadlineExceeded: self.init(.timedOut, "\(endpoint) did not answer in time")
        case .connectTimeout, .getConnectionFromPoolTimeout: self.init(.timedOut, "\(endpoint) did not take the connection in time")
        case .tlsHandshakeTimeout: self.init(.timedOut, "\(endpoint) did not end the TLS handshake in time", remedy: "is it https?")
        case .remoteConnectionClosed: self.init(.cut, "\(endpoint) closed the connection \(hasBegun ? "in the middle of the answer" : "without an answer")")
        case .bodyLengthMismatch: self.init(.notHTTP, "\(endpoint): \(error.shortDescription)")
        case .cancelled, .alreadyShutdown: self.init(.closed, "given up")
        default: self.init(hasBegun ? .cut : .unreachable, "\(endpoint): \(error.shortDescription.prefix(200))")
        }
    }

    private init(_ error: NIOConnectionError, _ endpoint: StorageEndpoint) {
        if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
            self.init(.refused, "the host \(endpoint.host) has no address", remedy: "check the endpoint, the region and the name of the bucket")
            return
        }
        switch error.connectionErrors.first?.error {
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            self.init(.refused, "\(endpoint) refuses the connection: nobody listens there", remedy: "check the endpoint")
        case let error as IOError: self.init(.unreachable, "\(endpoint): \(Self.words(error.errnoCode))")
        case is ChannelError: self.init(.timedOut, "\(endpoint) did not take the connection in time")
        default: self.init(.unreachable, "\(endpoint): no connection")
        }
    }

    private init(tls error: any Error, _ endpoint: StorageEndpoint, _ hasBegun: Bool) {
        let text = "\(error)"
        if text.contains("uncleanShutdown") {
            self.init(.cut, "\(endpoint) broke the TLS connection off")
        } else if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("UNKNOWN_CA") || text.contains("unableToValidateCertificate") {
            self.init(.insecure, "the certificate of \(endpoint) is signed by an authority that is not trusted here", remedy: "name its CA file as `ca`")
        } else if text.contains("failedToValidateHostname") {
            self.init(
                .insecure, "the certificate of \(endpoint) is for another host",
                remedy: "use the name in it; with a bucket before the host, try path_style = true")
        } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            self.init(.insecure, "\(endpoint) does not speak TLS", remedy: "is it http?")
        } else if text.contains("UNSUPPORTED_PROTOCOL") || text.contains("PROTOCOL_VERSION") {
            self.init(.insecure, "\(endpoint) offers TLS 1.1 or older only; nothing was sent", remedy: "let it offer TLS 1.2 or 1.3")
        } else {
            self.init(.insecure, "\(endpoint): TLS failed: \(text.prefix(200))")
        }
    }

    private static func words(_ code: CInt) -> String { String(cString: strerror(code)) }
}
