internal import ControlProtocol
public import ControlSocket
public import HostEnvironment

/// Why a command ends without success: what to say, and what to tell the caller.
public struct ClientFailure: Error {
    public var status: ExitStatus
    /// nil = it was said already.
    public var message: String?

    public init(_ status: ExitStatus, _ message: String?) {
        self.status = status
        self.message = message
    }

    public init(_ error: ControlClientError) {
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
