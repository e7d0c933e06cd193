import CellGrid
import StreamModel

/// Charts of a job's numbers over time: the list of metrics at the left, one to four charts at the right.
struct MetricsScreen {
    let model: ConsoleModel

    private static let listColumns = 32

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        guard let screen = JobScreen(model) else { return Chrome(model).footer(&canvas) }
        screen.condition(row: 1, &canvas)
        let rows = canvas.size.rows - 2 - Chrome.footerRows
        canvas.inside(CellRect(column: 0, row: 2, columns: Self.listColumns, rows: rows)) { list(screen, &$0) }
        canvas.inside(CellRect(column: Self.listColumns, row: 2, columns: canvas.size.columns - Self.listColumns, rows: rows)) { charts(screen, &$0) }
        if screen.isStale { canvas.restyle(CellRect(column: 0, row: 2, columns: canvas.size.columns, rows: rows), role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    private func list(_ screen: JobScreen, _ canvas: inout Canvas) {
        canvas.rule(model.options.keyMap.title(.metrics, "metrics"), row: 0)
        for (index, metric) in Metric.allCases.enumerated() {
            let isCharted = model.metrics.charted.contains(metric)
            let row = index + 1
            canvas.target(row: row, index: index)
            canvas.put(isCharted ? "*" : " ", column: 1, row: row, role: .mark)
            canvas.put(metric.title, column: 3, row: row, columns: 21)
            canvas.put(metric.text(metric.value(screen.job)), endingAt: canvas.size.columns - 1, row: row, role: .textStrong)
            if metric == model.metrics.selected {
                canvas.put(">", column: 0, row: row, role: .mark)
                canvas.overlay(CellRect(column: 0, row: row, columns: canvas.size.columns - 1, rows: 1), role: .select)
            }
        }
        let map = model.options.keyMap
        let notes: [SafeText] = [
            "\(map.label(.open)) adds or removes a chart", "\(map.label(.wide)) span: \(spanWords)", "\(map.label(.scrubBack, .scrubForward)) look at the past",
        ]
        for (index, note) in notes.enumerated() { canvas.put(" \(note)", column: 0, row: Metric.allCases.count + 2 + index, role: .textDim) }
        let other = screen.job.vertices.prefix(max(0, canvas.size.rows - Metric.allCases.count - 7))
        guard !other.isEmpty else { return }
        let top = Metric.allCases.count + 6
        canvas.put(" VERTEX            IN/s BUSY", column: 0, row: top, role: .header)
        for (index, vertex) in other.enumerated() {
            canvas.put(SafeText(vertex.name).prefix(columns: 15, ending: "~"), column: 1, row: top + 1 + index)
            canvas.put(Figures.count(vertex.recordsInPerSecond), endingAt: 23, row: top + 1 + index)
            canvas.put(vertex.busyPermille.map { Figures.percent(permille: $0) } ?? "-", endingAt: 28, row: top + 1 + index)
        }
    }

    private var spanWords: SafeText { model.metrics.span == .fine ? "4 min by 1 s" : "1 h by 15 s" }

    private func charts(_ screen: JobScreen, _ canvas: inout Canvas) {
        let metrics = model.metrics.charted
        let each = max(4, canvas.size.rows / max(1, metrics.count))
        for (index, metric) in metrics.enumerated() {
            let isLast = index == metrics.count - 1
            let rows = isLast ? canvas.size.rows - each * index : each
            canvas.inside(CellRect(column: 0, row: each * index, columns: canvas.size.columns, rows: rows)) { chart(metric, screen, &$0) }
        }
    }

    /// A title, the chart with its scale at the left, and the times below.
    private func chart(_ metric: Metric, _ screen: JobScreen, _ canvas: inout Canvas) {
        let span = model.metrics.span
        let samples = screen.memory.samples(metric, span)
        let scaleColumns = 8
        let columns = canvas.size.columns - scaleColumns - 1, rows = canvas.size.rows - 2
        let slots = columns * canvas.glyphs.samplesPerCell
        // Looking back, the marked place is the moment looked at: the series then ends there.
        let chart = Chart(values: samples.values, count: samples.count, ceiling: metric.ceiling, mark: model.frozen == nil ? nil : samples.count - 1)
        let extent = chart.extent(slots: slots)
        let numbers: SafeText = extent.map { "min \(metric.text($0.low))  mean \(metric.text($0.mean))  max \(metric.text($0.high))" } ?? ""
        canvas.rule("\(metric.title) \(metric.text(chart.current))", row: 0, note: canvas.size.columns >= 66 ? numbers : "", isFocused: metric == model.metrics.selected)
        guard rows > 0, columns > 0 else { return }
        guard extent != nil else {
            canvas.put("not reported yet", column: scaleColumns, row: 1, role: .textDim)
            return
        }
        canvas.put(metric.text(chart.top(slots: slots)).padded(leading: scaleColumns - 1), column: 0, row: 1, role: .textDim)
        if rows > 1 { canvas.put(metric.text(0).padded(leading: scaleColumns - 1), column: 0, row: rows, role: .textDim) }
        canvas.inside(CellRect(column: scaleColumns, row: 1, columns: columns, rows: rows)) { chart.draw(&$0) }
        times(chart, span, slots: slots, column: scaleColumns, columns: columns, screen, &canvas)
    }

    /// The time of the first place and of every 20th column.
    private func times(_ chart: Chart, _ span: SampleSpan, slots: Int, column: Int, columns: Int, _ screen: JobScreen, _ canvas: inout Canvas) {
        let row = canvas.size.rows - 1
        let first = chart.first(slots: slots), perCell = canvas.glyphs.samplesPerCell
        // Places stand still, so the times below them do too.
        guard let start = screen.memory.sampledFrom else { return }
        for offset in stride(from: 0, to: columns - 8, by: 20) {
            let index = first + offset * perCell
            guard index < chart.count else { break }
            let at = WallTime(milliseconds: start.milliseconds + Int64(index) * span.step.count)
            canvas.put(Figures.clock(at, offset: model.options.utcOffsetSeconds), column: column + offset, row: row, role: .textDim)
        }
    }
}
