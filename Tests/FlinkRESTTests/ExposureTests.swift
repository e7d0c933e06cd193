import FlinkREST
import Glibc
import Testing

/// Secrets that others can get at are named, with what to do.
@Suite struct ExposureTests {
    private func connection(_ url: String) throws -> FlinkConnection { FlinkConnection(try FlinkAddress(url)) }

    @Test(arguments: ["http://flink.example:8081", "http://10.0.0.9:8081/proxy"])
    func `a token over plain HTTP to another machine`(url: String) throws {
        var connection = try connection(url)
        #expect(connection.exposures.isEmpty)
        connection.token = .literal("hunter2")
        #expect(connection.exposures.map(\.problem) == ["the token goes to \(url) unencrypted, for everybody on the way to read"])
        connection.token = nil
        connection.headers = [try FlinkHeader(name: "X-Key", value: .literal("hunter2"))]
        #expect(connection.exposures.first?.problem.hasPrefix("the header X-Key goes to") == true)
        #expect(!"\(connection.exposures)".contains("hunter2"))
    }

    @Test(arguments: ["http://localhost:8081", "http://127.0.0.1:8081", "http://[::1]:8081", "https://flink.example"])
    func `loopback and TLS are no exposure`(url: String) throws {
        var connection = try connection(url)
        connection.token = .literal("hunter2")
        #expect(connection.exposures.isEmpty)
    }

    @Test(arguments: [(0o644, "0644"), (0o640, "0640"), (0o606, "0606"), (0o600, nil), (0o400, nil)] as [(mode_t, String?)])
    func `a token file that others may read`(mode: mode_t, told: String?) throws {
        var template = Array("/tmp/weir-token-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0 && fchmod(descriptor, mode) == 0)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            close(descriptor)
            unlink(path)
        }
        var connection = try connection("https://flink.example")
        connection.token = .file(path)
        connection.headers = [try FlinkHeader(name: "X-Key", value: .file(path))]
        connection.clientCertificate = .init(chainFile: path, keyFile: path)
        let exposures = connection.exposures
        #expect(exposures.map(\.problem) == (told.map { ["\(path) holds a secret and is open to others (mode \($0))"] } ?? []))
        #expect(exposures.allSatisfy { $0.remedy == "chmod 600 \(path)" })
    }
}
