import FlinkFake
import FlinkREST
import StreamModel
import Synchronization
import Testing

/// Goal: what is deleted was meant, and nothing is said to be deleted that may not be. Method: a server that has one live job and answers disposals as
/// Flink does, or not at all.
@Suite struct FlinkChoresTests {
    private static let job = "0123456789abcdef0123456789abcdef"

    private struct Cluster {
        let server: FakeServer
        let chores: FlinkChores
        let client: FlinkClient

        init(disposal: FakeServer.Reply = .status(202, body: #"{"request-id":"00000000000000000000000000000001"}"#), progress: FakeServer.Reply) throws {
            server = try FakeServer { request in
                switch (request.method, request.path) {
                case ("GET", "/jobs/overview"):
                    .json(#"{"jobs":[{"jid":"\#(FlinkChoresTests.job)","name":"orders","state":"RUNNING","start-time":1,"end-time":-1}]}"#)
                case ("GET", "/jobs/\(FlinkChoresTests.job)/checkpoints"):
                    .json(
                        #"{"counts":{},"latest":{},"history":[{"id":4,"status":"COMPLETED","is_savepoint":false,"trigger_timestamp":1,"num_subtasks":1,"num_acknowledged_subtasks":1,"external_path":"file:/cp/chk-4"}]}"#
                    )
                case ("POST", "/savepoint-disposal"): disposal
                case ("GET", let path) where path.hasPrefix("/savepoint-disposal/"): progress
                case ("GET", "/jars"): .json(#"{"files":[{"id":"x_a.jar","name":"a.jar","uploaded":1}]}"#)
                case ("DELETE", _): .json("{}")
                default: .status(404, body: #"{"errors":["no such thing"]}"#)
                }
            }
            client = FlinkClient(FlinkConnection(try FlinkAddress(server.url), timeout: 500))
            chores = FlinkChores(client: client, pause: { _ in })
        }

        func dispose(_ path: String) -> FlinkChores.Failure? {
            do throws(FlinkChores.Failure) { try chores.dispose(savepoint: path, limit: .seconds(1)) } catch { return error }
            return nil
        }

        func stop() throws {
            client.close()
            try server.stop()
        }
    }

    private static let done = FakeServer.Reply.json(#"{"status":{"id":"COMPLETED"},"operation":{}}"#)

    @Test func aSavepointIsDisposedOf() throws {
        let cluster = try Cluster(progress: Self.done)
        #expect(cluster.dispose("file:///sp/savepoint-1") == nil)
        #expect(cluster.server.requests.contains { $0.method == "POST" && $0.text.contains("/sp/savepoint-1") })
        try cluster.stop()
    }

    @Test func aCheckpointOfALiveJobIsNot() throws {
        let cluster = try Cluster(progress: Self.done)
        // However its path is spelt.
        for path in ["file:/cp/chk-4", "file:///cp/chk-4", "/cp/chk-4/"] {
            guard case .refused(let why) = cluster.dispose(path) else { return #expect(Bool(false), "\(path)") }
            #expect(why.contains("is a checkpoint of orders (01234567), which is RUNNING: nothing was sent"))
        }
        #expect(!cluster.server.requests.contains { $0.method == "POST" })
        try cluster.stop()
    }

    @Test func aFailureSaysWhyAndAnUnknownEndSaysThat() throws {
        let failing = try Cluster(
            progress: .json(#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"X","stack-trace":"java.io.FileNotFoundException: gone"}}}"#))
        #expect(failing.dispose("/sp/1") == .failed("/sp/1 was not deleted: FileNotFoundException: gone"))
        try failing.stop()
        let forgetting = try Cluster(progress: .status(404, body: #"{"errors":["unknown"]}"#))
        guard case .unknown(let forgotten) = forgetting.dispose("/sp/1") else { return #expect(Bool(false)) }
        #expect(forgotten.contains("look whether /sp/1 is still there"))
        try forgetting.stop()
        let lost = try Cluster(disposal: .silence, progress: Self.done)
        guard case .unknown = lost.dispose("/sp/1") else { return #expect(Bool(false)) }
        try lost.stop()
        let slow = try Cluster(progress: .json(#"{"status":{"id":"IN_PROGRESS"}}"#))
        guard case .unknown(let unfinished) = slow.dispose("/sp/1") else { return #expect(Bool(false)) }
        #expect(unfinished.contains("goes on"))
        try slow.stop()
    }

    @Test func aJarThatIsNotThereIsNotDeleted() throws {
        let cluster = try Cluster(progress: Self.done)
        do throws(FlinkChores.Failure) {
            try cluster.chores.delete(jar: "x_a.jar")
            try cluster.chores.delete(jar: "y_b.jar")
            #expect(Bool(false))
        } catch {
            #expect(error == .refused("there is no jar y_b.jar on the cluster"))
        }
        #expect(cluster.server.requests.filter { $0.method == "DELETE" }.map(\.path) == ["/jars/x_a.jar"])
        try cluster.stop()
    }
}
