import CellGrid
import StreamModel

/// Everything that operators asked of the engines, with how far it has come.
struct OperationsScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        let rows = model.operationRows
        let flying = rows.count(where: \.isInFlight)
        Chrome(model).plainTitle("operations \(rows.count): \(flying) in progress", &canvas)
        let cursor = rows.firstIndex { $0.id == model.cursors.operation } ?? 0
        canvas.inside(RowStack.list(canvas.size.rows)[.list]) { inner in
            inner.rule(
                "\(model.options.keyMap.title(.operations, "operations"))\(model.listNote(.operations))", row: 0,
                note: inner.size.columns < 80 ? "" : "sent > accepted > completed > observed > proven")
            let header: SafeText =
                switch inner.size.columns {
                case 100...: " WHEN      OP    WHO          WHAT           JOB                     STAGE        RESULT"
                case 80...: " WHEN      OP    WHAT           JOB            STAGE        RESULT"
                default: " WHEN      WHAT           JOB          STAGE        RESULT"
                }
            inner.put(
                header, column: 0, row: 1,
                role: model.listViews[.operations].order?.field == nil ? .header : .headerSort)
            if rows.isEmpty { inner.put(" none", column: 0, row: 2, role: .textDim) }
            let size = inner.size
            inner.list(
                rows.count, cursor: cursor, from: 2, isMarked: false,
                lines: { Canvas.lines(result(rows[$0]), column: Self.resultColumn(size), end: model.wrapEnd) },
                { line(rows[$0], row: $1, lines: $2, &$3) })
        }
        Chrome(model).footer(&canvas)
    }

    /// One operation in one row; also for the overview.
    func line(_ operation: TrackedOperation, row: Int, lines: Int = 1, _ canvas: inout Canvas) {
        let time = Figures.moment(operation.since, now: model.shownAt, offset: model.options.utcOffsetSeconds)
        let isWide = canvas.size.columns >= 100, isNarrow = canvas.size.columns < 80
        var spans: [Span] = [Span(" \(time.padded(9)) ", .textDim), Span(isNarrow ? "" : "\(operation.id.short)  ")]
        if isWide { spans.append(Span(SafeText(operation.request.by).prefix(columns: 12, ending: .cut).padded(13))) }
        let jobColumns = isWide ? 23 : isNarrow ? 12 : 14
        spans += [
            Span(operation.verb.padded(15)),
            Span(SafeText("\(operation.context)/\(operation.subject)").middle(columns: jobColumns).padded(jobColumns + 1)),
            Span(SafeText(operation.stage.rawValue).padded(13), operation.severity.role),
        ]
        canvas.line(spans, row: row)
        let result = result(operation), column = Self.resultColumn(canvas.size)
        let isPath = operation.report?.path.map { SafeText($0) } == result
        canvas.put(
            isPath && lines == 1 ? result.middle(columns: canvas.size.columns - column) : result, column: column, row: row, lines: lines,
            end: model.wrapEnd)
    }

    private static func resultColumn(_ size: Size) -> Int { size.columns >= 100 ? 82 : size.columns < 80 ? 52 : 60 }

    private func result(_ operation: TrackedOperation) -> SafeText {
        guard let report = operation.report, !report.state.isTerminal, let acknowledged = report.acknowledgedSubtasks, let total = report.totalSubtasks else {
            return operation.result
        }
        return "acked \(acknowledged)/\(total)"
    }
}

/// One operation with its evidence.
struct OperationScreen {
    let model: ConsoleModel
    let id: OperationID

    func draw(_ canvas: inout Canvas) {
        guard let operation = model.shown.operations.first(where: { $0.id == id }) else {
            Chrome(model).plainTitle("operation \(id.short)", &canvas)
            canvas.put(" no longer known", column: 0, row: 2, role: .severityWarn)
            return Chrome(model).footer(&canvas)
        }
        Chrome(model).plainTitle("operation \(operation.id): \(operation.verb) of \(operation.subject) in \(operation.context)", &canvas)
        canvas.inside(RowStack.list(canvas.size.rows)[.list]) { evidence(operation, &$0) }
        Chrome(model).footer(&canvas)
    }

    private enum Line {
        case fact(name: SafeText, text: SafeText, role: StyleRole)
        case proofTitle, proof(RestartProof.Line)
    }

    private func lines(_ operation: TrackedOperation, columns: Int) -> [Line] {
        var lines: [Line] = []
        for (name, text, role) in facts(operation) {
            let texts = wrapped(text, columns: columns - 14)
            lines += (texts.isEmpty ? [SafeText.empty] : texts).enumerated().map { .fact(name: $0 == 0 ? name : "", text: $1, role: role) }
        }
        if let proof = operation.proof { lines += [.proofTitle] + proof.lines.map { .proof($0) } }
        return lines
    }

    /// How far the evidence can be scrolled, and how far it is.
    func position(in size: Size) -> (count: Int, index: Int) {
        guard let operation = model.shown.operations.first(where: { $0.id == id }) else { return (0, 0) }
        let room = RowStack.list(size.rows)[.list].count - 1
        return position(lines(operation, columns: size.columns).count, room)
    }

    private func position(_ lines: Int, _ room: Int) -> (count: Int, index: Int) {
        let last = max(0, lines - room)
        return (last + 1, min(model.cursors.evidence.map { $0.id == id ? $0.top : 0 } ?? 0, last))
    }

    private func evidence(_ operation: TrackedOperation, _ canvas: inout Canvas) {
        let lines = lines(operation, columns: canvas.size.columns), room = canvas.size.rows - 1
        let top = position(lines.count, room).index
        let keys = model.options.keyMap.label(.moveDown, .moveUp)
        canvas.rule("evidence", row: 0, note: lines.count > room ? "\(top + 1)-\(min(top + room, lines.count)) of \(lines.count), \(keys)" : "")
        for (index, line) in lines.dropFirst(top).prefix(room).enumerated() {
            let row = index + 1
            switch line {
            case .fact(let name, let text, let role):
                canvas.put(" \(name)", column: 0, row: row, role: .header)
                canvas.put(text, column: 13, row: row, role: role)
            case .proofTitle: operation.proof.map { ProofView(proof: $0, theme: model.theme).title(row: row, &canvas) }
            case .proof(let step): operation.proof.map { ProofView(proof: $0, theme: model.theme).draw(step, row: row, &canvas) }
            }
        }
    }

    private func facts(_ operation: TrackedOperation) -> [(SafeText, SafeText, StyleRole)] {
        let offset = model.options.utcOffsetSeconds
        var facts: [(SafeText, SafeText, StyleRole)] = [
            ("stage", "\(operation.stage.rawValue)\(operation.isReattached ? ", re-attached after an earlier run" : "")", operation.severity.role),
            ("request", model.preview(operation.request, in: operation.context).line, .text),
            ("by", "\(operation.request.by)\(operation.request.reason.isEmpty ? "" : ", reason: \(operation.request.reason)")", .text),
            ("since", Figures.clock(operation.since, offset: offset), .text),
        ]
        if let proof = operation.proof {
            facts.insert(("verdict", RestartWords.verdict(proof), RestartWords.role(proof)), at: 1)
        }
        if let report = operation.report {
            facts.append(("engine says", "\(report.state.rawValue)\(report.endedAt.map { " at \(Figures.clock($0, offset: offset))" } ?? "")", .text))
            if let activity = report.activity { facts.append(("now", SafeText(activity), .text)) }
            if let step = report.step, !report.state.isTerminal || report.state == .interrupted {
                facts.append(("last step", "\(step.name.rawValue) at \(Figures.clock(step.at, offset: offset))", .text))
            }
            if let inference = report.inference { facts.append(("inferred", SafeText(inference), .severityWarn)) }
            // A restart's request and verdict name the restored snapshot.
            if operation.proof == nil {
                if let path = report.path { facts.append(("path", SafeText(path), .textStrong)) }
                if let checkpoint = report.checkpoint { facts.append(("checkpoint", "#\(checkpoint)", .text)) }
            }
            if let jar = report.jar { facts.append(("jar", SafeText(jar), .text)) }
            if let job = report.newJob { facts.append(("new job", "\(job)", .text)) }
        }
        if let evidence = operation.evidence { facts.append(("observed", evidence, .severityOK)) }
        if operation.stage == .unknown, let error = operation.report?.error { facts.append(("reason", SafeText(error), .severityUnknown)) }
        if [.failed, .refused, .interrupted].contains(operation.stage) { facts.append(("problem", operation.failure, .severityCrit)) }
        return facts
    }
}

extension TrackedOperation {
    var action: Action { Self.action(request.kind) }

    /// The action that a request was made of.
    static func action(_ kind: OperationRequest.Kind) -> Action {
        switch kind {
        case .savepoint(let directory): .savepoint(directory: directory)
        case .checkpoint: .checkpoint
        case .stop(let drain, _): .stop(drain: drain)
        case .cancel(let retention): .cancel(retention)
        case .restart(let options): .restart(options, chosen: nil)
        case .launch(let options): .launch(options)
        case .dispose(let path): .dispose(path: path, nil)
        case .uploadJar, .deleteJar: .jar(kind)
        case .fault(let text): .fault(text)
        }
    }
}

/// The six steps of a restart's proof with what was seen, and the verdict.
struct ProofView {
    let proof: RestartProof
    let theme: Theme

    func title(row: Int, _ canvas: inout Canvas) {
        canvas.rule("verify: from \(SafeText(proof.chosenPath).middle(columns: 50))", row: row)
    }

    /// The steps, one row each, from row 1.
    func draw(_ canvas: inout Canvas) {
        for (index, line) in proof.lines.enumerated() { draw(line, row: index + 1, &canvas) }
    }

    func draw(_ line: RestartProof.Line, row: Int, _ canvas: inout Canvas) {
        let (badge, role): (SafeText, StyleRole) =
            switch line.state {
            case .done: ("[ok]", .severityOK)
            case .waiting: ("[..]", .severityRun)
            case .failed: ("[XX]", .severityCrit)
            case .unproven: ("[--]", .severityUnknown)
            }
        let evidence: SafeText = line.evidence.isEmpty ? "waiting" : SafeText(line.evidence)
        let column = canvas.line([Span(" "), Span(badge, role), Span(" \(line.step.rawValue) \(RestartWords.name(line.step).padded(15))")], row: row)
        // A number that is cut is another number.
        let fitting = evidence.prefix(columns: canvas.size.columns - column, ending: .cut)
        canvas.put(fitting, column: column, row: row, role: line.state == .waiting ? .textDim : .text)
    }
}
