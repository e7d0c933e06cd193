import JSON
import StreamModel
import Testing

@testable import FlinkREST

/// Goal: what real clusters of every version answer is read whole, and what is cut or bent is read as far as it goes, without a trap.
@Suite struct FixtureTests {
    private typealias Reader = @Sendable (JSONValue) throws -> Void

    private static let job = JobID("0123456789abcdef0123456789abcdef")!
    private static let vertex = OperatorID("0123456789abcdef0123456789abcdef")!
    private static let trigger = FlinkTriggerID("0123456789abcdef0123456789abcdef")!

    /// The endpoint that a recorded request was made to, by its path; nil = one that the client does not use.
    private static func reader(_ method: String, _ path: String) -> Reader? {
        func take<Answer>(_ endpoint: FlinkEndpoint<Answer>) -> Reader { { json in _ = try endpoint.read(json) } }
        let parts = path.prefix { $0 != "?" }.split(separator: "/").map(String.init)
        switch (method, parts.first, parts.dropFirst(2).joined(separator: "/")) {
        case ("GET", "config", _): return take(.configuration)
        case ("GET", "overview", _): return take(.overview)
        case ("GET", "jars", _): return parts.count == 1 ? take(.jars) : nil
        case ("GET", "savepoint-disposal", _): return take(.disposalProgress(trigger))
        case ("POST", "savepoint-disposal", _): return take(.dispose(savepoint: "x"))
        case ("POST", "jars", ""): return take(.upload(jar: "x", name: "x"))
        case ("POST", "jars", "run"): return take(.run(FlinkLaunch(jar: "x"), version: FlinkVersion(2, 0)))
        case ("GET", "jobs", ""):
            return parts.count == 1 ? nil : parts[1] == "overview" ? take(.jobs) : parts[1] == "metrics" ? nil : take(.job(job))
        case ("GET", "jobs", "config"): return take(.executionConfiguration(job))
        case ("GET", "jobs", "checkpoints"): return take(.checkpoints(job))
        case ("GET", "jobs", "checkpoints/config"): return take(.checkpointConfiguration(job))
        case ("GET", "jobs", "exceptions"): return take(.exceptions(job))
        case ("GET", "jobs", "metrics"): return take(.metrics(job, ["x"]))
        case ("POST", "jobs", "savepoints"): return take(.savepoint(job, directory: nil))
        case ("POST", "jobs", "checkpoints"): return take(.checkpointNow(job))
        case ("POST", "jobs", "stop"): return take(.stop(job, drain: false, directory: nil))
        case ("PATCH", "jobs", ""): return take(.cancel(job))
        case ("GET", "jobs", let rest):
            let tail = rest.split(separator: "/").map(String.init)
            switch (tail.first, tail.count, tail.last) {
            case ("savepoints", 2, _): return take(.savepointProgress(job, trigger))
            case ("checkpoints", 2, _): return take(.checkpointProgress(job, trigger))
            case ("checkpoints", 3, _): return take(.checkpoint(job, CheckpointID(1)))
            case ("checkpoints", 5, _): return take(.checkpoint(job, CheckpointID(1), vertex: vertex))
            case ("vertices", 2, _): return take(.subtasks(job, vertex: vertex))
            case ("vertices", 3, "metrics"), ("vertices", 3, "watermarks"), ("vertices", 4, "metrics"): return take(.metrics(job, vertex: vertex, ["x"]))
            default: return nil
            }
        default: return nil
        }
    }

    @Test(arguments: Fixture.versions) func everyAnswerIsRead(version: String) throws {
        var read = 0
        for name in try Fixture.names(version) {
            let request = try Fixture.request(version, name)
            let json = try Fixture.json(version, name)
            guard (200..<300).contains(request.status) else {
                let line = try #require(ErrorText.firstLine(of: json, text: ""), "\(name)")
                #expect(!line.isEmpty && !line.contains("\n") && !line.hasPrefix("org.apache"), "\(name): \(line)")
                continue
            }
            guard let reader = Self.reader(request.method, request.path) else { continue }
            #expect(throws: Never.self, "\(version)/\(name)") { try reader(json) }
            read += 1
        }
        #expect(read >= 60, "the recordings are not where they should be")
    }

    @Test(arguments: Fixture.versions) func theClusterIsKnownByItsVersion(version: String) throws {
        let configuration = try FlinkClusterConfiguration(reading: Fixture.json(version, "config"))
        #expect(configuration.version == FlinkVersion(version) && configuration.versionText == version)
        #expect(configuration.refreshInterval != nil && configuration.allowsSubmit)
    }

    @Test(arguments: Fixture.versions) func causesOfErrorsAreFound(version: String) throws {
        func line(_ name: String) throws -> String { try ErrorText.firstLine(of: Fixture.json(version, name), text: "") ?? "" }
        let absent = try line("jar-run-absent-path"), unmappable = try line("jar-run-unmappable")
        #expect(absent.contains("Cannot find") || absent.contains("No such file"), "\(absent)")
        #expect(try line("error-unknown-job").contains("0123456789abcdef0123456789abcdef"))
        #expect(unmappable.contains("can not be restored"), "\(unmappable)")
        #expect(try line("jar-upload-refused").contains("Only Jar files are allowed."))
    }

    @Test(arguments: Fixture.versions) func operationsThatFailedInsideSayWhy(version: String) throws {
        let progress = try FlinkEndpoint.savepointProgress(Self.job, Self.trigger).read(Fixture.json(version, "savepoint-failed"))
        guard case .failed(let line, let trace) = progress else { throw Fixture.Missing(name: "savepoint-failed: \(progress)") }
        #expect(!line.isEmpty && !line.contains("\n") && trace.contains("\n\tat "))
        #expect(try FlinkEndpoint.savepointProgress(Self.job, Self.trigger).read(Fixture.json(version, "savepoint-in-progress")) == .inProgress)
        guard case .completed(let location) = try FlinkEndpoint.savepointProgress(Self.job, Self.trigger).read(Fixture.json(version, "savepoint-completed"))
        else { throw Fixture.Missing(name: "savepoint-completed") }
        #expect(location.hasPrefix("file:/"))
    }

    /// Every beginning of an answer, closed, is JSON; and reading it never traps.
    @Test func everyBeginningOfAnAnswerCanBeRead() throws {
        for (version, name) in [
            ("1.14.3", "exceptions-sync-failed"), ("2.3.0", "job-running"), ("1.20.5", "checkpoints-async-failed"), ("1.14.3", "jar-run-throws"),
        ] {
            // Three bytes short of the end at least: a whole answer needs no closing.
            let bytes = Array(try Fixture.bytes(version, name).dropLast(3).prefix(2500))
            let request = try Fixture.request(version, name)
            for length in 1...bytes.count {
                let closed = try #require(CutJSON.closed(Array(bytes.prefix(length))), "\(name) \(length)")
                let json = try JSONValue.parse(closed, maximumDepth: 64)
                // What is missing may make it no answer; that is said, not trapped on.
                try? Self.reader(request.method, request.path)?(json)
            }
        }
    }

    @Test(arguments: [
        ("{\"a\":\"x\\", "{\"a\":\"x\"}"), ("{\"a\":\"x\\u00", "{\"a\":\"x\"}"), ("{\"a\":\"x\\ud83d", "{\"a\":\"x\"}"),
        ("{\"a\":\"x\\\\", "{\"a\":\"x\\\\\"}"),
        ("{\"a\":1,\"b", "{\"a\":1}"), ("{\"a\":1,\"b\":", "{\"a\":1}"), ("{\"a\":12", "{}"), ("[1,tr", "[1]"), ("[[{\"a\":[", "[[{\"a\":[]}]]"), ("{", "{}"),
        ("{\"errors\":[\"first\\nsec", "{\"errors\":[\"first\\nsec\"]}"),
    ])
    func aCutTextIsClosed(text: String, closed: String) {
        #expect(CutJSON.closed(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) } == closed)
    }

    @Test func halfACharacterIsDropped() {
        let bytes = Array("{\"a\":\"ü😀".utf8)
        for cut in 1...3 { #expect(CutJSON.closed(Array(bytes.dropLast(cut))).map { String(decoding: $0, as: UTF8.self) } == "{\"a\":\"ü\"}") }
    }

    @Test(arguments: ["", "x", "{}", "[]", "\"a\"", "12"]) func whatNeedsNoClosingIsNotClosed(text: String) { #expect(CutJSON.closed(Array(text.utf8)) == nil) }

    /// One byte of an answer bent: an answer, or a named problem.
    @Test func bentAnswersDoNotTrap() throws {
        for (version, name) in [
            ("1.14.3", "job-running"), ("2.3.0", "checkpoints-with-savepoint"), ("1.20.5", "vertex-count-subtasks-metrics"), ("2.3.0", "checkpoints-config"),
        ] {
            let bytes = try Fixture.bytes(version, name)
            let request = try Fixture.request(version, name)
            for index in stride(from: 0, to: bytes.count, by: 3) {
                for bent in [bytes[index] ^ 0x01, 0x2d, 0x39] {
                    var copy = bytes
                    copy[index] = bent
                    // Either way is fine; what counts is that it returns.
                    guard let json = try? JSONValue.parse(copy, maximumDepth: 64) else { continue }
                    // The same.
                    try? Self.reader(request.method, request.path)?(json)
                }
            }
        }
    }

    @Test func numbersThatAreNoneAreAbsent() throws {
        let json = try JSONValue.parse(
            Array(#"{"a":"NaN","b":"Infinity","c":-1,"d":1e300,"e":9223372036854775807,"f":"12","g":null,"h":[],"i":12.0,"j":-9223372036854775808}"#.utf8),
            maximumDepth: 4)
        #expect(json["a"]?.real == nil && json["a"]?.count == nil && json["b"]?.real == nil)
        #expect(json["c"]?.count == nil && json["c"]?.integer == -1)
        #expect(json["d"]?.integer == nil && json["d"]?.real == 1e300 && json["e"]?.count == .max && json["e"]?.smallCount == nil)
        #expect(json["f"]?.count == 12 && json["i"]?.count == 12 && json["j"]?.count == nil)
        #expect(json["g"] == nil && json["h"]?.count == nil)
    }
}
