/// Changed cells of one row, as a run to be written at once.
public struct CellRun: Hashable, Sendable {
    public let row: Int
    public let columns: Range<Int>
}

/// Differences between two frames of the same size.
public enum CellDiff {
    /// Changed runs, top to bottom and left to right; empty for equal frames. Two runs with at most `gap` unchanged cells between them are merged,
    /// since moving the cursor costs as much. A run never begins or ends inside a wide character. Frames of different sizes differ everywhere.
    public static func runs(from old: CellBuffer, to new: CellBuffer, joining gap: Int = 4) -> [CellRun] {
        let size = new.size
        guard old.size == size else {
            return (0..<size.rows).compactMap { size.columns == 0 ? nil : CellRun(row: $0, columns: 0..<size.columns) }
        }
        var runs: [CellRun] = []
        old.withCells { before in
            new.withCells { after in
                for row in 0..<size.rows {
                    let from = row * size.columns
                    var start: Int?
                    var end = 0
                    for column in 0..<size.columns where before[from + column] != after[from + column] {
                        if let first = start, column - end > gap {
                            runs.append(whole(row, first..<end, after, from, size.columns))
                            start = column
                        } else if start == nil {
                            start = column
                        }
                        end = column + 1
                    }
                    if let first = start { runs.append(whole(row, first..<end, after, from, size.columns)) }
                }
            }
        }
        return runs
    }

    /// Extends a run over the halves of wide characters at its ends.
    private static func whole(
        _ row: Int, _ columns: Range<Int>, _ cells: UnsafeBufferPointer<Cell>, _ from: Int, _ count: Int
    ) -> CellRun {
        var lower = columns.lowerBound
        var upper = columns.upperBound
        if lower > 0, cells[from + lower].isContinuation { lower -= 1 }
        if upper < count, cells[from + upper].isContinuation { upper += 1 }
        return CellRun(row: row, columns: lower..<upper)
    }
}
