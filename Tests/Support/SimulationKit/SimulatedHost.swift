public import CheckpointStore
public import Dataflow
public import StreamModel

/// The machine as one process sees it.
public struct SimulatedHost: EngineHost {
    let machine: SimulatedMachine
    private let files: SimulatedFilesystem
    private let process: Int

    init(machine: SimulatedMachine, process: SimulatedProcess) {
        self.machine = machine
        files = SimulatedFilesystem(machine: machine, process: process)
        self.process = process.number
    }

    public func now() -> EngineInstant { EngineInstant(nanoseconds: machine.scheduler.now) }
    public func wall() -> WallTime { WallTime(milliseconds: machine.wall) }
    public func random() -> UInt64 { machine.engineRandom.next() }
    public var filesystem: any Filesystem { files }

    public func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) {
        if machine.random.chance(machine.rates.refusedThread) {
            machine.count(.refusedThread, name)
            throw .threads("the simulated system refuses another thread")
        }
        do { try machine.scheduler.start("\(process)/\(name)", process: process, body) } catch { throw .threads(String(describing: error)) }
    }

    public func makeParker() -> any Parker { SimulatedParker(machine.scheduler) }
}

/// Sleeps in the scheduler. No wake-up can be lost: between the look for work and the sleep nobody else moves. (What the real parker does
/// about that is not simulated; it has its own tests.)
final class SimulatedParker: Parker, @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    private let scheduler: Scheduler
    let name = "a park"
    var sleeper: Scheduler.Thread?

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func park(until deadline: EngineInstant?, unless hasWork: () -> Bool) {
        if hasWork() { scheduler.point("a park with work") } else { scheduler.park(in: self, until: deadline) }
    }

    func unpark() {
        if let sleeper { scheduler.wake(sleeper) }
        scheduler.point("an unpark")
    }
}
