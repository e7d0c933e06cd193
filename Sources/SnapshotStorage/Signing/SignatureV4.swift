internal import Crypto
internal import StreamModel

/// AWS signature version 4 in the `Authorization` header, which S3, its likes and Google's XML API take. Pure.
struct SignatureV4 {
    var accessKey: String
    var secret: Secret
    var sessionToken: Secret?
    var region: String
    /// "s3", "sts".
    var service: String

    static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    /// Adds `Host`, the date, the hash of the body (S3 wants it), the session token and `Authorization`.
    /// All headers are signed but `User-Agent`, which proxies change.
    func sign(_ request: inout WireRequest, at time: WallTime, sendsBodyHash: Bool = true) {
        let date = CivilTime(time).basic
        let bodyHash = request.body.isEmpty ? Self.emptyHash : Hex.text(SHA256.hash(data: request.body))
        request.set("Host", request.endpoint.hostHeader)
        request.set("X-Amz-Date", date)
        if sendsBodyHash { request.set("X-Amz-Content-Sha256", bodyHash) }
        if let sessionToken { request.set("X-Amz-Security-Token", sessionToken.reveal()) }
        let canonical = Self.canonicalRequest(request, bodyHash: bodyHash)
        let signature = signature(of: Self.stringToSign(canonical.text, date: date, scope: scope(date)), day: String(date.prefix(8)))
        request.set(
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope(date)), SignedHeaders=\(canonical.signedHeaders), Signature=\(signature)")
    }

    private func scope(_ date: String) -> String { "\(date.prefix(8))/\(region)/\(service)/aws4_request" }

    /// The path stands as it is sent: S3 normalises nothing.
    static func canonicalRequest(_ request: WireRequest, bodyHash: String) -> (text: String, signedHeaders: String) {
        let query = request.query.map { (PercentEncoding.query($0.name), PercentEncoding.query($0.value)) }.sorted { $0 < $1 }
        var values: [String: [String]] = [:]
        for header in request.headers where header.name.lowercased() != "user-agent" {
            values[header.name.lowercased(), default: []].append(trimmed(header.value))
        }
        let names = values.keys.sorted()
        let lines = names.map { "\($0):\(values[$0, default: []].joined(separator: ","))\n" }.joined()
        let signed = names.joined(separator: ";")
        let text = [
            request.method, request.fullPath, query.map { "\($0.0)=\($0.1)" }.joined(separator: "&"), lines, signed, bodyHash,
        ].joined(separator: "\n")
        return (text, signed)
    }

    static func stringToSign(_ canonicalRequest: String, date: String, scope: String) -> String {
        ["AWS4-HMAC-SHA256", date, scope, Hex.text(SHA256.hash(data: Array(canonicalRequest.utf8)))].joined(separator: "\n")
    }

    private func signature(of text: String, day: String) -> String {
        var key = SymmetricKey(data: Array("AWS4\(secret.reveal())".utf8))
        for step in [day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(step.utf8), using: key))
        }
        return Hex.text(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }

    /// Without spaces around it, and one for several in it.
    private static func trimmed(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }
}

enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
