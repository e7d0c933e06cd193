import FlinkFake
import FlinkREST
import Foundation
import StreamModel
import Synchronization
import TestKit
import Testing

/// Goal: whatever answers (or does not), a question ends in time with an answer or with one line that says what to do. Method: a real
/// server on the loopback, well and badly behaved.
@Suite struct FlinkClientTests {
    static let certificates = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Certificates").path
    static let config = #"{"refresh-interval":3000,"flink-version":"1.20.5","features":{"web-submit":true}}"#

    private func connection(_ url: String, timeout: Milliseconds = .seconds(20)) throws -> FlinkConnection {
        FlinkConnection(try FlinkAddress(url), timeout: timeout)
    }

    /// Asks a server that answers everything like this for its version.
    private func outcome(
        timeout: Milliseconds = .seconds(20), _ reply: FakeServer.Reply
    ) throws -> Result<FlinkClusterConfiguration, FlinkFailure> {
        let server = try FakeServer { _ in reply }
        let client = FlinkClient(try connection(server.url, timeout: timeout))
        defer { client.close() }
        let result = Self.ask(client, .configuration)
        try server.stop()
        return result
    }

    static func ask<Answer>(_ client: FlinkClient, _ endpoint: FlinkEndpoint<Answer>) -> Result<Answer, FlinkFailure> {
        do throws(FlinkFailure) { return .success(try client.answer(to: endpoint)) } catch { return .failure(error) }
    }

    private func failure<Answer>(_ result: Result<Answer, FlinkFailure>) throws -> FlinkFailure {
        guard case .failure(let failure) = result else { throw Unexpected() }
        return failure
    }

    struct Unexpected: Error {}

    @Test func aClusterSaysWhoItIs() throws {
        let configuration = try outcome(.json(Self.config)).get()
        #expect(configuration.version == FlinkVersion(1, 20, 5))
        #expect(configuration.refreshInterval == .seconds(3))
    }

    // MARK: Several JobManagers

    private func ask(_ servers: [FakeServer], times: Int = 1) throws -> Result<FlinkClusterConfiguration, FlinkFailure> {
        var connection = try connection(servers[0].url)
        connection.alternatives = try servers.dropFirst().map { try FlinkAddress($0.url) }
        let client = FlinkClient(connection)
        defer { client.close() }
        for _ in 1..<times { _ = Self.ask(client, .configuration) }
        return Self.ask(client, .configuration)
    }

    @Test(arguments: [
        FakeServer.Reply.status(503, body: #"{"errors":["Service temporarily unavailable due to an ongoing leader election."]}"#),
        .status(307, body: "", headers: ["Location": "http://leader:8081/config"]),
    ])
    func theLeaderIsFoundAmongSeveral(standby: FakeServer.Reply) throws {
        let servers = [try FakeServer { _ in standby }, try FakeServer { _ in standby }, try FakeServer { _ in .json(Self.config) }]
        #expect(try ask(servers, times: 3).get().version == FlinkVersion(1, 20, 5))
        for server in servers { try server.stop() }
        #expect(servers[0].requests.count <= 1 && servers[2].requests.count == 3, "the leader is asked at once from then on")
    }

    @Test func aStandbyIsCalledThat() throws {
        let standby = try FakeServer { _ in .status(503, body: #"{"errors":["leader election"]}"#) }
        let redirecting = try FakeServer { _ in .status(307, body: "", headers: ["Location": "http://leader:8081/config"]) }
        let unavailable = try failure(ask([standby])), redirected = try failure(ask([redirecting]))
        for server in [standby, redirecting] { try server.stop() }
        #expect(unavailable.kind == .unavailable && unavailable.message.contains("a standby JobManager, or a leader is being elected"), "\(unavailable)")
        #expect(redirected.kind == .redirected && redirected.message.contains("to http://leader:8081/config: a standby JobManager"), "\(redirected)")
    }

    @Test func whatChangesSomethingIsSentToOneOnly() throws {
        let job = try #require(JobID("0123456789abcdef0123456789abcdef"))
        let servers = [try FakeServer { _ in .status(503, body: "{}") }, try FakeServer { _ in .status(202, body: "{}") }]
        var connection = try connection(servers[0].url)
        connection.alternatives = [try FlinkAddress(servers[1].url)]
        let client = FlinkClient(connection)
        defer { client.close() }
        #expect(try failure(Self.ask(client, .cancel(job))).kind == .unavailable)
        #expect(servers[1].requests.isEmpty)
        for server in servers { try server.stop() }
    }

    /// `config` of another cluster as `gzip` and `deflate` make it: a proxy compresses unasked.
    @Test(arguments: [
        (
            "gzip",
            "H4sIAAAAAAACA02NQQoCMRAE/zJns0TFS65+QR+QhQ4ObiYwmURx2b8bQcFrVdG9kiIp6s2xGLTHhcLRe78j44xXETiJGRToejnTHy0pVRiFUaaF5e46tHKRUe6ng59O9BOKzl/z/EBEa+ORwkoPzK62OfMYMm3Ytjdj22C8kAAAAA=="
        ),
        ("deflate", "eNqrVkrLyczL1i1LLSrOzM9TslIy0jPSM1DSUUpLTSwpLUotVrKqVipPTdItLk3KzSxRsiopKk2trQUAETITMA=="),
    ])
    func whatAProxyCompressesIsUnpacked(encoding: String, body: String) throws {
        let server = try FakeServer { _ in .bytes(Array(Data(base64Encoded: body) ?? Data()), headers: ["Content-Encoding": encoding]) }
        let client = FlinkClient(try connection(server.url))
        defer { client.close() }
        let configuration = try Self.ask(client, .configuration).get()
        try server.stop()
        #expect(configuration.version == (encoding == "gzip" ? FlinkVersion(1, 20, 5) : FlinkVersion(2, 2, 0)))
    }

    @Test func whatSwellsWhenItIsUnpackedIsLeftOut() throws {
        // 1 MiB of spaces before a valid answer, in 1 KiB.
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/spaces.gz")
        let body = Array(try Data(contentsOf: path))
        let server = try FakeServer { _ in .bytes(body, headers: ["Content-Encoding": "gzip"]) }
        let client = FlinkClient(try connection(server.url))
        defer { client.close() }
        let failure = try failure(Self.ask(client, .configuration))
        try server.stop()
        #expect(failure.kind == .tooLong, "\(failure)")
    }

    @Test func prefixHeadersAndTokenAreSent() throws {
        let server = try FakeServer { _ in .json(Self.config) }
        defer { try? server.stop() }  // A test that failed may leave it broken.
        let path = FileManager.default.temporaryDirectory.appending(path: "token-\(UInt64.random(in: 0 ... .max))").path
        try "first\n".write(toFile: path, atomically: true, encoding: .utf8)
        defer { unlink(path) }
        var connection = try connection(server.url + "/flink/prod")
        connection.headers = [try FlinkHeader(name: "X-Tenant", value: .literal("blue"))]
        connection.token = .file(path)
        let client = FlinkClient(connection)
        defer { client.close() }
        _ = try client.answer(to: .configuration)
        try "second".write(toFile: path, atomically: true, encoding: .utf8)
        _ = try client.answer(to: .configuration)
        let requests = server.requests
        #expect(requests.map(\.target) == ["/flink/prod/config", "/flink/prod/config"])
        #expect(requests.map { $0.headers["x-tenant"] } == ["blue", "blue"])
        #expect(requests.map { $0.headers["authorization"] } == ["Bearer first", "Bearer second"], "a renewed token is taken up")
    }

    @Test func aMissingSecretIsNamedAndNothingIsSent() throws {
        let server = try FakeServer { _ in .json(Self.config) }
        defer { try? server.stop() }  // A test that failed may leave it broken.
        for secret in [FlinkSecret.file("/nowhere/token"), .environment("WEIR_NO_SUCH_VARIABLE"), .literal("a\r\nHost: evil"), .literal("")] {
            var connection = try connection(server.url)
            connection.token = secret
            let client = FlinkClient(connection)
            defer { client.close() }
            let failure = try failure(Self.ask(client, .configuration))
            #expect(failure.kind == .misconfigured)
            #expect(!failure.message.contains("evil"))
        }
        #expect(server.requests == [])
    }

    @Test(arguments: [
        ("<html><head><title>Grafana</title></head></html>", "a web page"), ("garbage", "no JSON"), ("{\"a\":", "no JSON"), ("[1,2", "no JSON"),
        ("\u{0}\u{1}", "no JSON"),
    ])
    func whatIsNotFlinkIsSaidSo(body: String, words: String) throws {
        let failure = try failure(outcome(.status(200, body: body)))
        #expect(failure.kind == .notFlink)
        #expect(failure.message.contains(words) && failure.message.contains("REST port"), "\(failure)")
        #expect(failure.fullText == body)
    }

    @Test(arguments: ["{}", "[]", "{\"flink-version\":7}", "{\"flink-version\":\"\"}", ""])
    func jsonOfSomethingElseIsMalformed(body: String) throws {
        let failure = try failure(outcome(.json(body)))
        #expect(failure.kind == .malformed)
        #expect(failure.message.contains("flink-version") && failure.message.contains("GET /config"), "\(failure)")
    }

    @Test func jsonThatNestsTooDeepIsNoAnswer() throws {
        let failure = try failure(outcome(.json(String(repeating: "[", count: 100_000))))
        #expect(failure.kind == .notFlink)
    }

    @Test func anEndlessBodyIsBrokenOff() throws {
        let failure = try failure(outcome(.endless(String(repeating: "x", count: 10_000))))
        #expect(failure.kind == .tooLong)
        #expect(failure.message.contains("longer than"))
    }

    @Test func aHangIsGivenUp() throws {
        let start = ContinuousClock.now
        let failure = try failure(outcome(timeout: 300, .silence))
        #expect(failure.kind == .timedOut)
        #expect(failure.message.contains("did not answer GET /config within 300 ms"))
        #expect(failure.mayHaveArrived)
        #expect(ContinuousClock.now - start < .seconds(15))
    }

    @Test func aClosedConnectionAndNoHTTPAreNamed() throws {
        #expect(try failure(outcome(.close)).kind == .notFlink)
        for bytes in [Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), [0x15, 3, 1, 0, 2, 2, 70], []] {
            let server = try FakeServer(raw: bytes)
            let client = FlinkClient(try connection(server.url))
            let failure = try failure(Self.ask(client, .configuration))
            #expect(failure.kind == .notFlink, "\(failure)")
            #expect(failure.message.contains("REST port"))
            client.close()
            try server.stop()
        }
    }

    @Test func nobodyThereIsNamed() throws {
        let server = try FakeServer { _ in .close }
        let url = server.url
        try server.stop()
        let client = FlinkClient(try connection(url))
        defer { client.close() }
        let refused = try failure(Self.ask(client, .configuration))
        #expect(refused.kind == .unreachable)
        #expect(refused.message == "\(url): connection refused: nobody listens there")
        #expect(!refused.mayHaveArrived)
        let nameless = FlinkClient(try connection("http://no-such-host.invalid:8081"))
        defer { nameless.close() }
        #expect(try failure(Self.ask(nameless, .configuration)).kind == .unreachable)
    }

    @Test(arguments: [
        (301, FlinkFailure.Kind.redirected, "redirects to https://login.example/sso:"), (401, .unauthorized, "refuses us with 401"),
        (403, .unauthorized, "refuses us with 403"),
        (404, .notFlink, "does not know GET /config"), (409, .conflict, "conflicts"), (500, .rejected, "status 500"),
        (502, .unavailable, "does not reach the JobManager"),
        (503, .unavailable, "is not ready (503)"), (504, .unavailable, "does not reach"),
    ])
    func everyStatusHasItsWords(status: Int, kind: FlinkFailure.Kind, words: String) throws {
        let failure = try failure(outcome(.status(status, body: "", headers: ["Location": "https://login.example/sso?ticket=hunter2"])))
        #expect(failure.kind == kind)
        #expect(failure.status == status)
        #expect(failure.message.contains(words), "\(failure)")
        #expect(!failure.message.contains("hunter2"))
    }

    @Test func `a path that is not Flink's own is told as such`() throws {
        // As a cluster answers below a path prefix that it does not have, and as others answer in the same form.
        for said in ["Not found: /flink/config", "Not found."] {
            let server = try FakeServer { _ in .status(404, body: #"{"errors":["\#(said)"]}"#) }
            let client = FlinkClient(try connection(server.url))
            let first = try failure(Self.ask(client, .configuration))
            #expect(first.kind == .notFlink && first.message == "\(server.url) does not know GET /config: is it Flink's REST port, and the path prefix right?")
            let later = try failure(Self.ask(client, .overview))
            #expect(later.kind == .notFound && later.message == "\(server.url) does not know GET /overview: there is no such thing")
            client.close()
            try server.stop()
        }
    }

    @Test func aRedirectToAnotherHostIsNotFollowed() throws {
        let other = try FakeServer { _ in .json(Self.config) }
        let server = try FakeServer { _ in .status(302, body: "", headers: ["Location": other.url + "/config"]) }
        var connection = try connection(server.url)
        connection.token = .literal("secret")
        let client = FlinkClient(connection)
        #expect(try failure(Self.ask(client, .configuration)).kind == .redirected)
        #expect(other.requests == [])
        client.close()
        try server.stop()
        try other.stop()
    }

    @Test func flinksErrorsAreReducedToTheirCause() throws {
        let trace =
            #"org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.\n\tat a.B.c(B.java:1)\nCaused by: java.util.concurrent.CompletionException: java.lang.RuntimeException: x\n\t... 2 more\nCaused by: java.io.FileNotFoundException: Cannot find meta data file '_metadata' in directory '/x'.\n\tat d.E"#
        let failure = try failure(
            outcome(.status(400, body: #"{"errors":["Internal server error.","<Exception on server side:\n\#(trace)\nEnd of exception on server side>"]}"#)))
        #expect(failure.kind == .rejected)
        #expect(failure.message == "FileNotFoundException: Cannot find meta data file '_metadata' in directory '/x'.")
        #expect(failure.fullText?.contains("\tat a.B.c(B.java:1)") == true, "the whole text is there")
    }

    @Test(arguments: [
        ("java.lang.ClassNotFoundException: com.example.Nope", "ClassNotFoundException: com.example.Nope"),
        ("org.apache.flink.util.FlinkException: java.lang.NoClassDefFoundError: com/example/Nope", "NoClassDefFoundError: com/example/Nope"),
        ("java.lang.RuntimeException: java.io.IOException", "IOException"), ("java.lang.IllegalStateException: a: b", "IllegalStateException: a: b"),
    ])
    func `what an error says is not taken for another error`(line: String, words: String) throws {
        #expect(try failure(outcome(.status(500, body: #"{"errors":["\#(line)"]}"#))).message == words)
    }

    @Test func anErrorOfTenMegabytesIsReadAsFarAsNeeded() throws {
        let body = #"{"errors":["java.lang.IllegalStateException: too big\n"# + String(repeating: "\\tat a.b.C.d(C.java:1)\\n", count: 500_000) + #""]}"#
        #expect(body.utf8.count > 10_000_000)
        let failure = try failure(outcome(.status(500, body: body)))
        #expect(failure.kind == .rejected)
        #expect(failure.message == "IllegalStateException: too big")
        #expect((failure.fullText?.utf8.count ?? 0) < 300_000)
    }

    @Test func theUnknownIsNotFoundWhenFlinkSaysSo() throws {
        let body = #"{"errors":["org.apache.flink.runtime.rest.NotFoundException: Operation not found under key: ...@7f"]}"#
        let failure = try failure(outcome(.status(404, body: body)))
        #expect(failure.kind == .notFound)
        #expect(!failure.isOfLink)
    }

    @Test func aCallCanBeGivenUpAndAClientClosed() throws {
        let server = try FakeServer { _ in .silence }
        let client = FlinkClient(try connection(server.url))
        let ended = Mutex<[FlinkFailure.Kind]>([])
        func ask() -> FlinkClient.Call {
            client.send(.configuration) { result in
                if case .failure(let failure) = result { ended.withLock { $0.append(failure.kind) } }
            }
        }
        let call = ask()
        #expect(eventually { server.requests.count == 1 })
        call.cancel()
        #expect(eventually { ended.withLock { $0 } == [.cancelled] })
        _ = ask()
        #expect(eventually { server.requests.count == 2 })
        client.close()
        #expect(eventually { ended.withLock { $0.count } == 2 })
        #expect(try failure(Self.ask(client, .configuration)).kind == .cancelled, "a closed client takes no more")
        #expect(server.requests.count == 2)
        try server.stop()
    }

    @Test func aFileIsUploadedAsTheOnePart() throws {
        let server = try FakeServer { _ in .json(#"{"filename":"/tmp/flink-web/uploads/ab_x.jar","status":"success"}"#) }
        let path = FileManager.default.temporaryDirectory.appending(path: "upload-\(UInt64.random(in: 0 ... .max)).jar").path
        let content = Data([0x50, 0x4b, 3, 4]) + Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try content.write(to: URL(filePath: path))
        defer { unlink(path) }
        let client = FlinkClient(try connection(server.url))
        #expect(try client.answer(to: .upload(jar: path, name: "x\".jar")) == "ab_x.jar")
        let request = try #require(server.requests.first)
        let boundary = try #require(request.headers["content-type"]?.split(separator: "boundary=").last)
        let head = Data(
            "--\(boundary)\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"x_.jar\"\r\nContent-Type: application/x-java-archive\r\n\r\n".utf8)
        #expect(Data(request.body) == head + content + Data("\r\n--\(boundary)--\r\n".utf8))
        #expect(try failure(Self.ask(client, .upload(jar: "/nowhere.jar", name: "x.jar"))).kind == .misconfigured)
        for wrong in ["", "PK", "this is no jar\n"] {
            try Data(wrong.utf8).write(to: URL(filePath: path))
            let refused = try failure(Self.ask(client, .upload(jar: path, name: "x.jar")))
            #expect(refused.kind == .misconfigured && refused.message == "\(path) is no jar: it does not begin as a zip archive does. Nothing was uploaded")
        }
        #expect(server.requests.count == 1, "nothing of them was sent")
        client.close()
        try server.stop()
    }

    // MARK: TLS

    private func secure(
        _ certificate: String, authority: String? = "authority", clientAuthority: Bool = false, identity: Bool = false,
        name: String? = nil
    ) throws -> Result<FlinkClusterConfiguration, FlinkFailure> {
        let folder = Self.certificates
        let server = try FakeServer(
            identity: .init(
                certificate: "\(folder)/\(certificate).pem", key: "\(folder)/\(certificate).key.pem",
                clientAuthority: clientAuthority ? "\(folder)/authority.pem" : nil)
        ) { _ in .json(Self.config) }
        var connection = try connection("https://localhost:\(server.port)")
        connection.serverName = name
        connection.authorityFile = authority.map { "\(folder)/\($0).pem" }
        if identity { connection.clientCertificate = .init(chainFile: "\(folder)/operator.pem", keyFile: "\(folder)/operator.key.pem") }
        let client = FlinkClient(connection)
        let result = Self.ask(client, .configuration)
        client.close()
        try server.stop()
        return result
    }

    @Test func tlsWithOurAuthorityWorks() throws { #expect(try secure("loopback").get().version == FlinkVersion(1, 20, 5)) }

    /// The token would go over a broken connection: it is refused before anything is asked.
    @Test(arguments: [10, 11]) func oldTLSIsRefusedAndGetsNoToken(newest: Int) throws {
        let folder = Self.certificates
        let server = try FakeServer(
            identity: .init(certificate: "\(folder)/loopback.pem", key: "\(folder)/loopback.key.pem", newestTLS: newest)
        ) { _ in .json(Self.config) }
        var connection = try connection("https://localhost:\(server.port)")
        connection.authorityFile = "\(folder)/authority.pem"
        connection.token = .literal("hunter2")
        let client = FlinkClient(connection)
        let failure = try failure(Self.ask(client, .configuration))
        client.close()
        #expect(failure.kind == .insecure)
        #expect(failure.message.contains("https://localhost:\(server.port) offers TLS 1.1 or older only"), "\(failure)")
        #expect(failure.message.contains("TLS 1.2"), "\(failure)")
        #expect(server.requests.isEmpty)
        try server.stop()
    }

    @Test func tlsOneTwoIsTaken() throws {
        let folder = Self.certificates
        let server = try FakeServer(
            identity: .init(certificate: "\(folder)/loopback.pem", key: "\(folder)/loopback.key.pem", newestTLS: 12)
        ) { _ in .json(Self.config) }
        var connection = try connection("https://localhost:\(server.port)")
        connection.authorityFile = "\(folder)/authority.pem"
        let client = FlinkClient(connection)
        #expect(try Self.ask(client, .configuration).get().version == FlinkVersion(1, 20, 5))
        client.close()
        try server.stop()
    }

    @Test func tlsOfAnotherHostIsNamed() throws {
        let failure = try failure(secure("elsewhere"))
        #expect(failure.kind == .insecure)
        #expect(failure.message.contains("is for another host"), "\(failure)")
    }

    /// Through a tunnel the certificate is that of the host at its other end.
    @Test func theNameToExpectCanBeSaid() throws {
        #expect(try secure("elsewhere", name: "elsewhere.example").get().version == FlinkVersion(1, 20, 5))
        #expect(try failure(secure("elsewhere", name: "another.example")).kind == .insecure)
    }

    @Test(arguments: ["stranger", nil])
    func tlsOfAnUnknownAuthorityIsNamed(authority: String?) throws {
        let failure = try failure(secure("loopback", authority: authority))
        #expect(failure.kind == .insecure)
        #expect(failure.message.contains("CA file"), "\(failure)")
    }

    /// Each has its own cause and remedy; none is "an authority that is not trusted".
    @Test(arguments: [
        ("expired", "expired", ["expired on 2021-01-01", "let it be renewed", "clock"]),
        ("expired", "authority", ["expired on 2021-01-01"]),
        ("future", "future", ["is not valid before 2120-01-01", "correct the clock of this machine"]),
        ("selfsigned", "authority", ["is self-signed", "name it as the CA file"]),
        ("loopback", "stranger", ["signed by an authority that is not trusted here", "name its CA file"]),
        ("elsewhere", "authority", ["is for another host"]),
    ])
    func theCauseOfARefusedCertificateIsNamed(certificate: String, authority: String, words: [String]) throws {
        let failure = try failure(secure(certificate, authority: authority))
        #expect(failure.kind == .insecure)
        for word in words { #expect(failure.message.contains(word), "\(failure)") }
    }

    @Test func aSelfSignedCertificateThatIsNamedIsTaken() throws {
        #expect(try secure("selfsigned", authority: "selfsigned").get().version == FlinkVersion(1, 20, 5))
    }

    @Test func aClientCertificateIsShown() throws {
        #expect(try secure("loopback", clientAuthority: true, identity: true).get().version == FlinkVersion(1, 20, 5))
        let refusal = try failure(secure("loopback", clientAuthority: true))
        #expect(refusal.kind == .insecure, "\(refusal)")
        #expect(refusal.message.contains("client certificate"), "\(refusal)")
    }

    @Test func filesThatAreNoCertificatesAreNamed() throws {
        for path in ["/nowhere/ca.pem", #filePath] {
            var connection = try connection("https://localhost:1")
            connection.authorityFile = path
            let failure = try failure(Self.ask(FlinkClient(connection), .configuration))
            #expect(failure.kind == .misconfigured)
            #expect(failure.message.contains(path))
        }
        var connection = try connection("https://localhost:1")
        connection.clientCertificate = .init(chainFile: "\(Self.certificates)/operator.pem", keyFile: "\(Self.certificates)/operator.pem")
        #expect(try failure(Self.ask(FlinkClient(connection), .configuration)).kind == .misconfigured)
    }

    @Test func tlsWhereThereIsNoneAndTheReverse() throws {
        let plain = try FakeServer { _ in .json(Self.config) }
        let client = FlinkClient(try connection("https://localhost:\(plain.port)"))
        let failure = try failure(Self.ask(client, .configuration))
        #expect(failure.kind == .insecure)
        #expect(failure.message.contains("is it http?"), "\(failure)")
        client.close()
        try plain.stop()
    }
}
