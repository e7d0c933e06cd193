import CellGrid
import StreamModel

/// An operator's action on a job.
enum Action: Sendable, Equatable {
    case savepoint(directory: String?)
    case checkpoint
    case stop(drain: Bool)
    case cancel(CancelRetention)
    case restart(RestartOptions, chosen: CheckpointID?)
    /// The first launch of a job: no key does it, but the record has it.
    case launch(RestartOptions)
    /// Delete a snapshot; `CheckpointReport` is its row, where there is one.
    case dispose(path: String, CheckpointReport?)
    /// A jar is sent or deleted: no key does it, but the record has it.
    case jar(OperationRequest.Kind)
    case fault(String)

    var tier: GuardTier {
        switch self {
        case .savepoint, .checkpoint: .reversible
        case .fault, .jar: .reversible
        case .stop, .cancel(.byPolicy), .cancel(.keep): .ending
        case .cancel(.discard), .restart, .launch, .dispose: .replacing
        }
    }

    /// Whether it deletes state for good.
    var destroys: Bool {
        switch self {
        case .cancel(.discard), .dispose: true
        default: false
        }
    }

    var command: Command? {
        switch self {
        case .savepoint: .savepoint
        case .checkpoint: .checkpoint
        case .stop: .stop
        case .cancel: .cancel
        case .restart: .restart
        case .dispose: .dispose
        case .launch, .jar, .fault: nil
        }
    }

    var title: SafeText {
        switch self {
        case .savepoint: "SAVEPOINT"
        case .checkpoint: "CHECKPOINT NOW"
        case .stop(let drain): drain ? "STOP WITH SAVEPOINT, DRAIN" : "STOP WITH SAVEPOINT"
        case .cancel(.discard): "CANCEL AND DISCARD ALL STATE"
        case .cancel: "CANCEL, KEEP CHECKPOINTS"
        case .restart: "RESTART FROM A CHECKPOINT"
        case .launch: "LAUNCH"
        case .dispose(_, let chosen): chosen?.kind.isSavepoint ?? true ? "DELETE A SAVEPOINT" : "DELETE A RETAINED CHECKPOINT"
        case .jar: "JAR"
        case .fault: "FAULT"
        }
    }

    var kind: OperationRequest.Kind {
        switch self {
        case .savepoint(let directory): .savepoint(directory: directory)
        case .checkpoint: .checkpoint
        case .stop(let drain): .stop(drain: drain, directory: nil)
        case .cancel(let retention): .cancel(retention)
        case .restart(let options, _): .restart(options)
        case .launch(let options): .launch(options)
        case .dispose(let path, _): .dispose(path: path)
        case .jar(let kind): kind
        case .fault(let text): .fault(text)
        }
    }
}
