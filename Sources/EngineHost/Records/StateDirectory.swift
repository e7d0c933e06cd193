internal import Glibc

/// Check of a state directory's ownership. An engine launches the recorded jobs with its own rights, so records that others could have written
/// are refused.
public enum StateDirectory {
    public enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
        case foreign(path: String, owner: UInt32, user: UInt32)
        case writable(path: String, mode: UInt32)
        case link(path: String)

        public var description: String {
            switch self {
            case .foreign(let path, let owner, let user):
                "\(path) belongs to uid \(owner), not to you (uid \(user)): an engine runs the jobs that are recorded there; name a directory of your own with --state"
            case .writable(let path, let mode):
                "\(path) can be written by others (mode \(String(mode, radix: 8))): an engine runs the jobs that are recorded there; look at what is in it, then chmod -R go-w it"
            case .link(let path): "\(path) is a symbolic link: name the directory that it leads to with --state"
            }
        }
    }

    /// Throws if others own or can write the directory or its records. A missing directory is accepted.
    public static func requireOwn(_ path: String) throws(Problem) {
        // The directory itself may be a link; its entries may not.
        guard let directory = facts(of: path, followsLinks: true) else { return }
        try require(path, directory)
        for name in ["lock", "operations.log", "jobs", "checkpoints"] {
            if let entry = facts(of: path + "/" + name) { try require(path + "/" + name, entry) }
        }
        for name in names(in: path + "/jobs") where name.hasSuffix(".json") {
            if let entry = facts(of: path + "/jobs/" + name) { try require(path + "/jobs/" + name, entry) }
        }
    }

    private static func require(_ path: String, _ facts: stat) throws(Problem) {
        let user = geteuid()
        if facts.st_mode & S_IFMT == S_IFLNK { throw .link(path: path) }
        if facts.st_uid != user { throw .foreign(path: path, owner: facts.st_uid, user: user) }
        if facts.st_mode & 0o022 != 0 { throw .writable(path: path, mode: UInt32(facts.st_mode & 0o7777)) }
    }

    /// Status of an entry; nil = missing or inaccessible: opening it reports the reason.
    private static func facts(of path: String, followsLinks: Bool = false) -> stat? {
        var facts = stat()
        return (followsLinks ? stat(path, &facts) : lstat(path, &facts)) == 0 ? facts : nil
    }

    private static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
                })
        }
        return names.sorted()
    }
}
