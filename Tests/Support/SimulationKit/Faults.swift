internal import CheckpointStore

/// Every kind of fault that a simulation causes. Each must really happen over a run of many seeds: `FaultCounts` is how a test knows.
public enum FaultKind: String, Sendable, CaseIterable {
    /// kill -9: the process ends at a file operation, what it wrote stays in the cache.
    case kill
    case powerLoss = "power loss"
    /// A crash while a job was being launched or had not all its tasks running again.
    case crashInRecovery = "crash in recovery"
    /// A crash after a manifest was renamed and before all of its output was.
    case crashBeforeOutput = "crash between manifest and output"
    /// fsync of a file fails once, the bytes are lost, and later calls say that all is well.
    case failedSync = "failed fsync"
    case failedDirectorySync = "failed fsync of a directory"
    /// A write stops half-way for want of space; also at the creation of files and directories.
    case diskFull = "disk full"
    case failedWrite = "failed write"
    case failedRename = "failed rename"
    /// A read fails once.
    case failedRead = "failed read"
    /// A file of a checkpoint cannot be read until the disk is repaired.
    case unreadableFile = "unreadable file"
    case flippedBit = "flipped bit"
    /// A flipped bit in a shared file, or in a checkpoint that is not the newest.
    case rottenOlder = "rot in an older or shared file"
    /// A flipped bit in a part of the output.
    case rottenPart = "rot in output"
    /// A flipped bit in the marker of a sink, or in the record of the highest checkpoint.
    case rottenRecord = "rot in a small record"
    case tooManyFiles = "too many open files"
    /// close fails after an fsync.
    case failedClose = "failed close"
    case slowDisk = "slow disk"
    case refusedThread = "refused thread"
    case wallClockJump = "wall clock jump"
    case wallClockJumpInLife = "wall clock jump within a life"
    case taskCrash = "task crash"
    case failedSnapshot = "failed asynchronous snapshot"
    case failedSyncSnapshot = "failed synchronous snapshot"
    case delayedSnapshot = "delayed snapshot"
    // What operators do.
    case checkpointNow = "checkpoint now"
    case savepoint
    case stopWithSavepoint = "stop with savepoint"
    case cancelAndRestart = "cancel and restart"
    case restartFromOlder = "restart from an older snapshot"
    case rescale
    case cleanEngineRestart = "engine restart"
    case restartOfEnded = "restart of an ended job"
    case cancel
    case submitFrom = "submission from a snapshot"
    case lostAnswer = "lost answer"
    case lateAnswer = "late answer"
    case repeatedRequest = "repeated request"
    case refusedOperation = "refused operation"
    /// What the engine has to do by itself.
    case automaticRestart = "automatic restart"
    case failedLaunch = "refused launch"
    case fallback = "fallback past a damaged checkpoint"
    case failedStart = "refused start of the engine"

    /// Only whole engines have operators with links.
    static let ofServiceOnly: Set<FaultKind> = [
        .restartOfEnded, .cancel, .submitFrom, .lostAnswer, .lateAnswer, .repeatedRequest, .refusedOperation, .failedStart,
    ]
    /// Only a job alone is looked at so closely, or has its disk damaged while no engine runs.
    static let ofJobOnly: Set<FaultKind> = [
        .crashBeforeOutput, .unreadableFile, .flippedBit, .rottenOlder, .rottenPart, .rottenRecord, .taskCrash, .failedSnapshot, .failedSyncSnapshot,
        .delayedSnapshot, .automaticRestart, .failedLaunch, .fallback,
    ]
}

/// What is simulated: one job with a simulated engine around it, or whole engine processes with their operators.
public enum SimulationMode: String, Sendable, CaseIterable {
    case job, service

    /// What must happen in a run of many seeds.
    public var kinds: [FaultKind] {
        FaultKind.allCases.filter { !(self == .job ? FaultKind.ofServiceOnly : FaultKind.ofJobOnly).contains($0) }
    }
}

/// How often each kind of fault happened.
public struct FaultCounts: Sendable, Equatable {
    private var counts = [Int](repeating: 0, count: FaultKind.allCases.count)

    public init() {}

    public internal(set) subscript(kind: FaultKind) -> Int {
        get { counts[Self.index(kind)] }
        set { counts[Self.index(kind)] = newValue }
    }

    public static func += (left: inout Self, right: Self) {
        for index in left.counts.indices { left.counts[index] += right.counts[index] }
    }

    private static func index(_ kind: FaultKind) -> Int {
        // Every case is in the list of all cases.
        FaultKind.allCases.firstIndex(of: kind) ?? 0
    }
}

/// How likely a file operation fails, in a million. All 0 = the disk is sound.
struct DiskFaultRates: Sendable, Equatable {
    var failedSync = 0
    var failedDirectorySync = 0
    var diskFull = 0
    var failedWrite = 0
    var failedRename = 0
    var failedRead = 0
    /// Begins a phase in which every operation is slow.
    var slowDisk = 0
    var refusedThread = 0
    /// Begins a phase in which no file can be opened.
    var tooManyFiles = 0
    /// How likely the close after an fsync fails.
    var failedClose = 0
    var wallClockJump = 0

    /// Swarm testing: each kind is on in about one seed of three, then its rate is drawn.
    init(_ random: inout SimulationRandom) {
        func rate(_ choices: [Int]) -> Int { random.below(3) == 0 ? random.pick(choices) : 0 }
        failedSync = rate([2_000, 10_000, 40_000])
        failedDirectorySync = rate([2_000, 10_000])
        diskFull = rate([500, 2_000, 5_000])
        failedWrite = rate([2_000, 10_000])
        failedRename = rate([2_000, 10_000])
        failedRead = rate([5_000, 20_000])
        slowDisk = rate([1_000, 5_000])
        refusedThread = rate([20_000])
        tooManyFiles = rate([1_000, 5_000])
        failedClose = rate([5_000, 20_000])
        wallClockJump = rate([200, 2_000])
    }

    init() {}

    var isSound: Bool { self == DiskFaultRates() }
}

/// A defect on purpose, which the oracle must find: the test of the test.
public enum Canary: String, Sendable, CaseIterable {
    // Of the machine.
    /// fsync of a directory does nothing.
    case directorySync = "directory-sync"
    /// State files become durable only after the manifest that lists them.
    case manifestFirst = "manifest-first"
    /// Bytes of state files change in a way that the checksum does not see, as if nobody looked at it.
    case checksumIgnored = "checksum-ignored"
    /// fsync of a file does nothing (eatmydata).
    case fileSync = "file-sync"
    // Of the engine: what each does is said at `EngineDefect`.
    case retainsOneMore = "retains-one-more"
    case replacesUnsynced = "replaces-unsynced"
    case ignoresSyncError = "ignores-sync-error"
    case commitsOutputEarly = "commits-output-early"
    case removesListedShared = "removes-listed-shared"
    case forgetsOffsets = "forgets-offsets"
    case placeOneStepAhead = "place-one-step-ahead"
    case forgetsWindows = "forgets-windows"
    case keepsSuperseded = "keeps-superseded"
    case completesExpired = "completes-expired"
    case countsOverSuccess = "counts-over-success"
    case restoresOlder = "restores-older"
    case launchesWithoutCancel = "launches-without-cancel"
    case launchesUnrecorded = "launches-unrecorded"
    case answersBeforeLog = "answers-before-log"
    case forgetsOperations = "forgets-operations"
    case startsCanceled = "starts-canceled"
    case repeatsOperations = "repeats-operations"

    /// Where it can be found.
    public var mode: SimulationMode {
        switch self {
        case .launchesWithoutCancel, .launchesUnrecorded, .answersBeforeLog, .forgetsOperations, .startsCanceled, .repeatsOperations: .service
        default: .job
        }
    }

    /// nil = the defect is the machine's.
    var defect: EngineDefect? { EngineDefect(rawValue: rawValue) }
}
