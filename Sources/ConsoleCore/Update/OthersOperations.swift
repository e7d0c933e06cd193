import StreamModel

// Engines that keep no record of operations: what other processes of this user do there is in our own.
extension ConsoleModel {
    /// The time between two looks at the record, while a screen shows operations.
    private static let recordPeriod = Milliseconds.seconds(5)
    /// A restart launched within this time is followed to its proof, whoever started it.
    private static let proofReach = Milliseconds.minutes(60)

    /// Asks for the record if the screen shows operations and an engine does not report them all.
    mutating func requestRecord(_ effects: inout [ConsoleEffect]) {
        switch screen {
        case .overview, .operations, .operation, .job, .audit: break
        default: return
        }
        guard frozen == nil, live.contexts.contains(where: { $0.link.isUp && !$0.capabilities.reportsOperations }) else { return }
        if let asked = recordAskedAt, now - asked < Self.recordPeriod { return }
        recordAskedAt = now
        effects.append(.loadAudit)
    }

    /// Adds the recorded operations of other processes, and updates those of which the record knows more.
    mutating func takeUp(_ records: [AuditRecord]) {
        for record in records.reversed() {
            guard let report = record.report, let context = live.context(record.context), !context.capabilities.reportsOperations else { continue }
            if let index = live.operations.firstIndex(where: { $0.id == record.id }) {
                // What this process does itself it hears of at once, and more of.
                if !live.operations[index].isFollowed { live.operations[index].observe(report) }
                continue
            }
            insert(operation(of: record, report, in: context))
        }
    }

    private func operation(of record: AuditRecord, _ report: OperationReport, in context: ContextState) -> TrackedOperation {
        let name = record.jobName.isEmpty ? context.job(record.request.job)?.name ?? report.newJob.flatMap { context.job($0)?.name } ?? "" : record.jobName
        let isLive = report.newJob.flatMap { context.job($0) }.map { !$0.state.isTerminal } ?? false
        let isRecent = now - record.at < Self.proofReach
        var operation = TrackedOperation(
            record.request, context: record.context, jobName: name.isEmpty ? record.request.job.short : name, since: record.at, isOwn: false,
            // The new job of an old restart has ended or gone on since: it proves nothing any more.
            isProvable: isLive && isRecent)
        operation.isReattached = isLive && isRecent && report.state == .completed
        operation.observe(report)
        return operation
    }
}
