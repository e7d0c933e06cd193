import CellGrid
import StreamModel

/// A chart of one series over several rows, time from left to right.
///
/// It does not slide: samples are added at the right until the room is used up, then a quarter of it is cleared in one step. So a
/// new sample changes a few cells, and the whole chart moves once in a while.
struct Chart {
    let values: [Float]
    /// How many samples there have been.
    let count: Int
    /// The value that the top stands for at least.
    var ceiling: Double?
    /// The sample to point at, counted from the first there ever was.
    var mark: Int?

    /// The first sample shown, of those there have been, for so many places.
    func first(slots: Int) -> Int {
        guard count > slots, slots > 0 else { return 0 }
        let page = max(1, slots / 4)
        return (count - slots + page - 1) / page * page
    }

    private func value(_ index: Int) -> Double? {
        let fromEnd = count - 1 - index
        guard index >= 0, fromEnd >= 0, fromEnd < values.count else { return nil }
        let value = Double(values[values.count - 1 - fromEnd])
        return value.isNaN ? nil : value
    }

    /// Of the samples shown.
    func extent(slots: Int) -> (low: Double, mean: Double, high: Double)? {
        let shown = (first(slots: slots)..<max(count, 1)).compactMap(value)
        guard !shown.isEmpty else { return nil }
        return (shown.min() ?? 0, shown.reduce(0, +) / Double(shown.count), shown.max() ?? 0)
    }

    /// The value pointed at, or the newest.
    var current: Double? { value(mark ?? count - 1) }

    func top(slots: Int) -> Double { Swift.max(Canvas.scale(extent(slots: slots)?.high ?? 0), ceiling ?? 0) }

    /// Each row is a step of `graph.scale`, so that a row is one style.
    func draw(_ canvas: inout Canvas) {
        let perCell = canvas.glyphs.samplesPerCell, levels = canvas.glyphs.sparkLevels
        let rows = canvas.size.rows, slots = canvas.size.columns * perCell
        guard rows > 0, slots > 0 else { return }
        let start = first(slots: slots), top = top(slots: slots)
        func height(_ index: Int) -> Int? {
            value(index).map { $0 > 0 ? Swift.max(1, Int(clamping: (Swift.min($0 / top, 1) * Double(levels * rows)).rounded())) : 0 }
        }
        for column in 0..<canvas.size.columns {
            let left = height(start + column * perCell), right = perCell == 2 ? height(start + column * perCell + 1) : nil
            let isMarked = mark.map { $0 >= start && ($0 - start) / perCell == column } ?? false
            for row in 0..<rows {
                let role = StyleRole.graphScale(Double(rows - row) / Double(rows))
                let below = (rows - 1 - row) * levels
                func part(_ height: Int?) -> Int? {
                    guard let height, height > below || row == rows - 1 else { return nil }
                    return Swift.min(height - below, levels)
                }
                let (first, second) = (part(left), part(right))
                if first == nil, second == nil {
                    if isMarked { canvas.put(glyph: canvas.glyphs.line(.vertical), column: column, row: row, role: .mark) }
                } else {
                    canvas.put(glyph: canvas.glyphs.spark(first, second), column: column, row: row, role: isMarked ? .mark : role)
                }
            }
        }
    }
}
