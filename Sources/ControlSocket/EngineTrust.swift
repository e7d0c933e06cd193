internal import Glibc

/// Whose engines a client talks to: its own user's and root's, and those of users that were named for it.
///
/// Who serves a socket learns what is asked for, and its answers are believed: a wrong one hides a failed job, or tells of a savepoint that
/// was never taken. So the owner of the other end, as the kernel tells it, is looked at before anything is sent.
public struct EngineTrust: Sendable, Equatable {
    /// This process's own user and root.
    public static let own = EngineTrust()

    /// User ids that were named besides.
    public var owners: Set<UInt32>

    public init(owners: Set<UInt32> = []) { self.owners = owners }

    /// A user id, or the name of a user of this machine; nil = there is none.
    public init?(owner text: String) {
        if let number = UInt32(text), number != .max {
            self.init(owners: [number])
        } else {
            guard let userID = Self.userID(of: text) else { return nil }
            self.init(owners: [userID])
        }
    }

    func includes(_ userID: UInt32, client: UInt32 = geteuid()) -> Bool { userID == client || userID == 0 || owners.contains(userID) }

    /// Refuses a socket whose directory lets others put another one in its place. A path that is not there is for the connection to tell.
    func checkDirectory(of path: String) throws(ControlClientError) {
        let directory = SocketPath.directory(of: path)
        var facts = stat()
        guard stat(directory, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else { return }
        guard includes(facts.st_uid) else { throw .foreignDirectory(path: path, directory: directory, owner: facts.st_uid) }
        // In a sticky directory, such as /tmp, nobody can rename or remove what belongs to another.
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

    /// "uid 1000 (ana)", or the number alone.
    static func name(of userID: UInt32) -> String {
        var entry = passwd(), found: UnsafeMutablePointer<passwd>?
        var text = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(userID, &entry, &text, text.count, &found) == 0, found != nil, let name = entry.pw_name else { return "uid \(userID)" }
        return "uid \(userID) (\(String(cString: name)))"
    }
}
