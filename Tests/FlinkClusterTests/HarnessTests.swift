// Goal: a cluster comes up, takes a job, obeys orders; a broken harness is told apart from broken code under test.

import Foundation
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct Harness {
        @Test(arguments: FlinkVersionUnderTest.allCases) func `a cluster runs the test job and completes checkpoints`(version: FlinkVersionUnderTest) throws {
            let cluster = try FlinkCluster.of(version)
            #expect(try cluster.get("/config").text("flink-version") == version.rawValue)
            let job = try cluster.run(["--name", "harness", "--interval", "200"])
            let checkpoints = try cluster.waitForCompleted(2, of: job)
            let path = try #require(checkpoints.text("latest.completed.external_path"))
            #expect(path.hasPrefix("file:\(cluster.folder)/checkpoints/\(job)/chk-"))
            try cluster.cancel(job)
            #expect(try cluster.state(job) == "CANCELED")
            // The newest by now: each further checkpoint takes the place of the one before.
            let folder = "\(cluster.folder)/checkpoints/\(job)"
            let retained = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("chk-") }
            #expect(retained.contains { FileManager.default.fileExists(atPath: "\(folder)/\($0)/_metadata") }, "retained: \(retained)")
        }
    }
}
