public import StreamModel

/// A job of a context: what cursors and screens hold on to while reports come and go.
public struct JobKey: Hashable, Sendable {
    public var context: String
    public var job: JobID

    public init(context: String, job: JobID) {
        self.context = context
        self.job = job
    }
}

/// The engines' reports so far. Freezing the screen keeps a copy while the live one continues.
struct Observations: Sendable {
    /// In the order of the configuration.
    var contexts: [ContextState]
    /// Newest first; those of this console and those of others.
    var operations: [TrackedOperation] = []

    func index(of context: String) -> Int? { contexts.firstIndex { $0.name == context } }

    func context(_ name: String) -> ContextState? { contexts.first { $0.name == name } }

    func job(_ key: JobKey?) -> JobReport? { key.flatMap { context($0.context)?.job($0.job) } }

    /// The dialect of a context's requests: by its address, or by what its engine has said.
    func dialect(of context: String) -> EngineCapabilities.Dialect {
        guard let context = self.context(context) else { return .controlSocket }
        return context.description.dialect == .flinkREST ? .flinkREST : context.capabilities.dialect
    }

    func memory(_ key: JobKey) -> JobMemory { context(key.context)?.memories[key.job] ?? JobMemory() }
}
