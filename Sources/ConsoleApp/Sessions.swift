internal import ConsoleCore
internal import Ledger

/// A context as it can be looked at. Nothing in it can carry an operation: a read-only context has this and nothing else, so that no
/// forgotten check can send one.
struct LookingSession: Sendable {
    let context: ConsoleContext
    /// Asks about operations whose end was not seen; nil = this engine keeps no record of them.
    let lookup: (any OperationLookup)?
    private let engine: any Engine

    init(_ context: ConsoleContext, _ engine: any Engine) {
        self.context = context
        self.engine = engine
        lookup = engine as? any OperationLookup
    }

    func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) { engine.start(deliver) }
    func send(_ question: EngineQuestion) { engine.send(question) }
    func look(at focus: EngineFocus) { engine.look(at: focus) }
    func rest(_ isResting: Bool) { engine.rest(isResting) }
    func retryNow() { engine.retryNow() }
    func stop() { engine.stop() }
}

/// The way to act in a context: the only one that a console has, and it takes only what was written down first. There is none for a
/// context that is read-only, and none to a recording.
struct ActingSession: Sendable {
    let context: ConsoleContext
    private let engine: any ActingEngine

    /// nil = nothing can be sent there.
    init?(_ context: ConsoleContext, _ engine: any Engine) {
        guard !context.isReadOnly, let engine = engine as? any ActingEngine else { return nil }
        self.context = context
        self.engine = engine
    }

    /// Tells an engine that uploads jars where that is on record.
    func remember(_ ledger: Ledger, onFailure: @escaping @Sendable (LedgerError) -> Void) {
        (engine as? any JarRemembering)?.remember(ledger, as: context.address.text, onFailure: onFailure)
    }

    func operate(_ operation: RecordedOperation) { engine.operate(operation.request) }
}
