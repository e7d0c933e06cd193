internal import Glibc

/// How many files this process may open at once (RLIMIT_NOFILE, `ulimit -n`), and what that allows.
public enum OpenFileLimit {
    /// For an engine with a few jobs: its sockets, locks and threads take about 20, a job about 10 and more while it takes a checkpoint.
    public static let neededByEngine = 56
    /// For a console with a few contexts, or a command.
    public static let neededByClient = 32

    /// More than an engine of thousands of files needs; some systems scan all numbers up to the limit when they start a program.
    private static let useful: rlim_t = 65_536

    /// Raises the soft limit as far as the hard one allows and is useful, and refuses to go on with fewer files than are needed: later, a
    /// thread or a socket would be missing in the middle of something.
    /// - Parameter program: who needs them, such as "weir engine".
    public static func prepare(for program: String, needed: Int) throws(OpenFileLimitError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, max(useful, limit.rlim_cur))
        if wanted > limit.rlim_cur {
            limit.rlim_cur = wanted
            // What cannot be raised is judged as it is.
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        }
        let open = openFiles()
        guard limit.rlim_cur < rlim_t(needed + open) else { return }
        throw OpenFileLimitError(program: program, limit: UInt64(limit.rlim_cur), open: open, needed: needed)
    }

    /// Files open already, beyond the standard three: whoever started this process may have left some.
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

    /// Clients that leave enough for the jobs.
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
    /// Those that were open when the process began.
    public var open: Int
    public var needed: Int

    public var description: String {
        let taken = open > 0 ? ", of which \(open) are taken already" : ""
        return "this process may open \(limit) files at once\(taken), and \(program) needs \(needed): raise the limit with 'ulimit -n 1024' "
            + "(LimitNOFILE=1024 in a unit of systemd) and start it again"
    }
}
