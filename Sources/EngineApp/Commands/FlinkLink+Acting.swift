internal import ControlProtocol
internal import Dispatch
internal import FlinkREST
internal import FlinkSnapshots
internal import Ledger
internal import StreamModel
internal import Synchronization

// What a command does to a cluster. Written down before it is sent; carried out on a thread of its own, so that the command can wait for it
// as long as it likes. A command that goes away leaves the operation to the cluster, and the next console to find out what became of it.
extension FlinkLink: ActingLink {
    func target(_ reference: JobReference) throws(CommandFailure) -> (job: JobID, state: JobState?) {
        if !picture.hasList { try ask([.cluster, .jobs]) }
        // A JobManager that was started anew has forgotten its jobs; whoever knows the whole id means that one.
        if let id = JobID(reference.text), picture.job(id) == nil { return (id, nil) }
        let id = try find(reference)
        return (id, picture.reports(at: .now()).first { $0.id == id }?.state)
    }

    func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(CommandFailure) -> CheckpointReport {
        guard let row = try checkpoints(reference, limit: nil).first(where: { $0.id == id }) else {
            throw CommandFailure(.refused, "the cluster has no checkpoint \(id) of '\(printable(reference.text))' in its history: give its path")
        }
        return row
    }

    func operate(_ command: JobCommand) throws(CommandFailure) -> OperationReport {
        if let earlier = try ledger.entry(command.operation) { return try resume(earlier, command) }
        let (job, _) = try target(command.job)
        let request = OperationRequest(
            id: command.operation, kind: command.action, job: job, expectedState: command.expectedState, reason: command.reason, by: command.by)
        try refuseUnusable(request)
        let course = begin(request.id)
        let runner = try runner(course)
        try ledger.intend(request)
        DispatchQueue(label: "weir.operation").async { [ledger] in
            do throws(FlinkRefusal) { course.end(try runner.run(request)) } catch {
                ledger.refuse(request.id, error.message)
                course.refuse(error.message)
            }
        }
        // A launch is not left alone: whoever waits for nothing wants the job to be there.
        let launches = request.kind.launch != nil
        return try course.wait(until: { launches ? $0.state.isTerminal : true })
    }

    /// Before a job is ended for a restart, the snapshot is looked at, where it can be seen from here.
    private func refuseUnusable(_ request: OperationRequest) throws(CommandFailure) {
        guard let path = request.kind.launch?.path else { return }
        let found = FlinkSnapshot.read(path, clusterIsHere: FlinkAddress.isThisMachine(client.connection.address.host))
        switch found.verdict {
        case .ok: break
        case .unreachable: ledger.output.say("\(path) is not checked: \(found.problem ?? "it is not reachable from here")")
        case .damaged, .missing, .foreign:
            throw CommandFailure(.refused, "nothing was sent: \(path) is \(found.verdict.rawValue): \(found.problem ?? "no details")")
        }
    }

    /// The same id again is the same operation: what became of it, and not a second one.
    private func resume(_ earlier: LedgerEntry, _ command: JobCommand) throws(CommandFailure) -> OperationReport {
        let verb = earlier.request.kind.verb
        guard verb == command.action.verb else {
            throw CommandFailure(.refused, "\(command.operation) is the id of another operation, a \(verb): use a new one")
        }
        if earlier.outcome == .refused { throw CommandFailure(.refused, earlier.error) }
        if earlier.outcome.isTerminal {
            let report = OperationReport(earlier)
            courses[earlier.request.id] = Course(report)
            return report
        }
        let course = begin(earlier.request.id)
        let runner = try runner(course)
        DispatchQueue(label: "weir.operation").async {
            let end = runner.resume(earlier.request, reference: earlier.reference, sentAt: earlier.sentAt)
            if let end { course.end(end) } else { course.refuse("the cluster could not be asked what became of it") }
        }
        return try course.wait(until: { _ in true })
    }

    private func begin(_ id: OperationID) -> Course {
        let course = Course(nil)
        courses[id] = course
        return course
    }

    private func runner(_ course: Course) throws(CommandFailure) -> FlinkOperationRunner {
        if picture.cluster == nil { try ask([.cluster]) }
        guard let cluster = picture.cluster else { throw CommandFailure(.noLink, "the cluster did not say what it is") }
        return FlinkOperationRunner(
            client: client, cluster: cluster, jars: ledger.jars, clock: { .now() },
            pause: { span in
                pause(milliseconds: Int32(clamping: span.count))
                return true
            },
            tell: { [ledger] report in
                ledger.note(report)
                course.take(report)
            })
    }

    func operation(_ id: OperationID) throws(CommandFailure) -> OperationReport {
        if let report = courses[id]?.report { return report }
        guard let entry = try ledger.entry(id) else { throw CommandFailure(.refused, "there is no operation \(id) on record") }
        return OperationReport(entry)
    }

    func operations(limit: Int?) throws(CommandFailure) -> [OperationReport] {
        let limit = limit ?? 100
        var entries = try ledger.recent(limit: limit)
        if !entries.isEmpty {
            do throws(CommandFailure) {
                try ask([.cluster, .jobs])
                if settle(entries) { entries = try ledger.recent(limit: limit) }
            } catch {
                ledger.output.say("as the record has it: \(error.message ?? "the cluster does not answer")")
            }
        }
        return entries.map { entry in
            var report = OperationReport(entry)
            report.jobName = picture.job(entry.request.job)?.name ?? entry.request.job.short
            return report
        }
    }

    /// What is on its way, by another command perhaps, is not looked for before it can have arrived.
    private static let settlingTime: Milliseconds = .seconds(15)

    /// Asks what became of operations whose end nobody saw. Returns whether there were any.
    private func settle(_ entries: [LedgerEntry]) -> Bool {
        guard let cluster = picture.cluster else { return false }
        let open = entries.filter { !$0.outcome.isTerminal && ($0.outcome != .intended || .now() - $0.sentAt >= Self.settlingTime) }
        for entry in open {
            // One look at each; whoever wants to wait has --wait.
            let runner = FlinkOperationRunner(
                client: client, cluster: cluster, clock: { .now() }, pause: { _ in false }, tell: { [ledger] in ledger.note($0) })
            _ = runner.resume(entry.request, reference: entry.reference, sentAt: entry.sentAt)
        }
        return !open.isEmpty
    }

    func wait(for id: OperationID, limit: Milliseconds, progress: (OperationReport) -> Void) throws(CommandFailure) -> OperationReport? {
        guard let course = courses[id] else { return try operation(id) }
        let end = EngineInstant.now() + limit
        while let report = course.next(before: end) {
            progress(report)
            if report.state.isTerminal { return report }
        }
        if let message = course.refusal { throw CommandFailure(.refused, message) }
        return nil
    }

    func follow<Value>(_ operation: OperationID, for limit: Milliseconds, _ look: (EngineReport) -> Value?) throws(CommandFailure) -> Value? {
        let end = EngineInstant.now() + limit
        while EngineInstant.now() < end {
            let known = try self.operation(operation)
            // The list until the new job is in it; then the job.
            let questions = known.newJob.map { picture.nextQuestions(.job($0), at: .now()) } ?? [.jobs]
            do throws(CommandFailure) { try ask(questions) } catch where error.status == .noLink {
                // It may come back, and the limit is the operator's patience.
            }
            var report = current()
            report.operations = [known]
            if let value = look(report) { return value }
            pause(milliseconds: 500)
        }
        return nil
    }

    func recordedRecipe(of job: JobID) throws(CommandFailure) -> JarRecipe? { try ledger.recipe(of: job) }
}

/// How far an operation of this command has come: told by its thread, waited for by the command's.
final class Course: Sendable {
    private struct State {
        var report: OperationReport?
        var refusal: String?
        var isNews = false
    }
    private let state: Mutex<State>
    private let bell = DispatchSemaphore(value: 0)

    init(_ report: OperationReport?) { state = Mutex(State(report: report, isNews: report != nil)) }

    var report: OperationReport? { state.withLock { $0.report } }
    var refusal: String? { state.withLock { $0.refusal } }

    func take(_ report: OperationReport) {
        state.withLock { ($0.report, $0.isNews) = (report, true) }
        bell.signal()
    }

    /// The last word; it may have been told already.
    func end(_ report: OperationReport) { if self.report != report { take(report) } }

    func refuse(_ message: String) {
        state.withLock { $0.refusal = message }
        bell.signal()
    }

    /// The next report that was not returned yet; nil = the time passed, or there was a refusal.
    func next(before end: EngineInstant) -> OperationReport? {
        while true {
            let (report, isOver): (OperationReport?, Bool) = state.withLock { state in
                defer { state.isNews = false }
                return (state.isNews ? state.report : nil, state.refusal != nil)
            }
            if let report { return report }
            let left = end - EngineInstant.now()
            guard !isOver, left > 0 else { return nil }
            _ = bell.wait(timeout: .now() + .milliseconds(Int(left.count)))
        }
    }

    /// Waits for a report of this kind, however long that takes: what is asked has limits of its own.
    func wait(until isEnough: (OperationReport) -> Bool) throws(CommandFailure) -> OperationReport {
        while true {
            let (report, refusal) = state.withLock { ($0.report, $0.refusal) }
            if let refusal { throw CommandFailure(.refused, refusal) }
            if let report, isEnough(report) { return report }
            bell.wait()
        }
    }
}

extension OperationReport {
    /// As the ledger has it.
    init(_ entry: LedgerEntry) {
        let state: State =
            switch entry.outcome {
            case .intended, .accepted: .accepted
            case .running: .running
            case .completed: .completed
            case .failed, .refused: .failed
            case .unknown: .unknown
            }
        self.init(
            request: entry.request, jobName: "", state: state, acceptedAt: entry.sentAt, endedAt: entry.endedAt, checkpoint: entry.checkpoint,
            path: entry.path, newJob: entry.newJob, error: entry.error, reference: entry.reference, inference: entry.inference, jar: entry.jar)
    }
}
