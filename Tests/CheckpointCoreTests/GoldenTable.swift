import FoundationEssentials
import Testing

/// A table of answers under `Goldens`. After an intended change write it anew with `WEIR_RECORD_GOLDENS=1 swift test --filter NAME` and read
/// the difference.
enum GoldenTable {
    static func expect(_ table: String, isAt name: String) throws {
        let path = URL(filePath: String(#filePath.dropLast("GoldenTable.swift".count)) + "Goldens/\(name)")
        if ProcessInfo.processInfo.environment["WEIR_RECORD_GOLDENS"] == "1" {
            try Data(table.utf8).write(to: path)
        }
        let expected = try String(contentsOf: path, encoding: .utf8)
        let rows = table.split(separator: "\n", omittingEmptySubsequences: false)
        let expectedRows = expected.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(rows.count == expectedRows.count)
        for (row, expectedRow) in zip(rows, expectedRows) { #expect(row == expectedRow) }
    }
}
