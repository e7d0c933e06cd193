import CellGrid
import StreamModel

/// What a log screen is about.
enum LogScope: Sendable, Equatable {
    /// The current job, its other runs included.
    case job
    /// A context's whole engine.
    case engine(String)
}

/// The newest lines of an engine's log, as far as they were asked for.
struct LogMemory: Sendable {
    /// Oldest first.
    private(set) var entries: [EngineLogEntry] = []
    /// When the lines that are missing were asked for; nil = no question is under way.
    private(set) var askedAt: WallTime?
    /// An answer has come.
    private(set) var isLoaded = false

    private static let entriesMax = 2000

    /// The newest line known.
    var end: UInt64 { entries.last?.sequence ?? 0 }

    /// Whether the engine has lines that are not here. Fewer than are known: its log began anew.
    func isBehind(_ end: UInt64) -> Bool { !isLoaded || end != self.end }

    mutating func ask(at now: WallTime) { askedAt = now }
    mutating func askAgain() { askedAt = nil }

    /// Takes in an answer.
    mutating func take(_ new: [EngineLogEntry]) {
        (askedAt, isLoaded) = (nil, true)
        guard let first = new.first else { return }
        // A log that was lost begins with 1 again.
        if first.sequence <= end { entries = [] }
        entries += new
        if entries.count > Self.entriesMax { entries.removeFirst(entries.count - Self.entriesMax) }
    }
}

extension EngineQuestion {
    /// Lines that are asked for at once.
    public static let logLinesMax = 1000
}

extension ConsoleModel {
    /// The engine's context whose log the screen shows.
    var logContext: String? {
        guard case .log(let scope) = screen else { return nil }
        return switch scope {
        case .job: currentJob?.context
        case .engine(let name): name
        }
    }

    /// The lines of the log on the screen, the oldest first.
    var logRows: [EngineLogEntry] { arranged(unfilteredLog, .log, logFields) }

    private var unfilteredLog: [EngineLogEntry] {
        guard case .log(let scope) = screen, let name = logContext, let context = shown.context(name) else { return [] }
        guard scope == .job, let id = currentJob?.job else { return context.log.entries }
        let job = context.job(id)?.name ?? ""
        return context.log.entries.filter { $0.isAbout(id, named: job) }
    }

    var selectedLogEntry: EngineLogEntry? {
        let rows = logRows, index = logPosition.index
        return rows.indices.contains(index) ? rows[index] : nil
    }

    /// The selected line and its place; without a choice the newest, whichever that will be.
    var logPosition: (count: Int, index: Int) {
        let rows = logRows, last = max(0, rows.count - 1)
        guard let chosen = cursors.log else { return (rows.count, listViews[.log].order == nil ? last : 0) }
        // A line that the engine has dropped gives way to the one after it.
        return (rows.count, rows.firstIndex { $0.sequence == chosen } ?? rows.firstIndex { $0.sequence > chosen } ?? last)
    }

    /// Opens the log of the job under the cursor, or that of its whole engine where the job's is shown.
    mutating func openLog() {
        if case .log(let scope) = screen {
            guard let key = currentJob else { return say("there is no job here: this is the whole log") }
            guard scope == .job || scope == .engine(key.context) else { return say("this is the whole log of \(logContext ?? "-")") }
            cursors.log = nil
            screens[screens.count - 1] = .log(scope == .job ? .engine(key.context) : .job)
            return
        }
        let key = focusedJob
        let name: String? = if case .contexts = screen { selectedContext?.name } else { key?.context ?? selectedOverviewRow?.id.context ?? currentJob?.context }
        guard let name, let context = live.context(name) else { return say("there is no engine to show yet", .warn) }
        guard context.capabilities.dialect == .controlSocket, context.description.dialect == .controlSocket else {
            return say("\(name) is a Flink cluster: its web UI has the logs; \(options.keyMap.label(.failures)) shows what it reports of failures", .warn)
        }
        if let report = context.report, report.logEnd == nil {
            return say("\(name) is version \(report.engine.version), which keeps no log that can be asked for", .warn)
        }
        guard let key else {
            screens = [.overview, .log(.engine(name))]
            cursors.log = nil
            return
        }
        let isOverview = screen == .overview
        enter(key)
        cursors.log = nil
        if isOverview { screens = [.overview, .job] }
        screens.append(.log(.job))
    }

    /// Asks for the lines that are missing on the screen. A report tells that there are some.
    mutating func requestLog(_ effects: inout [ConsoleEffect]) {
        guard let name = logContext, let index = live.index(of: name), live.contexts[index].link.isUp, let end = live.contexts[index].report?.logEnd else {
            return
        }
        let log = live.contexts[index].log
        guard log.isBehind(end), log.askedAt.map({ now - $0 > Self.patience }) ?? true else { return }
        live.contexts[index].log.ask(at: now)
        effects.append(.send(context: name, .ask(.log(after: log.isLoaded && end > log.end ? log.end : nil))))
    }
}
