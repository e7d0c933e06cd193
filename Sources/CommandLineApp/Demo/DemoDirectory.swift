internal import ControlSocket
internal import EngineClients
internal import Glibc
internal import HostEnvironment

/// The private directory of one demo. Its `owner` file stays locked as long as the demo or its engine lives, however they die. The next demo
/// recognises the leftovers of a killed one by that, and removes them.
struct DemoDirectory {
    let path: String
    /// The open and locked `owner` file. The engine inherits it.
    let lock: Int32

    private static let prefix = "weir-demo-", mark = "weir demo, process "

    /// A socket path has 107 bytes: a very long TMPDIR is passed over.
    private static var parent: String {
        ProcessEnvironment.variable("TMPDIR").flatMap { $0.hasPrefix("/") && $0.utf8.count < 60 ? $0 : nil } ?? "/tmp"
    }

    static func make() throws(ClientFailure) -> DemoDirectory {
        sweep(parent)
        var template = Array((parent + "/" + prefix + "XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ClientFailure(.failed, "cannot make a directory in \(parent): \(String(cString: strerror(errno)))")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let lock = lockOwner(of: path) else {
            let problem = String(cString: strerror(errno))
            removeTree(path)
            throw ClientFailure(.failed, "cannot write \(path)/owner: \(problem)")
        }
        return DemoDirectory(path: path, lock: lock)
    }

    /// Locked under another name first: an `owner` file that is there and not locked is a dead demo's at any moment.
    private static func lockOwner(of path: String) -> Int32? {
        let descriptor = open(path + "/owner.new", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        let text = Array("\(mark)\(getpid())\n".utf8)
        guard write(descriptor, text, text.count) == text.count, flock(descriptor, LOCK_EX | LOCK_NB) == 0,
            rename(path + "/owner.new", path + "/owner") == 0
        else {
            let problem = errno
            close(descriptor)
            errno = problem
            return nil
        }
        return descriptor
    }

    func remove() {
        removeTree(path)
        close(lock)
    }

    /// Removes the directories of dead demos of this user. One without the mark, of somebody else, or locked is left alone.
    static func sweep(_ parent: String) {
        // A parent that cannot be listed has nothing for us; making the directory then says what is wrong with it.
        guard let stream = opendir(parent) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasPrefix(prefix), isDead(parent + "/" + name) { removeTree(parent + "/" + name) }
        }
    }

    private static func isDead(_ path: String) -> Bool {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, facts.st_uid == geteuid() else { return false }
        let descriptor = open(path + "/owner", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_uid == geteuid() else { return false }
        var text = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &text, text.count)
        guard count > 0, String(decoding: text.prefix(count), as: UTF8.self).hasPrefix(mark) else { return false }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }
}
