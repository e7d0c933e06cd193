import FlinkREST
import Testing

@Suite struct FlinkVersionTests {
    @Test func versionsAreOrdered() {
        #expect(FlinkVersion(1, 14, 3) < FlinkVersion(1, 17))
        #expect(FlinkVersion(1, 20, 5) < FlinkVersion(2, 0))
    }
}
