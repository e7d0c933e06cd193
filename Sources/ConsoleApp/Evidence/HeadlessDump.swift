public import CellGrid
public import ConsoleCore
internal import ControlProtocol
internal import CursesTerminal
internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import Ledger
public import StreamModel

/// What `weir dump` is told.
public struct DumpLaunch: Sendable {
    /// Which engines, and how to look.
    public var launch: ConsoleLaunch
    /// One of `ConsoleModel.screenNames`.
    public var screen: String
    /// Name or start of the id of the job that the screen is about; nil = the worst one.
    public var job: String?
    public var size: Size
    public var format: DumpFormat
    /// How long engines may take to answer.
    public var patience: Milliseconds

    public init(
        _ launch: ConsoleLaunch, screen: String, job: String? = nil, size: Size = Size(columns: 120, rows: 40), format: DumpFormat = .text,
        patience: Milliseconds = .seconds(5)
    ) {
        self.launch = launch
        self.screen = screen
        self.job = job
        self.size = size
        self.format = format
        self.patience = patience
    }
}

/// Draws one screen of the console once, without a terminal, and prints it. What could not be asked for in time is told on standard error,
/// and the screen says how old each number is. Exit codes: 0, 1 for a screen that there is not, 2 without a link, 3 for a job that there is not, 5 when it cannot
/// be written.
public func dumpConsole(_ dump: DumpLaunch) -> Int32 {
    var notices: [String] = []
    let settings = Settings(dump.launch, BaseDirectories(), &notices)
    for notice in notices { Output.standard.say(notice) }
    let depth = settings.colorDepth ?? .colors256
    var session = HeadlessSession(settings, dump)
    defer { session.stop() }
    session.wait { $0.hasHeardFromAll }
    // What is on record is there without any engine.
    guard session.model.hasReports || dump.screen == "audit" else {
        Output.standard.say("no link: \(session.model.silence)")
        return 2
    }
    if let problem = session.open(dump.screen, job: dump.job) {
        Output.standard.say(problem.string)
        return ExitStatus.refused.rawValue
    }
    let openedAt = session.openedAt
    if let problem = session.recordProblem {
        Output.standard.say(LedgerUse.audit.notice(problem))
        return 5
    }
    if !session.wait({ $0.isComplete(since: openedAt) }) { Output.standard.say("not everything was answered within \(Figures.setting(dump.patience))") }
    do throws(ControlCodecError) {
        return Output.standard.screen(try session.model.dumped(dump.format, session.model.theme.styleSheet(depth: depth))) ? 0 : 5
    } catch {
        Output.standard.say("cannot be written: \(error)")
        return 5
    }
}

/// A console that nobody types into: engines on one side, the model on the other.
private struct HeadlessSession: ~Copyable {
    private(set) var model: ConsoleModel
    private(set) var openedAt = WallTime(milliseconds: 0)
    private let engines: [String: any Engine]
    private let mailbox = EventMailbox()
    private let deadline: Int64
    private let ledgerPath: String
    /// Why the record of actions cannot be read.
    private(set) var recordProblem: LedgerError?

    init(_ settings: Settings, _ dump: DumpLaunch) {
        ledgerPath = dump.launch.ledgerPath ?? settings.ledger.path ?? BaseDirectories().ledgerPath
        let isASCII = settings.usesASCII || !TerminfoFacts.adoptLocale()
        model = settings.model(glyphs: isASCII ? .ascii : .braille, size: dump.size, at: WallTime.steady())
        deadline = MonotonicClock.milliseconds() + dump.patience.count
        engines = Dictionary(settings.contexts.map { ($0.name, dump.launch.makeEngine($0)) }) { first, _ in first }
        for (name, engine) in engines {
            engine.start { [mailbox] event in mailbox.post(.engine(context: name, event)) }
        }
    }

    func stop() {
        for engine in engines.values { engine.stop() }
    }

    mutating func open(_ screen: String, job: String?) -> SafeText? {
        var effects: [ConsoleEffect] = []
        openedAt = WallTime.steady()
        let problem = model.open(screen, job: job, at: openedAt, &effects)
        perform(effects)
        return problem
    }

    /// Takes in what engines say until the condition holds; false when the time is over.
    @discardableResult
    mutating func wait(_ condition: (borrowing ConsoleModel) -> Bool) -> Bool {
        while !condition(model) {
            let left = deadline - MonotonicClock.milliseconds()
            guard left > 0 else { return false }
            var descriptor = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&descriptor, 1, Int32(clamping: left))
            for event in mailbox.take() {
                let effects = update(&model, event, at: WallTime.steady())
                perform(effects)
            }
        }
        return true
    }

    /// Questions go out; there is no terminal for the rest, and nothing that acts can be asked for.
    private mutating func perform(_ effects: [ConsoleEffect]) {
        for effect in effects {
            switch effect {
            case .send(let context, .ask(let question)): engines[context]?.send(question)
            case .look(let context, let focus): engines[context]?.look(at: focus)
            case .loadAudit: loadAudit()
            default: break
            }
        }
    }

    /// A ledger that there is not is not made by looking.
    private mutating func loadAudit() {
        do throws(LedgerError) {
            mailbox.post(.audit(access(ledgerPath, F_OK) == 0 ? try AuditRecord.newest(of: try Ledger.open(path: ledgerPath)) : []))
        } catch {
            recordProblem = error
        }
    }
}
