// Goal: the console's verdict on a cluster's snapshots distinguishes damage from what this machine cannot see. Method: samples of real Flinks
// on this disk, and names of hosts.

import Foundation
import FlinkREST
import StreamModel
import Synchronization
import Testing

@testable import EngineClients
@testable import HostEnvironment

@Suite struct FlinkInspectorTests {
    private static let sample = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
        path: "FlinkFormatsTests/Fixtures/sample-job/2.3.0/heap"
    ).path

    @Test(arguments: ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "::1"]) func `this machine's names`(host: String) {
        #expect(FlinkAddress.isThisMachine(host))
    }

    @Test(arguments: ["flink.example.org", "10.0.0.7", "127.0.0.1.example.org", "127.0.0.300", "2001:db8::1", ""]) func `others' names`(host: String) {
        #expect(!FlinkAddress.isThisMachine(host))
    }

    @Test func `a whole checkpoint is ok, under the path it was asked for`() {
        let found = FlinkInspector.inspect("file:" + Self.sample, clusterIsHere: true)
        #expect(found.verdict == .ok && found.path == "file:" + Self.sample && found.checkpoint == CheckpointID(4) && found.operators.contains("count"))
        #expect(FlinkInspector.inspect(Self.sample, clusterIsHere: false).verdict == .ok, "on shared files a remote cluster's are checked too")
    }

    @Test func `what does not exist is missing here and unreachable elsewhere`() {
        #expect(FlinkInspector.inspect("file:/nowhere/chk-1", clusterIsHere: true).verdict == .missing)
        #expect(FlinkInspector.inspect("file:/nowhere/chk-1", clusterIsHere: false).verdict == .unreachable)
        #expect(FlinkInspector.inspect("s3://bucket/chk-1", clusterIsHere: true).verdict == .unreachable)
    }

    @Test(arguments: [
        ("2.3.0", "1.14.3", false), ("2.3.0", "1.20.5", false), ("2.3.0", "2.3.0", true), ("1.20.5", "1.14.6", false), ("1.20.5", "1.15.0", true),
        ("1.14.3", "2.3.0", true),
    ])
    func `a checkpoint of a later format than the cluster's is too new for it`(writer: String, reader: String, isRead: Bool) {
        let path = URL(filePath: Self.sample).deletingLastPathComponent().deletingLastPathComponent().appending(path: "\(writer)/heap").path
        let found = FlinkInspector.inspect(path, clusterIsHere: true, FlinkVersion(reader))
        #expect(found.verdict == (isRead ? .ok : .tooNew) && found.verdict.allowsRestore == isRead, "\(found.verdict) \(found.problem ?? "")")
        if !isRead { #expect(found.problem?.contains("this cluster is \(reader)") == true) }
    }

    @Test func `answers come in the order of the questions`() {
        let inspector = FlinkInspector(clusterHost: "localhost")
        let answers = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        for path in [Self.sample, "/nowhere", "s3://b"] {
            inspector.inspect(path) { found in
                answers.withLock { $0.append("\(found.verdict)") }
                done.signal()
            }
        }
        for _ in 0..<3 { #expect(done.wait(timeout: .now() + .seconds(20)) == .success) }
        #expect(answers.withLock { $0 } == ["ok", "missing", "unreachable"])
    }
}
