import FlinkFormats
import Testing

@Suite struct FlinkMetadataTests {
    @Test func keepsTheVersion() { #expect(FlinkMetadata(version: 4).version == 4) }
}
