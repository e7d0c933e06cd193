import CellGrid
import StreamModel

/// Charts of a job's numbers over time: the list of metrics at the left, one to four charts at the right.
struct MetricsScreen {
    let model: ConsoleModel

    private static let listColumns = 32

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        guard let facts = JobFacts(model) else { return Chrome(model).footer(&canvas) }
        let stack = RowStack.list(canvas.size.rows, condition: 1)
        canvas.inside(stack[.condition]) { facts.condition(&$0) }
        canvas.inside(stack[.list]) { body in
            let columns = body.size.columns, rows = body.size.rows
            body.inside(CellRect(column: 0, row: 0, columns: Self.listColumns, rows: rows)) { list(facts, &$0) }
            body.inside(CellRect(column: Self.listColumns, row: 0, columns: columns - Self.listColumns, rows: rows)) { charts(facts, &$0) }
        }
        if facts.isStale { canvas.restyle(stack[.list], role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    private func list(_ facts: JobFacts, _ canvas: inout Canvas) {
        let notes = notes
        let stack = RowStack<ListPart>(
            rows: canvas.size.rows,
            [
                (.rule, .fixed(1)), (.metrics, .fixed(Metric.allCases.count)), (.spaceAbove, .fixed(1)), (.notes, .fixed(notes.count)),
                (.spaceBelow, .fixed(1)),
                (.vertices, .rest),
            ])
        canvas.rule(model.options.keyMap.title(.metrics, "metrics"), row: 0)
        for (index, metric) in Metric.allCases.enumerated() {
            let isCharted = model.metrics.charted.contains(metric)
            let row = stack[.metrics].lowerBound + index
            canvas.target(row: row, index: index)
            canvas.put(isCharted ? "*" : " ", column: 1, row: row, role: .mark)
            canvas.put(metric.title, column: 3, row: row, columns: 21)
            canvas.put(metric.text(metric.value(facts.job)), endingAt: canvas.size.columns - 1, row: row, role: .textStrong)
            if metric == model.metrics.selected {
                canvas.put(">", column: 0, row: row, role: .mark)
                canvas.overlay(CellRect(column: 0, row: row, columns: canvas.size.columns - 1, rows: 1), role: .select)
            }
        }
        for (row, note) in zip(stack[.notes], notes) { canvas.put(" \(note)", column: 0, row: row, role: .textDim) }
        canvas.inside(stack[.vertices]) { vertices(facts.job.vertices.prefix(max(0, $0.size.rows - 1)), &$0) }
    }

    private enum ListPart { case rule, metrics, spaceAbove, notes, spaceBelow, vertices }

    private var notes: [SafeText] {
        let map = model.options.keyMap
        return [
            "\(map.label(.open)) adds or removes a chart", "\(map.label(.wide)) span: \(spanWords)",
            "\(map.label(.scrubBack, .scrubForward)) step through the past",
        ]
    }

    private func vertices(_ vertices: ArraySlice<VertexReport>, _ canvas: inout Canvas) {
        guard !vertices.isEmpty else { return }
        canvas.put(" VERTEX            IN/s BUSY", column: 0, row: 0, role: .header)
        for (index, vertex) in vertices.enumerated() {
            canvas.put(SafeText(vertex.name).prefix(columns: 15, ending: .cut), column: 1, row: 1 + index)
            canvas.put(Figures.rate(vertex.recordsInPerSecond), endingAt: 23, row: 1 + index)
            canvas.put(vertex.busyPermille.map { Figures.percent(permille: $0) } ?? "-", endingAt: 28, row: 1 + index)
        }
    }

    private var spanWords: SafeText { model.metrics.span == .fine ? "4 min by 1 s" : "1 h by 15 s" }

    private func charts(_ facts: JobFacts, _ canvas: inout Canvas) {
        let metrics = model.metrics.charted
        let each = max(4, canvas.size.rows / max(1, metrics.count))
        for (index, metric) in metrics.enumerated() {
            let isLast = index == metrics.count - 1
            let rows = isLast ? canvas.size.rows - each * index : each
            canvas.inside(CellRect(column: 0, row: each * index, columns: canvas.size.columns, rows: rows)) { chart(metric, facts, &$0) }
        }
    }

    /// A title, the chart with its scale at the left, and the times below.
    private func chart(_ metric: Metric, _ facts: JobFacts, _ canvas: inout Canvas) {
        let span = model.metrics.span
        let samples = facts.memory.samples(metric, span)
        let scaleColumns = 8
        let columns = canvas.size.columns - scaleColumns - 1, rows = canvas.size.rows - 2
        let slots = columns * canvas.glyphs.samplesPerCell
        // In the past, the mark is the moment on the screen: the series ends there.
        let chart = Chart(values: samples.values, count: samples.count, ceiling: metric.ceiling, mark: model.frozen == nil ? nil : samples.count - 1)
        let extent = chart.extent(slots: slots)
        let numbers: SafeText = extent.map { "min \(metric.text($0.low))  mean \(metric.text($0.mean))  max \(metric.text($0.high))" } ?? ""
        canvas.rule(
            "\(metric.title) \(metric.text(chart.current))", row: 0, note: canvas.size.columns >= 66 ? numbers : "", isFocused: metric == model.metrics.selected
        )
        guard rows > 0, columns > 0 else { return }
        guard extent != nil else {
            canvas.put("not reported yet", column: scaleColumns, row: 1, role: .textDim)
            return
        }
        canvas.put(metric.text(chart.top(slots: slots)).padded(leading: scaleColumns - 1), column: 0, row: 1, role: .textDim)
        if rows > 1 { canvas.put(metric.text(0).padded(leading: scaleColumns - 1), column: 0, row: rows, role: .textDim) }
        canvas.inside(CellRect(column: scaleColumns, row: 1, columns: columns, rows: rows)) { chart.draw(&$0) }
        times(chart, span, slots: slots, column: scaleColumns, columns: columns, facts, &canvas)
    }

    /// The time of the first place and of every 20th column.
    private func times(_ chart: Chart, _ span: SampleSpan, slots: Int, column: Int, columns: Int, _ facts: JobFacts, _ canvas: inout Canvas) {
        let row = canvas.size.rows - 1
        let first = chart.first(slots: slots), perCell = canvas.glyphs.samplesPerCell
        // Places stand still, so the times below them do too.
        guard let start = facts.memory.sampledFrom else { return }
        for offset in stride(from: 0, to: columns - 8, by: 20) {
            let index = first + offset * perCell
            guard index < chart.count else { break }
            let at = WallTime(milliseconds: start.milliseconds + Int64(index) * span.step.count)
            canvas.put(Figures.clock(at, offset: model.options.utcOffsetSeconds), column: column + offset, row: row, role: .textDim)
        }
    }
}
