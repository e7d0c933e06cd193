internal import ControlProtocol
internal import EngineHost
internal import StreamModel

/// Plays the machine's init: starts engine processes one after the other, kills them as the scenario says, and closes the day: once the
/// faults have ended, every job is brought to its end, and everything that was promised is looked at. The first thread of a simulation.
final class ServiceDriver: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.

    /// One life of an engine.
    private final class Life: @unchecked Sendable {
        let process: SimulatedProcess
        var service: EngineService?
        var problem: String?
        /// The threads of the process that runs `main` have come to their end, or are about to.
        var hasReturned = false
        var isDown = false
        init(_ process: SimulatedProcess) { self.process = process }
    }

    let office: Office
    private let scenario: ServiceScenario
    private let machine: SimulatedMachine
    private let seed: UInt64
    private var random: SimulationRandom
    private var steps: ArraySlice<ServiceScenario.Step>
    private var nextStepAt: Int64
    private let parker: SimulatedParker
    private var refusals = 0
    private var operatorsAtWork = 0
    private static let state = "/engine"
    /// Simulated nanoseconds that a day may still need once the faults have ended.
    static let patience: Int64 = 300_000_000_000

    init(seed: UInt64, scenario: ServiceScenario, machine: SimulatedMachine) {
        (self.seed, self.scenario, self.machine) = (seed, scenario, machine)
        let lines = scenario.jobs.enumerated().map { number, job in
            ServiceLine(number, Oracle(job, machine, jobName: ServiceLine.name(number)))
        }
        office = Office(lines, machine, isSound: scenario.rates.isSound)
        random = SimulationRandom(seed: seed, stream: 7)
        steps = scenario.steps[...]
        nextStepAt = machine.scheduler.now + Int64(scenario.steps.first?.delay ?? 300) * 1_000_000
        parker = SimulatedParker(machine.scheduler)
        machine.rates = scenario.rates
        machine.onRename = { [unowned office] old, new in for line in office.lines { line.oracle.renamed(old, to: new) } }
        machine.onRemove = { [unowned office] path in for line in office.lines { line.oracle.removed(path) } }
        machine.onCrash = { [unowned self] in crashed() }
    }

    func run() {
        do {
            for number in 0..<scenario.operators {
                let own = SimulatedOperator(number, seed: seed, scenario: scenario, machine: machine, office: office)
                operatorsAtWork += 1
                try machine.scheduler.start(own.name, process: 0) { [self] in
                    own.work()
                    operatorsAtWork -= 1
                    wake()
                }
            }
        } catch { return office.report("\(error)") }
        while office.violation == nil, !live() {}
        office.isQuiet = true
    }

    private func wake() { if let sleeper = parker.sleeper { machine.scheduler.wake(sleeper) } }

    // MARK: One life of the engine

    /// True when the day is over.
    private func live() -> Bool {
        machine.setWall(offset: wallOffset())
        let host = machine.boot(), life = Life(machine.process)
        if !office.isQuiet, machine.random.chance(scenario.crashesInRecovery), !steps.isEmpty {
            machine.armedCrash = SimulatedMachine.ArmedCrash(at: machine.random.number(1...150), survival: survival())
        }
        let isOver: Bool
        do {
            try machine.scheduler.start("\(life.process.number)/main", process: life.process.number) { [self] in main(life, host) }
            isOver = supervise(life)
        } catch {
            office.report("\(error)")
            return true
        }
        end(life)
        return isOver
    }

    /// What the engine's executable does.
    private func main(_ life: Life, _ host: SimulatedHost) {
        do {
            let service = try EngineService(name: "simulated", stateDirectory: Self.state, programs: programs, host: host) { [machine] line in
                machine.note(42, 0, "engine: \(line)")
            }
            life.service = service
            if life.process.isAlive {
                office.session = Session(service, life.process, machine) { [office] in office.look(at: $0) }
                service.recover()
            }
        } catch { life.problem = error.description }
        life.hasReturned = true
        wake()
    }

    private var programs: ProgramRegistry {
        let argument = ProgramDescription.Argument(name: "number", help: "which job of the day", isRequired: true)
        let description = ProgramDescription(name: Office.program, help: "a job of the simulation", arguments: [argument])
        return ProgramRegistry([
            Program(description: description, parallelism: 1) { [office, machine] (arguments) throws(ProgramError) in
                let number = try arguments.integer("number", in: 0...office.lines.count - 1) ?? 0
                return SimulatedJob(scenario: office.lines[number].scenario, probe: office.lines[number].makeProbe(machine))
            }
        ])
    }

    /// True when the day is over.
    private func supervise(_ life: Life) -> Bool {
        while life.process.isAlive, office.violation == nil {
            if life.hasReturned, let problem = life.problem {
                refused(problem)
                return office.violation != nil
            }
            if office.isQuiet, life.hasReturned {
                Closing(office, machine, seed: seed).close()
                return true
            }
            let now = machine.scheduler.now
            if !office.isQuiet, now >= nextStepAt {
                if let step = steps.popFirst() {
                    nextStepAt = now + Int64(steps.first?.delay ?? 400) * 1_000_000
                    perform(step.event, life)
                } else if operatorsAtWork == 0 || now > nextStepAt + 20_000_000_000 {
                    becomeQuiet()
                } else {
                    machine.scheduler.sleep(10_000_000, "the end of the operators' day")
                }
                continue
            }
            parker.park(until: EngineInstant(nanoseconds: office.isQuiet ? now + Self.patience : nextStepAt)) { false }
            if office.isQuiet, !life.hasReturned, machine.scheduler.now - now >= Self.patience { office.report("the engine does not come up") }
        }
        return office.violation != nil
    }

    /// An engine that cannot start says why, and is started again.
    private func refused(_ problem: String) {
        machine.count(.failedStart, problem)
        refusals += 1
        if office.isQuiet, refusals > 3 { return office.report("the engine cannot start: \(problem)") }
        if !office.isQuiet, refusals > 8 { becomeQuiet() }
        machine.scheduler.sleep(Int64(random.number(1...100)) * 1_000_000, "the pause after a refused start")
    }

    private func becomeQuiet() {
        office.isQuiet = true
        steps = []
        refusals = 0
        machine.quiet()
    }

    private func perform(_ event: ServiceScenario.Event, _ life: Life) {
        machine.note(31, steps.count, "step: \(event)")
        switch event {
        case .crash(let after, let survival):
            machine.armedCrash = SimulatedMachine.ArmedCrash(at: life.process.operations + after, survival: survival)
        case .crashNow(let survival): machine.crash(survival)
        case .shutDown:
            guard let service = life.service, life.hasReturned else { return }
            machine.count(.cleanEngineRestart)
            shutDown(service, of: life)
            if life.process.isAlive { machine.exit() }
            office.session?.cut()
        }
    }

    private func shutDown(_ service: EngineService, of life: Life) {
        life.service = nil
        do {
            try machine.scheduler.start("\(life.process.number)/shutdown", process: life.process.number) { [self] in
                service.shutDown()
                life.isDown = true
                wake()
            }
        } catch { return office.report("\(error)") }
        while !life.isDown { parker.park(until: nil) { life.isDown } }
    }

    // MARK: After a life

    /// Lets the threads of the process come to their end. After a crash nothing that they do has an effect.
    private func end(_ life: Life) {
        machine.exit()
        office.session?.cut()
        office.session = nil
        let deadline = machine.scheduler.now + Self.patience
        while !life.hasReturned, machine.scheduler.now < deadline { machine.scheduler.sleep(1_000_000, "the end of the main thread") }
        if let service = life.service { shutDown(service, of: life) }
        life.service = nil
        while machine.scheduler.count(ofProcess: life.process.number) > 0 {
            guard machine.scheduler.now < deadline else {
                return office.report("threads of process \(life.process.number) do not end: \(machine.scheduler.names(ofProcess: life.process.number))")
            }
            machine.scheduler.sleep(1_000_000, "the end of process \(life.process.number)")
        }
    }

    private func crashed() {
        machine.note(32, 0, "process \(machine.process.number) is dead")
        if office.session == nil || office.lines.contains(where: { $0.jobs.first.map { $0.state != .running } ?? true }) { machine.count(.crashInRecovery) }
        do {
            let records = try StateReading(Self.state, machine.disk)
            if office.isSound, let problem = records.twins { office.report("after the crash: \(problem)") }
            office.look(at: records)
        } catch { office.report("after the crash: \(error)") }
        for line in office.lines {
            line.oracle.explain()
            if line.claimsAnything { line.oracle.forgetSavepoints() }
            if let job = line.jobs.first { line.oracle.checkAfterCrash(job: job.id, isOver: true) }
        }
        office.session?.cut()
        wake()
    }

    private func wallOffset() -> Int64 {
        guard scenario.wallJumps, random.coin(), !office.isQuiet else { return machine.wallOffset }
        machine.count(.wallClockJump)
        return Int64(random.number(-31_536_000_000...31_536_000_000))
    }

    private func survival() -> DiskModel.Survival? { random.coin() ? nil : random.pick(DiskModel.Survival.allCases) }
}
