internal import Glibc

/// The users whose engines a client trusts: its own user, root, and users named for it.
///
/// The server of a socket learns the requests, and its answers are believed: a false one could hide a failed job or report a savepoint never
/// taken. The owner of the other end, from the kernel, is therefore checked before anything is sent.
public struct EngineTrust: Sendable, Equatable {
    /// Trust in this process's own user and root.
    public static let own = EngineTrust()

    /// User ids named in addition.
    public var owners: Set<UInt32>

    public init(owners: Set<UInt32> = []) { self.owners = owners }

    /// Parses a user id or the name of a local user; nil = unknown.
    public init?(owner text: String) {
        if let number = UInt32(text), number != .max {
            self.init(owners: [number])
        } else {
            guard let userID = Self.userID(of: text) else { return nil }
            self.init(owners: [userID])
        }
    }

    func includes(_ userID: UInt32, client: UInt32 = geteuid()) -> Bool { userID == client || userID == 0 || owners.contains(userID) }

    /// Refuses a socket whose directory lets others replace it. A missing path is reported by the connection.
    func checkDirectory(of path: String) throws(ControlClientError) {
        let directory = SocketPath.directory(of: path)
        var facts = stat()
        guard stat(directory, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else { return }
        guard includes(facts.st_uid) else { throw .foreignDirectory(path: path, directory: directory, owner: facts.st_uid) }
        // Nobody can rename or remove another user's entries in a sticky directory such as /tmp.
        guard facts.st_mode & 0o022 == 0 || facts.st_mode & S_ISVTX != 0 else {
            throw .sharedDirectory(path: path, directory: directory, mode: facts.st_mode & 0o7777)
        }
    }

    private static func userID(of name: String) -> UInt32? {
        guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
        var entry = passwd(), found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwnam_r(name, &entry, &text, text.count, &found) == 0, found != nil else { return nil }
        return entry.pw_uid
    }

    /// User as "uid 1000 (ana)", or the number alone.
    static func name(of userID: UInt32) -> String {
        var entry = passwd(), found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(userID, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else { return "uid \(userID)" }
        return "uid \(userID) (\(String(cString: name)))"
    }
}
