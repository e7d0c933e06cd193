internal import Glibc

/// Checks the files of a new run before its job starts: what cannot be read or written is reported once, and no restart is spent on it.
struct PathCheck {
    /// Absolute paths, one per line.
    var input: String?
    var output: String?

    /// The problem in one sentence; nil = none is known.
    var problem: String? {
        for path in (input ?? "").split(separator: "\n") { if let problem = Self.problem(reading: String(path)) { return problem } }
        return output.flatMap(Self.problem(writing:))
    }

    private static func problem(reading path: String) -> String? {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return "cannot read the input \(path): \(String(cString: strerror(errno)))" }
        switch facts.st_mode & S_IFMT {
        case S_IFREG, S_IFDIR: break
        default:
            return "the input \(path) is \(kind(facts.st_mode)), not a regular file: a restart could not read it again; copy its content to a file"
        }
        return access(path, R_OK) == 0 ? nil : "cannot read the input \(path): \(String(cString: strerror(errno)))"
    }

    /// A directory that does not exist is made.
    private static func problem(writing path: String) -> String? {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        return facts.st_mode & S_IFMT == S_IFDIR ? nil : "the output \(path) is \(kind(facts.st_mode)), not a directory: name a directory"
    }

    private static func kind(_ mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFREG: "a file"
        case S_IFDIR: "a directory"
        case S_IFIFO: "a named pipe"
        case S_IFSOCK: "a socket"
        case S_IFCHR: "a character device"
        case S_IFBLK: "a block device"
        default: "something else"
        }
    }
}
