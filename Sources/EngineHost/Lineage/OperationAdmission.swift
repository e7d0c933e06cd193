internal import StreamModel

/// Phase of a job, as far as it decides on admitting an operation.
enum JobPhase: String, CaseIterable, Sendable {
    /// Its launch is in progress: nothing runs yet.
    case launching
    case running
    /// Between two attempts, or before the first: its thread exists, its tasks do not.
    case restarting
    /// Waiting for recovery by the engine; nothing runs.
    case held
    case cancelling
    /// Ending for its own reason: FAILING, or the engine is shutting down.
    case failing
    /// Ended, but its thread still cleans up.
    case leaving
    case ended
}

/// A request by an operator.
enum LineageRequest: String, CaseIterable, Sendable {
    case savepoint, checkpoint, fault, stop, cancel, restart
    /// A restart that ends the live job first.
    case restartCancelFirst
    /// A submission from a snapshot of the lineage.
    case submit
}

/// Work in progress on a lineage: at most one of `launch`, `stop`, `cancel`, `restart` was begun last.
enum LineageWork: String, CaseIterable, Sendable {
    case nothing
    /// Savepoints or checkpoints on request.
    case snapshot
    /// A submission, or a recovery by the engine.
    case launch
    case stop, cancel, restart
}

/// Decides whether an operation may begin, by a table of job phase, request, and work on the lineage. Pure.
///
///     request             begins when                                            waits for a launch
///     savepoint,          running; nothing or snapshots under way                -
///     checkpoint, stop
///     fault               running                                                -
///     cancel              running, restarting, held, cancelling;                 launching
///                         no restart under way
///     restart, submit     leaving, ended; nothing or snapshots under way         -
///     restart, ending     any; nothing or snapshots under way                    launching, unless a restart launches it
///     the job first
///
/// Everything else is refused, with the reason.
enum OperationAdmission: Equatable, Sendable {
    case admit
    /// Accepted now and carried out after the launch in progress.
    case afterLaunch
    case refuse(Refusal)

    enum Refusal: Equatable, Sendable {
        /// Only possible with a RUNNING job.
        case needsRunning
        case nothingToCancel
        /// A job of the lineage is live.
        case stillLives
        case underWay(LineageWork)
    }

    init(_ request: LineageRequest, of phase: JobPhase, during work: LineageWork) {
        self =
            switch request {
            case .fault: phase == .running ? .admit : .refuse(.needsRunning)
            case .savepoint, .checkpoint, .stop: Self.whileRunning(phase, work)
            case .cancel: Self.cancel(phase, work)
            case .restart, .submit: Self.anew(phase, work)
            case .restartCancelFirst: Self.restart(phase, work)
            }
    }

    private static func whileRunning(_ phase: JobPhase, _ work: LineageWork) -> Self {
        switch work {
        case .stop, .cancel, .restart: .refuse(.underWay(work))
        case .nothing, .snapshot, .launch: phase == .running ? .admit : .refuse(.needsRunning)
        }
    }

    private static func cancel(_ phase: JobPhase, _ work: LineageWork) -> Self {
        switch phase {
        case .launching: .afterLaunch
        case .failing, .leaving, .ended: .refuse(.nothingToCancel)
        case .running, .restarting, .held, .cancelling: work == .restart ? .refuse(.underWay(work)) : .admit
        }
    }

    private static func anew(_ phase: JobPhase, _ work: LineageWork) -> Self {
        switch work {
        case .launch, .stop, .cancel, .restart: .refuse(.underWay(work))
        case .nothing, .snapshot: phase == .leaving || phase == .ended ? .admit : .refuse(.stillLives)
        }
    }

    private static func restart(_ phase: JobPhase, _ work: LineageWork) -> Self {
        switch work {
        case .stop, .cancel, .restart: .refuse(.underWay(work))
        case .launch: .afterLaunch
        case .nothing, .snapshot: phase == .launching ? .afterLaunch : .admit
        }
    }
}

/// The right to launch the next job of a lineage, and to give that job its name. One at a time: its holder has checked that no job of the lineage
/// is live, or ends the live one.
struct LineageClaim: Equatable, Sendable {
    enum Holder: Equatable, Sendable {
        case operation(OperationID, by: String)
        /// The engine recovers a job.
        case recovery
    }

    var lineage: JobID
    var name: String
    var work: LineageWork
    var holder: Holder
    /// The launched job, once it has an id.
    var job: JobID?

    /// Description of the holder for a refused claimant.
    var description: String {
        let what = work == .restart ? "restart" : "launch"
        return switch holder {
        case .operation(let id, let by): "\(what) \(id) by \(by)"
        case .recovery: "the engine's own launch of it"
        }
    }
}

/// The claims of an engine: the right to launch, by lineage and name. In memory; the records of jobs outlive the engine, and a recovery accepts
/// one live record per lineage.
struct LineageClaims: Sendable {
    private var claims: [JobID: LineageClaim] = [:]

    subscript(lineage: JobID) -> LineageClaim? { claims[lineage] }

    func holder(ofName name: String) -> LineageClaim? { claims.values.first { $0.name == name } }

    /// Takes the claim unless the lineage or the name is taken; returns the existing claim.
    mutating func take(_ claim: LineageClaim) -> LineageClaim? {
        if let other = claims[claim.lineage] ?? holder(ofName: claim.name) { return other }
        claims[claim.lineage] = claim
        return nil
    }

    mutating func launches(_ job: JobID, in lineage: JobID) { claims[lineage]?.job = job }

    /// Releases the claim, if this holder has it.
    mutating func release(_ lineage: JobID, heldBy holder: LineageClaim.Holder) {
        if claims[lineage]?.holder == holder { claims[lineage] = nil }
    }
}
