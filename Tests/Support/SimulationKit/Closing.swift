internal import ControlProtocol
internal import StreamModel

/// The end of a simulated day: the faults are over, an engine runs. Every job is brought to its end, as an operator would, then everything that
/// was promised is held against the facts.
final class Closing: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    private let office: Office
    private let machine: SimulatedMachine
    private var random: SimulationRandom
    private let deadline: Int64

    init(_ office: Office, _ machine: SimulatedMachine, seed: UInt64) {
        (self.office, self.machine) = (office, machine)
        random = SimulationRandom(seed: seed, stream: 9)
        deadline = machine.scheduler.now + ServiceDriver.patience
    }

    func close() {
        do {
            try settle()
            for line in office.lines where office.violation == nil { try finish(line) }
            guard office.violation == nil else { return }
            try checkOperations()
            try checkRows()
            try checkState()
            for line in office.lines {
                if line.claimsAnything { line.oracle.forgetSavepoints() }
                line.oracle.checkOutput()
            }
        } catch { office.report("at the end: \(error)") }
    }

    private func ask(_ request: ControlRequest) throws -> ControlReply {
        guard let session = office.session else { throw SnapshotReading.Problem(description: "no engine is there") }
        switch try session.ask(request, by: "the last operator", patience: ServiceDriver.patience) {
        case .reply(let reply): return reply
        case .failure(let failure): throw failure
        case .lost: throw SnapshotReading.Problem(description: "\(request.verb.rawValue) is not answered within five minutes")
        }
    }

    private func wait(_ what: String) throws {
        guard machine.scheduler.now < deadline else { throw SnapshotReading.Problem(description: "\(what) within five minutes") }
        guard office.violation == nil else { throw SnapshotReading.Problem(description: "\(what)") }
        machine.scheduler.sleep(20_000_000, what)
    }

    // MARK: Bringing everything to its end

    /// Waits for what the operators had begun.
    private func settle() throws {
        for (id, _, _) in office.accepted {
            while true {
                guard case .operation(let report) = try self.report(of: id), !report.state.isTerminal else { break }
                try wait("operation \(id) (\(report.request.kind)) is \(report.state.rawValue) and does not end")
            }
        }
    }

    /// nil for a submission that failed.
    private func report(of id: OperationID) throws -> ControlReply? {
        guard let session = office.session else { throw SnapshotReading.Problem(description: "no engine is there") }
        let answer = try session.ask(.operation(id), by: "the last operator", patience: ServiceDriver.patience)
        office.told(id, answer)
        switch answer {
        case .reply(let reply): return reply
        case .failure: return nil
        case .lost: throw SnapshotReading.Problem(description: "the question for \(id) is not answered within five minutes")
        }
    }

    /// Restarts the job until it has read all of its input.
    private func finish(_ line: ServiceLine) throws {
        while office.violation == nil {
            _ = try ask(.jobs)
            guard let job = line.jobs.first else {
                _ = try ask(.submit(line.submission(OperationID(random: random.next()), by: "the last operator", from: nil)))
                continue
            }
            if let live = line.jobs.first(where: { !$0.state.isTerminal }) {
                try wait(
                    "job \(live.id.short) of \(ServiceLine.name(line.number)) is \(live.state.rawValue) and does not end: \(live.lastFailure?.message ?? "no failure")"
                )
                continue
            }
            if job.state == .finished, job.latestCompleted?.kind.isSavepoint == false { return }
            try restart(job, line)
        }
    }

    private func restart(_ job: JobReport, _ line: ServiceLine) throws {
        let operation = OperationID(random: random.next())
        let command = JobCommand(
            operation: operation, job: JobReference(job.id), action: .restart(RestartOptions()), reason: "the day ends", by: operation.description)
        do { _ = try ask(.operate(command)) } catch let failure as ControlFailure {
            if failure.message.contains("no checkpoint or savepoint left") { return try beginAnew(line) }
            // It is just ending.
            return try wait("the restart of \(job.id.short) is refused: \(failure.message)")
        }
        while case .operation(let report) = try report(of: operation) {
            guard !report.state.isTerminal else {
                if report.state != .completed { try wait("the restart of \(job.id.short) is \(report.state.rawValue): \(report.error ?? "")") }
                return
            }
            try wait("the restart of \(job.id.short) is \(report.state.rawValue) and does not end")
        }
    }

    /// Nothing was ever complete: somebody moves the empty output away and submits the job anew.
    private func beginAnew(_ line: ServiceLine) throws {
        for directory in line.scenario.place.outputs {
            for (path, node) in machine.disk.walk(directory) where !machine.disk[node].isDirectory {
                if line.oracle.isPart(path) { return office.report("\(path) is there, and no checkpoint of the line is left") }
                try machine.disk.remove(path, isDirectory: false, at: machine.wall)
            }
        }
        line.oracle.beginAnew()
        line.jobs = []
        _ = try ask(.submit(line.submission(OperationID(random: random.next()), by: "the last operator", from: nil)))
    }

    // MARK: Promises and facts

    private func checkOperations() throws {
        for (id, verb, _) in office.accepted where verb != .submit {
            guard case .operation(let report) = try report(of: id) else { continue }
            if let problem = contradiction(in: report) { office.report("operation \(id), \(verb.rawValue), is \(report.state.rawValue), and \(problem)") }
        }
    }

    private func contradiction(in report: OperationReport) -> String? {
        guard report.state == .completed else { return report.error?.isEmpty == false ? nil : "nobody says why" }
        let job = office.lines.lazy.flatMap(\.jobs).first { $0.id == report.request.job }
        switch report.request.kind {
        case .savepoint, .stop:
            guard let path = report.path else { return "its path is not told" }
            if case .stop = report.request.kind, let job, job.state != .finished { return "the job is \(job.state.rawValue)" }
            // SnapshotReading.Failure: it may have been given away since.
            guard let reading = (try? SnapshotReading.whole(path, on: machine.disk)) ?? nil else {
                return office.lines.contains { $0.claimsAnything || $0.oracle.isClaimed(path) } ? nil : "\(path) is not whole"
            }
            return reading.isSavepoint && reading.job == report.request.job ? nil : "\(path) is no savepoint of the job"
        case .cancel: return job.flatMap { $0.state == .canceled ? nil : "the job is \($0.state.rawValue)" }
        case .restart:
            guard let new = report.newJob else { return "no new job is told" }
            return office.lines.contains { $0.jobs.contains { $0.id == new } } ? nil : "the new job \(new.short) is not there"
        case .checkpoint, .fault, .launch, .dispose, .uploadJar, .deleteJar: return nil
        }
    }

    /// What was asked for once was done once.
    private func checkRows() throws {
        for job in office.lines.flatMap(\.jobs) {
            guard case .checkpoints(let rows) = try ask(.checkpoints(JobReference(job.id), limit: 5000)) else { continue }
            for (by, rows) in Dictionary(grouping: rows.filter { $0.requestedBy != nil }, by: { $0.requestedBy ?? "" }) where rows.count > 1 {
                office.report("operation \(by) was carried out \(rows.count) times: checkpoints \(rows.map { "\($0.id)" }.joined(separator: ", "))")
            }
        }
    }

    /// The records and the log on the disk, by another decoder, against what the engine says.
    private func checkState() throws {
        let reading = try StateReading("/engine", machine.disk)
        if let twins = reading.twins { office.report(twins) }
        office.look(at: reading)
        let told = Dictionary(office.lines.flatMap(\.jobs).map { ($0.id.description, $0) }) { first, _ in first }
        for job in reading.jobs where told[job.id]?.state.rawValue != job.state {
            office.report("the record of job \(job.id) says \(job.state), the engine \(told[job.id]?.state.rawValue ?? "nothing")")
        }
        for (id, verb, _) in office.accepted {
            guard let entry = reading.operations[id.description] else { return office.report("operation \(id) was accepted, and the log does not have it") }
            // An outcome that could not be written is found from the facts by the next engine.
            guard entry.isTerminal || !office.isSound else {
                return office.report("operation \(id), \(verb.rawValue), has ended, and the log says \(entry.state)")
            }
        }
        var origins: [String: String] = [:]
        for entry in reading.operations.values.sorted(by: { $0.id < $1.id }) {
            guard let job = entry.verb == "submit" ? entry.job : entry.newJob else { continue }
            if let other = origins.updateValue(entry.id, forKey: job) { office.report("job \(job) was launched by both \(other) and \(entry.id)") }
        }
        for job in reading.jobs where origins[job.id] == nil && office.isSound { office.report("job \(job.id) of \(job.name) was launched by no operation") }
    }
}
