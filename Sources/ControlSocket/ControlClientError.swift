public import ControlProtocol
internal import Glibc

/// Reason why a call returned no reply: no link to the engine, or a refusal by the engine.
public enum ControlClientError: Error, Sendable, Equatable, CustomStringConvertible {
    case pathTooLong(path: String, length: Int)
    /// No entry at the path.
    case noSocket(path: String)
    /// A socket without a listener: its engine ended without cleaning up.
    case notListening(path: String)
    case notASocket(path: String)
    case noPermission(path: String)
    /// The engine runs as a user that was not named. Nothing was sent to it.
    case foreignEngine(path: String, owner: UInt32)
    /// Another user owns the directory of the socket, and could replace the engine. Nothing was sent.
    case foreignDirectory(path: String, directory: String, owner: UInt32)
    /// Others can replace the socket. Nothing was sent.
    case sharedDirectory(path: String, directory: String, mode: UInt32)
    case connectTimedOut(path: String, Int64)
    case callTimedOut(verb: ControlVerb, Int64)
    /// The link ended. A mutating call may or may not have been accepted: query its operation id.
    case closed(path: String)
    /// The engine sent data that this client cannot decode.
    case unreadable(path: String, String)
    case system(path: String, errno: Int32)
    /// The engine refused the request.
    case failure(ControlFailure)

    /// Whether the engine was not reached or not understood; false if it answered.
    public var isLinkFailure: Bool { if case .failure = self { false } else { true } }

    public var description: String {
        switch self {
        case .pathTooLong(let path, let length):
            "socket path is \(length) bytes, the limit is \(SocketPath.maximumLength): \(path)"
        case .noSocket(let path): "no engine at \(path): there is no socket; start one with 'weir engine' or name another with --socket"
        case .notListening(let path): "no engine at \(path): the socket is stale, its engine has ended; start it again with 'weir engine'"
        case .notASocket(let path): "\(path) is not a socket: name the engine's socket with --socket"
        case .noPermission(let path): "no permission for \(path): it belongs to another user"
        case .foreignEngine(let path, let owner):
            "the engine at \(path) runs as \(EngineTrust.name(of: owner)), not as you (uid \(geteuid())) or root: nothing was sent to it; "
                + "if it is the right one, say --trust-owner \(owner), or owner = \"\(owner)\" in its context"
        case .foreignDirectory(let path, let directory, let owner):
            "the directory of \(path), \(directory), belongs to \(EngineTrust.name(of: owner)), who can put another engine there: nothing was sent; "
                + "if you trust that user, say --trust-owner \(owner), or owner = \"\(owner)\" in its context"
        case .sharedDirectory(let path, let directory, let mode):
            "the directory of \(path), \(directory), can be written by others (mode \(String(mode, radix: 8))), who can put another engine there: "
                + "nothing was sent; its owner has to take that away (chmod go-w \(directory))"
        case .connectTimedOut(let path, let limit): "the engine at \(path) did not answer within \(limit) ms: it may hang"
        case .callTimedOut(let verb, let limit): "\(verb.rawValue): no answer within \(limit) ms; the request may still be carried out"
        case .closed(let path): "the engine at \(path) closed the connection"
        case .unreadable(let path, let problem): "\(path): \(problem)"
        case .system(let path, let errno): "cannot connect to \(path): \(String(cString: strerror(errno)))"
        case .failure(let failure): failure.message
        }
    }

    static func connecting(to path: String, _ errno: Int32) -> Self {
        switch errno {
        case ENOENT, ENOTDIR: .noSocket(path: path)
        // Connecting to a regular file is refused just as with a dead socket.
        case ECONNREFUSED: isSocket(path) ? .notListening(path: path) : .notASocket(path: path)
        case ENOTSOCK, EPROTOTYPE: .notASocket(path: path)
        case EACCES, EPERM: .noPermission(path: path)
        default: .system(path: path, errno: errno)
        }
    }

    private static func isSocket(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFSOCK
    }
}
