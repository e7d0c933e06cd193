import FoundationEssentials
import Testing

/// Compares a text with the golden file beside this one; WEIR_RECORD_GOLDENS=1 writes it instead.
func expectGolden(_ name: String, _ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    let path = "/\(folder)/Goldens/\(name)"
    if ProcessInfo.processInfo.environment["WEIR_RECORD_GOLDENS"] == "1" {
        try Data(text.utf8).write(to: URL(filePath: path))
        return
    }
    let golden = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    let expected = golden.split(separator: "\n", omittingEmptySubsequences: false)
    let actual = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(actual.count == expected.count, "number of frames", sourceLocation: sourceLocation)
    for (line, pair) in zip(actual, expected).enumerated() {
        #expect(pair.0 == pair.1, "\(name) line \(line + 1)", sourceLocation: sourceLocation)
    }
}
