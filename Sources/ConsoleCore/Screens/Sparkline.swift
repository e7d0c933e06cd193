import CellGrid
import StreamModel

/// The last samples of a series in one row, the newest at the right edge.
///
/// It moves on by whole cells: a sample keeps its half of a cell, and a wide sparkline moves by several cells at once, since each move paints the
/// row anew. In between the new samples fill the cells at the right.
struct Sparkline {
    let values: [Float]
    /// How many samples there have been.
    let count: Int
    let columns: Int
    let perCell: Int

    /// A row of so many cells moves by one at a time, one of twice as many by two.
    private static let cellsPerStep = 30

    private var step: Int { max(1, columns / Self.cellsPerStep) * perCell }

    /// The first sample shown, of those there have been; negative while there are fewer than places.
    private var first: Int { (max(count, 1) + step - 1) / step * step - columns * perCell }

    private func value(_ index: Int) -> Double? {
        let fromEnd = count - 1 - index
        guard index >= 0, fromEnd >= 0, fromEnd < values.count else { return nil }
        let value = Double(values[values.count - 1 - fromEnd])
        return value.isNaN ? nil : value
    }

    /// The largest of the samples shown.
    var maximum: Double? { (max(first, 0)..<max(count, first, 0)).compactMap(value).max() }

    /// Samples that there is room for.
    var slots: Int { columns * perCell }

    /// Heights are steps of `graph.scale`.
    func draw(column: Int, row: Int, _ canvas: inout Canvas) {
        guard columns > 0, count > 0, !values.isEmpty else { return }
        let levels = canvas.glyphs.sparkLevels, start = first, scale = Canvas.scale(maximum ?? 0)
        func height(_ index: Int) -> Int? {
            value(index).map { $0 > 0 ? max(1, Int(clamping: ($0 / scale * Double(levels)).rounded())) : 0 }
        }
        for cell in 0..<columns {
            let left = height(start + cell * perCell), right = perCell == 2 ? height(start + cell * perCell + 1) : nil
            // Where there is no sample yet there is nothing to paint.
            guard left != nil || right != nil else { continue }
            let role = StyleRole.graphScale(Double(max(left ?? 0, right ?? 0)) / Double(levels))
            canvas.put(glyph: canvas.glyphs.spark(left, right), column: column + cell, row: row, role: role)
        }
    }

    /// "max 2.1k in 56s", or as much of it as there is room for.
    func note(columns room: Int, step: Milliseconds = .seconds(1), _ text: (Double) -> SafeText) -> SafeText {
        guard let maximum else { return "" }
        let most: SafeText = "max \(text(maximum))"
        let whole: SafeText = "\(most) in \(Figures.age(Milliseconds(step.count * Int64(slots))))"
        return whole.columns <= room ? whole : most.columns <= room ? most : ""
    }
}

extension Canvas {
    func sparkline(_ samples: (values: [Float], count: Int), columns: Int) -> Sparkline {
        Sparkline(values: samples.values, count: samples.count, columns: columns, perCell: glyphs.samplesPerCell)
    }
}
