import FlinkREST
import Testing

@Suite struct FlinkVersionTests {
    @Test func versionsAreOrdered() {
        #expect(FlinkVersion(1, 14, 3) < FlinkVersion(1, 17))
        #expect(FlinkVersion(1, 20, 5) < FlinkVersion(2, 0))
    }

    @Test(arguments: [("1.14.3", FlinkVersion(1, 14, 3)), ("2.3", FlinkVersion(2, 3)), ("1.20-SNAPSHOT", FlinkVersion(1, 20)), ("2.4.0-rc1", FlinkVersion(2, 4))])
    func versionsAreRead(text: String, version: FlinkVersion) { #expect(FlinkVersion(text) == version) }

    @Test(arguments: ["", "unknown", "1", "1.", ".1", "99999999999999999999.1", "-1.2", "1.-2", String(repeating: "1.", count: 100)])
    func whatIsNoVersionIsNone(text: String) { #expect(FlinkVersion(text) == nil) }

    @Test func featuresAreGatedByVersion() {
        let features = { (version: FlinkVersion) in Set(FlinkVersion.Feature.allCases.filter(version.has)) }
        #expect(features(FlinkVersion(1, 14, 3)) == [])
        #expect(features(FlinkVersion(1, 15)) == [.savepointFormat, .restoreMode, .checkpointedSize, .countsFinalizeFailures])
        #expect(features(FlinkVersion(1, 16, 3)).contains(.checkpointTrigger) == false)
        #expect(features(FlinkVersion(1, 17)).contains(.checkpointTrigger))
        #expect(features(FlinkVersion(1, 20, 5)) == Set(FlinkVersion.Feature.allCases))
        #expect(features(FlinkVersion(2, 3)) == Set(FlinkVersion.Feature.allCases))
    }
}
