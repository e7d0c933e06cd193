public import StreamModel

/// Everything that can go wrong between the engine and its checkpoint files. Each case names the path; `description` is one or two sentences
/// for an operator: the event, its subject, the remedy.
public enum StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No entry at the path.
    case notFound(path: String)
    /// A directory without `_metadata`: an incomplete or failed checkpoint, or not a checkpoint at all.
    case noManifest(path: String)
    /// The directory of a job: it holds checkpoints and is none. `newest` = the newest whole one.
    case jobDirectory(path: String, newest: String?)
    /// A file that is not a manifest or state file of this format; `looksLike` names its format, if known.
    case foreignFormat(path: String, looksLike: String?)
    /// Written by another version of the format.
    case unsupportedVersion(path: String, found: UInt32, supported: UInt32)
    /// Truncated, grown, or not the file listed in the manifest. Lengths in bytes.
    case wrongLength(path: String, expected: UInt64, found: UInt64)
    case checksumMismatch(path: String, expected: UInt32, found: UInt32)
    /// Intact bytes with impossible content.
    case malformed(path: String, offset: Int, reason: String)
    /// The same for one of the store's small records: a log, the highest checkpoint number.
    case damagedRecord(path: String, offset: Int, reason: String)
    /// An intact file in the wrong place: it belongs to another job, checkpoint, role or name.
    case misdirected(path: String, field: String, expected: String, found: String)
    /// A file listed in the manifest, but missing.
    case missingFile(path: String, manifest: String)
    /// Longer than any record of its kind.
    case tooLarge(path: String, length: UInt64, maximum: UInt64)

    /// Another kind of entry in place of a regular file.
    case notAFile(path: String, found: IrregularFile)

    /// The snapshot is being read, by a restore, an inspection or a verification. Deleted later.
    case inUse(path: String)
    /// Another job owns the directory.
    case outputOwned(path: String, owner: PlaceOwner?)
    /// Another job has taken over the directory; nil = the record of its owner is gone.
    case outputTaken(path: String, owner: PlaceOwner?)
    /// Another engine has the directory. `processID` is that engine's entry in the lock file.
    case owned(path: String, processID: Int32?)
    /// A complete checkpoint of this number already exists.
    case checkpointExists(path: String)
    /// The attempt of this directory is still being written.
    case inFlight(path: String)
    /// Ten random names were all taken.
    case savepointNamesExhausted(directory: String)
    /// Not a plain file name: 1 to 128 characters from `A-Z a-z 0-9 . _ -`, the first a letter or digit.
    case invalidName(path: String, name: String)
    /// The manifest contradicts itself or the files of its attempt. A defect of the caller, detected before any write.
    case invalidManifest(path: String, reason: String)
    /// The directory, attempt or file was closed, committed or abandoned before this call.
    case closed(path: String)

    /// Free bytes are below the configured floor; no checkpoint is begun.
    case belowFreeSpaceFloor(directory: String, free: UInt64, floor: UInt64)
    /// fsync failed: the bytes may be lost although later calls succeed. The file is given up, never synced again.
    case syncFailed(path: String, errno: Int32)
    /// Any other refused system call.
    case inputOutput(path: String, operation: FileOperation, errno: Int32)

    /// Path of the error.
    public var path: String {
        switch self {
        case .notFound(let path), .noManifest(let path), .jobDirectory(let path, _), .foreignFormat(let path, _), .unsupportedVersion(let path, _, _),
            .wrongLength(let path, _, _), .checksumMismatch(let path, _, _), .malformed(let path, _, _), .damagedRecord(let path, _, _),
            .misdirected(let path, _, _, _),
            .missingFile(let path, _), .tooLarge(let path, _, _), .notAFile(let path, _), .inUse(let path),
            .outputOwned(let path, _), .outputTaken(let path, _), .owned(let path, _), .checkpointExists(let path), .inFlight(let path),
            .savepointNamesExhausted(let path), .invalidName(let path, _), .invalidManifest(let path, _), .closed(let path),
            .belowFreeSpaceFloor(let path, _, _), .syncFailed(let path, _), .inputOutput(let path, _, _):
            return path
        }
    }

    /// Whether the snapshot itself is damaged or gone, so that another read will not help. Any other error (a refused call, an unsupported version)
    /// does not judge the snapshot.
    public var isLoss: Bool {
        switch self {
        case .notFound, .noManifest, .jobDirectory, .foreignFormat, .wrongLength, .checksumMismatch, .malformed, .misdirected, .missingFile, .tooLarge,
            .notAFile:
            true
        case .unsupportedVersion, .damagedRecord, .inUse, .outputOwned, .outputTaken, .owned,
            .checkpointExists, .inFlight, .savepointNamesExhausted, .invalidName, .invalidManifest,
            .closed, .belowFreeSpaceFloor, .syncFailed, .inputOutput:
            false
        }
    }

    /// Condition of a snapshot with this error.
    public var verdict: SnapshotInspection.Verdict {
        switch self {
        case .notFound, .noManifest: .missing
        case .foreignFormat, .unsupportedVersion, .jobDirectory: .foreign
        default: .damaged
        }
    }

    public var description: String {
        switch self {
        case .notFound(let path):
            "\(path) does not exist; check the path."
        case .noManifest(let path):
            "\(path) has no _metadata: it is an unfinished or failed checkpoint, or not a checkpoint; choose another."
        case .jobDirectory(let path, let newest?):
            "\(path) is the directory of a job, not a snapshot: its newest whole one is \(StorePath.lastComponent(newest)), \(newest)."
        case .jobDirectory(let path, nil):
            "\(path) is the directory of a job, not a snapshot: it has no whole checkpoint."
        case .foreignFormat(let path, let looksLike):
            "\(path) is not a Weir snapshot\(looksLike.map { " (it looks like \($0))" } ?? ""); choose another path."
        case .unsupportedVersion(let path, let found, let supported):
            "\(path) has format version \(found), this engine reads \(supported); use the engine that wrote it."
        case .wrongLength(let path, let expected, let found):
            "\(path) has \(found) bytes, expected \(expected); it is damaged and was left unchanged; choose another checkpoint."
        case .checksumMismatch(let path, let expected, let found):
            "\(path) has checksum \(hexadecimal(found)), expected \(hexadecimal(expected)); it is damaged and was left unchanged; "
                + "choose another checkpoint."
        case .malformed(let path, let offset, let reason):
            "\(path) is damaged at byte \(offset): \(reason); it was left unchanged; choose another checkpoint."
        case .damagedRecord(let path, let offset, let reason):
            "\(path) is damaged at byte \(offset): \(reason); it was left unchanged; move it away to start a new one."
        case .misdirected(let path, let field, let expected, let found):
            "\(path) is not the expected file: its \(field) is \(found), not \(expected); it was left unchanged; "
                + "choose another checkpoint."
        case .missingFile(let path, let manifest):
            "\(path) is missing but listed in \(manifest); put it back or choose another checkpoint."
        case .tooLarge(let path, let length, let maximum):
            "\(path) has \(length) bytes, more than the \(maximum) that such a file may have; check the path."
        case .notAFile(let path, let found):
            "\(path) is \(found.rawValue), not a regular file; it was left unchanged; check the path, or move it away."
        case .inUse(let path):
            "\(path) is being read, by a restore or an inspection; it was left unchanged; delete it when that has ended."
        case .outputOwned(let path, let owner):
            "\(path) is being written by \(owner?.description ?? "another job"); nothing there was touched; cancel or stop that job first, "
                + "or name another directory."
        case .outputTaken(let path, let owner):
            "\(path) \(owner.map { "was taken over by \($0)" } ?? "has lost the record of its owner"); this job must not write there any more: "
                + "let that job run, or cancel it and restart this one."
        case .owned(let path, let processID):
            "\(path) is locked by another engine\(processID.map { " (process \($0))" } ?? ""); stop that engine or use another directory."
        case .checkpointExists(let path):
            "\(path) already holds a complete checkpoint; it was left unchanged; use a higher checkpoint number."
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
            "\(directory) has \(free) bytes free, below the minimum of \(floor); no checkpoint was started; free some space."
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

    /// Creates the error of a refused call at a path.
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
