import CellGrid

/// The rows of a screen, from top to bottom: parts of a fixed height, parts that have two heights, and one that takes what is left.
///
/// A part of two heights has the larger one where that leaves the rest as many rows as it asks for. So where rows are few, that part gives way
/// first which asks the most for the rest.
struct RowStack<Part: Hashable & Sendable>: Sendable {
    enum Height: Sendable {
        case fixed(Int)
        case either(Int, or: Int, leaving: Int)
        case rest
    }

    private var places: [Part: Range<Int>] = [:]

    init(rows: Int, _ parts: [(Part, Height)]) {
        var heights: [Int] = parts.map { _, height in
            switch height {
            case .fixed(let rows): rows
            case .either(_, let least, _): least
            case .rest: 0
            }
        }
        let modest = parts.indices.sorted { Self.wanted(parts[$0].1).leaving < Self.wanted(parts[$1].1).leaving }
        for index in modest {
            let wanted = Self.wanted(parts[index].1), gain = wanted.rows - heights[index]
            if gain > 0, rows - heights.reduce(gain, +) >= wanted.leaving { heights[index] += gain }
        }
        if let rest = parts.firstIndex(where: { if case .rest = $0.1 { true } else { false } }) { heights[rest] = max(0, rows - heights.reduce(0, +)) }
        var row = 0
        for ((part, _), height) in zip(parts, heights) {
            // A window too small for the fixed parts loses the last ones.
            let end = min(row + height, max(rows, row))
            places[part] = row..<end
            row = end
        }
    }

    private static func wanted(_ height: Height) -> (rows: Int, leaving: Int) {
        if case .either(let rows, _, let leaving) = height { (rows, leaving) } else { (0, 0) }
    }

    /// The rows of a part; empty where it has no place.
    subscript(part: Part) -> Range<Int> { places[part] ?? 0..<0 }
}

extension Canvas {
    /// Draws in whole rows, if there are any.
    mutating func inside(_ rows: Range<Int>, _ draw: (inout Canvas) -> Void) {
        guard !rows.isEmpty else { return }
        inside(CellRect(column: 0, row: rows.lowerBound, columns: size.columns, rows: rows.count), draw)
    }

    mutating func restyle(_ rows: Range<Int>, role: StyleRole) {
        restyle(CellRect(column: 0, row: rows.lowerBound, columns: size.columns, rows: rows.count), role: role)
    }
}

/// The parts of a screen that has one list, or a list and the detail of the selected row.
enum ListScreenPart: Sendable { case title, condition, summary, list, detail, footer }

extension RowStack<ListScreenPart> {
    /// The list takes what the others leave.
    static func list(_ rows: Int, condition: Int = 0, summary: Int = 0, detail: Height = .fixed(0)) -> RowStack {
        RowStack(
            rows: rows,
            [
                (.title, .fixed(1)), (.condition, .fixed(condition)), (.summary, .fixed(summary)), (.list, .rest), (.detail, detail),
                (.footer, .fixed(Chrome.footerRows(rows))),
            ])
    }
}
