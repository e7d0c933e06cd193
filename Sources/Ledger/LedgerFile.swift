internal import Glibc

/// The place of a ledger on disk: a file of mode 0600 in a directory of mode 0700.
enum LedgerFile {
    /// Makes the missing directories (0700) and the file (0600) and checks that the file is a plain one of this user.
    /// Existing directories are left as they are: they may hold more than ours.
    static func prepare(_ path: String) throws(LedgerError) {
        try makeDirectories(above: path)
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path: path, code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .file(path: path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else { throw .notOurs(path: path) }
        // A ledger tells who did what and why; older copies may have come with a wider mode.
        if status.st_mode & 0o077 != 0, fchmod(descriptor, 0o600) != 0 { throw .file(path: path, errno: errno) }
    }

    private static func failure(path: String, code: Int32) -> LedgerError {
        switch code {
        case ELOOP, EISDIR: .notOurs(path: path)
        case ENOSPC, EDQUOT, EFBIG: .full(path: path)
        case EROFS: .readOnly(path: path)
        case EACCES: access(path, F_OK) == 0 ? .readOnly(path: path) : .file(path: path, errno: code)
        default: .file(path: path, errno: code)
        }
    }

    private static func makeDirectories(above path: String) throws(LedgerError) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let directory = String(path[..<slash])
        if access(directory, X_OK) == 0 { return }
        if errno == ENOENT {
            try makeDirectories(above: directory)
            // Two consoles may start at once: the other one having made it is as good.
            if mkdir(directory, 0o700) == 0 || errno == EEXIST { return }
        }
        throw .directory(path: directory, errno: errno)
    }
}
