internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import StreamModel

/// Whom a TLS connection trusts, and who we are to it.
enum TrustSettings {
    static func configuration(of connection: FlinkConnection) throws(FlinkFailure) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // TLS 1.0 and 1.1 are broken, and a token would go over them (RFC 8996).
        configuration.minimumTLSVersion = .tlsv12
        if let path = connection.authorityFile {
            let authorities = try certificates(path)
            configuration.trustRoots = .certificates(authorities)
        }
        if let identity = connection.clientCertificate {
            configuration.certificateChain = try certificates(identity.chainFile).map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity.keyFile, format: .pem))
            } catch {
                throw FlinkFailure(.misconfigured, "\(identity.keyFile) has no private key in PEM form that can be read (without a passphrase)")
            }
        }
        return configuration
    }

    private static func certificates(_ path: String) throws(FlinkFailure) -> [NIOSSLCertificate] {
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(path)
            if !certificates.isEmpty { return certificates }
        } catch {
            guard access(path, R_OK) == 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
        }
        throw FlinkFailure(.misconfigured, "\(path) has no certificate in PEM form")
    }
}

extension FlinkFailure {
    /// What the network or TLS said, in the operator's words.
    init(network error: any Error, address: FlinkAddress, question: String, timeout: Milliseconds) {
        switch error {
        case let error as HTTPClientError: self.init(error, address, question, timeout)
        case let error as NIOConnectionError: self.init(error, address)
        case let error as IOError:
            self.init(.unreachable, "\(address): \(Self.words(error.errnoCode))")
            wasConnected = [ECONNRESET, EPIPE, ETIMEDOUT, ENOTCONN].contains(error.errnoCode)
        case is ChannelError: self.init(.timedOut, "\(address) did not take the connection in time")
        case let error as NIOSSLExtraError: self.init(error, address)
        case is NIOSSLError, is BoringSSLError: self.init(tls: error, address)
        case let error as HTTPParserError: self.init(.notFlink, "\(address) does not speak HTTP (\(error)): is it Flink's REST port?")
        default: self.init(.unreachable, "\(address): \(shortened("\(error)", to: 300))")
        }
    }

    private init(_ error: HTTPClientError, _ address: FlinkAddress, _ question: String, _ timeout: Milliseconds) {
        switch error {
        case .readTimeout, .deadlineExceeded:
            self.init(.timedOut, "\(address) did not answer \(question) within \(timeout.count) ms: it may hang")
        case .connectTimeout, .getConnectionFromPoolTimeout: self.init(.timedOut, "\(address) did not take the connection in time")
        case .tlsHandshakeTimeout: self.init(.timedOut, "\(address) did not end the TLS handshake in time: is it https?")
        case .remoteConnectionClosed where address.isSecure:
            // Since TLS 1.3 a server refuses a client only after the client has taken the connection for made.
            self.init(.insecure, "\(address) closed the TLS connection without an answer: it may want a client certificate, or not be Flink's REST port")
        case .remoteConnectionClosed:
            self.init(.notFlink, "\(address) closed the connection without an answer: is it Flink's REST port, and http or https right?")
        case .cancelled, .alreadyShutdown: self.init(.cancelled, "given up: \(question)")
        default: self.init(.notFlink, "\(address): \(shortened(error.shortDescription, to: 200)); is it Flink's REST port?")
        }
    }

    private init(_ error: NIOConnectionError, _ address: FlinkAddress) {
        if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
            self.init(.unreachable, "the host \(address.host) has no address: is the name right?")
            return
        }
        switch error.connectionErrors.first?.error {
        case let error as IOError:
            self.init(.unreachable, "\(address): \(Self.words(error.errnoCode))")
            wasConnected = [ECONNRESET, EPIPE, ETIMEDOUT, ENOTCONN].contains(error.errnoCode)
        case is ChannelError: self.init(.timedOut, "\(address) did not take the connection in time")
        case let other: self.init(.unreachable, "\(address): \(other.map { shortened("\($0)", to: 200) } ?? "no connection")")
        }
    }

    private static func words(_ code: CInt) -> String {
        code == ECONNREFUSED ? "connection refused: nobody listens there" : String(cString: strerror(code))
    }

    private init(_ error: NIOSSLExtraError, _ address: FlinkAddress) {
        guard error == .failedToValidateHostname else {
            self.init(.insecure, "\(address): TLS failed: \(shortened("\(error)", to: 200))")
            return
        }
        self.init(.insecure, "the certificate of \(address) is for another host: use the name in it, or correct the certificate")
    }

    private init(tls error: any Error, _ address: FlinkAddress) {
        let text = "\(error)"
        let cause =
            if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("UNKNOWN_CA") {
                "the certificate of \(address) is signed by an authority that is not trusted here: name its CA file"
            } else if text.contains("UNSUPPORTED_PROTOCOL") || text.contains("PROTOCOL_VERSION") {
                "\(address) offers TLS 1.1 or older only, which is not safe, and nothing was sent: let it, or the proxy before it, offer TLS 1.2 or 1.3"
            } else if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
                "\(address) does not speak TLS: is it http?"
            } else if text.contains("CERTIFICATE_REQUIRED") || text.contains("BAD_CERTIFICATE") || text.contains("HANDSHAKE_FAILURE") {
                "\(address) does not accept our certificate (or that there is none): name a client certificate and key"
            } else if case NIOSSLError.unableToValidateCertificate = error {
                "the certificate of \(address) cannot be validated: name its CA file"
            } else if case NIOSSLError.uncleanShutdown = error {
                "\(address) broke the TLS connection off"
            } else {
                "\(address): TLS failed: \(shortened(text, to: 200))"
            }
        self.init(.insecure, cause)
    }
}
