internal import Crypto
internal import FoundationEssentials
internal import StreamModel

/// Azure's Shared Key authorization of the Blob service, version 2015-02-21 and later. Pure.
struct AzureSharedKey {
    var account: String
    /// 32 or 64 bytes in base 64.
    var key: Secret

    static let version = "2021-08-06"

    /// Adds date, version and `Authorization`; false = the key is not base 64.
    func sign(_ request: inout WireRequest, at time: WallTime) -> Bool {
        request.set("x-ms-date", CivilTime(time).http)
        request.set("x-ms-version", Self.version)
        guard let signature = signature(of: stringToSign(request)) else { return false }
        request.set("Authorization", "SharedKey \(account):\(signature)")
        return true
    }

    func signature(of text: String) -> String? {
        guard let bytes = Data(base64Encoded: key.reveal()), !bytes.isEmpty else { return nil }
        return Data(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: bytes))).base64EncodedString()
    }

    private static let standardHeaders = [
        "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match",
        "if-unmodified-since", "range",
    ]

    func stringToSign(_ request: WireRequest) -> String {
        let standard = Self.standardHeaders.map { name in
            let value = request.header(name) ?? ""
            return name == "content-length" && value == "0" ? "" : value
        }
        let own = request.headers.map { ($0.name.lowercased(), $0.value) }.filter { $0.0.hasPrefix("x-ms-") }.sorted { $0.0 < $1.0 }
        return ([request.method] + standard + own.map { "\($0.0):\(Self.unfolded($0.1))" } + [resource(request)]).joined(separator: "\n")
    }

    /// Account and path as they are sent, then the query: names in lower case, values of one name sorted and joined.
    private func resource(_ request: WireRequest) -> String {
        var values: [String: [String]] = [:]
        for item in request.query { values[item.name.lowercased(), default: []].append(item.value) }
        return (["/\(account)\(request.fullPath)"] + values.keys.sorted().map { "\($0):\(values[$0, default: []].sorted().joined(separator: ","))" })
            .joined(separator: "\n")
    }

    private static func unfolded(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }
}
