/// Progress of one operation, from all of its reports. The one place that orders them: a report that repeats or goes back is no news.
///
///     recorded ──sent──► sent ──report──► accepted ──report──► running ──report──► completed
///        │                │                  │                    │      └report──► failed
///        └──refused───────┴──► refused       └──────lost──────────┴──► unknown ──report──► whatever it says
///                                            └──────report────────┴──► interrupted ──report──► whatever it says
///
/// `refused`, `completed` and `failed` are final; `unknown` is open to later knowledge, and `interrupted` to whoever goes on with it. A report of
/// the same state may add facts (acknowledged subtasks, a path): those are news, but no change of state.
public struct OperationProgress: Sendable, Equatable {
    public enum Stage: String, Sendable, CaseIterable {
        /// Recorded, not sent yet.
        case recorded
        /// Passed to the link; no answer yet.
        case sent
        /// The engine refused it, or it never left this machine.
        case refused
        case accepted, running
        case completed, failed
        /// The engine cannot determine the outcome, or does not know the operation.
        case unknown
        /// Its client ended in the middle of it: part of it is done.
        case interrupted

        /// Whether no change can follow.
        public var isFinal: Bool { self == .refused || self == .completed || self == .failed }

        /// Rank along the regular stages, which never goes back.
        fileprivate var rank: Int {
            switch self {
            case .recorded: 0
            case .sent: 1
            case .accepted: 2
            case .running: 3
            case .refused, .completed, .failed, .unknown, .interrupted: 4
            }
        }

        /// Nothing happens by itself, and another report may change it.
        fileprivate var isOpen: Bool { self == .unknown || self == .interrupted }
    }

    public enum Event: Sendable, Equatable {
        case sent
        /// It was refused, for this reason.
        case refused(String)
        case reported(OperationReport)
        /// The engine does not list it although it should be in progress.
        case lost
    }

    /// Change made by an event.
    public enum Change: Sendable, Equatable {
        case none
        /// New facts of the same stage.
        case facts
        case stage
    }

    public private(set) var stage: Stage = .recorded
    /// Newest report of the operation.
    public private(set) var report: OperationReport?
    /// Reason of the refusal.
    public private(set) var refusal: String?

    public init() {}

    /// Starts from an operation already reported by an engine.
    public init(_ report: OperationReport) { _ = take(.reported(report)) }

    @discardableResult
    public mutating func take(_ event: Event) -> Change {
        guard !stage.isFinal else { return facts(of: event) }
        switch event {
        case .sent: return stage == .recorded ? enter(.sent) : .none
        case .refused(let message):
            // An accepted operation can fail but no longer be refused.
            guard stage == .recorded || stage == .sent else { return .none }
            refusal = message
            return enter(.refused)
        case .lost: return stage.isOpen ? .none : enter(.unknown)
        case .reported(let report): return take(report)
        }
    }

    private mutating func take(_ report: OperationReport) -> Change {
        let next = Stage(report.state)
        guard stage.isOpen || next.rank >= stage.rank else { return .none }
        let isSame = self.report == report
        self.report = report
        if next != stage { return enter(next) }
        return isSame ? .none : .facts
    }

    /// Adds facts of the same stage. A final stage stays, but its own report may add facts.
    private mutating func facts(of event: Event) -> Change {
        guard case .reported(let report) = event, Stage(report.state) == stage, self.report != report else { return .none }
        self.report = report
        return .facts
    }

    private mutating func enter(_ next: Stage) -> Change {
        stage = next
        return .stage
    }
}

extension OperationProgress.Stage {
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
