internal import CheckpointStore
internal import StreamModel

/// One process on the simulated machine. After its death every file operation of its threads fails, so that they come to their end without
/// effect.
final class SimulatedProcess: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    let number: Int
    fileprivate(set) var isAlive = true
    /// File operations so far.
    fileprivate(set) var operations = 0

    fileprivate init(number: Int) { self.number = number }
}

/// The advisory lock of one file: one open file has it alone, or several share it.
struct FileLock {
    private var exclusive: Int32?
    private var shared: Set<Int32> = []

    mutating func takeExclusive(_ descriptor: Int32) -> Bool {
        guard exclusive ?? descriptor == descriptor, shared.subtracting([descriptor]).isEmpty else { return false }
        (exclusive, shared) = (descriptor, [])
        return true
    }

    mutating func takeShared(_ descriptor: Int32) -> Bool {
        guard exclusive ?? descriptor == descriptor else { return false }
        exclusive = nil
        shared.insert(descriptor)
        return true
    }

    mutating func giveUp(_ descriptor: Int32) {
        if exclusive == descriptor { exclusive = nil }
        shared.remove(descriptor)
    }
}

/// What the simulation shares: scheduler and clock, disk, faults, trace. Touched by the holder of the baton only.
final class SimulatedMachine: @unchecked Sendable {
    // Sound: see the scheduler; one thread moves at a time.

    /// The process dies when it has made so many file operations.
    struct ArmedCrash {
        var at: Int
        var survival: DiskModel.Survival?
    }

    let scheduler: Scheduler
    let trace: Trace
    let canary: Canary?
    var disk = DiskModel()
    var rates = DiskFaultRates()
    var counts = FaultCounts()
    var random: SimulationRandom
    /// What the engine draws.
    var engineRandom: SimulationRandom
    private(set) var process = SimulatedProcess(number: 0)
    var armedCrash: ArmedCrash?
    /// Arms the crash a few operations after the next manifest was renamed.
    var crashesAtManifest: (delay: Int, survival: DiskModel.Survival?)?
    var slowUntil: Int64 = 0
    var fullUntil: Int64 = 0
    var noFilesUntil: Int64 = 0
    /// Milliseconds that the wall clock is ahead of where it began, besides the time that has passed.
    private(set) var wallOffset: Int64 = 0
    var open: [Int32: OpenEntry] = [:]
    var locks: [Int: FileLock] = [:]
    var nextDescriptor: Int32 = 3
    struct OpenEntry {
        let process, node: Int
        var position = 0
        /// Decided at the fsync, because files are closed at moments that differ between builds.
        var closeFails = false
    }
    /// State files that a canary makes durable too late.
    struct HeldBack {
        var files: Set<Int> = []
        var due: [Int] = []
        var countdown = 0
    }
    var heldBack = HeldBack()
    /// What the simulation has damaged and nobody has repaired.
    var damage = Damage()

    /// Told what happens to names, before the operation returns.
    var onRename: (_ old: String, _ new: String) -> Void = { _, _ in }
    var onRemove: (_ path: String) -> Void = { _ in }
    /// A process died; the disk is already what the next one finds.
    var onCrash: () -> Void = {}

    init(seed: UInt64, trace: Trace, canary: Canary?, stepLimit: Int) {
        self.trace = trace
        self.canary = canary
        scheduler = Scheduler(random: SimulationRandom(seed: seed, stream: 1), trace: trace, stepLimit: stepLimit)
        random = SimulationRandom(seed: seed, stream: 2)
        engineRandom = SimulationRandom(seed: seed, stream: 3)
    }

    /// Milliseconds since 1970.
    var wall: Int64 { 1_700_000_000_000 + wallOffset + scheduler.now / 1_000_000 }

    /// Puts the clock of the wall forward or back.
    func setWall(offset: Int64) { wallOffset = offset }

    func boot() -> SimulatedHost {
        process = SimulatedProcess(number: process.number + 1)
        note(10, process.number, "process \(process.number) begins")
        return SimulatedHost(machine: self, process: process)
    }

    /// - Parameter survival: what a power loss leaves; nil = the process alone dies, the cache stays.
    func crash(_ survival: DiskModel.Survival?) {
        guard process.isAlive else { return }
        exit()
        count(survival == nil ? .kill : .powerLoss, "\(survival.map { "\($0)" } ?? "the cache") survives")
        if let survival { disk = disk.afterPowerLoss(survival, random: &random) }
        onCrash()
    }

    /// The process ends in order, or has nothing left to lose.
    func exit() {
        process.isAlive = false
        armedCrash = nil
        crashesAtManifest = nil
        (open, locks, heldBack) = ([:], [:], HeldBack())
    }

    /// Called after every file operation of a process.
    func operationEnded(of process: SimulatedProcess) {
        process.operations += 1
        if random.chance(rates.wallClockJump) {
            let jump = Int64(random.coin() ? random.number(-30_000...30_000) : random.number(-31_536_000_000...31_536_000_000))
            count(.wallClockJumpInLife, "by \(jump) ms")
            wallOffset += jump
        }
        if let armed = armedCrash, process === self.process, process.operations >= armed.at { crash(armed.survival) }
    }

    func quiet() {
        rates = DiskFaultRates()
        (slowUntil, fullUntil, noFilesUntil) = (0, 0, 0)
        (armedCrash, crashesAtManifest) = (nil, nil)
        note(11, 0, "faults end")
    }

    func count(_ kind: FaultKind, _ detail: @autoclosure () -> String = "") {
        counts[kind] += 1
        note(12, Trace.number(of: kind.rawValue), "*** \(kind.rawValue) \(detail())")
    }

    func note(_ kind: Int, _ word: Int, _ text: @autoclosure () -> String) {
        trace.add(kind, word, 0, "\(scheduler.stamp) [\(scheduler.currentName)] \(text())")
    }
}
