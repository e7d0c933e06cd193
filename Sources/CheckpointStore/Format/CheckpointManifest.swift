public import StreamModel

/// A state file as the manifest lists it.
public struct StateFileEntry: Hashable, Sendable {
    /// `<name>.state`: in the checkpoint's own directory. `shared/<n>-<name>.state`: in the job's directory, where the checkpoints after
    /// checkpoint n, which wrote it, may go on referring to it.
    public var name: String
    /// What it holds; part of the file's own checksummed bytes.
    public var role: String
    /// The whole file, in bytes.
    public var length: UInt64
    /// Over all of the file but its last eight bytes, which repeat this number.
    public var crc32c: UInt32

    public init(name: String, role: String, length: UInt64, crc32c: UInt32) {
        self.name = name
        self.role = role
        self.length = length
        self.crc32c = crc32c
    }

    /// Several checkpoints may list it.
    public var isShared: Bool { StorePath.isShared(name) }

    /// The checkpoint that wrote it.
    public func writer(in manifest: CheckpointManifest) -> CheckpointID { StorePath.sharedFileWriter(name) ?? manifest.checkpoint }
}

/// Where the entries of one key group, or of one page of it, lie.
public struct KeyGroupSection: Hashable, Sendable {
    public var group: Int
    /// Which of the files of `StateHandle.Location.files`; 0 in the other places.
    public var file: Int
    /// From the start of the file, or of the inline bytes.
    public var offset: UInt64
    /// In bytes.
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

/// One named state of one subtask: how it is spread again on another parallelism, and where its bytes are.
public struct StateHandle: Hashable, Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// By key group.
        case keyed = 1
        /// A list whose elements are dealt out again.
        case listSplit = 2
        /// A list that every subtask gets whole.
        case listUnion = 3
        /// The same for every subtask.
        case broadcast = 4
        /// One value that belongs to this subtask alone.
        case scalar = 5
    }

    public enum Location: Hashable, Sendable {
        /// In the manifest itself.
        case inline([UInt8])
        /// In one file of the checkpoint; offset and length in bytes.
        case file(name: String, offset: UInt64, length: UInt64)
        /// Keyed state by pages, over several files of the checkpoint: every section says in which, and each page of a key group has one,
        /// also an empty page. The n-th section of a group is its n-th page.
        case files([String])
    }

    /// Name within the operator ("count", "offsets").
    public var name: String
    public var kind: Kind
    /// The shape of the state, readable and complete: `UInt64 -> Order{id: UInt64, amount: Int64}`. Compared on restore.
    public var valueType: String
    public var location: Location
    /// For keyed state, ascending by group; empty groups may be left out. In `.files` one a page, otherwise one a group.
    public var sections: [KeyGroupSection]
    /// For list states: length of each element in bytes, in order.
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

    /// In bytes.
    public var length: UInt64 {
        switch location {
        case .inline(let bytes): UInt64(bytes.count)
        case .file(_, _, let length): length
        case .files: sections.reduce(0) { $0.addingSaturating($1.length) }
        }
    }

    /// A number for the shape, to compare at a glance.
    public var fingerprint: UInt64 { Self.fingerprint(ofShape: valueType) }

    /// FNV-1a over the UTF-8 of the shape. Part of the format: it must not change.
    public static func fingerprint(ofShape shape: String) -> UInt64 {
        shape.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}

public struct SubtaskState: Hashable, Sendable {
    /// 0 ..< parallelism of the operator.
    public var index: Int
    /// The subtask had ended before the checkpoint; it has no state to restore.
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
    /// Ascending by index.
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

/// A piece of a sink's output that is durable, and is to be made visible once the manifest that lists it is durable. What it is, only the sink
/// knows.
public struct Committable: Hashable, Sendable {
    /// Of the sink.
    public var uid: String
    public var subtask: Int
    /// Names the encoding of `payload`; a sink takes no other than its own.
    public var type: String
    public var payload: [UInt8]

    public init(uid: String, subtask: Int, type: String, payload: [UInt8]) {
        self.uid = uid
        self.subtask = subtask
        self.type = type
        self.payload = payload
    }

    /// The type of what version 1 called pending files. The payload is pending path, final path (text), length (u64), CRC32C (u32).
    public static let filePartType = "file-part-1"
}

/// All that a restore needs to know of one checkpoint or savepoint. Its encoded form is the `_metadata` file; the checkpoint
/// exists exactly if that file and every file it lists are whole.
public struct CheckpointManifest: Hashable, Sendable {
    public var job: JobID
    public var jobName: String
    /// The first job of the chain of restarts that this job goes on.
    public var lineage: JobID
    public var checkpoint: CheckpointID
    public var kind: CheckpointKind
    public var triggeredAt: WallTime
    public var completedAt: WallTime
    /// Rises with every engine that takes the job over.
    public var generation: UInt64
    public var maxParallelism: Int
    /// Name of the stable hash that assigns keys to key groups.
    public var keyHash: String
    /// The job ended with it: there is nothing left to read.
    public var isFinal: Bool
    /// How to launch the job again, where the engine knows.
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

    /// Bytes of state of all operators, inline and in files: what a restore reads.
    public var stateSize: ByteCount {
        operators.reduce(0) { ByteCount(saturating: UInt64($0.count).addingSaturating(UInt64($1.stateSize.count))) }
    }

    /// Bytes of state that this checkpoint wrote itself; the rest lies in files that older checkpoints wrote.
    public var checkpointedSize: ByteCount {
        let olderFiles = Set(files.filter { $0.writer(in: self) != checkpoint }.map(\.name))
        guard !olderFiles.isEmpty else { return stateSize }
        var older: UInt64 = 0
        for handle in operators.lazy.flatMap(\.subtasks).flatMap(\.states) {
            guard case .files(let names) = handle.location else { continue }
            let isOlder = names.map(olderFiles.contains)
            for section in handle.sections where isOlder.indices.contains(section.file) && isOlder[section.file] { older = older.addingSaturating(section.length) }
        }
        return ByteCount(saturating: UInt64(stateSize.count) - min(older, UInt64(stateSize.count)))
    }

    /// Names of the files that other checkpoints may list too.
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
