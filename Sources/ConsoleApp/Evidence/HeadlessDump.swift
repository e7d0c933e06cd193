public import CellGrid
public import ConsoleCore
internal import ControlProtocol
internal import Glibc
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
/// and the screen says how old each number is. Exit codes: 0, 1 for a screen or a job that there is not, 2 without a link, 5 when it cannot be written.
public func dumpConsole(_ dump: DumpLaunch) -> Int32 {
    var notices: [String] = []
    let settings = Settings(dump.launch, BaseDirectories(), &notices)
    for notice in notices { Output.say(notice) }
    let depth = settings.colorDepth ?? .colors256
    var session = HeadlessSession(settings, dump)
    defer { session.stop() }
    session.wait { $0.hasHeardFromAll }
    // What is on record is there without any engine.
    guard session.model.hasReports || dump.screen == "audit" else {
        Output.say("no link: \(session.model.silence)")
        return 2
    }
    if let problem = session.open(dump.screen, job: dump.job) {
        Output.say(problem.string)
        return 1
    }
    let openedAt = session.openedAt
    if let problem = session.recordProblem {
        Output.say(LedgerMatter.audit.notice(problem))
        return 5
    }
    if !session.wait({ $0.isComplete(since: openedAt) }) { Output.say("not everything was answered within \(dump.patience.count) ms") }
    do throws(ControlCodecError) {
        return Output.write(try session.model.dumped(dump.format, session.model.theme.styleSheet(depth: depth)), to: STDOUT_FILENO) ? 0 : 5
    } catch {
        Output.say("cannot be written: \(error)")
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
        let isASCII = settings.usesASCII || !Output.isUTF8
        model = settings.model(glyphs: isASCII ? .ascii : .braille, size: dump.size, at: Surroundings.steadyTime())
        deadline = Surroundings.monotonicMilliseconds() + dump.patience.count
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
        openedAt = Surroundings.steadyTime()
        let problem = model.open(screen, job: job, at: openedAt, &effects)
        perform(effects)
        return problem
    }

    /// Takes in what engines say until the condition holds; false when the time is over.
    @discardableResult
    mutating func wait(_ condition: (borrowing ConsoleModel) -> Bool) -> Bool {
        while !condition(model) {
            let left = deadline - Surroundings.monotonicMilliseconds()
            guard left > 0 else { return false }
            var descriptor = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&descriptor, 1, Int32(clamping: left))
            for event in mailbox.take() {
                let effects = update(&model, event, at: Surroundings.steadyTime())
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

/// Standard output and error of a command.
enum Output {
    /// One line on standard error. Where that is closed there is nobody to tell.
    static func say(_ text: String) { _ = write("weir: \(text)\n", to: STDERR_FILENO) }

    /// Whether the locale of the environment is UTF-8.
    static var isUTF8: Bool {
        setlocale(LC_CTYPE, "")
        guard let codeset = nl_langinfo(Int32(CODESET)) else { return false }
        return String(cString: codeset) == "UTF-8"
    }

    /// Writes all of it; false where the other end does not take it.
    static func write(_ text: String, to descriptor: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
