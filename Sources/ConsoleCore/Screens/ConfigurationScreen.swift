import CellGrid
import StreamModel

/// One setting of a job, as the configuration screen lists it.
struct ConfigurationRow: Sendable, Equatable {
    /// Unique: the filter and the cursor go by it.
    var name: String
    var value: SafeText
    /// The meaning of the value for the job, where a number alone does not say it.
    var note: SafeText = ""
    /// Something that an operator should know before an incident.
    var isWarning = false
}

extension ConsoleModel {
    /// The settings of the current job.
    var configurationRows: [ConfigurationRow] {
        guard let key = currentJob, let context = shown.context(key.context), let job = context.job(key.job) else { return [] }
        return arranged(ConfigurationRows.of(job, in: context), .configuration, configurationFields)
    }
}

/// A job's settings in words. What may be a secret is masked.
enum ConfigurationRows {
    static func of(_ job: JobReport, in context: ContextState) -> [ConfigurationRow] {
        var rows = checkpoints(job.configuration)
        if job.freshness != nil {
            // A cluster does not tell these.
            rows.removeAll { ["incremental", "prefer checkpoint"].contains($0.name) }
        }
        rows += directories(job.configuration, context.capabilities)
        rows += [failures(job), restart(job)]
        rows += program(job, context)
        rows += engine(job, context)
        return rows
    }

    private static func checkpoints(_ configuration: CheckpointConfiguration) -> [ConfigurationRow] {
        let retention: (SafeText, SafeText, Bool) =
            switch configuration.retention {
            case .none: ("not externalized", "a cancel deletes every checkpoint", true)
            case .deleteOnCancellation: ("delete on cancellation", "a cancel deletes every checkpoint", true)
            case .retainOnCancellation: ("retain on cancellation", "a cancel keeps them", false)
            }
        return [
            ConfigurationRow(
                name: "checkpoint interval", value: configuration.interval.map { Figures.setting($0) } ?? "none",
                note: configuration.interval == nil ? "on request only: a failure restores the last one requested" : "",
                isWarning: configuration.interval == nil),
            ConfigurationRow(name: "checkpoint timeout", value: Figures.setting(configuration.timeout), note: "an expired checkpoint counts as a failure"),
            ConfigurationRow(name: "minimum pause", value: Figures.setting(configuration.minimumPause)),
            ConfigurationRow(name: "concurrent checkpoints", value: "\(configuration.maximumConcurrent)"),
            ConfigurationRow(name: "mode", value: configuration.mode == .exactlyOnce ? "exactly once" : "at least once"),
            ConfigurationRow(name: "retention", value: retention.0, note: retention.1, isWarning: retention.2),
            ConfigurationRow(
                name: "retained checkpoints", value: configuration.tells(.retainedCheckpoints) ? "\(configuration.retainedCheckpoints)" : notTold),
            ConfigurationRow(name: "incremental", value: configuration.incremental ? "yes" : "no"),
            ConfigurationRow(name: "unaligned", value: configuration.unaligned ? "yes" : "no"),
            ConfigurationRow(
                name: "prefer checkpoint", value: configuration.prefersCheckpointForRecovery ? "yes" : "no",
                note: configuration.prefersCheckpointForRecovery
                    ? "for recovery: it may rewind past output that a savepoint committed" : "for recovery, to a newer savepoint",
                isWarning: configuration.prefersCheckpointForRecovery),
        ]
    }

    private static let notTold: SafeText = "not told"

    private static func directories(_ configuration: CheckpointConfiguration, _ capabilities: EngineCapabilities) -> [ConfigurationRow] {
        let savepoints = configuration.savepointDirectory ?? (capabilities.savesBesideCheckpoints ? configuration.storageDirectory : nil)
        let isStored = configuration.storageDirectory != nil || !configuration.tells(.storageDirectory)
        func absent(_ setting: CheckpointConfiguration.Setting) -> SafeText { configuration.tells(setting) ? "none configured" : notTold }
        return [
            ConfigurationRow(
                name: "checkpoint storage", value: configuration.storageDirectory.map { SafeText($0) } ?? absent(.storageDirectory), isWarning: !isStored),
            ConfigurationRow(name: "savepoint directory", value: savepoints.map { SafeText($0) } ?? absent(.savepointDirectory)),
        ]
    }

    private static func failures(_ job: JobReport) -> ConfigurationRow {
        guard let tolerable = job.budget.tolerable else {
            return ConfigurationRow(name: "tolerable failures", value: "not counted", note: "failed checkpoints never fail the job")
        }
        return ConfigurationRow(name: "tolerable failures", value: "\(tolerable)", note: "one more in a row fails the job")
    }

    private static func restart(_ job: JobReport) -> ConfigurationRow {
        ConfigurationRow(
            name: "restart strategy", value: RestartWords.strategy(of: job), isWarning: job.restartStrategyWords == nil && job.restartStrategy == .none)
    }

    private static func program(_ job: JobReport, _ context: ContextState) -> [ConfigurationRow] {
        var rows = [ConfigurationRow(name: "parallelism", value: "\(job.parallelism)", note: "at most \(job.maxParallelism)")]
        guard let recipe = context.recipe(of: job) else {
            let note: SafeText = context.capabilities.needsJarRecipe ? "set it with :recipe JAR" : "R cannot start the job again"
            return rows + [ConfigurationRow(name: "relaunch recipe", value: "not known", note: note, isWarning: true)]
        }
        let parallelism: SafeText = recipe.parallelism > 0 ? "parallelism \(recipe.parallelism)" : "the program's own parallelism"
        rows.append(ConfigurationRow(name: "relaunch recipe", value: SafeText(recipe.program), note: parallelism))
        for (name, value) in recipe.arguments.sorted(by: { $0.key < $1.key }) {
            let shown = name == "arguments" ? Secrets.masked(arguments: value.split(separator: " ").map(String.init)) : Secrets.masked(name, value)
            rows.append(ConfigurationRow(name: "argument \(name)", value: shown))
        }
        return rows
    }

    private static func engine(_ job: JobReport, _ context: ContextState) -> [ConfigurationRow] {
        let guardNote: SafeText = context.description.guardClass == context.description.class ? "" : "guard of class \(context.description.guardClass.rawValue)"
        var rows = [
            ConfigurationRow(name: "job id", value: "\(job.id)"),
            ConfigurationRow(name: "context", value: "\(context.name), class \(context.description.class.rawValue)", note: guardNote),
            ConfigurationRow(
                name: "address", value: SafeText(context.description.address),
                note: context.description.isUnauthenticated ? SafeText(ContextDescription.openWords) : "",
                isWarning: context.description.isUnauthenticated),
        ]
        if let engine = context.report?.engine {
            // A cluster tells of no process, and of no directory of its own.
            let process: SafeText = engine.processID > 0 ? ", pid \(engine.processID)" : ""
            rows.append(ConfigurationRow(name: "engine", value: "\(engine.name) \(engine.version)\(process)"))
            if !engine.stateDirectory.isEmpty { rows.append(ConfigurationRow(name: "engine state", value: SafeText(engine.stateDirectory))) }
        }
        return rows
    }
}

/// Secrets: not to be read over a shoulder or in a copy of the screen.
enum Secrets {
    private static let words = ["password", "passwd", "secret", "token", "credential", "apikey", "api-key", "api_key", "access-key", "access.key", "private"]

    static func masked(_ name: String, _ value: String) -> SafeText {
        let lower = name.lowercased()
        return words.contains { lower.contains($0) } ? "******" : SafeText(value)
    }

    /// A program's arguments in one line; what stands behind a name that tells of a secret is masked: "--password x", "--password=x".
    static func masked(arguments: [String]) -> SafeText { SafeText(maskedWords(arguments).joined(separator: " ")) }

    private static func maskedWords(_ arguments: [String]) -> [String] {
        var isSecret = false
        return arguments.map { word in
            defer { isSecret = word.hasPrefix("-") && !word.contains("=") && isTelling(word) }
            if isSecret, !word.hasPrefix("--") { return "******" }
            guard let equals = word.firstIndex(of: "="), isTelling(String(word[..<equals])) else { return word }
            return word[...equals] + "******"
        }
    }

    private static func isTelling(_ name: String) -> Bool {
        let lower = name.lowercased()
        return words.contains { lower.contains($0) }
    }

    /// A request as it may be shown.
    static func masked(_ kind: OperationRequest.Kind) -> OperationRequest.Kind {
        guard var options = kind.launch, let recipe = options.recipe else { return kind }
        options.recipe?.arguments = maskedWords(recipe.arguments)
        return if case .launch = kind { .launch(options) } else { .restart(options) }
    }

    static func masked(_ report: OperationReport) -> OperationReport {
        var shown = report
        shown.request.kind = masked(report.request.kind)
        return shown
    }

    /// A recipe as it is typed, with its secrets masked, and without the digits that a cluster puts before the name of a jar.
    static func masked(_ recipe: JarRecipe) -> SafeText {
        var shown = recipe
        if case .uploaded = recipe.jar { shown.jar = .file(recipe.jarName) }
        shown.arguments = maskedWords(recipe.arguments)
        return SafeText(shown.line, limit: 400)
    }
}

/// All settings of a job that bear on going back: checkpoints, restarts, recipe, engine.
struct ConfigurationScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        let stack = RowStack.list(canvas.size.rows, condition: 1)
        if let facts = JobFacts(model) { canvas.inside(stack[.condition]) { facts.condition(&$0) } }
        let rows = model.configurationRows
        let cursor = model.listPosition.index
        canvas.inside(stack[.list]) { inner in
            inner.rule(
                "\(model.options.keyMap.title(.configuration, "config"))\(model.listNote(.configuration))", row: 0, note: Figures.plural(rows.count, "setting"))
            if rows.isEmpty { inner.put(" no setting matches the filter; \(model.options.keyMap.label(.back)) clears it", column: 0, row: 1, role: .textDim) }
            inner.list(rows.count, cursor: cursor, from: 1) { index, row, inner in draw(rows[index], row: row, &inner) }
        }
        Chrome(model).footer(&canvas)
    }

    private func draw(_ row: ConfigurationRow, row line: Int, _ canvas: inout Canvas) {
        canvas.put(SafeText(row.name).prefix(columns: 24, ending: .cut), column: 2, row: line, role: .header)
        // Where there is no room for both, the value is whole.
        let note = row.note.isEmpty || canvas.size.columns < 80 ? 0 : min(row.note.columns, 40) + 2
        let room = canvas.size.columns - 27 - note
        let column = canvas.put(row.value.middle(columns: max(room, 12)), column: 27, row: line, role: row.isWarning ? .severityWarn : .text)
        canvas.put(row.note, column: 27 + column + 2, row: line, role: .textDim)
    }
}
