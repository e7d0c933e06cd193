internal import Glibc

/// The limit of open files of this process (RLIMIT_NOFILE, `ulimit -n`) and its consequences.
public enum OpenFileLimit {
    /// Files for an engine with a few jobs: its sockets, locks and threads take about 20, a job about 10 and more during a checkpoint.
    public static let neededByEngine = 56
    /// Files for a console with a few contexts, or a command.
    public static let neededByClient = 32

    /// Upper bound of useful limits, above the need of an engine with thousands of files; some systems scan all numbers up to the limit when
    /// they start a program.
    private static let useful: rlim_t = 65_536

    /// Raises the soft limit as far as allowed and useful, and throws if fewer files than needed are available: otherwise a thread or a socket would
    /// be missing later, in the middle of an operation.
    /// - Parameter program: name of the program, such as "weir engine".
    public static func prepare(for program: String, needed: Int) throws(OpenFileLimitError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, max(useful, limit.rlim_cur))
        if wanted > limit.rlim_cur {
            limit.rlim_cur = wanted
            // A limit that cannot be raised is judged unchanged.
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        }
        let open = openFiles()
        guard limit.rlim_cur < rlim_t(needed + open) else { return }
        throw OpenFileLimitError(program: program, limit: UInt64(limit.rlim_cur), open: open, needed: needed)
    }

    /// Number of files already open beyond the standard three, left by the parent process.
    private static func openFiles() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        // The directory itself is among them.
        return max(0, count - 1 - 3)
    }

    /// Number of clients that leaves enough files for the jobs.
    static var roomForClients: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        return roomForClients(limit: UInt64(limit.rlim_cur))
    }

    static func roomForClients(limit: UInt64) -> Int {
        max(4, (Int(clamping: min(limit, 1 << 20)) - neededByEngine / 2) / 4)
    }
}

/// This process may not open as many files as it needs.
public struct OpenFileLimitError: Error, Sendable, Equatable, CustomStringConvertible {
    public var program: String
    public var limit: UInt64
    /// Number of files open at the start of the process.
    public var open: Int
    public var needed: Int

    public var description: String {
        let taken = open > 0 ? ", of which \(open) are taken already" : ""
        return "this process may open \(limit) files at once\(taken), and \(program) needs \(needed): raise the limit with 'ulimit -n 1024' "
            + "(LimitNOFILE=1024 in a unit of systemd) and start it again"
    }
}
