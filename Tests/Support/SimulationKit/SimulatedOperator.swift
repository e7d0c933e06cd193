internal import ControlProtocol
internal import StreamModel

/// One operator at a console: looks, chooses, asks, loses the answer, asks again. A thread of the simulation.
final class SimulatedOperator: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    let name: String
    private let number: Int
    private let scenario: ServiceScenario
    private let machine: SimulatedMachine
    private let office: Office
    private var random: SimulationRandom

    init(_ number: Int, seed: UInt64, scenario: ServiceScenario, machine: SimulatedMachine, office: Office) {
        (self.number, self.scenario, self.machine, self.office) = (number, scenario, machine, office)
        name = "operator \(number)"
        random = SimulationRandom(seed: seed, stream: 10 + UInt64(number))
    }

    func work() {
        do {
            for line in office.lines where line.number % scenario.operators == number { try submit(line) }
            for _ in 0..<scenario.actions where !office.isQuiet && office.violation == nil { try act() }
        } catch { office.report("\(name): \(error)") }
    }

    private func pause() { machine.scheduler.sleep(Int64(random.number(1...scenario.pace)) * 1_000_000, "\(name)'s pause") }

    // MARK: Asking

    /// Waits for an engine. nil = the day is over.
    private func session() -> Session? {
        while !office.isQuiet, office.violation == nil {
            if let session = office.session, session.isOpen { return session }
            machine.scheduler.sleep(5_000_000, "\(name) waits for an engine")
        }
        return nil
    }

    private func ask(_ request: ControlRequest) throws -> Session.Answer {
        guard let session = session() else { return .lost }
        var patience: Int64 = 60_000_000_000
        if random.chance(scenario.cuts) {
            machine.count(.lostAnswer)
            patience = Int64(random.number(0...3_000)) * 1_000
        }
        return try session.ask(request, by: name, patience: patience)
    }

    /// Asks until somebody answers; the same id each time. A request that came through is not done twice.
    @discardableResult
    private func insist(_ request: ControlRequest, _ operation: OperationID, on line: ServiceLine) throws -> Session.Answer {
        office.sent(operation, request, line)
        var answer = try ask(request)
        office.answered(operation, answer)
        for _ in 0..<4 {
            let isLost = if case .lost = answer { true } else { false }
            // Some ask twice although they know.
            guard isLost || random.below(10) == 0, !office.isQuiet else { break }
            if random.below(3) == 0 {
                answer = try ask(.operation(operation))
                office.told(operation, answer)
            } else {
                machine.count(.repeatedRequest)
                answer = try ask(request)
                office.answered(operation, answer)
            }
        }
        return answer
    }

    private func submit(_ line: ServiceLine) throws {
        while !office.isQuiet, office.violation == nil, line.jobs.isEmpty {
            let operation = OperationID(random: random.next())
            try insist(.submit(line.submission(operation, by: name, from: nil)), operation, on: line)
            if line.jobs.isEmpty { _ = try ask(.jobs) }
            pause()
        }
    }

    // MARK: Acting

    private func act() throws {
        pause()
        let line = office.lines[random.below(office.lines.count)]
        guard case .reply(.jobs(let all)) = try ask(.jobs) else { return }
        let jobs = all.filter { line.isOf($0) }
        guard let newest = jobs.first else { return }
        // Mostly the newest; sometimes one that has been restarted since.
        let job = random.below(6) == 0 ? jobs[random.below(jobs.count)] : newest
        let operation = OperationID(random: random.next())
        guard let action = try action(on: job, line) else { return }
        if case .submit(let path) = action {
            machine.count(.submitFrom)
            try insist(.submit(line.submission(operation, by: name, from: path)), operation, on: line)
            return
        }
        guard case .operate(let kind) = action else { return }
        let expected = random.below(4) == 0 ? job.state : nil
        // Who asked shows in the rows: so an operation that is done twice is seen.
        let command = JobCommand(
            operation: operation, job: JobReference(job.id), action: kind, expectedState: expected, reason: "a test", by: operation.description)
        try insist(.operate(command), operation, on: line)
    }

    private enum Action {
        case operate(OperationRequest.Kind)
        case submit(path: String)
    }

    private func action(on job: JobReport, _ line: ServiceLine) throws -> Action? {
        let savepoints = random.coin() ? line.scenario.place.savepoints : nil
        switch random.below(14) {
        case 0, 1:
            machine.count(.savepoint)
            return .operate(.savepoint(directory: savepoints))
        case 2:
            machine.count(.checkpointNow)
            return .operate(.checkpoint)
        case 3, 4:
            machine.count(.stopWithSavepoint)
            return .operate(.stop(drain: random.coin() && !line.scenario.hasSummary, directory: savepoints))
        case 5, 6:
            machine.count(.cancel)
            return .operate(.cancel(random.coin() ? .keep : .byPolicy))
        case 7:
            return .operate(.fault(random.pick(["slow 30ms", "fail 1", "crash", "off"])))
        case 8:
            guard let path = try path(of: job) else { return nil }
            return .submit(path: path)
        case 9:
            _ = try ask(random.coin() ? .inspect(path: job.latestCompleted?.path ?? "/nowhere") : .exceptions(JobReference(job.id)))
            _ = try ask(.operations(limit: nil))
            return nil
        default: return .operate(.restart(try restart(job, line)))
        }
    }

    private func restart(_ job: JobReport, _ line: ServiceLine) throws -> RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = random.below(4) != 0
        machine.count(options.cancelsFirst ? .cancelAndRestart : .restartOfEnded)
        if random.below(3) == 0 { options.path = try path(of: job) }
        if random.below(3) == 0 {
            options.parallelism = random.number(1...min(3, line.scenario.maxParallelism))
            machine.count(.rescale)
        }
        if random.below(4) == 0 { options.claim = .claim }
        return options
    }

    /// Some snapshot that the job has.
    private func path(of job: JobReport) throws -> String? {
        guard case .reply(.checkpoints(let rows)) = try ask(.checkpoints(JobReference(job.id), limit: 100)) else { return nil }
        let paths = rows.filter(\.isRestorable).compactMap(\.path)
        guard !paths.isEmpty else { return nil }
        let index = random.below(paths.count)
        if index > 0 { machine.count(.restartFromOlder) }
        return paths[index]
    }
}
