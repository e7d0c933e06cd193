public import StreamModel

/// Everything that can go wrong between the engine and its checkpoint files. Each case names the path; `description` is one
/// sentence or two for an operator: what happened, to what, what to do.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing is at the path.
    case notFound(path: String)
    /// A directory without `_metadata`: an incomplete or failed checkpoint, or no checkpoint at all.
    case noManifest(path: String)
    /// A file that is no manifest or state file of this format; `looksLike` says what it is, where that is known.
    case foreignFormat(path: String, looksLike: String?)
    /// Written by another version of the format.
    case unsupportedVersion(path: String, found: UInt32, supported: UInt32)
    /// Cut off, grown, or not the file that the manifest lists. Lengths in bytes.
    case wrongLength(path: String, expected: UInt64, found: UInt64)
    case checksumMismatch(path: String, expected: UInt32, found: UInt32)
    /// The bytes are whole but say something impossible.
    case malformed(path: String, offset: Int, reason: String)
    /// The same of a small record of the store's own: a log, the highest checkpoint number.
    case damagedRecord(path: String, offset: Int, reason: String)
    /// A sound file in the wrong place: it belongs to another job, checkpoint, role or name.
    case misdirected(path: String, field: String, expected: String, found: String)
    /// The manifest lists it, and it is not there.
    case missingFile(path: String, manifest: String)
    /// Longer than any record of its sort can be.
    case tooLarge(path: String, length: UInt64, maximum: UInt64)

    /// Something else is where a regular file is due.
    case notAFile(path: String, found: IrregularFile)

    /// The snapshot is being read: by a restore, an inspection, or somebody who checks it. Deleted later.
    case inUse(path: String)
    /// Another job writes to the directory now.
    case outputOwned(path: String, owner: PlaceOwner?)
    /// Another job has taken the directory since; nil = the record of its owner is gone.
    case outputTaken(path: String, owner: PlaceOwner?)
    /// Another engine has the directory. `processID` is what that engine wrote into the lock file.
    case owned(path: String, processID: Int32?)
    /// A complete checkpoint of this number is there already.
    case checkpointExists(path: String)
    /// The attempt of this directory is still being written.
    case inFlight(path: String)
    /// Ten random names were all taken.
    case savepointNamesExhausted(directory: String)
    /// Not a plain file name: 1 to 128 characters from `A-Z a-z 0-9 . _ -`, the first a letter or digit.
    case invalidName(path: String, name: String)
    /// The manifest contradicts itself or the files of its attempt. A defect of the caller, found before anything is written.
    case invalidManifest(path: String, reason: String)
    /// The directory, attempt or file was closed, committed or abandoned before this call.
    case closed(path: String)

    /// Free bytes are below the configured floor; no checkpoint is begun.
    case belowFreeSpaceFloor(directory: String, free: UInt64, floor: UInt64)
    /// fsync failed: the bytes may be lost although later calls succeed. The file is given up, never synced again.
    case syncFailed(path: String, errno: Int32)
    /// Any other refused system call.
    case inputOutput(path: String, operation: FileOperation, errno: Int32)

    /// The path that the error is about.
    public var path: String {
        switch self {
        case .notFound(let path), .noManifest(let path), .foreignFormat(let path, _), .unsupportedVersion(let path, _, _),
            .wrongLength(let path, _, _), .checksumMismatch(let path, _, _), .malformed(let path, _, _), .damagedRecord(let path, _, _), .misdirected(let path, _, _, _),
            .missingFile(let path, _), .tooLarge(let path, _, _), .notAFile(let path, _), .inUse(let path),
            .outputOwned(let path, _), .outputTaken(let path, _), .owned(let path, _), .checkpointExists(let path), .inFlight(let path),
            .savepointNamesExhausted(let path), .invalidName(let path, _), .invalidManifest(let path, _), .closed(let path),
            .belowFreeSpaceFloor(let path, _, _), .syncFailed(let path, _), .inputOutput(let path, _, _):
            return path
        }
    }

    /// The snapshot itself is bad or gone, and reading it again will not help. Everything else (a refused call, a version that this engine
    /// does not read) says nothing about the snapshot.
    public var isLoss: Bool {
        switch self {
        case .notFound, .noManifest, .foreignFormat, .wrongLength, .checksumMismatch, .malformed, .misdirected, .missingFile, .tooLarge, .notAFile:
            true
        case .unsupportedVersion, .damagedRecord, .inUse, .outputOwned, .outputTaken, .owned,
            .checkpointExists, .inFlight, .savepointNamesExhausted, .invalidName, .invalidManifest,
            .closed, .belowFreeSpaceFloor, .syncFailed, .inputOutput:
            false
        }
    }

    /// What a reader should make of a snapshot that gave this error.
    public var verdict: SnapshotInspection.Verdict {
        switch self {
        case .notFound, .noManifest: .missing
        case .foreignFormat, .unsupportedVersion: .foreign
        default: .damaged
        }
    }

    public var description: String {
        switch self {
        case .notFound(let path):
            "\(path) does not exist; check the path."
        case .noManifest(let path):
            "\(path) has no _metadata: it is an unfinished or failed checkpoint, or none at all; choose another."
        case .foreignFormat(let path, let looksLike):
            "\(path) is not a Weir snapshot\(looksLike.map { " (it looks like \($0))" } ?? ""); choose another path."
        case .unsupportedVersion(let path, let found, let supported):
            "\(path) has format version \(found), this engine reads \(supported); use the engine that wrote it."
        case .wrongLength(let path, let expected, let found):
            "\(path) has \(found) bytes where \(expected) are due; it is damaged and was left as it is; choose another checkpoint."
        case .checksumMismatch(let path, let expected, let found):
            "\(path) has checksum \(hexadecimal(found)) where \(hexadecimal(expected)) is due; it is damaged and was left as it is; "
                + "choose another checkpoint."
        case .malformed(let path, let offset, let reason):
            "\(path) is damaged at byte \(offset): \(reason); it was left as it is; choose another checkpoint."
        case .damagedRecord(let path, let offset, let reason):
            "\(path) is damaged at byte \(offset): \(reason); it was left as it is; move it away to begin it anew."
        case .misdirected(let path, let field, let expected, let found):
            "\(path) is not the file that belongs there: its \(field) is \(found), \(expected) is due; it was left as it is; "
                + "choose another checkpoint."
        case .missingFile(let path, let manifest):
            "\(path) is missing, \(manifest) lists it; put it back or choose another checkpoint."
        case .tooLarge(let path, let length, let maximum):
            "\(path) has \(length) bytes, more than the \(maximum) that such a file may have; check the path."
        case .notAFile(let path, let found):
            "\(path) is \(found.rawValue), where a regular file is due; it was left as it is; check the path, or move it away."
        case .inUse(let path):
            "\(path) is being read, by a restore or an inspection; it was left as it is; delete it when that has ended."
        case .outputOwned(let path, let owner):
            "\(path) is being written by \(owner?.description ?? "another job"); nothing there was touched; cancel or stop that job first, "
                + "or name another directory."
        case .outputTaken(let path, let owner):
            "\(path) \(owner.map { "was taken over by \($0)" } ?? "has lost the record of its owner"); this job must not write there any more: "
                + "let that job run, or cancel it and restart this one."
        case .owned(let path, let processID):
            "\(path) is locked by another engine\(processID.map { " (process \($0))" } ?? ""); stop that engine or use another directory."
        case .checkpointExists(let path):
            "\(path) already holds a complete checkpoint; it was left as it is; go on with a higher checkpoint number."
        case .inFlight(let path):
            "\(path) is still being written; wait for the checkpoint to end."
        case .savepointNamesExhausted(let directory):
            "\(directory) has no free savepoint name after 10 attempts; use another directory."
        case .invalidName(let path, let name):
            "\(path) cannot hold a file called \"\(name)\": use letters, digits, dot, dash and underscore."
        case .invalidManifest(let path, let reason):
            "\(path) was not written because its manifest is wrong: \(reason)."
        case .closed(let path):
            "\(path) was already closed, committed or abandoned; begin again."
        case .belowFreeSpaceFloor(let directory, let free, let floor):
            "\(directory) has \(free) bytes free, the floor is \(floor); no checkpoint was begun; free some space."
        case .syncFailed(let path, let errno):
            "\(path) could not be made durable: \(SystemErrorNumber.text(errno)); it is given up; check the disk."
        case .inputOutput(let path, let operation, let errno):
            "Cannot \(operation.rawValue) \(path): \(SystemErrorNumber.text(errno))\(Self.advice(path, errno))"
        }
    }

    private static func advice(_ path: String, _ errno: Int32) -> String {
        let directory = StorePath.parent(path)
        return switch errno {
        case 28, 122: "; the disk of \(directory) is full: free some space there."
        case 30: "; \(directory) is on a read-only filesystem: mount it for writing or use another directory."
        case 1, 13: "; give the engine's user access to \(directory) or use another directory."
        case 23, 24: "; raise the limit of open files."
        case 27: "; raise the limit of file sizes (ulimit -f)."
        case 5: "; check the disk of \(directory)."
        default: "."
        }
    }

    private func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The error of a refused call at a path.
    init(_ path: String, _ error: FilesystemError) {
        if let found = error.found {
            self = .notAFile(path: path, found: found)
            return
        }
        switch error.operation {
        case .sync, .syncDirectory: self = .syncFailed(path: path, errno: error.errno)
        default: self = .inputOutput(path: path, operation: error.operation, errno: error.errno)
        }
    }
}
