public import StreamModel

/// One operator action as the ledger holds it: what was about to be sent, and what became of it.
public struct LedgerEntry: Sendable, Equatable {
    /// How far the action is known to have come.
    public enum Outcome: String, Sendable, CaseIterable {
        /// Written down; nothing was heard about it yet. It may or may not have reached the engine.
        case intended
        /// The engine took it.
        case accepted, running
        case completed, failed
        /// The engine answered that it would not do it, or it never left this machine.
        case refused
        /// The engine does not know it (any more) and cannot tell.
        case unknown
        /// Its client ended between two of its steps, and it can be gone on with.
        case interrupted

        /// No later word about the action is expected.
        public var isTerminal: Bool { self == .completed || self == .failed || self == .refused || self == .unknown }
    }

    public var request: OperationRequest
    /// Name of the context that it was meant for.
    public var context: String
    /// Where the engine listened: the path of its socket.
    public var address: String
    public var sentAt: WallTime
    public var outcome: Outcome
    public var endedAt: WallTime?
    /// The checkpoint that the operation made or waited for.
    public var checkpoint: CheckpointID?
    /// Path of the savepoint, or of the checkpoint that was restored.
    public var path: String?
    /// The job that a restart launched.
    public var newJob: JobID?
    public var error: String?
    /// The engine's own name for the operation.
    public var reference: String?
    /// From what the outcome was concluded, when the engine did not tell it.
    public var inference: String?
    /// The jar that a launch ran, and whether it was uploaded for it; the one that an upload brought.
    public var jar: String?
    /// The process that carries it out, for people; nil = its record is of a version that did not tell, or the engine carries it out.
    public var carrier: String?
    /// The last step that was about to be taken.
    public var step: OperationStep?
    /// Verdict that the proof of a restart has reached.
    public var verdict: RestartProof.Verdict?

    public init(
        request: OperationRequest, context: String, address: String, sentAt: WallTime, outcome: Outcome = .intended, endedAt: WallTime? = nil,
        checkpoint: CheckpointID? = nil, path: String? = nil, newJob: JobID? = nil, error: String? = nil,
        reference: String? = nil, inference: String? = nil, jar: String? = nil, carrier: String? = nil, step: OperationStep? = nil,
        verdict: RestartProof.Verdict? = nil
    ) {
        self.verdict = verdict
        self.carrier = carrier
        self.step = step
        self.jar = jar
        self.request = request
        self.context = context
        self.address = address
        self.sentAt = sentAt
        self.outcome = outcome
        self.endedAt = endedAt
        self.checkpoint = checkpoint
        self.path = path
        self.newJob = newJob
        self.error = error
        self.reference = reference
        self.inference = inference
    }
}

extension LedgerEntry {
    /// Id of the jar on the cluster that a launch ran; nil = it is not on record.
    public var jarID: String? {
        if case .uploaded(let id)? = request.kind.launch?.recipe?.jar { return id }
        // The record says how it came there, too.
        guard let jar, let end = [", uploaded", ", used again: "].compactMap({ jar.ranges(of: $0).last?.lowerBound }).min() else { return jar }
        return String(jar[..<end])
    }

    /// What the next process needs of it.
    public var sent: SentOperation {
        SentOperation(
            request: request, reference: reference, sentAt: sentAt, step: step, keepsSteps: carrier != nil, path: path, checkpoint: checkpoint)
    }
}

extension LedgerEntry.Outcome {
    /// The ledger's word for the state that an engine reports.
    init(_ state: OperationReport.State) {
        switch state {
        case .accepted: self = .accepted
        case .running: self = .running
        case .completed: self = .completed
        case .failed: self = .failed
        case .unknown: self = .unknown
        case .interrupted: self = .interrupted
        }
    }
}

extension OperationRequest.Kind {
    /// The word under which the ledger files an action.
    var ledgerWord: String {
        // As it has been filed from the beginning.
        if case .checkpoint = self { "checkpoint" } else { verb }
    }
}
