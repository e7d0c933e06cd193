internal import ControlProtocol
internal import EngineHost
internal import StreamModel

/// One job and its restarts, as its operators know it.
final class ServiceLine: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    let number: Int
    let oracle: Oracle
    var scenario: Scenario { oracle.scenario }
    /// Newest first, as the engine told last.
    var jobs: [JobReport] = []
    /// Somebody gave a snapshot away without naming it.
    var claimsAnything = false
    /// Counts launches; the newest that has emitted a record.
    private var launches = 0, emitting = 0

    init(_ number: Int, _ oracle: Oracle) { (self.number, self.oracle) = (number, oracle) }

    static func name(_ number: Int) -> String { "job \(number)" }
    func isOf(_ report: JobReport) -> Bool { report.recipe?.arguments["number"] == "\(number)" }

    func submission(_ operation: OperationID, by: String, from path: String?) -> SubmitRequest {
        SubmitRequest(
            operation: operation, program: Office.program, arguments: ["number": "\(number)"], parallelism: scenario.parallelism,
            name: Self.name(number), from: path.map { RestartOptions(path: $0) }, reason: "a test", by: by)
    }

    /// A launch has a probe of its own, which every record passes: once a younger one has emitted, an older one must be silent.
    func makeProbe(_ machine: SimulatedMachine) -> @Sendable () -> Void {
        launches += 1
        let own = launches, process = machine.process
        return { [unowned self, unowned machine] in
            guard process.isAlive, process === machine.process else { return }
            if own < emitting { oracle.report("two live jobs of one lineage: launch \(own) of \(Self.name(number)) emits after launch \(emitting) has begun") }
            emitting = max(emitting, own)
        }
    }
}

/// What the operators of a simulated day share: the engine of the hour, the jobs, and the book of what they asked for and were told.
final class Office: @unchecked Sendable {
    // Sound: touched by the holder of the baton only.
    static let program = "simulated"

    private struct Known {
        let line: ServiceLine
        let verb: ControlVerb
        var isAccepted = false
        var acceptedAt: WallTime?
        var job: JobID?
        var outcome: OperationReport.State?
    }

    let lines: [ServiceLine]
    var session: Session?
    var isQuiet = false
    private let machine: SimulatedMachine
    /// The disk has no faults.
    let isSound: Bool
    private var book: [OperationID: Known] = [:]
    /// Jobs whose end was told.
    private var ends: [JobID: JobState] = [:]
    /// The newest execution of jobs whose cancel an engine had accepted when it died.
    private var lastAttempts: [String: String] = [:]
    private var ownViolation: String?
    /// In which order jobs were first seen: the wall clock, by which the engine orders them, jumps.
    private var ages: [JobID: Int] = [:]

    init(_ lines: [ServiceLine], _ machine: SimulatedMachine, isSound: Bool) { (self.lines, self.machine, self.isSound) = (lines, machine, isSound) }

    var violation: String? { ownViolation ?? lines.lazy.compactMap(\.oracle.violation).first }

    func report(_ what: @autoclosure () -> String) {
        guard violation == nil else { return }
        let text = what()
        ownViolation = text
        machine.note(20, 0, "!!! \(text)")
    }

    /// What was asked and accepted, in the order of the ids.
    var accepted: [(id: OperationID, verb: ControlVerb, line: ServiceLine)] {
        book.filter(\.value.isAccepted).map { ($0.key, $0.value.verb, $0.value.line) }.sorted { $0.id.description < $1.id.description }
    }

    // MARK: What was asked and told

    func sent(_ operation: OperationID, _ request: ControlRequest, _ line: ServiceLine) {
        machine.note(41, Trace.number(of: operation.description), "asks \(request)")
        book[operation] = Known(line: line, verb: request.verb)
        let options: RestartOptions? =
            switch request {
            case .operate(let command): command.action.launch
            case .submit(let submit): submit.from
            default: nil
            }
        guard let options, options.claim == .claim else { return }
        if let path = options.path { line.oracle.claimed(path) } else { line.claimsAnything = true }
    }

    /// The answer to a mutating request.
    func answered(_ operation: OperationID, _ answer: Session.Answer) {
        switch answer {
        case .lost: break
        case .reply(.operation(let report)): accept(operation, report)
        case .reply(.submitted(let job)): accept(operation, job.id, at: nil)
        case .reply(let reply): report("operation \(operation) was answered with \(reply)")
        case .failure(let failure):
            machine.count(.refusedOperation, failure.message)
            judge(failure, of: operation)
        }
    }

    /// The answer to a question about an operation.
    func told(_ operation: OperationID, _ answer: Session.Answer) {
        switch answer {
        case .lost: break
        case .reply(.operation(let report)): accept(operation, report)
        case .reply(.submitted(let job)): accept(operation, job.id, at: nil)
        case .reply(let reply): report("the question for \(operation) was answered with \(reply)")
        case .failure(let failure):
            guard failure.kind == .unknownOperation else { return }
            if book[operation]?.isAccepted == true { report("operation \(operation) was accepted, and the engine does not know it: \(failure.message)") }
        }
    }

    private func accept(_ operation: OperationID, _ told: OperationReport) {
        if told.request.id != operation { report("operation \(operation) was answered with that of \(told.request.id)") }
        accept(operation, told.request.job, at: told.acceptedAt)
        guard told.state.isTerminal else { return }
        if told.state == .failed, told.error?.isEmpty != false { report("operation \(operation) failed, and nobody says why") }
        if isSound, let before = book[operation]?.outcome, before != told.state {
            report("operation \(operation) was \(before.rawValue) and is \(told.state.rawValue)")
        }
        book[operation]?.outcome = told.state
    }

    private func accept(_ operation: OperationID, _ job: JobID, at time: WallTime?) {
        guard let known = book[operation] else { return }
        if let before = known.job, before != job { report("the same id once more is another operation: \(operation) was of job \(before), and is of \(job)") }
        if let before = known.acceptedAt, let time, before != time { report("the same id once more is another operation: \(operation) was accepted twice") }
        book[operation]?.isAccepted = true
        book[operation]?.job = job
        book[operation]?.acceptedAt = time ?? known.acceptedAt
    }

    /// The losers are told why, and what was accepted stays accepted.
    private func judge(_ failure: ControlFailure, of operation: OperationID) {
        if failure.message.count < 10 { report("operation \(operation) was refused, and \"\(failure.message)\" does not say why") }
        if failure.kind == .internal, isSound { report("operation \(operation) met a defect of the engine: \(failure.message)") }
        guard let known = book[operation], known.isAccepted, known.verb != .submit else { return }
        let isEnding = failure.message.contains("shutting down") || failure.message.contains("has ended: ask again")
        // A fault that was refused is in the log all the same.
        if !isEnding, known.verb != .fault { report("operation \(operation) was accepted; asked once more, it is refused: \(failure.message)") }
    }

    // MARK: What the records say

    /// A job whose cancel was on record when its engine died is not started again.
    func look(at records: StateReading) {
        for job in records.jobs {
            if let last = lastAttempts[job.id], job.attempt != last {
                report("job \(job.id) of \(job.name) was started again, and its cancel was on record")
            }
        }
        for job in records.underCancel { lastAttempts[job.id] = job.attempt }
    }

    // MARK: What the engine tells of its jobs

    /// Called when the engine answers, before anybody else moves.
    func look(at reply: ControlReply) {
        guard case .jobs(let all) = reply else { return }
        for line in lines {
            for job in all.reversed() where ages[job.id] == nil { ages[job.id] = ages.count }
            line.jobs = all.filter { line.isOf($0) }.sorted { ages[$0.id, default: 0] > ages[$1.id, default: 0] }
            let live = line.jobs.filter { !$0.state.isTerminal }
            if live.count > 1 {
                report(
                    "two live jobs of one lineage: \(live.map { "\($0.id.short) \($0.state.rawValue)" }.joined(separator: ", ")) of \(ServiceLine.name(line.number))"
                )
            }
            for job in live {
                if let end = ends[job.id] { report("job \(job.id.short) was \(end.rawValue), and is \(job.state.rawValue)") }
            }
            // A job that was held shows its cancel before the record says it; the operation ends only then.
            for job in line.jobs where job.state == .finished || job.state == .canceled && isSound { ends[job.id] = job.state }
        }
    }
}
