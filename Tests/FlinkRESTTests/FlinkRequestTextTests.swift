import FlinkFake
import StreamModel
import Testing

@testable import FlinkREST

/// What an operator reads before it is sent is made by the endpoints that send it.
@Suite struct FlinkRequestTextTests {
    private let job = JobID(high: 0xa41f, low: 0xe2)

    private func lines(_ kind: OperationRequest.Kind) -> [String] {
        FlinkRequestText.requests(OperationRequest(id: OperationID(random: 1), kind: kind, job: job), version: FlinkVersion(1, 14, 3)).flatMap(\.lines)
    }

    @Test func methodPathAndBodyOfEachAction() {
        #expect(lines(.cancel(.keep)) == ["PATCH /jobs/\(job)?mode=cancel"])
        #expect(lines(.savepoint(directory: "s3://sp")).prefix(2) == ["POST /jobs/\(job)/savepoints", #"{"cancel-job":false,"target-directory":"s3://sp"}"#])
        #expect(lines(.checkpoint).prefix(2) == ["POST /jobs/\(job)/checkpoints", #"{"checkpointType":"CONFIGURED"}"#])
        #expect(lines(.stop(drain: true, directory: nil)).prefix(2) == ["POST /jobs/\(job)/stop", #"{"drain":true}"#])
    }

    @Test func aRestartIsACancelALaunchAndWhatItBeginsFrom() {
        var options = RestartOptions(path: "/chk/chk-7")
        options.cancelsFirst = true
        options.parallelism = 4
        options.recipe = JarRecipe(jar: .uploaded("00000000-0000-0000-0000-000000000000_x.jar"), entryClass: "com.example.Main", arguments: ["--a", "b c"])
        #expect(
            lines(.restart(options)) == [
                "PATCH /jobs/\(job)?mode=cancel", "POST /jars/00000000-0000-0000-0000-000000000000_x.jar/run",
                #"{"allowNonRestoredState":false,"entryClass":"com.example.Main","jobId":"\#(FlinkOperationNames.successor(of: job))","parallelism":4,"programArgsList":["--a","b c"],"savepointPath":"/chk/chk-7"}"#,
            ])
    }

    @Test func aLaunchIsNoCancelAndBeginsWithNothingUnlessTold() {
        var options = RestartOptions()
        options.recipe = JarRecipe(jar: .file("/tmp/x.jar"))
        #expect(
            lines(.launch(options)).prefix(3) == [
                "POST /jars/upload, unless a jar of its name and content was uploaded before", "the file /tmp/x.jar", "POST /jars/<its id>/run",
            ])
        #expect(!lines(.launch(options)).joined().contains("savepointPath"))
        options.path = "/sp/1"
        #expect(lines(.launch(options)).joined().contains(#""savepointPath":"/sp/1""#))
    }

    private static var restart: RestartOptions {
        var options = RestartOptions(path: "file:/cp/chk-4")
        options.cancelsFirst = true
        options.claim = .claim
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: "Count", arguments: ["--a", "b c"], parallelism: 2)
        return options
    }
    private static var plainRestart: RestartOptions {
        var options = restart
        (options.claim, options.path) = (.noClaim, nil)
        return options
    }
    private static let kinds: [OperationRequest.Kind] = [
        .savepoint(directory: "/sp"), .savepoint(directory: nil), .stop(drain: true, directory: nil), .checkpoint, .cancel(.keep), .restart(restart),
        .restart(plainRestart), .launch(plainRestart), .dispose(path: "/sp/9"), .deleteJar(id: "x_count.jar"),
    ]

    // The text that is shown beforehand is the one that a JobManager gets, for every verb and in every dialect of the API.
    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"], kinds) func whatIsShownIsWhatIsSent(version: String, kind: OperationRequest.Kind) throws {
        let version = try #require(FlinkVersion(version))
        let cluster = try ScriptedCluster(version)
        defer { cluster.stop() }
        let request = OperationRequest(id: ScriptedCluster.operation, kind: kind, job: try #require(JobID(ScriptedCluster.job)))
        var shown = FlinkRequestText.requests(request, version: version).flatMap(\.lines)
        if cluster.refusal(kind) != nil {
            #expect(cluster.requests.allSatisfy { $0.method == "GET" }, "what this version cannot do is not sent")
            return
        }
        // The cluster alone knows the newest.
        shown = shown.map { $0.replacing("<the newest>", with: "file:/cp/chk-4") }
        let sent = cluster.requests.filter { $0.method != "GET" }.flatMap { ["\($0.method) \($0.target)"] + ($0.text.isEmpty ? [] : [$0.text]) }
        #expect(shown == sent)
    }
}
