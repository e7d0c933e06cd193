// Records the fixtures of FlinkREST and FlinkFormats anew, when told to: what real clusters answer, and the checkpoints that they write.

import Foundation
import TestKit
import Testing

@Suite(.serialized, .enabled(if: Binaries.variable("WEIR_RECORD_FIXTURES") != nil, "records only with WEIR_RECORD_FIXTURES=1"))
struct RecordFixtures {
    @Test(arguments: FlinkVersionUnderTest.allCases) func `the answers of every endpoint, in every state that matters`(version: FlinkVersionUnderTest) throws {
        #expect(FlinkPackages.gap == nil)
        let python = try #require(Binaries.tool("python3"))
        let folder = URL(filePath: FlinkPackages.script).deletingLastPathComponent()
        let tests = folder.deletingLastPathComponent().deletingLastPathComponent()
        func fixtures(_ target: String) -> String { tests.appending(path: "\(target)/Fixtures/\(version.rawValue)").path }
        let recorder = ChildProcess(
            python, [folder.appending(path: "record_fixtures.py").path, version.rawValue, fixtures("FlinkRESTTests"), fixtures("FlinkFormatsTests")],
            environment: ProcessInfo.processInfo.environment)
        let end = try recorder.finish(within: 400)
        #expect(end == .exited(0), "\(recorder.transcript)")
    }
}
