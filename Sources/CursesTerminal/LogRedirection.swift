internal import Glibc

/// Sends standard error to a file while the screen is in use: a library warning must not garble it. Owned by the terminal.
struct LogRedirection {
    private let savedStandardError: Int32
    /// Path of the log; nil when none could be opened and the text is discarded.
    let path: String?
    private static let sizeLimit: off_t = 1 << 20

    /// Redirects standard error if it goes to a terminal. nil = not redirected.
    init?(path: String?) {
        guard isatty(STDERR_FILENO) == 1 else { return nil }
        var target: Int32 = -1
        if let path { target = Self.open(path) }
        self.path = target >= 0 ? path : nil
        if target < 0 { target = Glibc.open("/dev/null", O_WRONLY | O_CLOEXEC) }
        guard target >= 0 else { return nil }
        let saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
        guard saved >= 0 else {
            close(target)
            return nil
        }
        savedStandardError = saved
        dup2(target, STDERR_FILENO)
        close(target)
    }

    func restore() {
        dup2(savedStandardError, STDERR_FILENO)
        close(savedStandardError)
    }

    /// Opens the log for appending, private to the user; one that has grown too long is truncated.
    private static func open(_ path: String) -> Int32 {
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { makeDirectories(String(path[..<slash])) }
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return -1 }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
            close(descriptor)
            return -1
        }
        if status.st_size > sizeLimit { ftruncate(descriptor, 0) }
        return descriptor
    }

    private static func makeDirectories(_ path: String) {
        if access(path, F_OK) == 0 { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { makeDirectories(String(path[..<slash])) }
        mkdir(path, 0o700)
    }
}
