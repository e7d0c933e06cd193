import FlinkREST
import StreamModel
import Testing

@Suite struct FlinkAddressTests {
    @Test(arguments: [
        ("http://host:8081", "http://host:8081"), ("HTTP://host:8081/", "http://host:8081"), ("https://flink.example", "https://flink.example:443"),
        ("http://[::1]:8081", "http://[::1]:8081"), ("https://proxy/flink/prod/", "https://proxy:443/flink/prod"), ("http://10.0.0.1", "http://10.0.0.1:80"),
    ])
    func urlsAreRead(text: String, shown: String) throws { #expect(try FlinkAddress(text).description == shown) }

    @Test(arguments: [
        ("", "is not a URL"), ("host:8081", "has no scheme: write http://host:8081"), ("localhost", "has no scheme"), ("ftp://host", "begins with ftp://"),
        ("http://", "has no host name"), ("http://:8081", "has no host name"), ("http://host:", "has no port"), ("http://host:0", "has no port"),
        ("http://host:65536", "has no port"), ("http://host:+80", "has no port"), ("http://host:8081x", "has no port"),
        ("http://host:99999999999999999999", "has no port"),
        ("http://user:secret@host", "no user and no password"), ("http://host/?a=b", "has a '?'"), ("http://host/#a", "has a '?' or '#'"),
        ("http://ho st", "is not a URL"),
        ("http://host/a/../b", "has a path prefix that is none"), ("http://[::1", "has a '['"), ("http://[]:1", "has no IPv6"),
        ("http://h\u{1b}[31m", "is not a URL"),
        ("http://ho%73t", "has no host name"), ("http://host/\"x\"", "has a path prefix that is none"),
    ])
    func whatIsNoAddressIsNamed(text: String, problem: String) {
        #expect { try FlinkAddress(text) } throws: { "\($0)".contains(problem) }
    }

    @Test func aPasswordInAURLIsNotRepeated() {
        let problem = #expect(throws: FlinkAddress.Problem.self) { try FlinkAddress("http://ana:hunter2@host") }
        #expect(problem.map { "\($0)" }?.contains("hunter2") == false)
    }

    @Test(arguments: ["", "a b", "a:b", "Host", "content-length", "a\r\nb", "ä"])
    func headersThatAreNoneAreRefused(name: String) {
        #expect(throws: FlinkAddress.Problem.self) { try FlinkHeader(name: name, value: .literal("x")) }
    }

    @Test func secretsAreNeverShown() throws {
        var connection = FlinkConnection(try FlinkAddress("https://host"))
        connection.headers = [try FlinkHeader(name: "X-Auth", value: .literal("hunter2"))]
        connection.token = .literal("hunter2")
        var dumped = ""
        dump(connection, to: &dumped)
        for text in ["\(connection)", String(reflecting: connection), dumped] { #expect(!text.contains("hunter2")) }
    }
}

@Suite struct EndpointTests {
    let job = JobID("0123456789abcdef0123456789abcdef")!

    @Test func pathsAreBuiltFromCheckedIDs() {
        #expect(FlinkEndpoint.job(job).target == "/jobs/0123456789abcdef0123456789abcdef")
        #expect(FlinkEndpoint.checkpoint(job, CheckpointID(7)).target == "/jobs/0123456789abcdef0123456789abcdef/checkpoints/details/7")
        #expect(FlinkEndpoint.exceptions(job, limit: 5).target == "/jobs/0123456789abcdef0123456789abcdef/exceptions?maxExceptions=5")
        #expect(FlinkEndpoint.cancel(job).target.hasSuffix("?mode=cancel"))
    }

    @Test(arguments: [
        ("../../config", "..%2F..%2Fconfig"), ("..", "%2E%2E"), (".", "%2E"), ("a?b#c", "a%3Fb%23c"), ("a\r\nHost: b", "a%0D%0AHost%3A%20b"),
        ("ü", "%C3%BC"), ("%2e%2e", "%252e%252e"), ("0a_b-c.jar", "0a_b-c.jar"),
    ])
    func textFromOutsideIsEscapedInPaths(text: String, escaped: String) {
        #expect(FlinkPathSegment(escaping: text).escaped == escaped)
        #expect(FlinkEndpoint.delete(jar: text).target == "/jars/" + escaped)
    }

    @Test func queriesAreEscaped() {
        #expect(FlinkEndpoint.metrics(job, ["a b&c=d", "e"]).target.hasSuffix("/metrics?get=a%20b%26c%3Dd%2Ce"))
    }

    @Test func fieldsOfALaunchAreGatedByVersion() {
        var launch = FlinkLaunch(jar: "x.jar")
        launch.path = "file:/a"
        launch.claim = .claim
        launch.arguments = ["--a", "\"b\""]
        func body(_ version: FlinkVersion) -> String {
            guard case .json(let value) = FlinkEndpoint.run(launch, version: version).body else { return "" }
            return "\(value)"
        }
        #expect(!body(FlinkVersion(1, 14, 3)).contains("Mode"))
        #expect(body(FlinkVersion(1, 16)).contains("restoreMode"))
        #expect(body(FlinkVersion(2, 3)).contains("claimMode"))
        #expect(!body(FlinkVersion(2, 3)).contains("restoreMode"))
    }
}
