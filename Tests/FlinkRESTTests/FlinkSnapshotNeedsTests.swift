import FlinkFake
import StreamModel
import Testing

@testable import FlinkREST

/// Goal: a snapshot is deleted only when no live job needs its files, in any version and claim mode. Method: a server with two live jobs, one of which
/// began from the other's checkpoint, and sets of file names instead of metadata.
@Suite struct FlinkSnapshotNeedsTests {
    private static let a = "309b9954d42cac80ba1c97b8513c7320", b = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    private static let origin = "/cp/\(a)/chk-40"

    /// Job `b` with checkpoint 41, which began from `restored` before it; and another one that takes no checkpoints.
    private func needs(
        of path: String, version: FlinkVersion = FlinkVersion(2, 3, 0), restored: String? = "file:" + origin, own: Bool = true, state: String = "RUNNING",
        files: @escaping @Sendable (String) -> Set<String>?
    ) throws -> [String] {
        let server = try FakeServer { request in
            switch request.path {
            case "/jobs/overview":
                return .json(
                    #"{"jobs":[{"jid":"\#(Self.b)","name":"again","state":"RUNNING","start-time":1,"end-time":-1},{"jid":"\#(Self.a)","name":"orders","state":"CANCELED","start-time":1,"end-time":2},{"jid":"cccccccccccccccccccccccccccccccc","name":"other","state":"\#(state)","start-time":1,"end-time":-1}]}"#
                )
            case "/jobs/\(Self.b)/checkpoints":
                let from = restored.map { #""restored":{"id":40,"restore_timestamp":1000,"is_savepoint":true,"external_path":"\#($0)"}"# } ?? ""
                let row =
                    #"{"id":41,"status":"COMPLETED","is_savepoint":false,"trigger_timestamp":2000,"num_subtasks":1,"num_acknowledged_subtasks":1,"external_path":"file:/cp/\#(Self.b)/chk-41","discarded":false}"#
                return .json(#"{"counts":{},"latest":{\#(from)},"history":[\#(own ? row : "")]}"#)
            default: return .status(404, body: #"{"errors":["no such thing"]}"#)
            }
        }
        let client = FlinkClient(FlinkConnection(try FlinkAddress(server.url), timeout: 500))
        defer { client.close() }
        let lines = Result { try FlinkSnapshotNeeds(client: client, version: version, snapshots: SnapshotSight(files: files)).lines(of: path) }
        try server.stop()
        return try lines.get()
    }

    /// Three files of the first are among those of the second.
    private static let shared: @Sendable (String) -> Set<String>? = { path in
        path.hasSuffix("chk-40") ? ["/s/1", "/s/2", "/s/3", "/x/40"] : path.hasSuffix("chk-41") ? ["/s/1", "/s/2", "/s/3", "/x/41"] : ["/x/\(path)"]
    }

    @Test(arguments: [FlinkVersion(1, 14, 3), FlinkVersion(1, 20, 5), FlinkVersion(2, 3, 0)]) func filesThatALiveJobNamesAreKept(_ version: FlinkVersion) throws
    {
        // Also of a job that began from nothing that is known.
        for restored in ["file:" + Self.origin, nil] as [String?] {
            #expect(
                try needs(of: Self.origin, version: version, restored: restored, files: Self.shared) == [
                    "again (bbbbbbbb) needs 3 of its files: its checkpoint #41 names them"
                ])
        }
        #expect(try needs(of: "/cp/\(Self.a)/chk-39", version: version, files: Self.shared).isEmpty, "it has files of its own alone")
    }

    @Test func whatItBeganFromIsKeptUntilItHasItsOwn() throws {
        #expect(try needs(of: Self.origin, own: false, files: Self.shared) == ["again (bbbbbbbb) began from it and has no checkpoint of its own yet"])
        #expect(try needs(of: "file:///cp/\(Self.b)/chk-41/_metadata", files: Self.shared) == ["again (bbbbbbbb) has it as a checkpoint of its own"])
    }

    @Test func whatCannotBeSeenIsKeptWhereFilesMayBeShared() throws {
        let unseen = ["again (bbbbbbbb) may need its files, and which they are cannot be seen from here"]
        let none: @Sendable (String) -> Set<String>? = { _ in nil }
        #expect(try needs(of: Self.origin, files: none) == unseen)
        #expect(try needs(of: "/cp/\(Self.a)/chk-38", files: none) == unseen, "it lies in the same job's directory")
        #expect(try needs(of: Self.origin, files: { $0.hasSuffix("chk-41") ? nil : ["/s/1"] }) == unseen)
        #expect(try needs(of: "/cp/\(Self.b)/chk-3", files: none) == unseen, "an older one of its own")
        #expect(try needs(of: "s3://b/savepoint-1", files: none).isEmpty, "no live job has to do with it")
        // A savepoint had no files that a job of 1.14 uses again.
        #expect(try needs(of: "s3://b/savepoint-1", version: FlinkVersion(1, 14, 3), restored: "s3://b/savepoint-1", files: none).isEmpty)
        #expect(try needs(of: "s3://b/savepoint-1", restored: "s3://b/savepoint-1", files: none) == unseen)
    }

    @Test func aJobThatDoesNotTellYetHoldsItBack() throws {
        #expect(
            try needs(of: "/sp/1", state: "INITIALIZING", files: Self.shared) == ["other (cccccccc) is INITIALIZING: it does not tell yet what it begins from"])
    }
}
