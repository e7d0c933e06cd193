internal import CheckpointStore
internal import StreamModel

/// Why something of a job failed: in words, and what the machine lacked, where that is why.
struct FailureCause: Sendable {
    var message: String
    var shortage: Shortage?

    init(_ message: String, lacking shortage: Shortage? = nil) { (self.message, self.shortage) = (message, shortage) }

    init(_ error: any Error) { self.init(String(describing: error), lacking: JobError.shortage(behind: error)) }
}

extension JobError {
    /// What the machine lacked when a connector, the store or the engine gave this error.
    static func shortage(behind error: any Error) -> Shortage? {
        switch error {
        case JobError.lacking(let shortage, _): shortage
        case let error as StoreError: error.shortage
        case let error as FilesystemError: Shortage(errno: error.errno, path: nil)
        default: nil
        }
    }

    /// It may be over the next time: a read was refused, or the machine has run out of something.
    public var isPassing: Bool {
        switch self {
        case .unreadable, .lacking: true
        default: false
        }
    }

    /// The error without the shortage behind it.
    var bare: JobError {
        if case .lacking(_, let error) = self { error.bare } else { self }
    }

    /// The error, with what the machine lacked where the error number says so.
    func because(_ errno: Int32, at path: String) -> JobError { because(Shortage(errno: errno, path: path)) }

    func because(_ shortage: Shortage?) -> JobError { shortage.map { .lacking($0, self) } ?? self }
}
