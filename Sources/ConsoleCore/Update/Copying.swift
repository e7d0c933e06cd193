import CellGrid
import StreamModel

extension ConsoleModel {
    mutating func copy(_ effects: inout [ConsoleEffect]) {
        if screen == .job, let key = currentJob, case let lines = incidentSummary(key), !lines.isEmpty {
            effects.append(.copy(lines.map(\.string).joined(separator: "\n")))
            return say("copied the incident summary: \(Figures.plural(lines.count, "line")), \(lines[1].prefix(columns: 60, ending: .cut))")
        }
        if screen == .contexts, let description = selectedContext?.description, description.isAdded {
            effects.append(.copy(description.configuration.joined(separator: "\n") + "\n"))
            return say("copied the config.toml lines for \(description.name)")
        }
        let copied: (what: SafeText, text: SafeText)? =
            switch screen {
            case .overview: focusedJob.map { ("job id", "\($0.job)") }
            case .job: nil
            case .checkpoints: selectedCheckpoint.map(pathOrID)
            case .checkpoint(let id), .subtasks(let id, _): detail(id).map(pathOrID)
            case .failures: selectedFailure.map { ("failure", $0.subject + ": " + $0.message) }
            case .metrics:
                currentJob.flatMap { shown.job($0) }.map { ("value", "\(metrics.selected.title) \(metrics.selected.text(metrics.selected.value($0)))") }
            case .configuration:
                configurationRows.indices.contains(listPosition.index)
                    ? ("setting", "\(configurationRows[listPosition.index].name) = \(configurationRows[listPosition.index].value)") : nil
            case .contexts: selectedContext.map { ("address", SafeText($0.description.address)) }
            case .history: selectedRemembered.map { pathOrID($0.report) }
            case .audit:
                selectedAudit.map {
                    (
                        "record",
                        "\($0.verb) op \($0.id) by \($0.request.by) on \($0.context)/\($0.jobName) at \(Figures.clock($0.at, offset: options.utcOffsetSeconds)): \($0.outcome) \($0.result); reason: \($0.request.reason)"
                    )
                }
            case .log:
                selectedLogEntry.map { entry in
                    let time = Figures.clock(wall(entry.at), offset: options.utcOffsetSeconds)
                    return ("line", "\(time) \(entry.level.rawValue) \(entry.jobName.map { "\(SafeText($0)): " } ?? "")\(SafeText(entry.message, limit: 4000))")
                }
            case .operations: selectedOperation.map { ("operation", evidence($0)) }
            case .operation(let id): shown.operations.first { $0.id == id }.map { ("evidence", evidence($0)) }
            }
        guard let copied else { return say("nothing to copy here", .warn) }
        effects.append(.copy(copied.text.string))
        say("copied the \(copied.what): \(copied.text.prefix(columns: 60, ending: .cut))")
    }

    private func pathOrID(_ checkpoint: CheckpointReport) -> (what: SafeText, text: SafeText) {
        checkpoint.path.map { ("path", SafeText($0)) } ?? ("checkpoint id", "\(checkpoint.id)")
    }

    mutating func copyCommand(_ effects: inout [ConsoleEffect]) {
        if case .history = screen, let row = selectedRemembered {
            let command = "weir checkpoints \(ShellWord(row.jobName)) --history"
            effects.append(.copy(command))
            return say("copied: \(command)")
        }
        if case .log(let scope) = screen {
            var command = "weir log"
            if scope == .job, let job = currentJob { command += " \(job.job)" }
            if live.contexts.count > 1, let context = logContext { command += " --context \(ShellWord(context))" }
            effects.append(.copy(command))
            return say("copied: \(command)")
        }
        guard let key = focusedJob else { return say("no job here to make a command for", .warn) }
        var command: String
        switch screen {
        case .checkpoints, .checkpoint, .subtasks:
            if let path = selectedCheckpoint?.path {
                command = "weir restart \(key.job) --from \(ShellWord(path))"
            } else {
                command = "weir checkpoints \(key.job)"
            }
        case .operations, .operation: command = "weir operations"
        case .overview, .job, .failures, .metrics, .configuration, .contexts, .audit, .history, .log: command = "weir checkpoints \(key.job)"
        }
        // With one engine there is nothing to tell apart.
        if live.contexts.count > 1 { command += " --context \(ShellWord(key.context))" }
        effects.append(.copy(command))
        say("copied: \(command)")
    }
}
