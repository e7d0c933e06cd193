internal import StreamModel

/// The report of an operation as it grows; tells when it has changed. Belongs to the thread that runs the operation.
final class OperationTrack {
    private(set) var report: OperationReport
    /// Nothing is reported before the cluster has accepted it.
    private var isAccepted = false
    var isTold: Bool { isAccepted }
    private let tell: (OperationReport) -> Void

    var request: OperationRequest { report.request }

    init(_ report: OperationReport, tell: @escaping (OperationReport) -> Void) {
        self.report = report
        self.tell = tell
    }

    private func change(_ body: (inout OperationReport) -> Void) {
        let before = report
        body(&report)
        if isAccepted, report != before { tell(report) }
    }

    func name(_ name: String) { change { $0.jobName = name } }

    func accept(reference: String?) {
        guard !isAccepted else { return }
        isAccepted = true
        report.reference = reference ?? report.reference
        tell(report)
    }

    func run(checkpoint: CheckpointID? = nil, acknowledged: Int? = nil, of total: Int? = nil) {
        isAccepted = true
        change { report in
            report.state = .running
            report.checkpoint = checkpoint ?? report.checkpoint
            report.acknowledgedSubtasks = acknowledged ?? report.acknowledgedSubtasks
            report.totalSubtasks = total ?? report.totalSubtasks
        }
    }

    func note(checkpoint: CheckpointID? = nil, path: String?) {
        change { report in
            report.checkpoint = checkpoint ?? report.checkpoint
            report.path = path ?? report.path
        }
    }

    /// Announces the next step; the caller records it before taking it.
    func step(_ step: OperationStep?) { report.step = step }

    /// The current activity; nil = the state says it all.
    func doing(_ activity: String?) { change { $0.activity = activity } }

    /// The id of the job that is about to be launched.
    func note(reference: String) { change { $0.reference = reference } }

    func note(jar: String) { change { $0.jar = jar } }

    func launched(_ job: JobID) { change { $0.newJob = job } }

    func end(_ state: OperationReport.State, error: String? = nil, inference: String? = nil, at time: WallTime) {
        isAccepted = true
        change { report in
            (report.state, report.endedAt, report.error, report.inference, report.activity) = (state, time, error, inference, nil)
        }
    }
}
