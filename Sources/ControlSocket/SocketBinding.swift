internal import Glibc

/// A bound and listening Unix-domain socket and the lock beside it. Owns the lock until `release()`; the event loop takes and closes the listening
/// descriptor.
///
/// The order is PostgreSQL's: lock file, removal of a leftover socket, bind, mode, and only then listen, so that no connection is accepted
/// before the mode is final. The socket has its mode from the start: the mode of the unbound descriptor decides on Linux, which spares the
/// process-wide umask.
struct SocketBinding: Sendable {
    let path: String
    let listeningDescriptor: Int32
    private let lockDescriptor: Int32
    /// Device and inode of our socket: only that one is ever removed.
    private let device: UInt
    private let inode: UInt

    /// Binds and listens. `mode` is 0600 for the operator socket and 0660 for the viewer socket.
    static func open(path: String, mode: UInt32) throws(ControlServerError) -> SocketBinding {
        try SocketPath.checkLength(path)
        try SocketPath.prepareDirectory(SocketPath.directory(of: path))
        let lock = try takeLock(of: path)
        do throws(ControlServerError) {
            try removeStaleSocket(at: path)
            return try bind(path: path, mode: mode, lock: lock)
        } catch {
            close(lock)
            throw error
        }
    }

    /// Removes the socket, if it is still ours, and releases the lock. The lock file stays: removing it would let two processes hold locks on two
    /// files of one name.
    func release() {
        var facts = stat()
        if lstat(path, &facts) == 0, UInt(facts.st_dev) == device, UInt(facts.st_ino) == inode { unlink(path) }
        close(lockDescriptor)
    }

    private static func takeLock(of path: String) throws(ControlServerError) -> Int32 {
        let lockPath = path + ".lock"
        let descriptor = Glibc.open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "open the lock file", path: lockPath, errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let problem = errno
            let holder = readProcessID(descriptor)
            close(descriptor)
            if problem == EWOULDBLOCK { throw .live(path: path, processID: holder) }
            throw .system(operation: "lock", path: lockPath, errno: problem)
        }
        let text = Array("\(getpid())\n".utf8)
        // The process id in the lock file only serves the message for a second engine: failing to write it is no failure.
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
        return descriptor
    }

    private static func readProcessID(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Removes a socket without a listener, refuses a live one, and leaves anything else alone. Called under the lock.
    private static func removeStaleSocket(at path: String) throws(ControlServerError) {
        var facts = stat()
        guard lstat(path, &facts) == 0 else {
            if errno == ENOENT { return }
            throw .system(operation: "look at", path: path, errno: errno)
        }
        guard facts.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path, kind: kind(facts.st_mode)) }
        let probe = try makeSocket(for: path)
        defer { close(probe) }
        if withAddress(path, { connect(probe, $0, $1) }) == 0 { throw .live(path: path, processID: peerProcessID(probe)) }
        switch errno {
        case ECONNREFUSED, ENOENT: break
        // A full backlog belongs to a live, if slow, engine.
        case EAGAIN: throw .live(path: path, processID: nil)
        default: throw .system(operation: "find out whether an engine listens at", path: path, errno: errno)
        }
        guard unlink(path) == 0 || errno == ENOENT else { throw .system(operation: "remove the stale socket", path: path, errno: errno) }
    }

    private static func kind(_ mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFREG: "a regular file"
        case S_IFDIR: "a directory"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a FIFO"
        default: "a device"
        }
    }

    private static func makeSocket(for path: String) throws(ControlServerError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .system(operation: "make a socket for", path: path, errno: errno) }
        return descriptor
    }

    private static func bind(path: String, mode: UInt32, lock: Int32) throws(ControlServerError) -> SocketBinding {
        let descriptor = try makeSocket(for: path)
        var isBound = false
        do throws(ControlServerError) {
            guard fchmod(descriptor, mode) == 0 else { throw .system(operation: "set the mode of", path: path, errno: errno) }
            guard withAddress(path, { Glibc.bind(descriptor, $0, $1) }) == 0 else { throw .system(operation: "bind", path: path, errno: errno) }
            isBound = true
            guard chmod(path, mode) == 0 else { throw .system(operation: "set the mode of", path: path, errno: errno) }
            var facts = stat()
            guard lstat(path, &facts) == 0 else { throw .system(operation: "look at", path: path, errno: errno) }
            guard facts.st_mode & S_IFMT == S_IFSOCK, facts.st_mode & 0o777 == mode, facts.st_uid == geteuid() else {
                throw .system(operation: "keep others from", path: path, errno: EPERM)
            }
            guard listen(descriptor, backlog) == 0 else { throw .system(operation: "listen at", path: path, errno: errno) }
            return SocketBinding(
                path: path, listeningDescriptor: descriptor, lockDescriptor: lock, device: UInt(facts.st_dev), inode: UInt(facts.st_ino))
        } catch {
            close(descriptor)
            if isBound { unlink(path) }
            throw error
        }
    }

    /// Backlog of connections: the accepting thread yields to the jobs, so it may be late.
    private static let backlog: Int32 = 1024

    private static func peerProcessID(_ descriptor: Int32) -> Int32? {
        var credentials = PeerCredentials()
        var length = socklen_t(MemoryLayout<PeerCredentials>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return credentials.processID
    }

    private static func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = SocketPath.address(of: path)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}

/// The kernel's `struct ucred`: the peer at the time of the connection.
struct PeerCredentials: Sendable {
    var processID: Int32 = 0
    var userID: UInt32 = .max
    var groupID: UInt32 = .max
}
