internal import StreamModel

/// What a job is doing, as far as it decides whether an operation may begin.
enum JobPhase: String, CaseIterable, Sendable {
    /// Its launch is under way: nothing of it runs yet.
    case launching
    case running
    /// Between two attempts, or before the first: its thread is there, its tasks are not.
    case restarting
    /// The engine is going to bring it back; nothing of it runs.
    case held
    case cancelling
    /// It ends for a reason of its own: FAILING, or the engine goes down.
    case failing
    /// It has ended, and its thread still cleans up.
    case leaving
    case ended
}

/// What an operator asks of a job.
enum LineageRequest: String, CaseIterable, Sendable {
    case savepoint, checkpoint, fault, stop, cancel, restart
    /// A restart that ends the live job itself.
    case restartCancelFirst
    /// A submission that goes on from a snapshot of the lineage.
    case submit
}

/// What is under way on a lineage: at most one of `launch`, `stop`, `cancel`, `restart` has begun there last.
enum LineageWork: String, CaseIterable, Sendable {
    case nothing
    /// Savepoints or checkpoints on request.
    case snapshot
    /// A submission, or the engine bringing a job back.
    case launch
    case stop, cancel, restart
}

/// Whether an operation may begin: a table of job phase, request, and what is under way on the lineage. Pure.
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
    /// It is accepted now and carried out once the launch under way has ended.
    case afterLaunch
    case refuse(Refusal)

    enum Refusal: Equatable, Sendable {
        /// Only a RUNNING job can do this.
        case needsRunning
        case nothingToCancel
        /// A job of the lineage lives.
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

/// The right to launch the next job of a lineage, and to give that job its name. One at a time: whoever holds it has looked that no job of
/// the lineage lives, or ends the one that does.
struct LineageClaim: Equatable, Sendable {
    enum Holder: Equatable, Sendable {
        case operation(OperationID, by: String)
        /// The engine brings a job back.
        case recovery
    }

    var lineage: JobID
    var name: String
    var work: LineageWork
    var holder: Holder
    /// The job that is launched, once it has an id.
    var job: JobID?

    /// Who holds it, for the one who is refused.
    var description: String {
        let what = work == .restart ? "restart" : "launch"
        return switch holder {
        case .operation(let id, let by): "\(what) \(id) by \(by)"
        case .recovery: "the engine's own launch of it"
        }
    }
}

/// The claims of an engine: who may launch in which lineage, and under which name. In memory; what outlives the engine are the records of
/// jobs, of which a recovery accepts one live one a lineage.
struct LineageClaims: Sendable {
    private var claims: [JobID: LineageClaim] = [:]

    subscript(lineage: JobID) -> LineageClaim? { claims[lineage] }

    func holder(ofName name: String) -> LineageClaim? { claims.values.first { $0.name == name } }

    /// Takes the claim unless another holds the lineage or the name; returns that other one.
    mutating func take(_ claim: LineageClaim) -> LineageClaim? {
        if let other = claims[claim.lineage] ?? holder(ofName: claim.name) { return other }
        claims[claim.lineage] = claim
        return nil
    }

    mutating func launches(_ job: JobID, in lineage: JobID) { claims[lineage]?.job = job }

    /// Gives the claim up, if this holder has it.
    mutating func release(_ lineage: JobID, heldBy holder: LineageClaim.Holder) {
        if claims[lineage]?.holder == holder { claims[lineage] = nil }
    }
}
