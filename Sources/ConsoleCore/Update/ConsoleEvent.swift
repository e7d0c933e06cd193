public import CellGrid
public import StreamModel

/// Everything that can happen to the console, in one total order: what `update` takes in.
public enum ConsoleEvent: Sendable {
    case key(KeyPress)
    case mouse(MousePress)
    /// The terminal tells nothing of a mouse.
    case mouseIsMissing
    /// An engine that `.connect` asked for is there to be looked at.
    case contextAdded(ContextDescription)
    /// A bracketed paste, or a burst of keys too fast for fingers.
    case paste(String)
    case resize(Size)
    /// The time `ConsoleModel.nextDueTick` has come (or passed).
    case tick
    case engine(context: String, EngineEvent)
    /// The wall clock shows so much more than the time that events bring along, which never jumps: it was set.
    case clockWasSet(offset: Milliseconds)
    /// The process was stopped (Ctrl-Z) and goes on; the screen shows something else.
    case resumedFromSuspend
    /// A theme asked for by `.loadTheme` (or changed on disk) is ready.
    case themeLoaded(Theme, warnings: [String])
    /// It is not: one line. The theme in use stays.
    case themeFailed(String)
    /// One line for the message row, from the surroundings of the console.
    case notice(String)
    /// What a demonstration or a playback has to say; nil = nothing any more.
    case caption(Caption?)
    /// Operations that an earlier run of the console had sent and whose end it did not see.
    case reattached([OperationReport])
    /// The actions on record, answering `.loadAudit`.
    case audit([AuditRecord])
    /// What a job was launched with, answering `.loadRecipe`; nil = it is not on record.
    case recipe(context: String, JobID, JarRecipe?)
    /// A page of the remembered checkpoints, answering `.loadHistory`; `total` counts all of its scope.
    case history(HistoryQuestion, [RememberedCheckpoint], total: Int)
    /// SIGTERM or the like: leave now, without asking.
    case terminate
}

/// What `update` asks its surroundings to do, in order.
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
    /// Ask the terminal to tell of the mouse, or not to.
    case watchMouse(Bool)
    /// Put text on the operator's clipboard.
    case copy(String)
    /// Find and read a theme by name or path, and answer with `.themeLoaded` or `.themeFailed`.
    case loadTheme(String)
    case retryNow(context: String)
    /// Add an engine for this session, and answer with `.contextAdded` or with a `.notice` that says why not. The class is a word of the
    /// configuration; nil = the most careful one.
    case connect(name: String, address: String, class: String?)
    /// Read the record of actions, and answer with `.audit`.
    case loadAudit
    /// Look in the record for what a job was launched with, and answer with `.recipe`.
    case loadRecipe(context: String, JobID)
    /// Read remembered checkpoints, and answer with `.history`.
    case loadHistory(HistoryQuestion)
    /// Write a file of this name, with ".txt" or the like at its end, into the folder of reports, and tell its path as a `.notice`.
    case save(name: String, text: String)
    /// Tell the engine of a context what the screen shows of it.
    case look(context: String, EngineFocus)
    /// Write what the screen shows to a new file, and say how that went.
    case dump(path: String, DumpFormat)
    /// Let the scripted demonstration go on.
    case goOnWithDemo
}
