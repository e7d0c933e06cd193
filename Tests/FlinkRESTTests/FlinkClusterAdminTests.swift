import FlinkFake
import FlinkREST
import StreamModel
import Synchronization
import Testing

/// Goal: what is deleted was meant, and nothing is said to be deleted that may not be. Method: a server that has one live job and answers disposals as
/// Flink does, or not at all.
@Suite struct FlinkClusterAdminTests {
    private static let job = "0123456789abcdef0123456789abcdef"

    private struct Cluster {
        let server: FakeServer
        let client: FlinkClient

        init(disposal: FakeServer.Reply = .status(202, body: #"{"request-id":"00000000000000000000000000000001"}"#), progress: FakeServer.Reply) throws {
            server = try FakeServer { request in
                switch (request.method, request.path) {
                case ("GET", "/config"): .json(#"{"refresh-interval":3000,"flink-version":"1.14.3"}"#)
                case ("GET", "/jobs/overview"):
                    .json(#"{"jobs":[{"jid":"\#(FlinkClusterAdminTests.job)","name":"orders","state":"RUNNING","start-time":1,"end-time":-1}]}"#)
                case ("GET", "/jobs/\(FlinkClusterAdminTests.job)/checkpoints"):
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
        }

        func run(_ kind: OperationRequest.Kind) throws -> OperationReport {
            let pauses = Mutex(0)
            let runner = FlinkOperationRunner(
                client: client, cluster: try client.answer(to: .configuration), clock: { WallTime(milliseconds: 5) },
                pause: { _ in
                    pauses.withLock { pauses in
                        pauses += 1
                        return pauses < 10
                    }
                }, tell: { _ in })
            return try runner.run(OperationRequest(id: OperationID(random: 3), kind: kind, job: .none))
        }

        func refusal(_ kind: OperationRequest.Kind) -> String? {
            do { _ = try run(kind) } catch { return (error as? FlinkRefusal)?.message ?? "\(error)" }
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
        #expect(try cluster.run(.dispose(path: "file:///sp/savepoint-1")).state == .completed)
        #expect(cluster.server.requests.contains { $0.method == "POST" && $0.text.contains("/sp/savepoint-1") })
        try cluster.stop()
    }

    @Test func aCheckpointOfALiveJobIsNot() throws {
        let cluster = try Cluster(progress: Self.done)
        // However its path is spelt.
        for path in ["file:/cp/chk-4", "file:///cp/chk-4", "/cp/chk-4/"] {
            let why = cluster.refusal(.dispose(path: path))
            #expect(why?.contains("is a checkpoint of orders (01234567), which is RUNNING: nothing was sent") ?? false, "\(path)")
        }
        #expect(!cluster.server.requests.contains { $0.method == "POST" })
        try cluster.stop()
    }

    @Test func aFailureSaysWhyAndAnUnknownEndSaysThat() throws {
        let failing = try Cluster(
            progress: .json(#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"X","stack-trace":"java.io.FileNotFoundException: gone"}}}"#))
        let failed = try failing.run(.dispose(path: "/sp/1"))
        #expect(failed.state == .failed && failed.error == "/sp/1 was not deleted: FileNotFoundException: gone")
        try failing.stop()
        let forgetting = try Cluster(progress: .status(404, body: #"{"errors":["unknown"]}"#))
        let forgotten = try forgetting.run(.dispose(path: "/sp/1"))
        #expect(forgotten.state == .unknown && forgotten.error?.contains("check whether /sp/1 is still there") ?? false)
        try forgetting.stop()
        let lost = try Cluster(disposal: .silence, progress: Self.done)
        #expect(try lost.run(.dispose(path: "/sp/1")).state == .unknown)
        try lost.stop()
        let slow = try Cluster(progress: .json(#"{"status":{"id":"IN_PROGRESS"}}"#))
        #expect(try slow.run(.dispose(path: "/sp/1")).state == .running, "it goes on without us")
        try slow.stop()
    }

    @Test func aJarThatIsNotThereIsNotDeleted() throws {
        let cluster = try Cluster(progress: Self.done)
        #expect(try cluster.run(.deleteJar(id: "x_a.jar")).state == .completed)
        #expect(cluster.refusal(.deleteJar(id: "y_b.jar")) == "there is no jar y_b.jar on the cluster")
        #expect(cluster.server.requests.filter { $0.method == "DELETE" }.map(\.path) == ["/jars/x_a.jar"])
        try cluster.stop()
    }
}
