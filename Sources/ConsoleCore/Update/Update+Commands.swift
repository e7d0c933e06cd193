import CellGrid
import StreamModel

extension ConsoleModel {
    mutating func pressInCommand(_ key: KeyPress, _ prompt: CommandPrompt, _ effects: inout [ConsoleEffect]) {
        var prompt = prompt
        switch key {
        case .named(.escape):
            modals.removeLast()
            return
        case .named(.backspace) where prompt.field.text.isEmpty:
            modals.removeLast()
            return
        case .named(.enter):
            modals.removeLast()
            return run(prompt.field.text, &effects)
        case .named(.tab), .named(.backTab):
            prompt.complete(from: completions(of: prompt.field.text), isBackward: key == .named(.backTab))
            modals[modals.count - 1] = .command(prompt)
            return
        case .named(.right), .named(.end): prompt.field = TextField(prompt.field.text + suggestion(prompt.field).string)
        case .named(.up), .named(.down):
            guard !input.commands.isEmpty else { return }
            let next = (prompt.recalled ?? input.commands.count) + (key == .named(.up) ? -1 : 1)
            guard input.commands.indices.contains(next) else { return }
            (prompt.recalled, prompt.field) = (next, TextField(input.commands[next]))
        default:
            guard prompt.field.take(key) else { return }
        }
        prompt.cycle = nil
        modals[modals.count - 1] = .command(prompt)
    }

    /// Runs a line of the command line.
    mutating func run(_ line: String, _ effects: inout [ConsoleEffect]) {
        let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard let verb = words.first else { return }
        input.noteCommand(line)
        let arguments = Array(words.dropFirst())
        // Paths and faults may contain spaces.
        let rest = String(line.drop { $0 == " " }.dropFirst(verb.count).drop { $0 == " " })
        switch CommandLine.entry(verb)?.name ?? verb {
        case "savepoint":
            guard rest.isEmpty || isPlace(rest) else { return }
            act(.savepoint, .savepoint(directory: rest.isEmpty ? nil : rest), &effects)
        case "checkpoint": act(.checkpoint, .checkpoint, &effects)
        case "cancel": runCancel(arguments, &effects)
        case "stop":
            guard arguments.isEmpty || arguments == ["--drain"] else { return say("usage: stop [--drain]", .warn) }
            act(.stop, .stop(drain: !arguments.isEmpty), &effects)
        case "restart": act(.restart, &effects)
        case "restore": runRestore(rest, &effects)
        case "dispose": runDispose(rest, &effects)
        case "recipe": runRecipe(rest)
        case "fault": runFault(rest, &effects)
        case "unlock": runUnlock(arguments)
        case "lock": lock()
        case "theme":
            rest.isEmpty ? say("usage: theme NAME; known: \(options.themeNames.joined(separator: ", "))", .warn) : effects.append(.loadTheme(rest))
        case "job": goToJob(rest)
        case "history": openHistory(of: rest)
        case "go":
            guard let screen = CommandLine.screens.first(where: { $0.name == rest }) else {
                return say("usage: go SCREEN; screens: \(CommandLine.screens.map(\.name).joined(separator: ", "))", .warn)
            }
            perform(screen.command, &effects)
        case "context": goToContext(rest)
        case "connect": runConnect(arguments, &effects)
        case "filter": setFilter(rest)
        case "sort": setOrder(rest)
        case "columns": runColumns(arguments)
        case "at": lookAt(rest)
        case "back":
            guard let span = CommandLine.span(rest) else { return say("usage: back 5m; units s, m, h", .warn) }
            look(back: span)
        case "mute": mute()
        case "dump": runDump(rest, &effects)
        case "demo": arguments == ["next"] ? effects.append(.goOnWithDemo) : say("usage: demo next", .warn)
        case "keys": modals.append(.help(HelpPage()))
        case "quit": effects.append(.quit)
        case _ where CommandLine.keyCommands.contains { $0.name == verb }: runKey(verb, arguments, &effects)
        default: say("there is no command \"\(SafeText(verb, limit: 30))\"; commands: \(CommandLine.names.joined(separator: ", "))", .warn)
        }
    }

    /// Performs the command of a key, by its name.
    private mutating func runKey(_ name: String, _ arguments: [String], _ effects: inout [ConsoleEffect]) {
        guard arguments.isEmpty else { return say("usage: \(name)", .warn) }
        if let command = Command(name: name) { perform(command, &effects) }
    }

    /// An action with arguments, under the same rules as its key.
    private mutating func act(_ command: Command, _ action: Action, _ effects: inout [ConsoleEffect]) {
        let key = focusedJob
        if let refusal = refusal(command, on: key) { return say(refusal.text(options.keyMap), .warn) }
        if let key { begin(action, on: key, &effects) }
    }

    private mutating func runDump(_ path: String, _ effects: inout [ConsoleEffect]) {
        guard let format = DumpFormat(path: path) else { return say("usage: dump FILE; FILE ends in \(DumpFormat.suffixes)", .warn) }
        effects.append(.dump(path: path, format))
    }

    private mutating func runCancel(_ arguments: [String], _ effects: inout [ConsoleEffect]) {
        guard arguments.isEmpty || arguments == ["--discard-state"] else { return say("usage: cancel [--discard-state]", .warn) }
        act(.cancel, .cancel(arguments.isEmpty ? .byPolicy : .discard), &effects)
    }

    private mutating func runRestore(_ path: String, _ effects: inout [ConsoleEffect]) {
        guard !path.isEmpty else { return say("usage: restore PATH", .warn) }
        guard isPlace(path) else { return }
        if case .chooser(let open) = modals.last {
            modals.removeLast()
            return openChooser(on: open.key, path: path, &effects)
        }
        if let refusal = refusal(.restart, on: focusedJob) { return say(refusal.text(options.keyMap), .warn) }
        if let key = focusedJob { openChooser(on: key, path: path, &effects) }
    }

    /// Whether a path means the same wherever the engine runs; if not, tells the operator. An engine resolves relative paths in its own directory.
    private mutating func isPlace(_ path: String) -> Bool {
        if path.hasPrefix("/") || path.contains(":/") { return true }
        say("\(SafeText(path, limit: 40)) is not an absolute path or URL", .warn)
        return false
    }

    private mutating func runFault(_ text: String, _ effects: inout [ConsoleEffect]) {
        guard !text.isEmpty else { return say("usage: fault TEXT, such as: fault slow 5s, fault fail 3, fault off", .warn) }
        guard let key = focusedJob, let context = live.context(key.context) else { return say("there is no job here", .warn) }
        guard context.capabilities.canFault else { return say("fault injection is not enabled on \(context.name)", .warn) }
        if let refusal = refusal(.cancel, on: key) { return say(refusal.text(options.keyMap), .warn) }
        begin(.fault(text), on: key, &effects)
    }

    private mutating func runUnlock(_ arguments: [String]) {
        guard let index = lockedContext else { return }
        let wanted = arguments.first ?? "15m"
        guard arguments.count <= 1, let span = CommandLine.span(wanted), span <= .minutes(60) else {
            return say("usage: unlock [15m]; 1s to 60m", .warn)
        }
        live.contexts[index].unlockedUntil = now + span
        say("\(live.contexts[index].name) is unlocked for \(wanted)", .warn)
    }

    // MARK: Going about

    /// The live job of this name, or else its newest run, or else the job whose id begins so.
    func jobKey(_ name: String) -> JobKey? {
        var runs: [(context: String, job: JobReport)] = []
        for context in live.contexts {
            for job in context.report?.jobs ?? [] where SafeText(job.name).string == name { runs.append((context.name, job)) }
        }
        let newest = runs.max { left, right in
            (left.job.state.isTerminal ? 0 : 1, left.job.submittedAt) < (right.job.state.isTerminal ? 0 : 1, right.job.submittedAt)
        }
        if let newest { return JobKey(context: newest.context, job: newest.job.id) }
        guard !name.isEmpty else { return nil }
        for context in live.contexts {
            guard let job = context.report?.jobs.first(where: { $0.id.description.hasPrefix(name) }) else { continue }
            return JobKey(context: context.name, job: job.id)
        }
        return nil
    }

    private mutating func goToJob(_ name: String) {
        if let key = jobKey(name) {
            enter(key)
            screens = [.overview, .job]
            return
        }
        say("there is no job \"\(SafeText(name, limit: 60))\"", .warn)
    }

    private mutating func goToContext(_ name: String) {
        guard live.contexts.contains(where: { $0.name == name }) else {
            return say("usage: context NAME; known: \(live.contexts.map(\.name).joined(separator: ", "))", .warn)
        }
        listViews[.overview].filter = "context:\(name)"
        screens = [.overview]
    }

    private mutating func runConnect(_ arguments: [String], _ effects: inout [ConsoleEffect]) {
        guard (2...3).contains(arguments.count) else {
            return say("usage: connect NAME ADDRESS [lab, staging or prod]; ADDRESS is a socket's path or a URL", .warn)
        }
        guard live.context(arguments[0]) == nil else { return say("context \(SafeText(arguments[0], limit: 40)) already exists", .warn) }
        effects.append(.connect(name: arguments[0], address: arguments[1], class: arguments.count > 2 ? arguments[2] : nil))
    }

    mutating func add(_ description: ContextDescription) {
        guard live.context(description.name) == nil else { return }
        live.contexts.append(ContextState(description, options.thresholds))
        screens = [.overview, .contexts]
        cursors.context = description.name
        say("added \(description.name) for this session; \(options.keyMap.label(.copy)) copies its config.toml lines", .ok)
    }

    private mutating func setFilter(_ text: String) {
        guard let kind = listKind else { return say("there is no list to filter here", .warn) }
        applyFilter(text)
        if !text.isEmpty { listViews[kind].lastFilter = text }
        if let problem = filterProblem(kind) { say("/\(text): \(problem)", .warn) }
    }

    private mutating func setOrder(_ name: String) {
        guard let kind = listKind else { return say("there is no list to sort here", .warn) }
        guard name.isEmpty || fieldNames(kind).contains(name) else {
            return say("usage: sort [COLUMN]; columns: \(fieldNames(kind).joined(separator: ", "))", .warn)
        }
        holdSelection(kind)
        listViews[kind].order = name.isEmpty ? nil : ListOrder(field: name, isReversed: isNumeric(kind, name))
    }

    /// The newest time of this clock reading that has passed.
    private mutating func lookAt(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
        guard parts.count == 2 || parts.count == 3, let hours = parts[0], let minutes = parts[1], let seconds = parts.count == 3 ? parts[2] : 0,
            (0...23).contains(hours), (0...59).contains(minutes), (0...59).contains(seconds)
        else { return say("usage: at HH:MM or at HH:MM:SS", .warn) }
        let day: Int64 = 86_400_000, local = wall(now).milliseconds + Int64(options.utcOffsetSeconds) * 1000
        let ofDay = ((local % day) + day) % day
        let back = ofDay - (hours * 3600 + minutes * 60 + seconds) * 1000
        look(back: Milliseconds(back < 0 ? back + day : back))
    }

    private mutating func look(back span: Milliseconds) {
        let at = now + (0 - span)
        guard let moment = history.moments.last(where: { $0.at <= at }) else {
            let reach = history.oldest.map { "; the oldest moment is \(Figures.clock(wall($0.at), offset: options.utcOffsetSeconds))" } ?? ""
            return say("no record that old\(reach)", .warn)
        }
        show(moment)
    }

    private mutating func mute() {
        guard let key = focusedJob, let job = live.job(key) else { return say("there is no job here", .warn) }
        if alarms.muted.remove(key) != nil { return say("\(job.name) is unmuted") }
        alarms.muted.insert(key)
        say("\(job.name) is muted: no bell, no notification; :mute again unmutes it")
    }

    private mutating func lock() {
        guard let index = lockedContext else { return }
        live.contexts[index].unlockedUntil = nil
        say("\(live.contexts[index].name) is locked", .ok)
    }

    /// The context that an unlock is for; says why there is none.
    private var lockedContext: Int? {
        mutating get {
            let name = focusedJob?.context ?? selectedOverviewRow?.id.context
            guard let name, let index = live.index(of: name) else {
                say("there is no context here", .warn)
                return nil
            }
            if options.isReadOnly || live.contexts[index].description.isReadOnly {
                say("\(live.contexts[index].name) is read-only here and cannot be unlocked", .warn)
                return nil
            }
            guard live.contexts[index].description.guardClass == .prod else {
                say("\(live.contexts[index].name) has no lock: its guard class is \(live.contexts[index].description.guardClass.rawValue)", .warn)
                return nil
            }
            return index
        }
    }
}
