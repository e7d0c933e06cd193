// The words of operations: the same on every screen and in every command.

extension OperationRequest.Kind {
    /// "savepoint", "stop+drain", "cancel+discard".
    public var title: String {
        switch self {
        case .savepoint: "savepoint"
        case .checkpoint: "checkpoint"
        case .stop(let drain, _): drain ? "stop+drain" : "stop"
        case .cancel(.discard): "cancel+discard"
        case .cancel: "cancel"
        case .restart: "restart"
        case .launch: "launch"
        case .dispose: "dispose"
        case .uploadJar: "upload jar"
        case .deleteJar: "delete jar"
        case .fault: "fault"
        }
    }
}

extension OperationRequest {
    /// The id of the job, or the end of the path of what it is about.
    public var subject: String {
        switch kind {
        case .dispose(let path), .uploadJar(let path), .deleteJar(let path): path.split(separator: "/").last.map(String.init) ?? path
        case .savepoint, .checkpoint, .stop, .cancel, .restart, .launch, .fault: job.short
        }
    }
}

extension OperationReport {
    /// The job, or the end of the path of what it is about.
    public var subject: String { jobName.isEmpty ? request.subject : jobName }

    /// How far it is known to have come, as the glossary has it: "accepted", "completed", "proven".
    public var stage: String { state == .completed && verdict?.isProven == true ? "proven" : state.rawValue }

    /// What came of it in one line; nil = nothing to tell yet.
    public var result: String? {
        if let error { return error }
        if let activity { return activity }
        if let deletedCheckpoints {
            return "\(deletedCheckpoints) checkpoint\(deletedCheckpoints == 1 ? "" : "s") deleted\(path.map { ", kept \($0)" } ?? "")"
        }
        if let newJob { return "job \(newJob.short)\(path.map { " from \($0)" } ?? "")" }
        return path ?? checkpoint.map { "checkpoint #\($0)" } ?? jar
    }
}
