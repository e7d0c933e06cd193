import StreamModel
import Testing

@testable import SnapshotStorage

// Goal: signatures are those that the clouds compute. Method: AWS's published test suite (aws-c-auth, v4, requests that are signed as they stand)
// and the examples of the S3 documentation; Azure's example of a text to sign, and signatures that Microsoft's own Python client made.

private struct Vector: CustomTestStringConvertible, Sendable {
    var name: String
    var method = "GET"
    var path = "/"
    var query: [QueryItem] = []
    var headers: [(String, String)] = []
    var token: String?
    var body = ""
    var sendsBodyHash = false
    var signature: String
    var testDescription: String { name }
}

private let alphabet = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

private let vectors = [
    Vector(name: "get-vanilla", signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    Vector(
        name: "get-vanilla-query-order-encoded", query: [QueryItem("Param-3", "Value3"), QueryItem("Param", "Value2"), QueryItem("ሴ", "Value1")],
        signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    Vector(
        name: "get-vanilla-query-order-key-case", query: [QueryItem("Param2", "value2"), QueryItem("Param1", "value1")],
        signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    Vector(
        name: "get-vanilla-query-unreserved", query: [QueryItem(alphabet, alphabet)],
        signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    Vector(
        name: "get-vanilla-utf8-query", query: [QueryItem("ሴ", "bar")], signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    Vector(name: "get-unreserved", path: "/" + alphabet, signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    Vector(name: "get-utf8", path: "/ሴ", signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    Vector(name: "get-space-unnormalized", path: "/example space/", signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    Vector(name: "get-slashes-unnormalized", path: "//example//", signature: "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
    Vector(
        name: "get-header-value-trim", headers: [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    Vector(
        name: "get-header-key-duplicate", headers: [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
        signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    Vector(
        name: "post-sts-header-before", method: "POST",
        token: "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGd"
            + "QrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKm"
            + "lzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
        signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    Vector(
        name: "post-x-www-form-urlencoded", method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "13")],
        body: "Param1=value1", sendsBodyHash: true, signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
]

@Suite struct SignatureTests {
    private static let time = WallTime(milliseconds: 1_440_938_160_000)

    @Test(arguments: vectors) private func `AWS's test suite`(_ vector: Vector) throws {
        let endpoint = try #require(StorageEndpoint("https://example.amazonaws.com"))
        var request = WireRequest(
            vector.method, endpoint, path: PercentEncoding.path(vector.path), query: vector.query, headers: vector.headers.map { (name: $0.0, value: $0.1) },
            body: Array(vector.body.utf8))
        SignatureV4(
            accessKey: "AKIDEXAMPLE", secret: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), sessionToken: vector.token.map { Secret($0) },
            region: "us-east-1", service: "service"
        ).sign(&request, at: Self.time, sendsBodyHash: vector.sendsBodyHash)
        #expect(request.header("X-Amz-Date") == "20150830T123600Z")
        let authorization = try #require(request.header("Authorization"))
        #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders="))
        #expect(authorization.hasSuffix("Signature=\(vector.signature)"))
    }

    @Test(
        arguments: [
            ("/test.txt", [], ["Range": "bytes=0-9"], "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            ("/", [QueryItem("lifecycle", "")], [:], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("/", [QueryItem("max-keys", "2"), QueryItem("prefix", "J")], [:], "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] as [(String, [QueryItem], [String: String], String)])
    private func `the examples of the S3 documentation`(_ path: String, _ query: [QueryItem], _ headers: [String: String], _ signature: String) throws {
        let endpoint = try #require(StorageEndpoint("https://examplebucket.s3.amazonaws.com"))
        var request = WireRequest("GET", endpoint, path: path, query: query, headers: headers.map { (name: $0.key, value: $0.value) })
        SignatureV4(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secret: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), sessionToken: nil, region: "us-east-1",
            service: "s3"
        ).sign(&request, at: WallTime(milliseconds: 1_369_353_600_000))
        #expect(try #require(request.header("Authorization")).hasSuffix("Signature=\(signature)"))
    }

    // MARK: Azure

    private static let azureTime = WallTime(milliseconds: 1_435_361_952_000)
    /// The key of Microsoft's emulator, which the whole world knows.
    private static let emulator = AzureSharedKey(
        account: "devstoreaccount1", key: Secret("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="))

    @Test func `Azure's example of a text to sign`() throws {
        let endpoint = try #require(StorageEndpoint("https://myaccount.blob.core.windows.net"))
        let request = WireRequest(
            "GET", endpoint, path: "/mycontainer", query: [QueryItem("restype", "container"), QueryItem("comp", "metadata"), QueryItem("timeout", "20")],
            headers: [("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT")])
        #expect(
            AzureSharedKey(account: "myaccount", key: Secret("")).stringToSign(request)
                == "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\n"
                + "comp:metadata\nrestype:container\ntimeout:20")
    }

    @Test(
        arguments: [
            (
                "GET", "https://devstoreaccount1.blob.core.windows.net", "/mycontainer",
                [QueryItem("restype", "container"), QueryItem("comp", "metadata"), QueryItem("timeout", "20")], [:],
                "eMdxGumzy6bi6kx/kbIqQEnUegAXTOoQSpxG0OrbEVY="
            ),
            (
                "GET", "https://devstoreaccount1.blob.core.windows.net", "/lake/a b/k+%ü.txt", [], ["x-ms-range": "bytes=10-19", "If-Match": "\"0x8D1\""],
                "szAqcYLgyje1KkXwLfUpdHFgu5CoCQMTW00BT+hs21E="
            ),
            (
                "GET", "https://devstoreaccount1.blob.core.windows.net", "/lake",
                [
                    QueryItem("restype", "container"), QueryItem("comp", "list"), QueryItem("prefix", "a b/"), QueryItem("delimiter", "/"),
                    QueryItem("include", "metadata"), QueryItem("maxresults", "1000"),
                ], ["User-Agent": "weir"], "TggjkHb9dSQ9wW7I5MH/MRCgO+m3HpK6GQljNPDw6Vg="
            ),
            ("HEAD", "http://127.0.0.1:10000/devstoreaccount1", "/lake/x", [], ["Content-Length": "0"], "Drm5ktLmxMZyTQmnlwm5dmZ4PApw5qtSY9jF3ut87uw="),
        ] as [(String, String, String, [QueryItem], [String: String], String)])
    private func `signatures of Azure's Python client`(
        _ method: String, _ url: String, _ path: String, _ query: [QueryItem], _ headers: [String: String], _ signature: String
    ) throws {
        let endpoint = try #require(StorageEndpoint(url))
        var request = WireRequest(method, endpoint, path: PercentEncoding.path(path), query: query, headers: headers.map { (name: $0.key, value: $0.value) })
        #expect(Self.emulator.sign(&request, at: Self.azureTime))
        #expect(request.header("Authorization") == "SharedKey devstoreaccount1:\(signature)")
    }

    @Test func `a key that is not base 64 signs nothing`() throws {
        let endpoint = try #require(StorageEndpoint("https://a.blob.core.windows.net"))
        var request = WireRequest("GET", endpoint, path: "/c")
        for text in ["", "%%%", "abc"] { #expect(!AzureSharedKey(account: "a", key: Secret(text)).sign(&request, at: Self.azureTime)) }
    }
}
