import FlinkFake
import Foundation
import HostEnvironment
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import SnapshotStorage

// Goal: the dialects of Google, Azure and WebHDFS are spoken over real sockets and TLS, and bad servers end in one clear failure.
// Method: STAND-INS of the tests' own, written from the services' documentation. No real Google, Azure or HDFS was asked.

private func storages(_ rules: [StorageRule], _ variables: [String: String] = [:]) -> Storages {
    let variables = ["HOME": "/nowhere"].merging(variables) { $1 }
    return Storages(StorageSettings(rules), environment: CredentialEnvironment(variable: { variables[$0] }, file: { _ in .missing }))
}

private func rule(_ prefix: String, _ endpoints: String...) throws -> StorageRule {
    var rule = StorageRule(try StorageLocation(prefix))
    rule.endpoints = endpoints.compactMap { StorageEndpoint($0) }
    return rule
}

private let files: [String: String] = ["flink/jobs/chk-1/_metadata": "0123456789", "flink/jobs/shared/a b+%": "state", "flink/other": "x"]

/// The part of a text that a `Range` header asks for.
private func ranged(_ text: String, _ request: FakeServer.Request, etag: String = "\"e1\"") -> FakeServer.Reply {
    guard let range = request.headers["range"], range.hasPrefix("bytes=") else { return .status(200, body: text, headers: ["ETag": etag]) }
    let ends = range.dropFirst(6).split(separator: "-").compactMap { Int($0) }
    guard let first = ends.first, first < text.count else { return .status(416, body: "") }
    let last = min(ends.count > 1 ? ends[1] : text.count - 1, text.count - 1)
    let part = String(Array(text)[first...last])
    return .status(206, body: part, headers: ["Content-Range": "bytes \(first)-\(last)/\(text.count)", "ETag": etag])
}

private func query(_ request: FakeServer.Request) -> [String: String] {
    let items = QueryItem.parse(request.target.drop { $0 != "?" }) ?? []
    return Dictionary(items.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
}

private func plainPath(_ request: FakeServer.Request) -> String { PercentEncoding.decoded(request.path, plusIsSpace: false) ?? "" }

// MARK: Google

@Suite struct GoogleStandInTests {
    @Test func `the XML API is read with a bearer token`() throws {
        let server = try FakeServer { request in
            guard request.headers["authorization"] == "Bearer ya29" else { return .status(401, body: "<Error><Code>InvalidSecurity</Code></Error>") }
            if request.path == "/bkt/" {
                let prefix = query(request)["prefix"] ?? ""
                let items = files.filter { $0.key.hasPrefix(prefix) }.map {
                    "<Contents><Key>\($0.key)</Key><Size>\($0.value.count)</Size><ETag>\"e1\"</ETag></Contents>"
                }
                return .status(200, body: "<ListBucketResult>\(items.sorted().joined())</ListBucketResult>")
            }
            guard let text = files[String(plainPath(request).dropFirst(5))] else { return .status(404, body: "<Error><Code>NoSuchKey</Code></Error>") }
            return ranged(text, request)
        }
        defer { #expect(throws: Never.self) { try server.stop() } }
        var own = try rule("gs://bkt", server.url)
        own.token = .environment("TOKEN")
        let file = try StorageLocation("gs://bkt/flink/jobs/shared/a b+%")
        let storage = try storages([own], ["TOKEN": "ya29"]).storage(for: file)
        #expect(try storage.bytes(of: file, StorageRange(from: 1, count: 3), limit: 9, by: soon()) == Array("tat".utf8))
        #expect(try storage.everything(below: try StorageLocation("gs://bkt/flink/jobs")).keys.sorted() == ["flink/jobs/chk-1/_metadata", file.key])
        let wrong = try storages([own], ["TOKEN": "old"]).storage(for: file)
        #expect(failure { () throws(StorageFailure) in try wrong.bytes(of: file, limit: 9, by: soon()) }?.kind == .unauthenticated)
        let none = try storages([own]).storage(for: file)
        #expect(failure { () throws(StorageFailure) in try none.bytes(of: file, limit: 9, by: soon()) }?.kind == .noCredentials)
    }

    @Test func `HMAC keys sign for the region auto`() throws {
        let server = try FakeServer { request in
            let header = request.headers["authorization"] ?? ""
            return header.hasPrefix("AWS4-HMAC-SHA256 Credential=GOOG1/") && header.contains("/auto/s3/aws4_request")
                ? .status(200, body: "x") : .status(403, body: "")
        }
        defer { #expect(throws: Never.self) { try server.stop() } }
        var own = try rule("gs://bkt", server.url)
        (own.accessKey, own.secret) = ("GOOG1", .environment("S"))
        let file = try StorageLocation("gs://bkt/k")
        #expect(try storages([own], ["S": "sesame"]).storage(for: file).bytes(of: file, limit: 9, by: soon()) == Array("x".utf8))
    }

    @Test func `the metadata server's token lasts as long as it says`() throws {
        let transport = ScriptedTransport([.init(200, text: "{\"access_token\":\"ya29\",\"expires_in\":3600,\"token_type\":\"Bearer\"}")])
        let now = WallTime(milliseconds: 1_000_000)
        let (token, until) = try GoogleCredentials.token(from: "metadata.google.internal", transport, now: now, by: soon())
        #expect(token == Secret("ya29") && until == now + .seconds(3540))
        #expect(transport.requests.first?.header("Metadata-Flavor") == "Google")
    }
}

// MARK: Azure

@Suite struct AzureStandInTests {
    private static let key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    /// Answers like the Blob service, and checks who asks: the signature by the published rules, or a SAS.
    private static func server() throws -> FakeServer {
        try FakeServer { request in
            let parameters = query(request)
            let isSAS = parameters["sig"] == "s+i/g="
            if !isSAS {
                var wire = WireRequest(request.method, StorageEndpoint(isSecure: false, host: "127.0.0.1"), path: request.path)
                wire.query = QueryItem.parse(request.target.drop { $0 != "?" }) ?? []
                wire.headers = request.headers.filter { $0.key != "content-length" }.map { (name: $0.key, value: $0.value) }
                let signer = AzureSharedKey(account: "acc", key: Secret(key))
                guard let right = signer.signature(of: signer.stringToSign(wire)), request.headers["authorization"] == "SharedKey acc:\(right)" else {
                    return .status(403, body: "<Error><Code>AuthenticationFailed</Code></Error>", headers: ["x-ms-error-code": "AuthenticationFailed"])
                }
            }
            let path = plainPath(request).dropFirst("/acc/".count)
            guard path.hasPrefix("lake") else { return .status(404, body: "", headers: ["x-ms-error-code": "ContainerNotFound"]) }
            if parameters["comp"] == "list" { return .status(200, body: listing(parameters)) }
            guard let text = files[String(path.dropFirst(5))] else { return .status(404, body: "", headers: ["x-ms-error-code": "BlobNotFound"]) }
            if request.method == "DELETE" { return .status(202, body: "") }
            return ranged(text, request)
        }
    }

    /// One file a page.
    private static func listing(_ parameters: [String: String]) -> String {
        let keys = files.keys.filter { $0.hasPrefix(parameters["prefix"] ?? "") }.sorted()
        let index = Int(parameters["marker"] ?? "") ?? 0
        let items = keys.dropFirst(index).prefix(1).map {
            "<Blob><Name>\($0)</Name><Properties><Content-Length>\(files[$0, default: ""].count)</Content-Length></Properties></Blob>"
        }
        let next = index + 1 < keys.count ? "<NextMarker>\(index + 1)</NextMarker>" : "<NextMarker/>"
        return "\u{feff}<?xml version=\"1.0\"?><EnumerationResults><Blobs>\(items.joined())</Blobs>\(next)</EnumerationResults>"
    }

    @Test(arguments: ["abfss", "abfs", "wasbs"]) func `the Blob service is read with a shared key`(_ scheme: String) throws {
        let server = try Self.server()
        defer { #expect(throws: Never.self) { try server.stop() } }
        let root = try StorageLocation("\(scheme)://lake@acc.dfs.core.windows.net/flink/jobs")
        var own = try rule(root.text, server.url + "/acc")
        own.accountKey = .environment("KEY")
        let storages = storages([own], ["KEY": Self.key])
        let storage = try storages.storage(for: root)
        let file = root.appending("shared/a b+%")
        #expect(try storage.status(of: file, by: soon()).etag == "e1")
        #expect(try storage.bytes(of: file, StorageRange(from: 1, count: 3), limit: 9, by: soon()) == Array("tat".utf8))
        #expect(try storage.everything(below: root).keys.sorted() == ["flink/jobs/chk-1/_metadata", file.key])
        #expect(try storage.status(of: root, by: soon()).kind == .directory)
        try storage.delete(file, by: soon())
        #expect(failure { () throws(StorageFailure) in try storage.status(of: root.appending("none"), by: soon()) }?.kind == .notFound)
        let other = try StorageLocation("\(scheme)://none@acc.dfs.core.windows.net/flink/jobs/x")
        var wider = own
        wider.prefix = try StorageLocation("\(scheme)://none@acc.dfs.core.windows.net")
        #expect(failure { () throws(StorageFailure) in try stores(wider).storage(for: other).bytes(of: other, limit: 9, by: soon()) }?.kind == .noContainer)
        #expect(!"\(try storages.access(to: root))".contains(Self.key))
    }

    private func stores(_ rule: StorageRule) -> Storages { storages([rule], ["KEY": Self.key]) }

    @Test func `a SAS goes into the query, and a wrong key is told`() throws {
        let server = try Self.server()
        defer { #expect(throws: Never.self) { try server.stop() } }
        let file = try StorageLocation("abfss://lake@acc.dfs.core.windows.net/flink/other")
        var own = try rule(file.parent.text, server.url + "/acc")
        own.sharedAccessSignature = .environment("SAS")
        #expect(try storages([own], ["SAS": "?sv=2021&sig=s%2Bi%2Fg%3D"]).storage(for: file).bytes(of: file, limit: 9, by: soon()) == Array("x".utf8))
        own.sharedAccessSignature = nil
        own.accountKey = .environment("KEY")
        let wrong = try storages([own], ["KEY": "d3Jvbmc="]).storage(for: file)
        let found = try #require(failure { () throws(StorageFailure) in try wrong.status(of: file, by: soon()) })
        #expect(found.kind == .unauthenticated && found.problem.contains("the key is not the account's"))
    }

    @Test func `an expired SAS and a wrong clock are told apart`() throws {
        let file = try StorageLocation("abfss://lake@acc.dfs.core.windows.net/f")
        let now = WallTime.now()
        for (date, detail, kind) in [
            (CivilTime(now).http, "Signature not valid in the specified time frame", StorageFailure.Kind.unauthenticated),
            (CivilTime(now + .minutes(60)).http, "", .clockSkew),
        ] {
            let server = try FakeServer { _ in
                .status(
                    403, body: "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>\(detail)</AuthenticationErrorDetail></Error>",
                    headers: ["Date": date])
            }
            defer { #expect(throws: Never.self) { try server.stop() } }
            var own = try rule("abfss://lake@acc.dfs.core.windows.net", server.url)
            own.sharedAccessSignature = .environment("SAS")
            let found = failure { () throws(StorageFailure) in
                try storages([own], ["SAS": "sv=1&sig=x"]).storage(for: file).bytes(of: file, limit: 9, by: soon())
            }
            #expect(found?.kind == kind)
            #expect(found?.description.contains(kind == .clockSkew ? "min behind" : "SAS has expired") == true, "\(found?.description ?? "")")
        }
    }

    @Test func `a name without an account is refused with the right form`() throws {
        let file = try StorageLocation("abfss://lake/f")
        #expect(failure { () throws(StorageFailure) in _ = try storages([]).storage(for: file) }?.remedy?.contains("container@account") == true)
    }
}

// MARK: HDFS

@Suite struct WebHDFSStandInTests {
    private static func remote(_ exception: String, _ message: String = "m") -> String {
        "{\"RemoteException\":{\"exception\":\"\(exception)\",\"javaClassName\":\"java.io.\(exception)\",\"message\":\"\(message)\"}}"
    }

    private static func status(_ name: String, _ text: String?) -> String {
        "{\"pathSuffix\":\"\(name)\",\"type\":\"\(text == nil ? "DIRECTORY" : "FILE")\",\"length\":\(text?.count ?? 0),\"modificationTime\":1790000000000}"
    }

    /// A NameNode; files come from the DataNode at `data`. Knows LISTSTATUS_BATCH with one name a part, or LISTSTATUS only.
    private static func nameNode(data: String, isOld: Bool = false) throws -> FakeServer {
        try FakeServer { request in
            let parameters = query(request)
            guard parameters["user.name"] == "ana" || parameters["delegation"] == "tok" else { return .status(401, body: remote("SecurityException")) }
            let path = String(plainPath(request).dropFirst("/webhdfs/v1/".count))
            let inside = path + "/"
            let names = Set(files.keys.filter { $0.hasPrefix(inside) }.compactMap { $0.dropFirst(inside.count).split(separator: "/").first.map(String.init) })
                .sorted()
            guard files[path] != nil || !names.isEmpty else { return .status(404, body: remote("FileNotFoundException")) }
            func child(_ name: String) -> String { status(name, files[inside + name]) }
            switch (request.method, parameters["op"]) {
            case ("GET", "GETFILESTATUS"): return .json("{\"FileStatus\":\(status("", files[path]))}")
            case ("GET", "LISTSTATUS_BATCH") where isOld: return .status(400, body: remote("IllegalArgumentException", "Invalid value for webhdfs parameter"))
            case ("GET", "LISTSTATUS_BATCH"):
                let left = names.filter { $0 > parameters["startAfter"] ?? "" }
                let part = left.prefix(1).map(child).joined(separator: ",")
                return .json(
                    "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\":[\(part)]}},\"remainingEntries\":\(max(0, left.count - 1))}}")
            case ("GET", "LISTSTATUS"): return .json("{\"FileStatuses\":{\"FileStatus\":[\(names.map(child).joined(separator: ","))]}}")
            case ("GET", "OPEN"):
                return .status(
                    307, body: "",
                    headers: ["Location": "\(data)\(request.path)?op=OPEN&offset=\(parameters["offset"] ?? "0")&length=\(parameters["length"] ?? "")"])
            case ("DELETE", "DELETE"): return .json("{\"boolean\":true}")
            default: return .status(400, body: remote("UnsupportedOperationException"))
            }
        }
    }

    private static func dataNode() throws -> FakeServer {
        try FakeServer { request in
            let parameters = query(request), text = files[String(plainPath(request).dropFirst("/webhdfs/v1/".count))] ?? ""
            guard parameters["user.name"] == nil, parameters["delegation"] == nil else { return .status(400, body: "") }
            return .status(200, body: String(text.dropFirst(Int(parameters["offset"] ?? "") ?? 0).prefix(Int(parameters["length"] ?? "") ?? 0)))
        }
    }

    @Test(arguments: [false, true]) func `files are read from the DataNode, and trees are listed in parts`(_ isOld: Bool) throws {
        let data = try Self.dataNode()
        defer { #expect(throws: Never.self) { try data.stop() } }
        let server = try Self.nameNode(data: data.url, isOld: isOld)
        defer { #expect(throws: Never.self) { try server.stop() } }
        let root = try StorageLocation("hdfs://nn:8020/flink/jobs")
        let storage = try storages([try rule("hdfs://nn:8020", server.url)], ["HADOOP_USER_NAME": "ana"]).storage(for: root)
        let file = root.appending("shared/a b+%")
        #expect(try storage.status(of: file, by: soon()) == StorageEntry(file, .file, size: 5, modified: WallTime(milliseconds: 1_790_000_000_000)))
        #expect(try storage.bytes(of: file, StorageRange(from: 1, count: 3), limit: 9, by: soon()) == Array("tat".utf8))
        #expect(try storage.bytes(of: file, StorageRange(from: 3, count: 300), limit: 900, by: soon()) == Array("te".utf8))
        #expect(try storage.bytes(of: file, StorageRange(from: 50), limit: 9, by: soon()) == [])
        #expect(try storage.everything(below: root).keys.sorted() == ["flink/jobs/chk-1/_metadata", file.key])
        #expect(try storage.everything(below: root, .children).keys.sorted() == ["flink/jobs/chk-1", "flink/jobs/shared"])
        try storage.delete(file, by: soon())
        #expect(failure { () throws(StorageFailure) in try storage.status(of: root.appending("none"), by: soon()) }?.kind == .notFound)
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: root, limit: 9, by: soon()) }?.kind == .notAFile)
    }

    @Test func `the standby NameNode is passed over, and a delegation token is sent`() throws {
        let standby = try FakeServer { _ in .status(403, body: Self.remote("StandbyException")) }
        defer { #expect(throws: Never.self) { try standby.stop() } }
        let server = try Self.nameNode(data: "http://127.0.0.1:1")
        defer { #expect(throws: Never.self) { try server.stop() } }
        var own = try rule("viewfs://cluster", standby.url, server.url)
        own.token = .environment("T")
        let root = try StorageLocation("viewfs://cluster/flink/jobs")
        let storage = try storages([own], ["T": "tok"]).storage(for: root)
        #expect(try storage.status(of: root, by: soon()).kind == .directory)
        #expect(try storage.status(of: root, by: soon()).kind == .directory)
        #expect(standby.requests.count == 1, "the active one is kept")
    }

    @Test(
        arguments: [
            (403, "AccessControlException", .denied), (401, "", .unauthenticated), (403, "InvalidToken", .unauthenticated),
            (404, "FileNotFoundException", .notFound), (404, "", .malformed), (400, "Other", .rejected), (500, "", .unavailable),
        ] as [(Int, String, StorageFailure.Kind)])
    private func `errors of HDFS are one clear failure each`(_ status: Int, _ exception: String, _ kind: StorageFailure.Kind) throws {
        let server = try FakeServer { _ in .status(status, body: exception.isEmpty ? "<html>" : Self.remote(exception)) }
        defer { #expect(throws: Never.self) { try server.stop() } }
        let file = try StorageLocation("hdfs://nn:8020/f")
        var own = try rule("hdfs://nn:8020", server.url)
        own.token = .environment("T")
        let found = failure { () throws(StorageFailure) in try storages([own], ["T": "sesame"]).storage(for: file).status(of: file, by: soon()) }
        #expect(found?.kind == kind)
        #expect(found?.description.contains("sesame") == false)
    }

    @Test func `what has no endpoint says how to name one`() throws {
        for text in ["viewfs://cluster/x", "oss://bkt/x", "weird://x/y"] {
            let file = try StorageLocation(text)
            let found = failure { () throws(StorageFailure) in _ = try storages([]).storage(for: file) }
            #expect(found?.remedy?.contains("endpoint = ") == true, "\(text)")
        }
    }
}

// MARK: Bad servers

@Suite struct BadServerTests {
    private func s3(_ server: String, authority: String? = nil) throws -> (any SnapshotStorage, StorageLocation) {
        var own = try rule("s3://bkt", server)
        (own.accessKey, own.secret, own.authorityFile) = ("K", .environment("S"), authority)
        let file = try StorageLocation("s3://bkt/f")
        let kept = storages([own], ["S": "sesame"])
        opened.withLock { $0.append(kept) }
        return (try kept.storage(for: file), file)
    }

    /// Stores close their connections when they go.
    private let opened = Kept()
    private final class Kept: Sendable {
        private let all = Mutex<[Storages]>([])
        func withLock(_ body: (inout [Storages]) -> Void) { all.withLock { body(&$0) } }
    }

    private static let certificates: String = {
        let parts = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(parts)/FlinkRESTTests/Certificates/"
    }()

    private static func identity(_ name: String) -> FakeServer.Identity {
        FakeServer.Identity(certificate: certificates + name + ".pem", key: certificates + name + ".key.pem")
    }

    @Test func `a server that is silent ends at the deadline`() throws {
        let server = try FakeServer { _ in .silence }
        let (storage, file) = try s3(server.url)
        let began = EngineInstant.now()
        #expect(failure { () throws(StorageFailure) in try storage.status(of: file, by: EngineInstant.now() + 300) }?.kind == .timedOut)
        #expect((EngineInstant.now() - began).count < 5000)
    }

    @Test func `a body that never ends is broken off`() throws {
        let server = try FakeServer { _ in .endless(String(repeating: "x", count: 60_000)) }
        let (storage, file) = try s3(server.url)
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: file, limit: 1 << 20, by: soon()) }?.kind == .tooLarge)
        #expect(failure { () throws(StorageFailure) in try storage.list(file.parent, .everything, after: nil, by: soon()) }?.kind == .tooLarge)
        #expect(try storage.bytes(of: file, StorageRange(from: 5, count: 100_000), limit: 1 << 20, by: soon()).count == 100_000)
    }

    @Test func `a server that closes, or speaks no HTTP, is said so`() throws {
        let closing = try FakeServer { _ in .close }
        let (storage, file) = try s3(closing.url)
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: file, limit: 9, by: soon()) }?.kind == .cut)
        #expect(closing.requests.count == 4)
        let babbling = try FakeServer(raw: Array("SSH-2.0-OpenSSH\r\n".utf8))
        let (other, there) = try s3(babbling.url)
        let found = failure { () throws(StorageFailure) in try other.bytes(of: there, limit: 9, by: soon()) }
        #expect(found?.kind == .malformed || found?.kind == .cut, "\(found?.description ?? "")")
    }

    @Test func `certificates are checked, and a CA of one's own is taken`() throws {
        let good = try FakeServer(identity: Self.identity("loopback")) { _ in .status(200, body: "x") }
        let (trusting, file) = try s3(good.url, authority: Self.certificates + "authority.pem")
        #expect(try trusting.bytes(of: file, limit: 9, by: soon()) == Array("x".utf8))
        let (strict, _) = try s3(good.url)
        let found = try #require(failure { () throws(StorageFailure) in try strict.bytes(of: file, limit: 9, by: soon()) })
        #expect(found.kind == .insecure && found.remedy == "name its CA file as `ca`", "\(found)")
        #expect(good.requests.count == 1)
        let elsewhere = try FakeServer(identity: Self.identity("elsewhere")) { _ in .status(200, body: "x") }
        let (other, _) = try s3(elsewhere.url, authority: Self.certificates + "authority.pem")
        #expect(failure { () throws(StorageFailure) in try other.bytes(of: file, limit: 9, by: soon()) }?.kind == .insecure)
        let (broken, _) = try s3(good.url, authority: "/no/such.pem")
        #expect(failure { () throws(StorageFailure) in try broken.bytes(of: file, limit: 9, by: soon()) }?.problem.contains("/no/such.pem") == true)
    }

    @Test func `closed stores ask nothing any more`() throws {
        let server = try FakeServer { _ in .status(200, body: "x") }
        var own = try rule("s3://bkt", server.url)
        (own.accessKey, own.secret) = ("K", .environment("S"))
        let storages = storages([own], ["S": "s"]), file = try StorageLocation("s3://bkt/f")
        let storage = try storages.storage(for: file)
        storages.close()
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: file, limit: 9, by: soon()) }?.kind == .closed)
        #expect(server.requests.isEmpty)
    }
}
