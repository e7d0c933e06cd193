import FlinkFake
import FlinkREST
import Testing

@Suite struct FlinkVersionTests {
    @Test func versionsAreOrdered() {
        #expect(FlinkVersion(1, 14, 3) < FlinkVersion(1, 17))
        #expect(FlinkVersion(1, 20, 5) < FlinkVersion(2, 0))
    }

    @Test(arguments: [
        ("1.14.3", FlinkVersion(1, 14, 3)), ("2.3", FlinkVersion(2, 3)), ("1.20-SNAPSHOT", FlinkVersion(1, 20)), ("2.4.0-rc1", FlinkVersion(2, 4)),
    ])
    func versionsAreRead(text: String, version: FlinkVersion) { #expect(FlinkVersion(text) == version) }

    @Test(arguments: ["", "unknown", "1", "1.", ".1", "99999999999999999999.1", "-1.2", "1.-2", String(repeating: "1.", count: 100)])
    func whatIsNoVersionIsNone(text: String) { #expect(FlinkVersion(text) == nil) }

    private func configuration(_ version: String, isHistory: Bool = false) throws -> FlinkClusterConfiguration {
        let server = try FakeServer { _ in .json(#"{"flink-version":"\#(version)","features":{"web-history":\#(isHistory)}}"#) }
        defer { try? server.stop() }  // ChannelError: the answer is there already.
        let client = FlinkClient(FlinkConnection(try FlinkAddress(server.url)))
        defer { client.close() }
        return try client.answer(to: .configuration)
    }

    @Test(arguments: [
        ("1.9.1", "1.9.1 is older than 1.14"), ("1.12.0", "1.12.0 is older than 1.14"), ("3.0.0", "3.0.0 is newer than 2.3"),
        ("2.4-SNAPSHOT", "2.4-SNAPSHOT is newer than 2.3"), ("garbage", "'garbage', which is no version"), ("vvp-9", "'vvp-9', which is no version"),
    ])
    func versionsThatAreNotTestedAreWarnedOf(text: String, words: String) throws {
        let configuration = try configuration(text)
        #expect(configuration.versionText == text)
        #expect(configuration.versionWarning?.contains(words) == true, "\(configuration.versionWarning ?? "none")")
    }

    @Test(arguments: ["1.14.0", "1.14.3", "1.20.1-cloud-r3", "2.3.0", "2.3.7"]) func testedVersionsAreNotWarnedOf(text: String) throws {
        let configuration = try configuration(text)
        #expect(configuration.versionWarning == nil && configuration.versionText == text && !configuration.isHistoryServer)
    }

    @Test func whatIsNoVersionGetsNothingThatItMightNotHave() throws {
        let configuration = try configuration("garbage")
        #expect(FlinkVersion.Feature.allCases.allSatisfy { !configuration.version.has($0) })
    }

    @Test(
        arguments: [
            (#"[{"key":"state.savepoints.dir","value":"s3://b/sp"},{"key":"state.checkpoints.num-retained","value":"3"}]"#, "s3://b/sp", nil, 3),
            (
                #"[{"key":"execution.checkpointing.savepoint-dir","value":"file:/sp"},{"key":"execution.checkpointing.dir","value":"file:/cp"}]"#, "file:/sp",
                "file:/cp", nil
            ),
            (#"[{"key":"state.savepoints.dir","value":""},{"key":"state.checkpoints.num-retained","value":"many"},{"key":"x"},7]"#, nil, nil, nil),
            ("[]", nil, nil, nil),
        ] as [(String, String?, String?, Int?)])
    func whereSnapshotsGoIsInTheConfiguration(json: String, savepoints: String?, checkpoints: String?, retained: Int?) throws {
        let server = try FakeServer { _ in .json(json) }
        defer { try? server.stop() }  // ChannelError: the answer is there already.
        let client = FlinkClient(FlinkConnection(try FlinkAddress(server.url)))
        defer { client.close() }
        let settings = try client.answer(to: .settings)
        #expect(settings.savepointDirectory == savepoints && settings.checkpointDirectory == checkpoints && settings.retainedCheckpoints == retained)
        #expect(server.requests.map(\.target) == ["/jobmanager/config"])
    }

    @Test func aHistoryServerSaysThatItIsOne() throws { #expect(try configuration("1.20.5", isHistory: true).isHistoryServer) }

    @Test func featuresAreGatedByVersion() {
        let features = { (version: FlinkVersion) in Set(FlinkVersion.Feature.allCases.filter(version.has)) }
        #expect(features(FlinkVersion(1, 14, 3)) == [])
        #expect(features(FlinkVersion(1, 15)) == [.savepointFormat, .chosenTriggerID, .restoreMode, .checkpointedSize])
        #expect(features(FlinkVersion(1, 16, 3)).contains(.checkpointTrigger) == false)
        #expect(features(FlinkVersion(1, 17)).contains(.checkpointTrigger))
        #expect(features(FlinkVersion(1, 20, 5)) == Set(FlinkVersion.Feature.allCases))
        #expect(features(FlinkVersion(2, 3)) == Set(FlinkVersion.Feature.allCases))
    }
}
