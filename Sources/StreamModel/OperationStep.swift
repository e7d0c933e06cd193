/// How far a client has come with an operation that it carries out in steps. Each step is recorded before it is taken.
public struct OperationStep: Codable, Sendable, Equatable {
    public enum Name: String, Codable, Sendable, CaseIterable {
        /// The request goes out: it may arrive from now on.
        case sending
        /// The cancel before a restart goes out.
        case canceling
        /// The job was seen to have ended.
        case canceled
        /// The launch goes out.
        case launching
    }
    public var name: Name
    public var at: WallTime

    public init(_ name: Name, at: WallTime) { (self.name, self.at) = (name, at) }
}

/// An operation as it is on record: what the next process needs to find out what became of it, and to go on with it.
public struct SentOperation: Sendable, Equatable {
    public var request: OperationRequest
    /// The engine's own name for it.
    public var reference: String?
    public var sentAt: WallTime
    /// nil = nothing was sent, where `keepsSteps`.
    public var step: OperationStep?
    /// Whether the process that recorded it recorded its steps, too: those of version 0.1 did not.
    public var keepsSteps: Bool
    /// What a restart begins from, once that was decided.
    public var path: String?
    public var checkpoint: CheckpointID?

    public init(
        request: OperationRequest, reference: String? = nil, sentAt: WallTime, step: OperationStep? = nil, keepsSteps: Bool = false, path: String? = nil,
        checkpoint: CheckpointID? = nil
    ) {
        self.request = request
        self.reference = reference
        self.sentAt = sentAt
        self.step = step
        self.keepsSteps = keepsSteps
        self.path = path
        self.checkpoint = checkpoint
    }
}

/// Where a restart stands whose process is gone: decided from the last recorded step and from the jobs as they are. Pure.
///
///     last step    the job that it was to end is ...
///                  live          CANCELLING    ended         not known
///     nothing      nothing sent  nothing sent  nothing sent  nothing sent
///     canceling    young: wait   wait          interrupted   interrupted
///                  old: no cancel
///     canceled     -             -             interrupted   interrupted
///     launching    young: wait; old: interrupted, whatever the job is
///
/// The new job is looked for before: where it is, the restart is completed. Whatever is young may still arrive.
public enum RestartRecovery: Sendable, Equatable {
    case wait
    case nothingSent
    /// The cancel never arrived: the job lives as before.
    case noCancel
    case interrupted

    /// How long a cancel, and a launch, may be on its way after its client is gone.
    public static let cancelReach: Milliseconds = .seconds(15)
    public static let launchReach: Milliseconds = .minutes(2)

    /// - Parameters:
    ///   - job: state of the job that was to be ended; nil = the engine does not know it, or there was none.
    public init(after sent: SentOperation, job: JobState?, at now: WallTime) {
        guard let step = sent.step ?? (sent.keepsSteps ? nil : OperationStep(.canceling, at: sent.sentAt)) else {
            self = .nothingSent
            return
        }
        let age = now - step.at
        switch (step.name, job) {
        case (.launching, _), (.sending, _): self = age < Self.launchReach ? .wait : .interrupted
        case (_, .cancelling?): self = .wait
        case (_, let job?) where job.isTerminal: self = .interrupted
        case (.canceling, .some): self = age < Self.cancelReach ? .wait : .noCancel
        case (.canceled, .some), (_, nil): self = .interrupted
        }
    }
}
