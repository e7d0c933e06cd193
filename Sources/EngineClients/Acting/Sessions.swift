public import ConsoleCore
public import Ledger
public import StreamModel

/// Read-only access to a context. It has no method to act, and a read-only context has nothing else: no forgotten check can send an operation.
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

/// The console's only way to act in a context. It accepts recorded operations only. Read-only contexts and recordings have none.
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

    /// Resumes an interrupted operation.
    public func goOn(_ operation: RecordedOperation, as sent: SentOperation) { keeper?.goOn(sent) }
}
