public import CellGrid
public import StreamModel

/// Everything the console can learn of an engine: reports come in, questions go out. The control socket implements it, and so can
/// anything else that has jobs and checkpoints. The console never waits for an engine. Nothing here changes a job: see `ActingEngine`.
public protocol Engine: Sendable {
    /// Connects, and goes on trying for ever. `deliver` is called from any thread, in order, until `stop`.
    func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void)
    /// Asks, or answers with `.requestFailed` when there is no link. Never blocks.
    func send(_ question: EngineQuestion)
    /// Tells what the operator looks at, so that nothing else is asked for where asking costs. Never blocks.
    func look(at focus: EngineFocus)
    /// Tells whether the operator is away, so that mere numbers need not come as often. Never blocks.
    func rest(_ isResting: Bool)
    /// Ends the pause before the next attempt to connect.
    func retryNow()
    /// Closes the link. Nothing is delivered after it returns.
    func stop()
}

extension Engine {
    /// For engines that tell everything anyhow.
    public func look(at focus: EngineFocus) {}
    /// For engines that cost as little anyhow.
    public func rest(_ isResting: Bool) {}
}

/// An engine that also does what operators ask. A recording is none.
public protocol ActingEngine: Engine {
    /// Sends an operation, or answers it with `.refused` when there is no link. Never blocks.
    func operate(_ operation: OperationRequest)
}

/// What the operator looks at of one engine.
public enum EngineFocus: Sendable, Equatable {
    /// All its jobs, a line each.
    case overview
    /// The same, of which only these are in sight.
    case rows([JobID])
    case job(JobID)
    /// One checkpoint of a job, with its operators and subtasks.
    case checkpoint(JobID, CheckpointID)
    /// The same, and of the operators the one with this uid.
    case subtasks(JobID, CheckpointID, String)
    /// Another context.
    case elsewhere
}

public enum LinkState: Sendable, Equatable {
    case connecting
    /// `roundTrip` is the last one measured; nil = not yet.
    case up(roundTrip: Milliseconds?)
    /// `reason` is one line for the operator. `attempts` counts those since the link was lost.
    case down(reason: String, retryAt: WallTime?, attempts: Int)

    public var isUp: Bool {
        if case .up = self { true } else { false }
    }
}

/// What an engine can do. A key whose action an engine cannot do says so instead of acting.
public struct EngineCapabilities: Sendable, Equatable, Codable {
    public var canCheckpointNow: Bool
    /// Has jobs that misbehave on request (`:fault`).
    public var canFault: Bool
    /// Counts failures itself, so that the budget is exact.
    public var exactBudget: Bool
    /// Answers `.inspect` by looking at every file of a snapshot.
    public var verifiesFiles: Bool
    /// Snapshots carry checksums, which `.inspect` holds against every byte.
    public var hasChecksums: Bool
    /// A cancel can keep the checkpoints against the job's policy.
    public var canOverrideRetention: Bool
    /// This link may only look.
    public var isViewer: Bool
    /// A restart can make the snapshot the new job's own.
    public var canClaim: Bool
    /// Does not know how its jobs were launched: a restart has to be told.
    public var needsJarRecipe: Bool
    /// In whose words a request is shown before it is sent.
    public var dialect: Dialect

    /// Deletes a savepoint on request.
    public var canDispose: Bool
    /// Puts savepoints beside the checkpoints where no other directory is configured.
    public var savesBesideCheckpoints: Bool
    /// Shows jobs that have ended, and runs none.
    public var isHistoryServer: Bool
    /// Why its version asks for caution.
    public var versionWarning: String?

    public enum Dialect: String, Sendable, Codable { case controlSocket, flinkREST }

    public init(
        canCheckpointNow: Bool = true, canFault: Bool = false, exactBudget: Bool = true, verifiesFiles: Bool = true, hasChecksums: Bool = true,
        canOverrideRetention: Bool = true, isViewer: Bool = false, canClaim: Bool = true, needsJarRecipe: Bool = false,
        canDispose: Bool = false, dialect: Dialect = .controlSocket, isHistoryServer: Bool = false, versionWarning: String? = nil,
        savesBesideCheckpoints: Bool = true
    ) {
        self.savesBesideCheckpoints = savesBesideCheckpoints
        self.isHistoryServer = isHistoryServer
        self.versionWarning = versionWarning
        self.canDispose = canDispose
        self.canClaim = canClaim
        self.needsJarRecipe = needsJarRecipe
        self.dialect = dialect
        self.canCheckpointNow = canCheckpointNow
        self.canFault = canFault
        self.exactBudget = exactBudget
        self.verifiesFiles = verifiesFiles
        self.hasChecksums = hasChecksums
        self.canOverrideRetention = canOverrideRetention
        self.isViewer = isViewer
    }
}

extension EngineCapabilities {
    /// The engine reports what others have asked of it; of one that does not, only our own record tells.
    var reportsOperations: Bool { dialect == .controlSocket }
    /// Started anew, the engine may know nothing of the jobs that ran.
    var forgetsJobs: Bool { dialect == .flinkREST }
}

extension EngineCapabilities {
    private enum CodingKeys: String, CodingKey {
        case canCheckpointNow, canFault, exactBudget, verifiesFiles, hasChecksums, canOverrideRetention, isViewer, canClaim, needsJarRecipe, canDispose,
            dialect,
            isHistoryServer, versionWarning, savesBesideCheckpoints
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let dialect = try values.decode(Dialect.self, forKey: .dialect)
        try self.init(
            canCheckpointNow: values.decode(Bool.self, forKey: .canCheckpointNow), canFault: values.decode(Bool.self, forKey: .canFault),
            exactBudget: values.decode(Bool.self, forKey: .exactBudget), verifiesFiles: values.decode(Bool.self, forKey: .verifiesFiles),
            hasChecksums: values.decode(Bool.self, forKey: .hasChecksums), canOverrideRetention: values.decode(Bool.self, forKey: .canOverrideRetention),
            isViewer: values.decode(Bool.self, forKey: .isViewer), canClaim: values.decode(Bool.self, forKey: .canClaim),
            needsJarRecipe: values.decode(Bool.self, forKey: .needsJarRecipe),
            // Recordings of 0.1 have no such key: clusters could, engines of ours could not.
            canDispose: values.decodeIfPresent(Bool.self, forKey: .canDispose) ?? (dialect == .flinkREST), dialect: dialect,
            isHistoryServer: values.decodeIfPresent(Bool.self, forKey: .isHistoryServer) ?? false,
            versionWarning: values.decodeIfPresent(String.self, forKey: .versionWarning),
            savesBesideCheckpoints: values.decodeIfPresent(Bool.self, forKey: .savesBesideCheckpoints) ?? (dialect == .controlSocket))
    }
}

public enum EngineEvent: Sendable {
    case link(LinkState)
    case capabilities(EngineCapabilities)
    /// `receivedAt` is this machine's clock: ages are counted from it.
    case report(EngineReport, receivedAt: WallTime)
    /// All checkpoints that the engine remembers of a job, in any order.
    case checkpoints(JobID, [CheckpointReport])
    /// One checkpoint with its operators and subtasks.
    case checkpoint(JobID, CheckpointReport)
    case failures(JobID, [FailureReport])
    case operation(OperationReport)
    /// The engine did not take the operation; `message` says why and what to do.
    case refused(OperationID, message: String)
    case inspection(SnapshotInspection)
    /// Lines of the engine's log, oldest first.
    case log([EngineLogEntry])
    /// Something asked for did not come: one line.
    case requestFailed(String)
}

/// What the console wants from an engine.
public enum EngineRequest: Sendable, Equatable {
    case operate(OperationRequest)
    /// Go on with an operation whose process ended in the middle of it.
    case goOn(OperationRequest)
    case ask(EngineQuestion)
}

/// Something that changes nothing.
public enum EngineQuestion: Sendable, Equatable {
    case checkpoints(JobID)
    case checkpoint(JobID, CheckpointID)
    case failures(JobID)
    case inspect(path: String)
    /// As `inspect`, and which jobs need the files.
    case inspectForDeletion(path: String)
    /// The newest lines of the log, or those that follow one.
    case log(after: UInt64?)
}

/// What an engine's jobs are worth, and so how careful the console is with them.
public enum ContextClass: String, Sendable, CaseIterable {
    case lab, staging, prod, demo

    /// How careful, the most careful highest.
    public var caution: Int {
        switch self {
        case .lab, .demo: 0
        case .staging: 1
        case .prod: 2
        }
    }
}

/// A named engine of the operator's configuration.
public struct ContextDescription: Sendable, Equatable {
    /// Unique among the contexts of a console.
    public var name: String
    public var `class`: ContextClass
    /// Where it is, for the operator to read: a socket path or a URL.
    public var address: String
    /// The console refuses every action here.
    public var isReadOnly: Bool
    /// The class whose guard rules hold here.
    public var guardClass: ContextClass
    /// A mistake in its configuration: why it is read-only.
    public var problem: SafeText?
    /// A colour for its badge and title: "#rrggbb" or a name of the sixteen; nil = the theme's.
    public var accent: String?
    /// For this session only: added by the operator, and in no file.
    public var isAdded = false
    /// In whose words a request to it is shown.
    public var dialect = EngineCapabilities.Dialect.controlSocket
    /// A REST API that is asked without a token, a header or a certificate of ours: as far as we know anybody may.
    public var isUnauthenticated = false

    static let openWords = "unauthenticated: anybody may run jobs"

    /// `guardClass` is its own class unless given.
    public init(
        name: String, class: ContextClass, address: String, isReadOnly: Bool = false, guardClass: ContextClass? = nil, accent: String? = nil
    ) {
        self.name = name
        self.class = `class`
        self.address = address
        self.isReadOnly = isReadOnly
        self.guardClass = guardClass ?? `class`
        self.accent = accent
    }
}
