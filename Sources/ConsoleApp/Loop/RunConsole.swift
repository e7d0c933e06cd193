internal import CellGrid
internal import ConsoleCore
internal import ControlSocket
internal import CursesTerminal
internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import StreamModel

/// Runs the console on this process's terminal until the operator leaves; the calling thread (the main one) becomes the
/// console's. Returns the exit code: 0 when left in order, 1 when there is no terminal to draw on, 129 when the line was cut.
public func runConsole(_ launch: ConsoleLaunch) -> Int32 {
    run(launch, clock: SystemClock(), director: launch.script.map { .script($0) } ?? .nobody)
}

/// Plays a log of events back into a console that has no way to send anything. Exit codes as those of `runConsole`, and 5 for a log that
/// cannot be read.
public func replayConsole(_ path: String, speed: Double, _ launch: ConsoleLaunch) -> Int32 {
    let recording: RecordedEvents
    do throws(RecordedEvents.Failure) { recording = try RecordedEvents.read(path) } catch {
        Output.standard.say(error.description)
        return 5
    }
    if recording.isCut { Output.standard.say("the last line of \(path) is cut off; the rest is played") }
    let playback = Playback(recording, speed: speed)
    var launch = launch
    launch.contexts = recording.contexts
    launch.isReadOnly = true
    launch.makeEngine = { playback.engine($0.name) }
    return run(launch, clock: playback, director: .playback(playback))
}

private func run(_ launch: ConsoleLaunch, clock: any ConsoleClock, director: ConsoleDirector) -> Int32 {
    ResidentMemory.useOneHeap()
    let directories = BaseDirectories()
    var notices: [String] = []
    let settings = Settings(launch, directories, &notices)
    let mailbox = EventMailbox()
    let recorder: Recorder?
    do throws(EvidenceFile.Failure) {
        recorder =
            launch.castPath == nil && launch.eventsPath == nil
            ? nil : try Recorder(cast: launch.castPath, events: launch.eventsPath) { mailbox.post(.notice($0)) }
    } catch {
        Output.standard.say("cannot record: \(error)")
        return 1
    }
    let terminal: CursesTerminal
    do throws(TerminalError) {
        terminal = try CursesTerminal(
            CursesTerminal.Options(colorDepth: settings.colorDepth, usesASCII: settings.usesASCII, logPath: directories.logPath))
    } catch {
        Output.standard.say(error.description)
        return 1
    }
    if let notice = terminal.notice { notices.append(notice) }
    let isReplay = if case .playback = director { true } else { false }
    let model = settings.model(glyphs: terminal.glyphs, size: terminal.size, at: clock.now(), isReplay: isReplay)
    recorder?.begin(model, contexts: settings.contexts, at: clock.now())
    // What is played back was remembered when it happened.
    let checkpoints = isReplay ? nil : CheckpointRecorder(contexts: settings.contexts, limits: settings.ledger.limits)
    let gate = ActionGate(contexts: settings.contexts, makeEngine: launch.makeEngine, recorder: checkpoints) { mailbox.post($0) }
    var loop = ConsoleLoop(
        terminal: terminal, mailbox: mailbox, gate: gate, themes: settings.themes, model: model, notices: notices, clock: clock,
        recorder: recorder, director: director, contexts: settings.contexts)
    loop.paintFirst()
    gate.start(ledgerPath: launch.ledgerPath ?? settings.ledger.path ?? directories.ledgerPath)
    // On a thread that ends: a timer of Dispatch would keep one that wakes up every second.
    startThread {
        sleep(2)
        ResidentMemory.releaseStartUpCode()
    }
    let ending = loop.run()
    // SIGHUP may come from somebody else than a line that hung up: a terminal that is still there is put back.
    if ending == .hungUp, terminal.isGone { terminal.abandon() } else { terminal.close() }
    recorder?.finish()
    let unheard = gate.finish(within: .seconds(2))
    if ending == .hungUp { return 129 }
    for notice in notices { Output.standard.say(notice) }
    for id in unheard { Output.standard.say("operation \(id) was sent, its answer has not come; `weir operations` shows it") }
    return 0
}

/// The launch with its gaps filled: flags first, then the config file, then defaults.
struct Settings {
    let contexts: [ConsoleContext]
    let theme: Theme
    let themes: ThemeLibrary
    let colorDepth: ColorDepth?
    let usesASCII: Bool
    let isReadOnly: Bool
    private let keyMap: KeyMap
    private let alerts: AlertOptions
    private let thresholds: DiagnosisThresholds
    private let hiddenColumns: Set<OverviewColumn>
    private let usesMouse: Bool
    private let usesUTC: Bool
    let ledger: LedgerSettings
    private let problems: [String]

    init(_ launch: ConsoleLaunch, _ directories: BaseDirectories, _ notices: inout [String]) {
        let file = ConfigurationFile.load(launch.configurationPath ?? directories.configurationPath)
        problems = file.problems.map(\.description)
        notices += problems
        // The file may have said that the standard engine is not to be touched.
        var standard = ConsoleContext(name: "local", class: file.hidesContexts ? .prod : .lab, socket: SocketPath.standard(), isReadOnly: file.hidesContexts)
        if file.hidesContexts { standard.problem = problems.first }
        contexts = Self.contexts(launch, file, standard)
        notices += contexts.flatMap(\.warnings)
        colorDepth = launch.colorDepth ?? file.colorDepth
        usesASCII = launch.usesASCII ?? file.usesASCII ?? false
        isReadOnly = launch.isReadOnly
        alerts = file.alerts
        (thresholds, hiddenColumns) = (file.thresholds, file.hiddenColumns)
        usesMouse = file.usesMouse
        usesUTC = file.usesUTC
        ledger = file.ledger
        keyMap = Self.keyMap(launch, file, &notices)
        themes = ThemeLibrary(
            directories: directories, executablePath: launch.executablePath ?? ProcessEnvironment.executablePath())
        theme = Self.theme(launch.theme ?? file.theme, themes, &notices)
    }

    /// Those of the command line, or those of the file that it names, or all of the file, or the standard one. A console that may
    /// only look has no other way to its engines either.
    private static func contexts(_ launch: ConsoleLaunch, _ file: ConfigurationFile, _ standard: ConsoleContext) -> [ConsoleContext] {
        let named = file.contexts.filter { launch.contextNames.isEmpty || launch.contextNames.contains($0.name) }
        let all = !launch.contexts.isEmpty ? launch.contexts : !named.isEmpty ? named : [standard]
        return all.map { context in
            var context = context
            context.isReadOnly = context.isReadOnly || launch.isReadOnly
            context.storage = file.storage
            return context
        }
    }

    private static func keyMap(_ launch: ConsoleLaunch, _ file: ConfigurationFile, _ notices: inout [String]) -> KeyMap {
        guard launch.script != nil, let missing = DemoScript.pressed.first(where: { file.keyMap.keys($0).isEmpty }) else { return file.keyMap }
        notices.append("the script presses a key for \(missing.name), and the configuration has none: the keys are the standard ones")
        return .standard
    }

    private static func theme(_ name: String?, _ themes: ThemeLibrary, _ notices: inout [String]) -> Theme {
        do throws(ThemeError) {
            let theme = try themes.load(name ?? "base16")
            notices += theme.warnings
            return theme
        } catch {
            notices.append("theme not loaded: \(error)")
            return Theme.builtin("base16") ?? .base
        }
    }

    func model(glyphs: GlyphProfile, size: Size, at start: WallTime, isReplay: Bool = false) -> ConsoleModel {
        var options = ConsoleOptions(
            utcOffsetSeconds: usesUTC ? 0 : ProcessEnvironment.utcOffsetSeconds(), glyphs: glyphs, theme: theme, themeNames: themes.names(),
            isReadOnly: isReadOnly, size: size, keyMap: keyMap, alerts: alerts, usesMouse: usesMouse,
            configurationProblems: problems.map { SafeText($0) }, preview: RequestText.preview)
        (options.thresholds, options.isReplay, options.hiddenColumns) = (thresholds, isReplay, hiddenColumns)
        return ConsoleModel(
            contexts: contexts.map(\.description), start: start, seed: UInt64.random(in: .min ... .max),
            operatorName: OperatorIdentity.current(), options: options)
    }
}
