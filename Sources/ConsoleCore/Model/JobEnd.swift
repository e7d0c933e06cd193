import CellGrid
import StreamModel

/// An operation that ended a job, in the words of its condition.
enum JobEnd: Sendable, Equatable {
    case stopped(CheckpointID?, by: String)
    case canceled(by: String, deleted: Int?)
    case restarted(OperationID, by: String)

    /// nil = the operation has ended no job.
    init?(_ operation: TrackedOperation) {
        guard let report = operation.report, report.state == .completed || operation.stage == .observed else { return nil }
        let by = operation.request.by
        switch operation.request.kind {
        case .stop: self = .stopped(report.checkpoint, by: by)
        case .cancel: self = .canceled(by: by, deleted: report.deletedCheckpoints)
        case .restart(let options) where options.cancelsFirst: self = .restarted(operation.id, by: by)
        case .savepoint, .checkpoint, .restart, .launch, .dispose, .uploadJar, .deleteJar, .fault: return nil
        }
    }

    /// "by ana@ops", with a space before it; empty where nobody is named.
    private static func author(_ by: String) -> SafeText { by.isEmpty ? "" : " by \(SafeText(by).middle(columns: 24))" }

    /// The reason of FINISHED; nil = this is none.
    var stop: SafeText? {
        guard case .stopped(let savepoint, let by) = self else { return nil }
        return (savepoint.map { "stopped with savepoint #\($0)" } ?? "stopped with a savepoint") + Self.author(by)
    }

    /// The whole condition of a CANCELED job.
    /// - Parameter rest: what is known of its checkpoints.
    func canceled(_ rest: SafeText) -> SafeText {
        switch self {
        case .stopped: "CANCELED: \(rest)"
        case .canceled(let by, let deleted?): "CANCELED\(Self.author(by)): \(Figures.plural(deleted, "checkpoint")) deleted"
        case .canceled(let by, nil): "CANCELED\(Self.author(by)): \(rest)"
        case .restarted(let id, let by): "CANCELED for restart \(id.short)\(Self.author(by)): \(rest)"
        }
    }
}
