internal import CellGrid
internal import ConsoleCore
public import ControlProtocol
internal import Dispatch
internal import FlinkREST
internal import HostEnvironment
public import Ledger
public import StreamModel
internal import Synchronization

// What a command does to a cluster. Written down before it is sent; carried out on a thread of its own, so that the command can wait for it
// as long as it likes. A command that goes away leaves the operation to the cluster, and the next console to find out what became of it.
extension FlinkLink: ActingLink {
    public func target(_ reference: JobReference) throws(ClientFailure) -> (job: JobID, state: JobState?) {
        if !picture.hasList { try ask([.cluster, .jobs]) }
        // A JobManager that was started anew has forgotten its jobs; whoever knows the whole id means that one.
        if let id = JobID(reference.text), picture.job(id) == nil { return (id, nil) }
        do throws(ClientFailure) {
            let id = try find(reference)
            return (id, picture.reports(at: .now()).first { $0.id == id }?.state)
        } catch {
            guard error.status == .refused, let last = try lastRun(reference) else { throw error }
            return (last, nil)
        }
    }

    /// A job that the cluster has forgotten, as the record knows it.
    private func lastRun(_ reference: JobReference) throws(ClientFailure) -> JobID? {
        guard !picture.jobs.contains(where: { $0.name == reference.text }), let last = try ledger.checkpoints(of: reference.text, listed: listed).first
        else { return nil }
        ledger.output.say("the cluster lists no '\(printable(reference.text))': taken from the record, as job \(last.job)")
        return last.job
    }

    private var listed: Set<JobID> { Set(picture.jobs.map(\.id)) }

    public func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(ClientFailure) -> CheckpointReport {
        let (job, _) = try target(reference)
        let isListed = picture.job(job) != nil
        if isListed, let row = try checkpoints(JobReference(job), limit: nil).first(where: { $0.id == id }) { return row }
        if let row = try ledger.checkpoints(of: job.description, listed: listed).first(where: { $0.report.id == id && $0.mayBeRestored }) { return row.report }
        throw ClientFailure(
            .refused, "neither the cluster's history nor the record has a checkpoint \(id) of '\(printable(reference.text))' that is kept: give its path")
    }

    public func operate(_ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        if let earlier = try ledger.entry(command.operation) { return try resume(earlier, command, before: deadline) }
        let job = command.job.text == JobID.none.description ? JobID.none : try target(command.job).job
        let request = OperationRequest(
            id: command.operation, kind: command.action, job: job, expectedState: command.expectedState, reason: command.reason, by: command.by)
        try refuseUnusable(request)
        let tracked = begin(request.id)
        let runner = try runner(tracked)
        try ledger.intend(request)
        let name = knownNames[request.job] ?? ""
        carryOut(tracked, request) { () throws(FlinkRefusal) in try runner.run(request, jobName: name) }
        // Whoever waits for nothing wants a job to be there, and a jar or savepoint to be gone.
        let isLong = request.kind.launch != nil || request.kind.isOfCluster
        return try taken(tracked, request, before: deadline) { isLong ? $0.state.isTerminal : true }
    }

    private func carryOut(
        _ tracked: FollowedOperation, _ request: OperationRequest, isRefusalFinal: Bool = true,
        _ body: @escaping @Sendable () throws(FlinkRefusal) -> OperationReport
    ) {
        DispatchQueue(label: "weir.operation").async { [ledger] in
            do throws(FlinkRefusal) { tracked.take(try body()) } catch {
                if isRefusalFinal { ledger.refuse(request.id, error.message) }
                tracked.refuse(error.message, mayPass: error.mayPass)
            }
            ledger.release(request.id)
        }
    }

    public func goOn(_ id: OperationID, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        guard let earlier = try ledger.entry(id) else { throw ClientFailure(.refused, "there is no operation \(id) on record") }
        guard earlier.address == ledger.address else { throw ClientFailure(.refused, "\(id) is an operation on \(earlier.address)") }
        if earlier.outcome.isTerminal, earlier.outcome != .unknown {
            throw ClientFailure(.refused, "operation \(id) is \(earlier.outcome.rawValue): there is nothing to resume")
        }
        try ledger.intend(earlier.request)
        let tracked = begin(id)
        let runner = try runner(tracked)
        carryOut(tracked, earlier.request, isRefusalFinal: false) { () throws(FlinkRefusal) in try runner.goOn(earlier.sent) }
        return try taken(tracked, earlier.request, before: deadline) { $0.state.isTerminal }
    }

    private func refuseUnusable(_ request: OperationRequest) throws(ClientFailure) {
        switch check(picture.cluster?.version).find(request) {
        case .usable: break
        case .unchecked(let notice): ledger.output.say(notice)
        case .refused(let message): throw ClientFailure(.refused, message)
        }
    }

    /// Repeating an id asks for its operation's outcome and starts no second one.
    private func resume(_ earlier: LedgerEntry, _ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        let verb = earlier.request.kind.verb
        guard verb == command.action.verb else {
            throw ClientFailure(.refused, "\(command.operation) is the id of another operation, a \(verb): use a new one")
        }
        if earlier.outcome == .refused { throw ClientFailure(.refused, earlier.error) }
        if earlier.outcome.isTerminal {
            let report = OperationReport(earlier)
            followed[earlier.request.id] = FollowedOperation(report)
            return report
        }
        if let report = try follow(elsewhere: earlier, before: deadline) { return report }
        let tracked = begin(earlier.request.id)
        let runner = try runner(tracked)
        _ = ledger.claim(earlier.request.id)
        carryOut(tracked, earlier.request, isRefusalFinal: false) { () throws(FlinkRefusal) in
            guard let end = runner.resume(earlier.sent) else { throw FlinkRefusal("the cluster could not be asked about its outcome") }
            return end
        }
        return try taken(tracked, earlier.request, before: deadline) { _ in true }
    }

    /// Waits for the process that carries the operation out, and reads its records; nil = there is no such process, or no longer.
    private func follow(elsewhere entry: LedgerEntry, before deadline: Deadline) throws(ClientFailure) -> OperationReport? {
        let id = entry.request.id
        var entry = entry
        while ledger.isCarriedOutElsewhere(id), !entry.outcome.isTerminal {
            guard !deadline.isOver else {
                throw ClientFailure(.unproven, "operation \(id) is being carried out by \(carrier(entry)): 'weir operations' shows it")
            }
            pause(milliseconds: Int32(clamping: min(200, deadline.left).count))
            entry = try ledger.entry(id) ?? entry
        }
        guard entry.outcome.isTerminal else { return nil }
        let report = OperationReport(entry)
        followed[id] = FollowedOperation(report)
        return report
    }

    private func carrier(_ entry: LedgerEntry) -> String { entry.carrier.map { printable($0) } ?? "another process" }

    /// Waits until the cluster has accepted it. When the time runs out, no further step is taken, and the error says what is unknown.
    private func taken(
        _ followed: FollowedOperation, _ request: OperationRequest, before deadline: Deadline, until isEnough: (OperationReport) -> Bool
    ) throws(ClientFailure) -> OperationReport {
        if let report = try followed.wait(before: deadline, until: isEnough) { return report }
        let last = followed.halt()
        throw ClientFailure(.unproven, words(after: last, request, followed.report, deadline))
    }

    /// The state of an operation whose command has run out of time.
    private func words(after step: OperationStep?, _ request: OperationRequest, _ report: OperationReport?, _ deadline: Deadline) -> String {
        let id = request.id, start = "operation \(id) of \(request.kind.verb): after \(Figures.duration(deadline.limit)) "
        switch step?.name {
        case nil: return "\(start)nothing was sent yet, and nothing will be"
        case .sending: return "\(start)it was sent and has no answer; 'weir operations' looks up \(id)"
        case .canceling, .canceled:
            let state = report?.activity ?? (step?.name == .canceled ? "the job has ended" : "the job was told to cancel")
            return "\(start)\(state), and the launch is not sent: 'weir resume \(id)' goes on with it"
        case .launching:
            let job = report?.reference ?? FlinkOperationNames.job(of: id).description
            return "\(start)the launch was sent and has no answer: the new job's id would be \(job); 'weir operations' asks again"
        }
    }

    private func check(_ version: FlinkVersion?) -> SnapshotCheck {
        SnapshotCheck(address: client.connection.address, version: version, stored: stored)
    }

    private func begin(_ id: OperationID) -> FollowedOperation {
        let tracked = FollowedOperation()
        followed[id] = tracked
        return tracked
    }

    private func runner(_ tracked: FollowedOperation) throws(ClientFailure) -> FlinkOperationRunner {
        if picture.cluster == nil { try ask([.cluster]) }
        guard let cluster = picture.cluster else { throw ClientFailure(.noLink, "the cluster did not identify itself") }
        return FlinkOperationRunner(
            client: client, cluster: cluster, jars: ledger.jars, snapshots: check(cluster.version).sight,
            clock: { .now() },
            pause: { span in
                pause(milliseconds: Int32(clamping: span.count))
                return !tracked.isHalted
            },
            record: { [ledger] report in
                guard tracked.mayTake(report.step) else { return false }
                ledger.step(report)
                return true
            },
            tell: { [ledger] report in
                ledger.note(report)
                tracked.take(report)
            })
    }

    public func operation(_ id: OperationID) throws(ClientFailure) -> OperationReport {
        if let report = followed[id]?.report { return report }
        guard let entry = try ledger.entry(id) else { throw ClientFailure(.refused, "there is no operation \(id) on record") }
        return OperationReport(entry)
    }

    public func operations(limit: Int?) throws(ClientFailure) -> [OperationReport] {
        let limit = limit ?? 100
        var entries = try ledger.recent(limit: limit)
        var activities: [OperationID: String] = [:]
        if !entries.isEmpty {
            do throws(ClientFailure) {
                try ask([.cluster, .jobs])
                activities = settle(entries)
                entries = try ledger.recent(limit: limit)
            } catch {
                ledger.output.say("as the record has it: \(error.message ?? "the cluster does not answer")")
            }
        }
        return entries.map { entry in
            var report = OperationReport(entry)
            report.jobName = entry.request.job == .none ? "" : picture.job(entry.request.job)?.name ?? entry.request.job.short
            if !report.state.isTerminal { report.activity = activities[entry.request.id] }
            return report
        }
    }

    /// What is on its way, by a command of an older version perhaps, is not looked for before it can have arrived.
    private static let settlingTime: Milliseconds = .seconds(15)

    /// Asks what became of operations whose end nobody saw. What another process carries out is left to that. Returns what goes on.
    private func settle(_ entries: [LedgerEntry]) -> [OperationID: String] {
        guard let cluster = picture.cluster else { return [:] }
        var activities: [OperationID: String] = [:]
        let states = Dictionary(picture.reports(at: .now()).map { ($0.id, $0.stateText) }, uniquingKeysWith: { first, _ in first })
        for entry in entries where !entry.outcome.isTerminal {
            let id = entry.request.id
            if ledger.isCarriedOutElsewhere(id) {
                let job = states[entry.request.job].map { ": the job is \($0)" } ?? ""
                activities[id] = "being carried out by \(carrier(entry))\(job)"
                continue
            }
            guard entry.carrier != nil || entry.outcome != .intended || .now() - entry.sentAt >= Self.settlingTime else { continue }
            // One look at each; whoever wants to wait has --wait.
            let runner = FlinkOperationRunner(
                client: client, cluster: cluster, clock: { .now() }, pause: { _ in false }, tell: { [ledger] in ledger.note($0) })
            if let report = runner.resume(entry.sent) { activities[id] = report.activity }
        }
        return activities
    }

    public func wait(for id: OperationID, before deadline: Deadline, progress: (OperationReport) -> Void) throws(ClientFailure) -> OperationReport? {
        guard let tracked = followed[id] else { return try operation(id) }
        while let report = tracked.next(before: deadline) {
            progress(report)
            if report.state.isTerminal { return report }
        }
        if let message = tracked.refusal { throw ClientFailure(.refused, message) }
        return nil
    }

    public func follow<Value>(_ operation: OperationID, before deadline: Deadline, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value? {
        while !deadline.isOver {
            let known = try self.operation(operation)
            let focus: FlinkPicture.Focus = known.newJob.map { .job($0) } ?? .overview
            do throws(ClientFailure) { try watch(focus, for: 500, atMost: deadline.left) } catch  where error.status == .noLink {
                // It may come back, and the limit is the operator's patience.
            }
            var report = current()
            report.operations = [known]
            if let value = look(report) { return value }
        }
        return nil
    }

    public func recordedRecipe(of job: JobID) throws(ClientFailure) -> JarRecipe? { try ledger.recipe(of: job) }

    public func note(_ verdict: RestartProof.Verdict, of id: OperationID) { ledger.note(verdict, of: id) }
}

extension OperationReport {
    /// As the ledger has it.
    public init(_ entry: LedgerEntry) {
        let state: State =
            switch entry.outcome {
            case .intended, .accepted: .accepted
            case .running: .running
            case .completed: .completed
            case .failed, .refused: .failed
            case .unknown: .unknown
            case .interrupted: .interrupted
            }
        self.init(
            request: entry.request, jobName: "", state: state, acceptedAt: entry.sentAt, endedAt: entry.endedAt, checkpoint: entry.checkpoint,
            path: entry.path, newJob: entry.newJob, error: entry.error, reference: entry.reference, inference: entry.inference, jar: entry.jar)
        step = entry.step
        verdict = entry.verdict
    }
}
