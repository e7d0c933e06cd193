public import StreamModel

/// A state file listed in the manifest.
public struct StateFileEntry: Hashable, Sendable {
    /// Name of the file. `<name>.state`: in the checkpoint's own directory. `shared/<n>-<name>.state`: in the job's directory, written by
    /// checkpoint n and available to later ones.
    public var name: String
    /// Content of the file; part of its checksummed bytes.
    public var role: String
    /// Length of the whole file, in bytes.
    public var length: UInt64
    /// Checksum of the file without its last eight bytes, which repeat this number.
    public var crc32c: UInt32

    public init(name: String, role: String, length: UInt64, crc32c: UInt32) {
        self.name = name
        self.role = role
        self.length = length
        self.crc32c = crc32c
    }

    /// Whether several checkpoints may list it.
    public var isShared: Bool { StorePath.isShared(name) }

    /// The checkpoint that wrote it.
    public func writer(in manifest: CheckpointManifest) -> CheckpointID { StorePath.sharedFileWriter(name) ?? manifest.checkpoint }
}

/// Location of the entries of one key group, or of one of its pages.
public struct KeyGroupSection: Hashable, Sendable {
    public var group: Int
    /// Index into the files of `StateHandle.Location.files`; 0 in the other locations.
    public var file: Int
    /// Offset from the start of the file, or of the inline bytes.
    public var offset: UInt64
    /// Length in bytes.
    public var length: UInt64
    /// Number of keys.
    public var entries: UInt64

    public init(group: Int, file: Int = 0, offset: UInt64, length: UInt64, entries: UInt64) {
        self.group = group
        self.file = file
        self.offset = offset
        self.length = length
        self.entries = entries
    }
}

/// A named state of one subtask: its redistribution at another parallelism, and the location of its bytes.
public struct StateHandle: Hashable, Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// By key group.
        case keyed = 1
        /// A list whose elements are redistributed.
        case listSplit = 2
        /// A list given whole to every subtask.
        case listUnion = 3
        /// The same for every subtask.
        case broadcast = 4
        /// One value of this subtask only.
        case scalar = 5
    }

    public enum Location: Hashable, Sendable {
        /// In the manifest itself.
        case inline([UInt8])
        /// In one file of the checkpoint; offset and length in bytes.
        case file(name: String, offset: UInt64, length: UInt64)
        /// Keyed state by pages, over several files of the checkpoint: every section names its file, and each page of a key group has one, even an
        /// empty page. The n-th section of a group is its n-th page.
        case files([String])
    }

    /// Name within the operator ("count", "offsets").
    public var name: String
    public var kind: Kind
    /// Shape of the state, readable and complete: `UInt64 -> Order{id: UInt64, amount: Int64}`. Compared on restore.
    public var valueType: String
    public var location: Location
    /// Sections of keyed state, ascending by group; empty groups may be left out. One per page in `.files`, otherwise one per group.
    public var sections: [KeyGroupSection]
    /// Length of each element of a list state in bytes, in order.
    public var elements: [UInt32]?

    public init(
        name: String, kind: Kind, valueType: String, location: Location, sections: [KeyGroupSection] = [], elements: [UInt32]? = nil
    ) {
        self.name = name
        self.kind = kind
        self.valueType = valueType
        self.location = location
        self.sections = sections
        self.elements = elements
    }

    /// Length in bytes.
    public var length: UInt64 {
        switch location {
        case .inline(let bytes): UInt64(bytes.count)
        case .file(_, _, let length): length
        case .files: sections.reduce(0) { $0.addingSaturating($1.length) }
        }
    }

    /// Fingerprint of the shape, for a quick comparison.
    public var fingerprint: UInt64 { Self.fingerprint(ofShape: valueType) }

    /// Computes FNV-1a over the UTF-8 of the shape. Part of the format: it must not change.
    public static func fingerprint(ofShape shape: String) -> UInt64 {
        shape.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}

public struct SubtaskState: Hashable, Sendable {
    /// Index in 0 ..< parallelism of the operator.
    public var index: Int
    /// Whether the subtask had ended before the checkpoint; it has no state to restore.
    public var isFinished: Bool
    public var states: [StateHandle]

    public init(index: Int, isFinished: Bool = false, states: [StateHandle] = []) {
        self.index = index
        self.isFinished = isFinished
        self.states = states
    }

    public var stateSize: ByteCount { ByteCount(saturating: states.reduce(0) { $0.addingSaturating($1.length) }) }
}

public struct OperatorState: Hashable, Sendable {
    public var uid: String
    public var name: String
    public var operatorID: OperatorID
    public var parallelism: Int
    /// Subtasks, ascending by index.
    public var subtasks: [SubtaskState]

    public init(uid: String, name: String, operatorID: OperatorID, parallelism: Int, subtasks: [SubtaskState] = []) {
        self.uid = uid
        self.name = name
        self.operatorID = operatorID
        self.parallelism = parallelism
        self.subtasks = subtasks
    }

    public var stateSize: ByteCount { subtasks.reduce(0) { ByteCount(saturating: UInt64($0.count).addingSaturating(UInt64($1.stateSize.count))) } }
}

/// A durable piece of a sink's output, to be made visible once the manifest that lists it is durable. Opaque to all but the sink.
public struct Committable: Hashable, Sendable {
    /// The sink's uid.
    public var uid: String
    public var subtask: Int
    /// Name of the encoding of `payload`; a sink accepts only its own.
    public var type: String
    public var payload: [UInt8]

    public init(uid: String, subtask: Int, type: String, payload: [UInt8]) {
        self.uid = uid
        self.subtask = subtask
        self.type = type
        self.payload = payload
    }

    /// Type of version 1's pending files. The payload is pending path, final path (text), length (u64), CRC32C (u32).
    public static let filePartType = "file-part-1"
}

/// All data of one checkpoint or savepoint needed for a restore. Its encoded form is the `_metadata` file; the checkpoint exists if and only if
/// that file and every file it lists are intact.
public struct CheckpointManifest: Hashable, Sendable {
    public var job: JobID
    public var jobName: String
    /// First job of the lineage.
    public var lineage: JobID
    public var checkpoint: CheckpointID
    public var kind: CheckpointKind
    public var triggeredAt: WallTime
    public var completedAt: WallTime
    /// Generation, which rises with every engine that takes the job over.
    public var generation: UInt64
    public var maxParallelism: Int
    /// Name of the stable hash from keys to key groups.
    public var keyHash: String
    /// Whether the job ended with it: there is no input left.
    public var isFinal: Bool
    /// Recipe to launch the job again, if known to the engine.
    public var recipe: JobRecipe?
    public var operators: [OperatorState]
    public var files: [StateFileEntry]
    public var committables: [Committable]

    public init(
        job: JobID, jobName: String, lineage: JobID, checkpoint: CheckpointID, kind: CheckpointKind, triggeredAt: WallTime, completedAt: WallTime,
        generation: UInt64, maxParallelism: Int, keyHash: String, isFinal: Bool = false, recipe: JobRecipe? = nil,
        operators: [OperatorState] = [], files: [StateFileEntry] = [], committables: [Committable] = []
    ) {
        self.job = job
        self.jobName = jobName
        self.lineage = lineage
        self.checkpoint = checkpoint
        self.kind = kind
        self.triggeredAt = triggeredAt
        self.completedAt = completedAt
        self.generation = generation
        self.maxParallelism = maxParallelism
        self.keyHash = keyHash
        self.isFinal = isFinal
        self.recipe = recipe
        self.operators = operators
        self.files = files
        self.committables = committables
    }

    /// Bytes of state of all operators, inline and in files, as read by a restore.
    public var stateSize: ByteCount {
        operators.reduce(0) { ByteCount(saturating: UInt64($0.count).addingSaturating(UInt64($1.stateSize.count))) }
    }

    /// Bytes of state written by this checkpoint itself; the rest is in files of older checkpoints.
    public var checkpointedSize: ByteCount {
        let olderFiles = Set(files.filter { $0.writer(in: self) != checkpoint }.map(\.name))
        guard !olderFiles.isEmpty else { return stateSize }
        var older: UInt64 = 0
        for handle in operators.lazy.flatMap(\.subtasks).flatMap(\.states) {
            guard case .files(let names) = handle.location else { continue }
            let isOlder = names.map(olderFiles.contains)
            for section in handle.sections where isOlder.indices.contains(section.file) && isOlder[section.file] {
                older = older.addingSaturating(section.length)
            }
        }
        return ByteCount(saturating: UInt64(stateSize.count) - min(older, UInt64(stateSize.count)))
    }

    /// Names of files that other checkpoints may also list.
    public var sharedFiles: Set<String> { Set(files.lazy.filter(\.isShared).map(\.name)) }
}

extension ByteCount {
    init(saturating count: UInt64) { self.init(Int64(clamping: count)) }
}

extension UInt64 {
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
