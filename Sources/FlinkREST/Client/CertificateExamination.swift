internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import StreamModel

/// Why a cluster's certificate was refused. TLS says no more than that it was; so the certificates are looked at once more, on a connection of
/// their own that is broken off before anything is sent.
enum CertificateExamination {
    /// What of a certificate decides.
    struct Facts: Sendable, Equatable {
        /// Seconds since 1970.
        var validFrom, validUntil: Int
        var isSelfSigned: Bool
    }

    static func isRefusal(_ error: any Error) -> Bool {
        guard error is NIOSSLError || error is BoringSSLError else { return false }
        let text = "\(error)"
        return text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("unableToValidateCertificate")
    }

    /// The cause in words and what to do; nil where the certificates, as shown, say nothing. `chain` begins with the cluster's own. Pure.
    static func cause(of chain: [Facts], at now: Int, _ address: FlinkAddress) -> String? {
        func which(_ index: Int) -> String { index == 0 ? "the certificate of \(address)" : "the certificate of an authority that \(address) shows" }
        for (index, facts) in chain.enumerated() {
            if facts.validUntil < now {
                return "\(which(index)) expired on \(day(facts.validUntil)): let it be renewed, or correct the clock of this machine"
            }
            if facts.validFrom > now {
                return "\(which(index)) is not valid before \(day(facts.validFrom)): correct the clock of this machine, or let it be issued anew"
            }
        }
        guard chain.count == 1, chain[0].isSelfSigned else { return nil }
        return "the certificate of \(address) is self-signed, and not trusted here: name it as the CA file if it is the right one"
    }

    /// "2021-01-01".
    private static func day(_ seconds: Int) -> String {
        var time = time_t(seconds), parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "an unknown day" }
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }

    /// Looks at the certificates; nil where they cannot be had or say nothing.
    static func examine(_ connection: FlinkConnection, on loop: any EventLoop) -> EventLoopFuture<String?> {
        let shown = loop.makePromise(of: [Facts].self)
        let address = connection.address, name = connection.serverName ?? address.host
        let limit = TimeAmount.milliseconds(connection.connectTimeout.count)
        let connecting = ClientBootstrap(group: loop).connectTimeout(limit).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandlers(handler(for: name, shown), Closer()) }
        }.connect(host: address.host, port: address.port)
        let timer = loop.scheduleTask(in: limit) { shown.fail(ChannelError.connectTimeout(limit)) }
        connecting.whenComplete { result in
            switch result {
            case .failure(let error): shown.fail(error)
            case .success(let channel):
                channel.closeFuture.whenComplete { _ in shown.fail(ChannelError.eof) }
                shown.futureResult.whenComplete { _ in channel.close(promise: nil) }
            }
        }
        // Without an answer the first failure stands as it was.
        return shown.futureResult.map { cause(of: $0, at: Int(time(nil)), address) }.recover { _ in nil }.always { _ in timer.cancel() }
    }

    private static func handler(for name: String, _ shown: EventLoopPromise<[Facts]>) throws -> NIOSSLClientHandler {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        let look: NIOSSLCustomVerificationCallback = { certificates, verdict in
            shown.succeed(certificates.map(Facts.init))
            verdict.succeed(.failed)
        }
        // An address is no name to ask for.
        let isName = !name.contains(":") && name.contains { $0.isLetter }
        return try NIOSSLClientHandler(context: context, serverHostname: isName ? name : nil, customVerificationCallback: look)
    }

    private final class Closer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

extension CertificateExamination.Facts {
    fileprivate init(_ certificate: NIOSSLCertificate) {
        // NIOSSLError: a certificate without DER is not known to be self-signed.
        let names = (try? certificate.toDERBytes()).flatMap(Self.names)
        self.init(
            validFrom: Int(certificate.notValidBefore), validUntil: Int(certificate.notValidAfter), isSelfSigned: names.map { $0.issuer == $0.subject } ?? false
        )
    }

    /// Issuer and subject: the fourth and the sixth element of the signed part (RFC 5280), where it has a version.
    static func names(_ der: [UInt8]) -> (issuer: [UInt8], subject: [UInt8])? {
        guard let certificate = elements(der[...])?.first, let signed = elements(certificate.content)?.first, var parts = elements(signed.content) else {
            return nil
        }
        if parts.first?.tag == 0xa0 { parts.removeFirst() }
        guard parts.count >= 5 else { return nil }
        return (Array(parts[2].content), Array(parts[4].content))
    }

    /// The elements of a constructed value; nil = it is none.
    private static func elements(_ bytes: ArraySlice<UInt8>) -> [(tag: UInt8, content: ArraySlice<UInt8>)]? {
        var found: [(tag: UInt8, content: ArraySlice<UInt8>)] = []
        var rest = bytes
        while let tag = rest.popFirst() {
            guard var length = rest.popFirst().map({ Int($0) }) else { return nil }
            if length >= 0x80 {
                let digits = length & 0x7f
                guard (1...3).contains(digits), rest.count >= digits else { return nil }
                length = rest.prefix(digits).reduce(0) { $0 << 8 | Int($1) }
                rest = rest.dropFirst(digits)
            }
            guard rest.count >= length else { return nil }
            found.append((tag, rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return found
    }
}
