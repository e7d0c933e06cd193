import CellGrid
import StreamModel

/// The value of a list's column, for filters and orders.
enum FieldValue: Sendable {
    case text(String)
    /// The number to sort by, and the text that filters look at.
    case number(Double, String)

    var text: String {
        switch self {
        case .text(let text), .number(_, let text): text
        }
    }

    static func < (left: FieldValue, right: FieldValue) -> Bool {
        switch (left, right) {
        case (.number(let first, _), .number(let second, _)): first < second
        default: left.text < right.text
        }
    }
}

/// A column of a list that can be named in a filter and sorted by.
struct ListField<Row> {
    let name: String
    let value: (Row) -> FieldValue
    /// The words on the screen, where they are shorter than the value; a filter finds both.
    let shown: ((Row) -> SafeText)?

    init(_ name: String, _ value: @escaping (Row) -> FieldValue, shown: ((Row) -> SafeText)? = nil) {
        self.name = name
        self.value = value
        self.shown = shown
    }
}

/// The text behind "/": terms separated by spaces, all of which a row must satisfy.
///
///     late            some field has "late" in it
///     ~^chk-\d+$      some field matches the expression
///     cause:expired   the field does
///     !state:~RUN     it does not
struct ListFilter: Sendable {
    private struct Term: Sendable {
        var field: String?
        var isInverse: Bool
        var pattern: Pattern
    }

    private enum Pattern: Sendable {
        case contains(String)
        case expression(LinearPattern)

        func matches(_ text: String) -> Bool {
            switch self {
            case .contains(let wanted): wanted.utf8.allSatisfy({ $0 < 0x80 }) ? Self.contains(text, wanted) : text.lowercased().contains(wanted)
            case .expression(let expression): expression.matches(text)
            }
        }

        /// Whether a text has ASCII letters in it, in any case. Byte by byte: a list of thousands is filtered with every letter that is typed.
        private static func contains(_ text: String, _ wanted: String) -> Bool {
            var text = text
            return text.withUTF8 { bytes in
                var wanted = wanted
                return wanted.withUTF8 { wanted in
                    guard let first = wanted.first, bytes.count >= wanted.count else { return wanted.isEmpty }
                    for start in 0...(bytes.count - wanted.count) where fold(bytes[start]) == first {
                        var length = 1
                        while length < wanted.count, fold(bytes[start + length]) == wanted[length] { length += 1 }
                        if length == wanted.count { return true }
                    }
                    return false
                }
            }
        }

        private static func fold(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
    }

    private let terms: [Term]

    /// A word before a colon that names no field is text to look for, as in "12:04".
    init(_ text: String, fields: [String]) throws(LinearPattern.Problem) {
        var terms: [Term] = []
        for word in text.split(separator: " ", omittingEmptySubsequences: true) {
            var rest = word
            let isInverse = rest.first == "!" && rest.count > 1
            if isInverse { rest = rest.dropFirst() }
            var field: String?
            if let colon = rest.firstIndex(of: ":"), fields.contains(rest[..<colon].lowercased()) {
                field = rest[..<colon].lowercased()
                rest = rest[rest.index(after: colon)...]
            }
            // "field:" alone is still being typed.
            if rest.isEmpty { continue }
            let pattern: Pattern = rest.first == "~" ? .expression(try LinearPattern(String(rest.dropFirst()))) : .contains(rest.lowercased())
            terms.append(Term(field: field, isInverse: isInverse, pattern: pattern))
        }
        self.terms = terms
    }

    /// The words that a row must hold, in lower case. What an expression matches is not among them.
    var words: [String] {
        terms.compactMap { if !$0.isInverse, case .contains(let word) = $0.pattern { word } else { nil } }
    }

    func admits<Row>(_ row: Row, _ fields: [ListField<Row>]) -> Bool {
        terms.allSatisfy { term in
            let hit = fields.contains { field in
                guard term.field == nil || field.name == term.field else { return false }
                return term.pattern.matches(field.value(row).text) || field.shown.map { term.pattern.matches($0(row).string) } ?? false
            }
            return hit != term.isInverse
        }
    }
}

/// How a list is sorted.
struct ListOrder: Sendable, Equatable {
    /// nil = the list's own order.
    var field: String?
    var isReversed = false

    /// For the title of a pane; empty for the list's own order.
    var note: SafeText {
        guard let field else { return isReversed ? "  reversed" : "" }
        return "  by \(field) \(isReversed ? "down" : "up")"
    }
}

extension ConsoleModel {
    /// Filters and sorts the rows of a list. Rows that are equal keep their order; a filter that cannot be read lets all pass.
    func arranged<Row>(_ rows: [Row], _ kind: ListKind, _ fields: [ListField<Row>]) -> [Row] {
        var rows = rows
        if let text = listViews[kind].filter {
            do throws(LinearPattern.Problem) {
                let filter = try ListFilter(text, fields: fields.map(\.name))
                rows = rows.filter { filter.admits($0, fields) }
            } catch {
                // `filterProblem` tells it.
            }
        }
        guard let order = listViews[kind].order else { return rows }
        guard let field = fields.first(where: { $0.name == order.field }) else { return order.isReversed ? rows.reversed() : rows }
        let keyed = rows.enumerated().map { (offset: $0.offset, key: field.value($0.element), row: $0.element) }
        return keyed.sorted { left, right in
            if left.key < right.key { return !order.isReversed }
            if right.key < left.key { return order.isReversed }
            return left.offset < right.offset
        }.map(\.row)
    }

    /// Why the filter of a list cannot be read; nil = it can.
    func filterProblem(_ kind: ListKind) -> String? {
        guard let text = listViews[kind].filter else { return nil }
        do throws(LinearPattern.Problem) {
            _ = try ListFilter(text, fields: fieldNames(kind))
            return nil
        } catch {
            return error.text
        }
    }

    /// The rows of a list, as it stands, that a filter finds.
    func matchIndices(_ kind: ListKind, _ text: String) -> [Int] {
        func indices<Row>(_ rows: [Row], _ fields: [ListField<Row>]) -> [Int] {
            do throws(LinearPattern.Problem) {
                let filter = try ListFilter(text, fields: fields.map(\.name))
                return rows.indices.filter { filter.admits(rows[$0], fields) }
            } catch {
                return []
            }
        }
        switch (kind, screen) {
        case (.overview, _): return indices(overviewRows, overviewFields)
        case (.checkpoints, _): return indices(checkpointRows, checkpointFields)
        case (.failures, _): return indices(failureRows, failureFields)
        case (.operations, _): return indices(operationRows, operationFields)
        case (.operators, .checkpoint(let id)): return indices(operatorRows(id), operatorFields)
        case (.subtasks, .subtasks(let id, let uid)): return indices(subtaskRows(id, uid), subtaskFields)
        case (.configuration, _): return indices(configurationRows, configurationFields)
        case (.contexts, _): return indices(contextRows, contextFields)
        case (.audit, _): return indices(auditRows, auditFields)
        case (.history, _): return indices(historyRows, historyFields)
        case (.log, _): return indices(logRows, logFields)
        default: return []
        }
    }

    /// "3 of 15": rows that the filter leaves, for the prompt while it is typed.
    func filterCount(_ kind: ListKind) -> SafeText { "\(listPosition.count) of \(unfilteredCount(kind))" }

    private func unfilteredCount(_ kind: ListKind) -> Int {
        switch (kind, screen) {
        // The long ones are counted, and not put in order once more with every frame.
        case (.overview, _): return shown.contexts.reduce(0) { $0 + max(1, $1.report?.jobs.count ?? 0) }
        case (.checkpoints, _): return currentJob.map { knownCheckpoints($0).count } ?? 0
        case (.history, .history(let scope)): return past(scope).rows.count
        default:
            var bare = self
            bare.listViews[kind] = ListView()
            return bare.listPosition.count
        }
    }

    /// Filter and order, for the title of a pane.
    func listNote(_ kind: ListKind) -> SafeText {
        let filter = listViews[kind].filter.map { SafeText("  /\($0)") } ?? ""
        let problem = filterProblem(kind).map { SafeText(" (not used: \($0))") } ?? ""
        return filter + problem + (listViews[kind].order?.note ?? "")
    }

    /// The role of a column's header.
    func headerRole(_ kind: ListKind, _ field: String) -> StyleRole { listViews[kind].order?.field == field ? .headerSort : .header }

    /// The next column to sort by; after the last comes the list's own order.
    mutating func sortByNextField() {
        guard let kind = listKind else { return say("there is no list to sort here", .warn) }
        let names = fieldNames(kind)
        let next = listViews[kind].order?.field.flatMap { names.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        holdSelection(kind)
        // Numbers are most wanted with the largest on top, words from A on.
        listViews[kind].order = next < names.count ? ListOrder(field: names[next], isReversed: isNumeric(kind, names[next])) : nil
        say(listViews[kind].order.map { "sorted\($0.note)" } ?? "in the default order")
    }

    mutating func flipOrder() {
        guard let kind = listKind else { return say("there is no list to sort here", .warn) }
        holdSelection(kind)
        var order = listViews[kind].order ?? ListOrder()
        order.isReversed.toggle()
        listViews[kind].order = order == ListOrder() ? nil : order
        say(listViews[kind].order.map { "sorted\($0.note)" } ?? "in the default order")
    }
}
