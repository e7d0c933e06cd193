internal import ControlProtocol
internal import ControlSocket

/// Why a command ends without success: what to say, and what to tell the caller.
struct CommandFailure: Error {
    var status: ExitStatus
    /// nil = it was said already.
    var message: String?

    init(_ status: ExitStatus, _ message: String?) {
        self.status = status
        self.message = message
    }

    init(_ error: ControlClientError) {
        message = error.description
        guard case .failure(let failure) = error else {
            status = .noLink
            return
        }
        switch failure.kind {
        case .internal: status = .failed
        case .busy, .version, .timedOut: status = .noLink
        default: status = .refused
        }
    }
}
