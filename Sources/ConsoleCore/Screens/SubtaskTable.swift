import CellGrid
import StreamModel

/// Subtasks of a checkpoint with their phases.
enum SubtaskTable {
    struct Row {
        var name: SafeText
        var subtask: SubtaskCheckpointReport
    }

    /// Those that have not acknowledged first, then by the sum of their phases.
    static func slowest(_ operators: [OperatorCheckpointReport]) -> [Row] {
        let rows = operators.flatMap { part in part.subtasks.map { Row(name: SafeText(part.name), subtask: $0) } }
        return rows.sorted { left, right in
            let late = (left.subtask.acknowledgedAt == nil, right.subtask.acknowledgedAt == nil)
            return late.0 == late.1 ? PhaseSpan.total(left.subtask) > PhaseSpan.total(right.subtask) : late.0
        }
    }

    /// Columns of a phase: narrow beside the names of operators.
    private static func phaseColumns(withOperator: Bool) -> Int { withOperator ? 7 : 9 }

    /// Columns of a row with names of operators of so many columns.
    static func columns(named names: Int) -> Int { 1 + names + 4 + 4 * phaseColumns(withOperator: true) + 9 + 6 }

    /// - Parameter names: columns of the names of operators; nil = there are none.
    static func header(row: Int, names: Int?, _ canvas: inout Canvas) {
        var text: SafeText = names.map { " \(SafeText("OPERATOR").padded($0)) SUB" } ?? "   SUB"
        for name in ["DELAY", "ALIGN", "SYNC", "ASYNC"] as [SafeText] { text = text + name.padded(leading: phaseColumns(withOperator: names != nil)) }
        canvas.put(text + "     SIZE  STATE", column: 0, row: row, role: .header)
    }

    static func row(_ subtask: SubtaskCheckpointReport, operator name: SafeText?, names: Int = 12, row: Int, _ canvas: inout Canvas) {
        let index = SafeText("\(subtask.index)").padded(leading: max(3, "\(subtask.index)".utf8.count))
        // A number with more digits takes its room from what stands before it.
        let names = max(1, names - (index.columns - 3))
        let isDone = subtask.acknowledgedAt != nil
        var column = canvas.put(
            name.map { " \($0.prefix(columns: names, ending: .cut).padded(names)) \(index)" } ?? index.padded(leading: max(6, index.columns)), column: 0,
            row: row)
        for phase in PhaseSpan.all(subtask) {
            let isKnown = isDone || phase.microseconds > 0
            let text = isKnown ? Figures.duration(microseconds: phase.microseconds) : "-"
            column += canvas.put(text.padded(leading: phaseColumns(withOperator: name != nil)), column: column, row: row, role: phase.role)
        }
        column += canvas.put(Figures.bytes(subtask.stateSize).padded(leading: 9), column: column, row: row)
        canvas.put(isDone ? "ok" : "late", column: column + 2, row: row, role: isDone ? .checkpointOK : .checkpointFailed)
    }

    /// The common factor of the slowest subtasks, in words.
    static func commonFactor(_ rows: [Row]) -> SafeText {
        let late = rows.filter { $0.subtask.acknowledgedAt == nil }
        let group = late.count > 1 ? late : Array(rows.prefix(3))
        guard let first = group.first, group.count > 1 else { return "" }
        let who: SafeText = late.count > 1 ? "all \(late.count) late" : "the slowest"
        var places: [String] = []
        if let host = first.subtask.host, group.allSatisfy({ $0.subtask.host == host }) { places.append("on host \(SafeText(host))") }
        if group.allSatisfy({ $0.name == first.name }) { places.append("in \(first.name)") }
        let place: SafeText = places.isEmpty ? " subtasks" : " \(places.joined(separator: ", "))"
        var byPhase: [Int64] = [0, 0, 0, 0]
        for row in group { for (index, phase) in PhaseSpan.all(row.subtask).enumerated() { byPhase[index] += phase.microseconds >> 4 } }
        let total = byPhase.reduce(0, +)
        let deeds: [SafeText] = [
            "mostly wait for the barrier (start delay)", "mostly align barriers (alignment)", "mostly copy state (sync)",
            "mostly write state (async)",
        ]
        if let most = byPhase.indices.max(by: { byPhase[$0] < byPhase[$1] }), total > 0, byPhase[most] * 2 > total { return "\(who)\(place) \(deeds[most])" }
        return places.isEmpty ? "the slowest subtasks have nothing in common" : "\(who) are\(place)"
    }
}
