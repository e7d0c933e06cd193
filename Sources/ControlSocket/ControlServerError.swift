internal import Glibc

/// Reason why a control socket could not be opened for listening.
public enum ControlServerError: Error, Sendable, Equatable, CustomStringConvertible {
    case pathTooLong(path: String, length: Int)
    /// Another kind of entry at the path, which was left alone.
    case notASocket(path: String, kind: String)
    /// Another engine listens there. `processID` is nil if unknown.
    case live(path: String, processID: Int32?)
    /// Another user owns the directory of the socket.
    case foreignDirectory(path: String, owner: UInt32)
    /// Others may write to the directory of the socket.
    case sharedDirectory(path: String, mode: UInt32)
    case system(operation: String, path: String, errno: Int32)

    public var description: String {
        switch self {
        case .pathTooLong(let path, let length):
            "socket path is \(length) bytes, the limit is \(SocketPath.maximumLength): choose a shorter one than \(path)"
        case .notASocket(let path, let kind):
            "\(path) is \(kind), not a socket: it was left alone; remove it or choose another socket path"
        case .live(let path, let processID):
            "an engine already listens at \(path)\(processID.map { " (pid \($0))" } ?? ""): stop it or choose another socket path"
        case .foreignDirectory(let path, let owner):
            "directory \(path) belongs to uid \(owner), not to you: choose a socket path in a directory of your own"
        case .sharedDirectory(let path, let mode):
            "directory \(path) can be written by others (mode \(String(mode, radix: 8))): choose a socket path in a directory with mode 700"
        case .system(let operation, let path, let errno):
            "cannot \(operation) \(path): \(String(cString: strerror(errno)))"
        }
    }
}
