import CellGrid
import StreamModel

extension ConsoleModel {
    mutating func write(_ effects: inout [ConsoleEffect]) {
        guard case .operation(let id) = screen, let operation = shown.operations.first(where: { $0.id == id }) else {
            // Any other screen is dumped; the proposed name can be edited, and its suffix decides the format.
            let time = Figures.clock(now, offset: options.utcOffsetSeconds).string.filter { $0 != ":" }
            modals.append(.command(CommandPrompt("dump weir-\(screenName)-\(time).txt")))
            return
        }
        writeEvidence(operation, &effects)
    }

    mutating func writeEvidence(_ operation: TrackedOperation, _ effects: inout [ConsoleEffect]) {
        effects.append(.save(name: "\(operation.verb)-\(operation.id).txt", text: evidenceReport(operation)))
        say("writing the evidence")
    }

    func evidence(_ operation: TrackedOperation) -> SafeText {
        var text: SafeText = "\(operation.progress(at: shownAt)); by \(operation.request.by) in \(operation.context)"
        if !operation.request.reason.isEmpty { text = "\(text); reason \(operation.request.reason)" }
        if let path = operation.report?.path { text = "\(text); path \(path)" }
        if let proof = operation.proof { text = "\(text); VERDICT \(RestartWords.verdict(proof))" }
        for line in operation.proof?.lines ?? [] {
            text = "\(text); \(line.step.rawValue) \(RestartWords.name(line.step)) \(line.state.rawValue) \(line.evidence)"
        }
        return text
    }

    /// All facts about an operation, one a line, for a file.
    func evidenceReport(_ operation: TrackedOperation) -> String {
        let offset = options.utcOffsetSeconds
        var lines = [
            "operation  \(operation.id)", "what       \(preview(operation.request, in: operation.context).line)",
            "job        \(operation.jobName)",
            "context    \(operation.context)  \(live.context(operation.context)?.description.address ?? "")", "by         \(operation.request.by)",
            "reason     \(operation.request.reason.isEmpty ? "none given" : operation.request.reason)",
            "sent       \(Figures.clock(operation.since, offset: offset)), \(operation.since.milliseconds) ms since 1970",
            "stage      \(operation.stage.rawValue)",
        ]
        if let report = operation.report {
            lines.append("engine     says \(report.state.rawValue)\(report.endedAt.map { " at \(Figures.clock($0, offset: offset))" } ?? "")")
            if let path = report.path { lines.append("path       \(path)") }
            if let jar = report.jar { lines.append("jar        \(jar)") }
            if let job = report.newJob { lines.append("new job    \(job)") }
            if let error = report.error { lines.append("error      \(error)") }
            if let inference = report.inference { lines.append("inferred   \(inference)") }
        }
        if let seen = operation.evidence { lines.append("observed   \(seen)") }
        if let proof = operation.proof {
            lines += ["", "chosen     \(proof.chosenID.map { "#\($0) " } ?? "")\(proof.chosenPath)"]
            for line in proof.lines {
                lines.append("  \(line.step.rawValue) \(RestartWords.name(line.step).padded(15)) \(line.state.rawValue.uppercased()) \(line.evidence)")
            }
            lines.append("VERDICT    \(RestartWords.verdict(proof))")
        }
        // Each line is made safe by itself: what came from outside cannot add lines.
        return lines.map { SafeText($0).string }.joined(separator: "\n") + "\n"
    }
}
