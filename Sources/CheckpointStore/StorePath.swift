internal import StreamModel

/// Names of the on-disk layout, and arithmetic of absolute paths.
enum StorePath {
    static let manifest = "_metadata"
    /// The manifest before it is complete.
    static let manifestDraft = "_metadata.tmp"
    static let stateFileSuffix = ".state"
    static let shared = "shared"
    static let taskOwned = "taskowned"
    static let lock = ".lock"
    static let damagedSuffix = ".damaged"
    static let highestID = ".highest-checkpoint-id"

    static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func lastComponent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    static func checkpointDirectory(_ id: CheckpointID) -> String { "chk-\(id)" }

    /// The number of a `chk-<n>` name of this store; nil for anything else.
    static func checkpointID(_ name: String) -> CheckpointID? {
        guard name.hasPrefix("chk-"), let number = UInt64(name.dropFirst(4)) else { return nil }
        let id = CheckpointID(number)
        return checkpointDirectory(id) == name ? id : nil
    }

    /// The number of `chk-<n>`, or of one set aside (`chk-<n>.<anything>`): numbers never used again.
    static func usedCheckpointID(_ name: String) -> CheckpointID? {
        checkpointID(String(name.prefix { $0 != "." }))
    }

    /// The number of a checkpoint set aside as damaged.
    static func quarantinedCheckpointID(_ name: String) -> CheckpointID? {
        let parts = name.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, parts[1] == damagedSuffix.dropFirst() || parts[1].hasPrefix("damaged-") else { return nil }
        return checkpointID(String(parts[0]))
    }

    /// Whether the store gives such names to state files.
    static func isStateFile(_ name: String) -> Bool { name.hasSuffix(stateFileSuffix) && isPlain(name) }

    /// Name of a state file in the job's directory that later checkpoints may refer to.
    static func sharedFile(_ name: String, writtenBy id: CheckpointID) -> String { "\(shared)/\(id)-\(name)" }

    static func isShared(_ name: String) -> Bool { name.hasPrefix(shared + "/") }

    /// Whether the name is a `shared/<n>-<name>.state` of this store.
    static func isSharedFile(_ name: String) -> Bool { sharedFileWriter(name) != nil }

    /// The n of `shared/<n>-<name>.state`; nil for anything else.
    static func sharedFileWriter(_ name: String) -> CheckpointID? {
        guard isShared(name) else { return nil }
        let file = String(name.dropFirst(shared.utf8.count + 1))
        guard isStateFile(file), let dash = file.firstIndex(of: "-"), let number = UInt64(file[..<dash]) else { return nil }
        let id = CheckpointID(number)
        return sharedFile(String(file[file.index(after: dash)...]), writtenBy: id) == name ? id : nil
    }

    /// Path of a listed file, given the checkpoint's directory.
    static func file(_ name: String, ofSnapshot directory: String) -> String {
        join(isShared(name) ? parent(directory) : directory, name)
    }

    /// Whether the store may remove a file of this name from a checkpoint directory.
    static func isRemovable(_ name: String) -> Bool { isStateFile(name) || name == manifestDraft }

    static func isPlain(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, (1...128).contains(bytes.count), isAlphanumeric(first) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
