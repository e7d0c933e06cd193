import StreamModel
import Testing

@testable import FlinkREST

/// What an operator reads before it is sent is made by the endpoints that send it.
@Suite struct FlinkRequestTextTests {
    private let job = JobID(high: 0xa41f, low: 0xe2)

    private func lines(_ kind: OperationRequest.Kind) -> [String] {
        FlinkRequestText.lines(OperationRequest(id: OperationID(random: 1), kind: kind, job: job))
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
                #"{"allowNonRestoredState":false,"claimMode":"NO_CLAIM","entryClass":"com.example.Main","parallelism":4,"programArgsList":["--a","b c"],"savepointPath":"/chk/chk-7"}"#,
            ])
    }

    @Test func aLaunchIsNoCancelAndBeginsWithNothingUnlessTold() {
        var options = RestartOptions()
        options.recipe = JarRecipe(jar: .file("/tmp/x.jar"))
        #expect(lines(.launch(options)).prefix(2) == ["POST /jars/upload with the file /tmp/x.jar, unless a jar of its name and content was uploaded before", "POST /jars/<its id>/run"])
        #expect(!lines(.launch(options)).joined().contains("savepointPath"))
        options.path = "/sp/1"
        #expect(lines(.launch(options)).joined().contains(#""savepointPath":"/sp/1""#))
    }
}
