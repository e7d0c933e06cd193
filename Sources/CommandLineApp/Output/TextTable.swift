internal import CellGrid
internal import ControlProtocol
internal import StreamModel

/// Rows in aligned columns, for people. Every cell passes through `printable`.
struct TextTable {
    private var rows: [[String]]
    /// Columns whose cells stand at the right.
    private let numeric: Set<Int>

    init(_ header: [String], numeric: Set<Int> = []) {
        rows = [header]
        self.numeric = numeric
    }

    mutating func add(_ cells: [String]) { rows.append(cells.map { printable($0, limit: 400) }) }

    var lines: [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? "" : "  ") + (numeric.contains(column) ? padding + cell : cell + padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
