import CellGrid
import StreamModel

/// The text of a sheet as it fits in a window. The target and what will happen to it stay on the screen on every page; the rest
/// scrolls between them, warnings first.
struct SheetLayout {
    private struct Line {
        var label: SafeText = ""
        var text: SafeText
        var role: StyleRole = .dialog
        /// Of a check.
        var badge: (text: SafeText, role: StyleRole)?
    }

    private let size: Size
    private let head, body, tail: [Line]
    private let top: Int
    private let blanks: Int
    private let textColumn: Int
    /// Body lines, from the first one, that must have been on the screen before anything is sent.
    private let warnings: Int
    /// What they say, without figures that count on.
    let warningTexts: [String]

    init(_ model: ConsoleModel, _ sheet: ActionSheet, _ window: Size) {
        self.init(model, sheet, sheet.page, window)
    }

    private init(_ model: ConsoleModel, _ sheet: ActionSheet, _ page: ActionSheet.Page, _ window: Size) {
        let size = SheetView.contentSize(window, sheet.rule)
        let textColumn = size.columns < 78 ? 11 : 13
        let room = size.columns - textColumn - 1
        func block(_ label: SafeText, _ text: SafeText, _ role: StyleRole = .dialog) -> [Line] {
            let lines = wrapped(text, columns: room)
            return lines.enumerated().map { Line(label: $0 == 0 ? label : "", text: $1, role: role) }
        }
        let key = sheet.target.key
        let preflight = model.preflight(sheet.action, key, sheet.rule).sorted { $0.weight > $1.weight }
        // A name of a thousand characters leaves room for what else decides.
        let name: SafeText =
            "\(SafeText(sheet.target.name).middle(columns: room + room / 2))   job \(size.columns < 78 ? SafeText(key.job.short) : SafeText(key.job.description))"
        let environment = model.live.context(key.context).map { " (\($0.description.class.rawValue))" } ?? ""
        let target = block("target", "\(name)   context \(key.context)\(environment)", .titleJob)
        let preview = model.preview(sheet)
        let send = block("will send", preview.line)
        var tail = model.check(key).map { block("effect", $0.effect(sheet.action)) } ?? []
        if sheet.action.tier != .reversible {
            let hasAbortWindow = sheet.rule == .unlockedNameReasonWindow
            let window: SafeText = size.columns < 78 ? "once armed you have 5 s to abort" : "this cannot be undone; after arming you have 5 s to abort"
            tail += block("no undo", hasAbortWindow ? window : "this cannot be undone")
        }

        /// Whole where it warns; on its own page everything is whole.
        func check(_ check: Preflight) -> [Line] {
            let columns = room - Self.badgeColumns
            let texts = page == .preflight || check.weight > 0 ? wrapped(check.text, columns: columns) : [check.text.prefix(columns: columns, ending: .cut)]
            return texts.enumerated().map { Line(text: $1, badge: ($0 == 0 ? check.badge : "", check.role)) }
        }
        let warning = preflight.filter { $0.weight > 0 }.flatMap(check)
        warningTexts = preflight.filter { $0.weight > 0 }.map { $0.text.string.filter { !$0.isNumber } }
        var lines =
            page == .request ? preview.lines.flatMap { block("", $0) } : warning + preflight.filter { $0.weight == 0 }.flatMap(check)
        if !lines.isEmpty { lines[0].label = page == .request ? "request" : "preflight" }

        // A small window loses the blank lines first, then the request scrolls with the checks.
        let brief = page == .overview && size.rows < 25 && send.count > Self.requestLines ? Self.cut(send, columns: room) : send
        func bodyRows(_ head: Int, blanks: Int) -> Int { size.rows - head - tail.count - blanks }
        let wanted = page == .overview ? lines.count : min(lines.count, 6)
        let isRoomy = bodyRows(target.count + brief.count, blanks: 2) >= wanted
        if isRoomy || bodyRows(target.count + brief.count, blanks: 0) >= wanted {
            head = target + brief
            body = lines
        } else {
            head = target
            body = page == .overview ? lines.prefix(warning.count) + send + lines.dropFirst(warning.count) : lines
        }
        self.tail = tail
        self.size = size
        self.textColumn = textColumn
        warnings = warning.count
        blanks = isRoomy ? 2 : 0
        let isAsRead = page != .overview || sheet.warningsRead == warningTexts
        top = max(0, min(isAsRead ? sheet.tops[page] ?? 0 : 0, body.count - max(0, size.rows - head.count - tail.count - blanks)))
    }

    /// Request lines beside everything else; the other pages show all.
    private static let requestLines = 4
    private static let badgeColumns = 5

    private static func cut(_ lines: [Line], columns: Int) -> [Line] {
        var cut = Array(lines.prefix(requestLines))
        cut[requestLines - 1].text = cut[requestLines - 1].text.prefix(columns: columns - 4, ending: "") + " " + .cut
        return cut
    }

    // MARK: What is on the screen

    private var bodyRows: Int { max(0, size.rows - head.count - tail.count - blanks) }

    /// What keeps an operator from reading all that decides; nil = nothing does.
    static func problem(_ model: ConsoleModel, _ sheet: ActionSheet, _ window: Size) -> SafeText? {
        let first = SheetLayout(model, sheet, .overview, window)
        let missing = first.head.count + first.tail.count + 1 - first.size.rows
        if missing > 0 { return "too small for this text: \(window.rows + missing) rows are needed" }
        let unseen = first.warnings - first.top - first.bodyRows
        return unseen > 0 ? "\(Figures.plural(unseen, "line")) to read: \(sheet.page == .overview ? "" : "first page, ")PgDn" : nil
    }

    /// The first line of the body after a step, a line or a page.
    func scrolled(by step: Int, isPage: Bool) -> Int {
        max(0, min(top + step * (isPage ? max(1, bodyRows - 1) : 1), body.count - bodyRows))
    }

    /// Where the body stands, unless all of it is on the screen.
    var note: SafeText? {
        guard body.count > bodyRows, bodyRows > 0 else { return nil }
        return "\(top + 1)-\(min(top + bodyRows, body.count)) of \(body.count), PgUp PgDn"
    }

    func draw(_ canvas: inout Canvas) {
        var row = 0
        func draw(_ lines: some Sequence<Line>) {
            for line in lines {
                if !line.label.isEmpty { canvas.put(" \(line.label)", column: 0, row: row, role: .header) }
                if let badge = line.badge { canvas.put(badge.text, column: textColumn, row: row, role: badge.role) }
                canvas.put(line.text, column: line.badge == nil ? textColumn : textColumn + Self.badgeColumns, row: row, role: line.role)
                row += 1
            }
        }
        draw(head)
        row += blanks / 2
        draw(body.dropFirst(top).prefix(bodyRows))
        row += blanks / 2
        draw(tail)
    }
}

extension Preflight {
    /// The most important lines come first.
    fileprivate var weight: Int {
        switch verdict {
        case .stop: 3
        case .warn: 2
        case .pending: 1
        case .ok: 0
        }
    }
}
