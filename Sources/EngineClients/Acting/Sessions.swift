public import ConsoleCore
public import Ledger
public import StreamModel

/// A context as it can be looked at. Nothing in it can carry an operation: a read-only context has this and nothing else, so that no
/// forgotten check can send one.
public struct LookingSession: Sendable {
    public let context: ConsoleContext
    /// Asks about operations whose end was not seen; nil = this engine keeps no record of them.
    public let lookup: (any OperationLookup)?
    private let engine: any Engine

    public init(_ context: ConsoleContext, _ engine: any Engine) {
        self.context = context
        self.engine = engine
        lookup = engine as? any OperationLookup
    }

    public func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) { engine.start(deliver) }
    public func send(_ question: EngineQuestion) { engine.send(question) }
    public func look(at focus: EngineFocus) { engine.look(at: focus) }
    public func rest(_ isResting: Bool) { engine.rest(isResting) }
    public func retryNow() { engine.retryNow() }
    public func stop() { engine.stop() }
}

/// The way to act in a context: the only one that a console has, and it takes only what was written down first. There is none for a
/// context that is read-only, and none to a recording.
public struct ActingSession: Sendable {
    public let context: ConsoleContext
    private let engine: any ActingEngine

    /// nil = nothing can be sent there.
    public init?(_ context: ConsoleContext, _ engine: any Engine) {
        guard !context.isReadOnly, let engine = engine as? any ActingEngine else { return nil }
        self.context = context
        self.engine = engine
    }

    /// Tells an engine that carries operations out in steps where they are recorded.
    public func keepRecord(in ledger: Ledger, onFailure: @escaping @Sendable (LedgerError, LedgerUse) -> Void) {
        keeper?.keepRecord(in: ledger, as: context.address.text, onFailure: onFailure)
    }

    /// nil = the engine carries its operations out itself.
    var keeper: (any RecordKeeping)? { engine as? any RecordKeeping }

    public func operate(_ operation: RecordedOperation) { engine.operate(operation.request) }

    /// Goes on with an operation that was broken off.
    public func goOn(_ operation: RecordedOperation, as sent: SentOperation) { keeper?.goOn(sent) }
}
