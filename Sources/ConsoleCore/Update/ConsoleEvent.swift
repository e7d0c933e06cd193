public import CellGrid
public import StreamModel

/// An event of the console. `update` takes them in one total order.
public enum ConsoleEvent: Sendable {
    case key(KeyPress)
    case mouse(MousePress)
    /// The terminal does not report the mouse.
    case mouseIsMissing
    /// The engine that `.connect` asked for has been added.
    case contextAdded(ContextDescription)
    /// A bracketed paste, or a burst of keys too fast for fingers.
    case paste(String)
    case resize(Size)
    /// The time `ConsoleModel.nextDueTick` has come (or passed).
    case tick
    case engine(context: String, EngineEvent)
    /// The wall clock was set: its lead over the time of events, which never jumps.
    case clockWasSet(offset: Milliseconds)
    /// The process was stopped (Ctrl-Z) and continues; the screen shows something else.
    case resumedFromSuspend
    /// A theme asked for by `.loadTheme` (or changed on disk) is ready.
    case themeLoaded(Theme, warnings: [String])
    /// It is not: one line. The theme in use stays.
    case themeFailed(String)
    /// One line of news from the surroundings of the console.
    case notice(String)
    /// One line that answers what the operator asked of the surroundings: it goes before news.
    case answer(String)
    /// The caption of a demonstration or a playback; nil = none.
    case caption(Caption?)
    /// Operations sent by another process, whose end was not seen. `context` is theirs; nil = it follows from their jobs.
    case reattached([OperationReport], context: String? = nil)
    /// Operations that other processes have recorded.
    case recorded([OperationReport], context: String)
    /// Jobs of a cluster that were last seen live, by this or another console.
    case remembered([LiveJob], context: String)
    /// The upgrades of a context that are under way, were broken off, or left a job down.
    case upgrades([UpgradeReport], context: String)
    /// The actions on record, answering `.loadAudit`.
    case audit([AuditRecord])
    /// A job's relaunch recipe, answering `.loadRecipe`; nil = not recorded.
    case recipe(context: String, JobID, JarRecipe?)
    /// A page of the remembered checkpoints, answering `.loadHistory`; `total` counts all of its scope.
    case history(HistoryQuestion, [RememberedCheckpoint], total: Int)
    /// SIGTERM or the like: leave now, without asking.
    case terminate
}

/// A request of `update` to its surroundings. They carry them out in order.
public enum ConsoleEffect: Sendable, Equatable {
    /// Hand a request to the engine of a context. An `.operate` is recorded before it is sent.
    case send(context: String, EngineRequest)
    /// Drop the input that was typed but not read yet.
    case flushInput
    case bell
    /// Tell the operator's desktop, through the terminal.
    case notify(String)
    /// Stop the process as Ctrl-Z does.
    case suspend
    /// Restore the terminal and end.
    case quit
    /// Paint every cell again.
    case repaint
    /// Ask the terminal to report the mouse, or to stop.
    case watchMouse(Bool)
    /// Put text on the operator's clipboard.
    case copy(String)
    /// Find and read a theme by name or path, and answer with `.themeLoaded` or `.themeFailed`.
    case loadTheme(String)
    case retryNow(context: String)
    /// Add an engine for this session, and answer with `.contextAdded` or with an `.answer` that says why not. The class is a word of the
    /// configuration; nil = the most careful one.
    case connect(name: String, address: String, class: String?)
    /// Read the record of actions, and answer with `.audit`.
    case loadAudit
    /// Write down that a restart was proven.
    case recordVerdict(OperationID, RestartProof.Verdict)
    /// Look up a job's launch recipe in the record, and answer with `.recipe`.
    case loadRecipe(context: String, JobID)
    /// Read remembered checkpoints, and answer with `.history`.
    case loadHistory(HistoryQuestion)
    /// Write a file of this name, with ".txt" or the like at its end, into the folder of reports, and tell its path as an `.answer`.
    case save(name: String, text: String)
    /// Tell the engine of a context what the screen shows of it.
    case look(context: String, EngineFocus)
    /// Write the screen to a new file, and report the result.
    case dump(path: String, DumpFormat)
    /// Continue the scripted demonstration.
    case goOnWithDemo
}
