internal import StreamModel

/// All that a seed decides before the run begins: the job, its parameters, the faults and when they happen. Printed with a failed seed.
struct Scenario: Sendable {
    enum Choice: Sendable { case newest, older }

    enum Action: Sendable {
        /// The process dies after so many more file operations; survival nil = the cache stays.
        case crash(after: Int, survival: DiskModel.Survival?)
        case crashAtManifest(delay: Int, survival: DiskModel.Survival?)
        /// At this very moment.
        case crashNow(survival: DiskModel.Survival?)
        case checkpointNow
        case savepoint
        case stop(drain: Bool, parallelism: Int)
        case cancelAndRestart(Choice, parallelism: Int, claims: Bool)
        case suspend
        case inject(String)
    }

    struct Step: Sendable {
        /// Milliseconds after the step before.
        let delay: Int
        let action: Action
    }

    var place = SimulatedPlace()
    var records = 0
    var splits = 1
    var keys = 1
    var parallelism = 1
    var maxParallelism = 1
    /// Records a second over all subtasks; nil = as fast as they are taken.
    var rate: Double?
    var hasAudit = false
    var hasSummary = false
    /// Event-time windows, in milliseconds; nil = none.
    var windows: (size: Int64, outOfOrderness: Int64)?
    /// When the sink begins another file, in bytes and milliseconds.
    var rollsAt: (bytes: UInt64?, age: Int64?) = (nil, nil)
    var checkpoints = CheckpointConfiguration()
    var restartStrategy = RestartStrategy.none
    var rates = DiskFaultRates()
    var steps: [Step] = []
    /// How likely an engine dies while it starts, in a million.
    var crashesInRecovery = 0
    /// How likely the newest checkpoint is damaged before an engine starts, in a million.
    var damages = 0
    /// How likely something else is: an older checkpoint, a shared file, a part of the output, a small record.
    var rot = 0
    var wallJumps = false
    /// Nanoseconds until what the job reports is written down by its engine.
    var recordLag: Int64 = 0

    /// A job of some hundred milliseconds, checkpoints every 30 ms, no faults: to be filled in by a test.
    init() {
        (records, splits, keys, parallelism, maxParallelism, rate) = (200, 2, 5, 2, 8, 500)
        checkpoints.interval = 30
        checkpoints.tolerableFailures = Int(Int32.max)
        checkpoints.retention = .retainOnCancellation
        checkpoints.storageDirectory = place.storage
        checkpoints.savepointDirectory = place.savepoints
        restartStrategy = .fixedDelay(attempts: 1_000, delay: 20)
    }

    init(seed: UInt64) {
        var random = SimulationRandom(seed: seed, stream: 4)
        records = random.number(40...500)
        splits = random.number(1...5)
        keys = random.number(1...12)
        maxParallelism = random.pick([3, 4, 8, 16])
        parallelism = random.number(1...3)
        // So that the records last for some checkpoints; sometimes all at once.
        rate = random.below(8) == 0 ? nil : Double(records) / (Double(random.number(100...700)) * 0.001)
        hasAudit = random.coin()
        hasSummary = random.below(4) == 0
        if random.below(4) == 0 { windows = (Int64(random.number(20...600)), Int64(random.pick([0, 50, 400]))) }
        // Each file costs two syncs of a millisecond, and the checkpoint has a timeout.
        rollsAt = (random.below(4) == 0 ? UInt64(random.number(800...4_000)) : nil, random.below(4) == 0 ? Int64(random.number(5...50)) : nil)
        checkpoints.interval = Milliseconds(Int64(random.number(10...80)))
        checkpoints.timeout = Milliseconds(Int64(random.pick([400, 2_000, 10_000])))
        checkpoints.minimumPause = Milliseconds(Int64(random.pick([0, 0, 5, 30])))
        checkpoints.maximumConcurrent = random.number(1...3)
        checkpoints.tolerableFailures = random.pick([0, 1, 3, nil, Int(Int32.max)])
        checkpoints.retention = random.pick([.deleteOnCancellation, .retainOnCancellation])
        checkpoints.retainedCheckpoints = random.number(1...3)
        checkpoints.incremental = random.coin()
        checkpoints.storageDirectory = place.storage
        checkpoints.savepointDirectory = random.coin() ? place.savepoints : nil
        restartStrategy =
            random.below(5) == 0 ? .none : .fixedDelay(attempts: random.pick([1, 3, 1_000]), delay: Milliseconds(Int64(random.number(0...60))))
        rates = random.below(3) == 0 ? DiskFaultRates() : DiskFaultRates(&random)
        crashesInRecovery = random.pick([0, 200_000, 500_000])
        damages = random.pick([0, 0, 300_000])
        rot = random.pick([0, 0, 300_000])
        wallJumps = random.coin()
        recordLag = random.pick([0, 0, 2_000_000, 15_000_000])
        for _ in 0..<random.number(0...9) {
            steps.append(Step(delay: random.number(1...150), action: Self.action(&random)))
        }
    }

    private static func action(_ random: inout SimulationRandom) -> Action {
        func survival() -> DiskModel.Survival? { random.below(3) == 0 ? nil : random.pick(DiskModel.Survival.allCases) }
        switch random.below(16) {
        case 0, 1, 2: return .crash(after: random.number(1...150), survival: survival())
        case 3, 4: return .crashAtManifest(delay: random.number(0...8), survival: survival())
        case 5: return .crashNow(survival: survival())
        case 6: return .checkpointNow
        case 7, 8: return .savepoint
        case 9: return .stop(drain: random.coin(), parallelism: random.number(1...3))
        case 10, 11:
            return .cancelAndRestart(random.below(3) == 0 ? .older : .newest, parallelism: random.number(1...3), claims: random.coin())
        case 12: return .suspend
        default:
            return .inject(random.pick(["slow 30ms", "slow 400ms", "fail 1", "fail 3", "sync-fail 1", "crash", "crash", "off"]))
        }
    }

    /// One line for people.
    var summary: String {
        "records \(records), splits \(splits), keys \(keys), parallelism \(parallelism) of \(maxParallelism), rate \(rate.map { "\(Int($0))/s" } ?? "none")"
            + "\(hasAudit ? ", audit" : "")\(hasSummary ? ", summary" : "")\(windows.map { ", windows of \($0.size) ms, \($0.outOfOrderness) ms out of order" } ?? ""), rolls at \(rollsAt.bytes.map { "\($0) B" } ?? "-") and \(rollsAt.age.map { "\($0) ms" } ?? "-")"
            + ", interval \(checkpoints.interval?.count ?? 0) ms, timeout \(checkpoints.timeout.count) ms, pause \(checkpoints.minimumPause.count) ms"
            + ", concurrent \(checkpoints.maximumConcurrent), tolerable \(checkpoints.tolerableFailures.map(String.init) ?? "unset")"
            + ", retained \(checkpoints.retainedCheckpoints)\(checkpoints.incremental ? ", incremental" : ""), \(checkpoints.retention.rawValue), restarts \(restartStrategy)"
            + "\n  disk \(rates)\n  steps \(steps.map { "+\($0.delay) \($0.action)" }.joined(separator: "; "))"
    }
}
