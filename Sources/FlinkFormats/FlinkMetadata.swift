public import StreamModel

/// What a `_metadata` file of Flink says: versions 2 (Flink 1.3 to 1.10), 3 (1.11 to 1.14), 4 (1.15 and later), 5 and 6 (2.x). The types below
/// keep everything that a restore needs, as the file holds it; `FlinkMetadata+Files.swift` draws the conclusions.
public struct FlinkMetadata: Sendable, Equatable {
    /// Of the file, not of Flink: 2...6.
    public var version: Int
    public var checkpoint: CheckpointID
    public var masterStates: [MasterState]
    public var operators: [Operator]
    /// From version 4 on; nil there = not told, as in savepoints of the State Processor API.
    public var properties: FlinkCheckpointProperties?
    /// Bytes behind all that is known; a reader of Flink ignores them.
    public var trailing: [UInt8]

    public init(
        version: Int, checkpoint: CheckpointID, masterStates: [MasterState] = [], operators: [Operator] = [],
        properties: FlinkCheckpointProperties? = nil, trailing: [UInt8] = []
    ) {
        self.version = version
        self.checkpoint = checkpoint
        self.masterStates = masterStates
        self.operators = operators
        self.properties = properties
        self.trailing = trailing
    }

    /// State of a hook on the JobManager.
    public struct MasterState: Sendable, Equatable {
        /// Of the hook's serializer.
        public var version: Int
        public var name: String
        public var bytes: [UInt8]

        public init(version: Int, name: String, bytes: [UInt8]) {
            self.version = version
            self.name = name
            self.bytes = bytes
        }
    }

    public struct Operator: Sendable, Equatable {
        public var id: OperatorID
        /// From version 5 on, where the job gave one.
        public var name: String?
        /// From version 5 on, where the job gave one.
        public var uid: String?
        public var parallelism: Int
        public var maxParallelism: Int
        public var coordinatorState: Stream?
        /// All its subtasks had finished: nothing is kept of them.
        public var isFullyFinished: Bool
        /// Those that have something to say, each with its index.
        public var subtasks: [Subtask]

        public init(
            id: OperatorID, name: String? = nil, uid: String? = nil, parallelism: Int, maxParallelism: Int, coordinatorState: Stream? = nil,
            isFullyFinished: Bool = false, subtasks: [Subtask] = []
        ) {
            self.id = id
            self.name = name
            self.uid = uid
            self.parallelism = parallelism
            self.maxParallelism = maxParallelism
            self.coordinatorState = coordinatorState
            self.isFullyFinished = isFullyFinished
            self.subtasks = subtasks
        }
    }

    /// One subtask's part of an operator's state.
    public struct Subtask: Sendable, Equatable {
        public var index: Int
        /// It had finished: it has no state.
        public var isFinished: Bool
        public var managedOperatorState: OperatorState?
        public var rawOperatorState: OperatorState?
        public var managedKeyedState: Keyed?
        public var rawKeyedState: Keyed?
        public var inputChannels: [Channel]
        public var resultSubpartitions: [Channel]

        public init(
            index: Int, isFinished: Bool = false, managedOperatorState: OperatorState? = nil, rawOperatorState: OperatorState? = nil,
            managedKeyedState: Keyed? = nil, rawKeyedState: Keyed? = nil, inputChannels: [Channel] = [], resultSubpartitions: [Channel] = []
        ) {
            self.index = index
            self.isFinished = isFinished
            self.managedOperatorState = managedOperatorState
            self.rawOperatorState = rawOperatorState
            self.managedKeyedState = managedKeyedState
            self.rawKeyedState = rawKeyedState
            self.inputChannels = inputChannels
            self.resultSubpartitions = resultSubpartitions
        }
    }
}

// MARK: Handles

extension FlinkMetadata {
    /// Where a run of bytes is. Sizes are in bytes; -1 stands for an unknown one.
    public indirect enum Stream: Sendable, Equatable {
        /// In the metadata itself. The name looks like a path; there is no such file.
        case bytes(name: String, [UInt8])
        case file(path: String, size: Int64)
        /// Below the directory of the metadata.
        case relativeFile(path: String, size: Int64)
        /// A part of a file that several share.
        case segment(Segment)
        case emptySegment
        case keyGroups(KeyGroups)
    }

    public struct Segment: Sendable, Equatable {
        public enum Scope: Int, Sendable { case exclusive, shared }
        public var start: Int64
        public var size: Int64
        public var scope: Scope
        public var path: String
        public var logicalID: String

        public init(start: Int64, size: Int64, scope: Scope, path: String, logicalID: String) {
            self.start = start
            self.size = size
            self.scope = scope
            self.path = path
            self.logicalID = logicalID
        }
    }

    /// A range of key groups. `count` may be 0.
    public struct KeyGroupRange: Sendable, Equatable {
        public var start: Int
        public var count: Int

        public init(start: Int, count: Int) { (self.start, self.count) = (start, count) }
    }

    /// The state of a range of key groups in one run of bytes.
    public struct KeyGroups: Sendable, Equatable {
        public enum Form: Sendable, Equatable {
            case plain
            /// The layout that all state backends share.
            case canonicalSavepoint
            case identified(handleID: String)
        }
        public var form: Form
        public var range: KeyGroupRange
        /// Where each key group begins.
        public var offsets: [Int64]
        public var stream: Stream?

        public init(form: Form, range: KeyGroupRange, offsets: [Int64], stream: Stream?) {
            self.form = form
            self.range = range
            self.offsets = offsets
            self.stream = stream
        }
    }

    /// The state of a keyed backend.
    public indirect enum Keyed: Sendable, Equatable {
        case keyGroups(KeyGroups)
        case incremental(Incremental)
        case changelog(Changelog)
        case changes(InMemoryChanges)
        case changeFiles(ChangeFiles)
    }

    /// Of RocksDB and its like: files that later checkpoints use again, and files of this one alone.
    public struct Incremental: Sendable, Equatable {
        /// As the file lists them: the backend's name of the file, and where it is.
        public struct Entry: Sendable, Equatable {
            public var name: String
            public var stream: Stream?
            public init(name: String, stream: Stream?) { (self.name, self.stream) = (name, stream) }
        }
        /// What later versions add.
        public struct Identity: Sendable, Equatable {
            public var checkpointedSize: Int64
            public var handleID: String
            public init(checkpointedSize: Int64, handleID: String) { (self.checkpointedSize, self.handleID) = (checkpointedSize, handleID) }
        }
        public var checkpoint: Int64
        public var backend: String
        public var range: KeyGroupRange
        public var meta: Stream?
        public var shared: [Entry]
        public var exclusive: [Entry]
        public var identity: Identity?

        public init(
            checkpoint: Int64, backend: String, range: KeyGroupRange, meta: Stream?, shared: [Entry], exclusive: [Entry], identity: Identity?
        ) {
            self.checkpoint = checkpoint
            self.backend = backend
            self.range = range
            self.meta = meta
            self.shared = shared
            self.exclusive = exclusive
            self.identity = identity
        }
    }

    /// A materialised state and the changes since.
    public struct Changelog: Sendable, Equatable {
        /// What versions from 4 on add; `checkpoint` came still later.
        public struct Identity: Sendable, Equatable {
            public var checkpointedSize: Int64
            public var materialization: Int64
            public var checkpoint: Int64?
            public var handleID: String
            public init(checkpointedSize: Int64, materialization: Int64, checkpoint: Int64?, handleID: String) {
                self.checkpointedSize = checkpointedSize
                self.materialization = materialization
                self.checkpoint = checkpoint
                self.handleID = handleID
            }
        }
        public var range: KeyGroupRange
        public var materialized: [Keyed?]
        public var changes: [Keyed?]
        public var identity: Identity?

        public init(range: KeyGroupRange, materialized: [Keyed?], changes: [Keyed?], identity: Identity?) {
            self.range = range
            self.materialized = materialized
            self.changes = changes
            self.identity = identity
        }
    }

    public struct InMemoryChanges: Sendable, Equatable {
        public struct Change: Sendable, Equatable {
            /// -1 = of no key group.
            public var keyGroup: Int
            public var bytes: [UInt8]
            public init(keyGroup: Int, bytes: [UInt8]) { (self.keyGroup, self.bytes) = (keyGroup, bytes) }
        }
        public var range: KeyGroupRange
        public var from: Int64
        public var to: Int64
        public var changes: [Change]
        /// From version 4 on.
        public var handleID: String?

        public init(range: KeyGroupRange, from: Int64, to: Int64, changes: [Change], handleID: String?) {
            self.range = range
            self.from = from
            self.to = to
            self.changes = changes
            self.handleID = handleID
        }
    }

    public struct ChangeFiles: Sendable, Equatable {
        public struct Part: Sendable, Equatable {
            public var offset: Int64
            public var stream: Stream?
            public init(offset: Int64, stream: Stream?) { (self.offset, self.stream) = (offset, stream) }
        }
        /// What versions from 4 on add; `storage` came still later.
        public struct Identity: Sendable, Equatable {
            public var checkpointedSize: Int64
            public var handleID: String
            public var storage: String?
            public init(checkpointedSize: Int64, handleID: String, storage: String?) {
                self.checkpointedSize = checkpointedSize
                self.handleID = handleID
                self.storage = storage
            }
        }
        public var range: KeyGroupRange
        public var parts: [Part]
        public var size: Int64
        public var identity: Identity?

        public init(range: KeyGroupRange, parts: [Part], size: Int64, identity: Identity?) {
            self.range = range
            self.parts = parts
            self.size = size
            self.identity = identity
        }
    }

    /// Lists and broadcast state of an operator: where their elements begin in one run of bytes.
    public struct OperatorState: Sendable, Equatable {
        public enum Distribution: UInt8, Sendable { case split, union, broadcast }
        public struct Named: Sendable, Equatable {
            public var name: String
            public var distribution: Distribution
            public var offsets: [Int64]
            public init(name: String, distribution: Distribution, offsets: [Int64]) {
                (self.name, self.distribution, self.offsets) = (name, distribution, offsets)
            }
        }
        /// Where files are merged: the directories that hold them.
        public struct Merging: Sendable, Equatable {
            public var taskOwnedDirectory: String
            public var sharedDirectory: String
            public var isEmpty: Bool
            public init(taskOwnedDirectory: String, sharedDirectory: String, isEmpty: Bool) {
                (self.taskOwnedDirectory, self.sharedDirectory, self.isEmpty) = (taskOwnedDirectory, sharedDirectory, isEmpty)
            }
        }
        public var states: [Named]
        public var merging: Merging?
        public var stream: Stream?

        public init(states: [Named], merging: Merging? = nil, stream: Stream?) {
            self.states = states
            self.merging = merging
            self.stream = stream
        }
    }

    /// Records in flight, of an unaligned checkpoint.
    public enum Channel: Sendable, Equatable {
        /// Of one channel. `gate` and `channel` are partition and subpartition on the sending side.
        case single(subtask: Int, gate: Int, channel: Int, offsets: [Int64], size: Int64, stream: Stream?)
        /// Of all channels of a subtask together (version 6).
        case merged(subtask: Int, size: Int64, stream: Stream?, offsets: [UInt8])
    }
}
