internal import CheckpointStore
internal import StreamModel

/// Cause of a failure in a job: its text, and the machine's shortage, if that is the cause.
struct FailureCause: Sendable {
    var message: String
    var shortage: Shortage?
    /// Whether every restart would fail in the same way.
    var isFinal = false

    init(_ message: String, lacking shortage: Shortage? = nil) { (self.message, self.shortage) = (message, shortage) }

    init(_ error: any Error) {
        self.init(String(describing: error), lacking: JobError.shortage(behind: error))
        if case JobError.unusable = error { isFinal = true }
    }
}

extension JobError {
    /// Shortage behind an error from a connector, the store or the engine.
    static func shortage(behind error: any Error) -> Shortage? {
        switch error {
        case JobError.lacking(let shortage, _): shortage
        case let error as StoreError: error.shortage
        case let error as FilesystemError: Shortage(errno: error.errno, path: nil)
        default: nil
        }
    }

    /// Whether a retry may succeed: a read was refused, or the machine has run out of a resource.
    public var isPassing: Bool {
        switch self {
        case .unreadable, .lacking: true
        default: false
        }
    }

    /// The error without its shortage.
    var bare: JobError {
        if case .lacking(_, let error) = self { error.bare } else { self }
    }

    /// The error, with the machine's shortage if the error number shows one.
    func because(_ errno: Int32, at path: String) -> JobError { because(Shortage(errno: errno, path: path)) }

    func because(_ shortage: Shortage?) -> JobError { shortage.map { .lacking($0, self) } ?? self }
}
