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

/// Figures as the commands print them.
enum Figures {
    static func bytes(_ count: ByteCount) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count.count), unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count.count) B" : fixed(value, decimals: 1) + " " + units[unit]
    }

    static func duration(_ span: Milliseconds) -> String {
        switch span.count {
        case ..<1000: return "\(span.count) ms"
        case ..<60_000: return fixed(Double(span.count) / 1000, decimals: 1) + " s"
        case ..<3_600_000: return "\(span.count / 60_000)m\(span.count / 1000 % 60)s"
        default: return "\(span.count / 3_600_000)h\(span.count / 60_000 % 60)m"
        }
    }

    static func plural(_ count: Int, _ one: String) -> String { "\(count) \(one)\(count == 1 ? "" : "s")" }

    static func budget(_ budget: FailureBudget) -> String {
        if budget.source == .unknown { return "-" }
        let counted = budget.bounds.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "\(budget.counted)"
        return "\(counted)/\(budget.tolerable ?? 0)" + (budget.source == .estimated ? "~" : "")
    }

    static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "?" }
        var factor = 1.0
        for _ in 0..<decimals { factor *= 10 }
        let scaled = Int64(clamping: (value * factor).rounded())
        guard decimals > 0 else { return String(scaled) }
        let fraction = String(scaled.magnitude % UInt64(clamping: factor))
        return (scaled < 0 ? "-" : "") + "\(scaled.magnitude / UInt64(clamping: factor))." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
