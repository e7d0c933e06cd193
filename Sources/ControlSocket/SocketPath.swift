internal import Glibc
public import HostEnvironment

/// The location of a control socket in the file system: the standard path, and the checks before binding.
public enum SocketPath {
    /// Maximum path length of a Unix-domain socket in bytes: `sun_path` without its final zero.
    public static let maximumLength = 107

    /// The standard socket: `$XDG_RUNTIME_DIR/weir/engine.sock`, else `/run/user/UID/weir/engine.sock` if that directory is ours, else
    /// `/tmp/weir-UID/engine.sock`. `lookUp` reads the environment.
    public static func standard(lookUp: (String) -> String? = ProcessEnvironment.variable) -> String {
        if let runtime = lookUp("XDG_RUNTIME_DIR"), runtime.hasPrefix("/") { return runtime + "/weir/engine.sock" }
        let user = geteuid()
        var facts = stat()
        if lstat("/run/user/\(user)", &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == user {
            return "/run/user/\(user)/weir/engine.sock"
        }
        return "/tmp/weir-\(user)/engine.sock"
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The kernel's form of a path of checked length.
    static func address(of path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(maximumLength)) }
        return address
    }

    static func checkLength(_ path: String) throws(ControlServerError) {
        let length = path.utf8.count
        guard length <= maximumLength else { throw .pathTooLong(path: path, length: length) }
        guard length > 0, !path.utf8.contains(0) else { throw .system(operation: "use as a socket path", path: path, errno: EINVAL) }
    }

    /// Makes a missing directory with mode 0700, and refuses one that others own or may write to: they could replace our socket.
    static func prepareDirectory(_ directory: String) throws(ControlServerError) {
        if mkdir(directory, 0o700) != 0 && errno == ENOENT {
            try prepareParents(of: directory)
            if mkdir(directory, 0o700) != 0, errno != EEXIST { throw .system(operation: "make the directory", path: directory, errno: errno) }
        }
        var facts = stat()
        guard lstat(directory, &facts) == 0 else { throw .system(operation: "look at the directory", path: directory, errno: errno) }
        if facts.st_mode & S_IFMT == S_IFLNK {
            // A link is followed once, as `/var/run` is one; the owner of the directory behind it counts.
            guard stat(directory, &facts) == 0 else { throw .system(operation: "look at the directory", path: directory, errno: errno) }
        }
        guard facts.st_mode & S_IFMT == S_IFDIR else { throw .system(operation: "use the directory", path: directory, errno: ENOTDIR) }
        guard facts.st_uid == geteuid() else { throw .foreignDirectory(path: directory, owner: facts.st_uid) }
        guard facts.st_mode & 0o022 == 0 else { throw .sharedDirectory(path: directory, mode: facts.st_mode & 0o7777) }
    }

    private static func prepareParents(of directory: String) throws(ControlServerError) {
        let parent = self.directory(of: directory)
        guard parent != directory, mkdir(parent, 0o700) != 0 else { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            try prepareParents(of: parent)
            if mkdir(parent, 0o700) != 0, errno != EEXIST { throw .system(operation: "make the directory", path: parent, errno: errno) }
        default: throw .system(operation: "make the directory", path: parent, errno: errno)
        }
    }
}
