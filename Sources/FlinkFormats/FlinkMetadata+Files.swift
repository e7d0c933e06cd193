public import StreamModel

extension FlinkMetadata {
    /// A file that a restore reads, named once however many handles lead to it.
    public struct File: Sendable, Equatable {
        public enum Role: String, Sendable {
            /// Of this snapshot alone.
            case exclusive
            /// Other checkpoints may use it too.
            case shared
            /// As shared; and the changelog begins with a byte that Flink does not count in its length.
            case changes
        }
        public enum Length: Sendable, Equatable {
            case exactly(ByteCount)
            /// Segments of it are used; others may follow them.
            case atLeast(ByteCount)
            case unknown
        }
        /// As the handle names it: relative to the directory of the metadata, or a URL, or an absolute path.
        public var path: String
        public var isRelative: Bool
        public var role: Role
        public var length: Length
        /// The first operator that needs it.
        public var owner: OperatorID

        public init(path: String, isRelative: Bool, role: Role, length: Length, owner: OperatorID) {
            self.path = path
            self.isRelative = isRelative
            self.role = role
            self.length = length
            self.owner = owner
        }
    }

    /// All files that a restore reads, in the order of the handles.
    public var files: [File] {
        var list = FileList()
        for state in operators { state.visitStreams { list.add($0, $1, owner: state.id) } }
        return list.files
    }

    /// As Flink counts it: several handles in one file count each.
    public var stateSize: ByteCount { Self.sum(operators.map(\.stateSize)) }

    /// What the snapshot itself wrote; nil where the version does not say.
    public var checkpointedSize: ByteCount? {
        var total: ByteCount = 0
        for state in operators {
            guard let size = state.checkpointedSize else { return nil }
            total = Self.sum([total, size])
        }
        return total
    }

    public var maxParallelism: Int? { operators.map(\.maxParallelism).max() }

    /// The operator whose keyed state bounds the parallelism of a restored job most; nil = none has keyed state.
    public var narrowest: Operator? { operators.filter(\.hasKeyedState).min { $0.maxParallelism < $1.maxParallelism } }

    /// Sizes come from outside: their sum stops at the largest number.
    static func sum(_ sizes: [ByteCount]) -> ByteCount {
        ByteCount(
            sizes.reduce(0 as Int64) { total, size in
                let (sum, overflows) = total.addingReportingOverflow(max(0, size.count))
                return overflows ? .max : sum
            })
    }
}

extension FlinkMetadata.Operator {
    public var stateSize: ByteCount {
        FlinkMetadata.sum(subtasks.map(\.stateSize) + [coordinatorState?.size ?? 0])
    }

    public var checkpointedSize: ByteCount? {
        var sizes = [coordinatorState?.size ?? 0]
        for subtask in subtasks {
            guard let size = subtask.checkpointedSize else { return nil }
            sizes.append(size)
        }
        return FlinkMetadata.sum(sizes)
    }

    /// Whether a restore misses anything when the job has no such operator.
    public var hasState: Bool { coordinatorState != nil || subtasks.contains { $0.hasState } }

    public var hasKeyedState: Bool { subtasks.contains { $0.managedKeyedState != nil || $0.rawKeyedState != nil } }

    public var finishedSubtasks: Int { isFullyFinished ? parallelism : subtasks.count { $0.isFinished } }

    func visitStreams(_ visit: (FlinkMetadata.Stream, FlinkMetadata.File.Role) -> Void) {
        for subtask in subtasks {
            for state in [subtask.managedOperatorState, subtask.rawOperatorState] { if let stream = state?.stream { visit(stream, .exclusive) } }
            for state in [subtask.managedKeyedState, subtask.rawKeyedState] { state?.visitStreams(visit) }
            for channel in subtask.inputChannels + subtask.resultSubpartitions { if let stream = channel.stream { visit(stream, .exclusive) } }
        }
    }
}

extension FlinkMetadata.Subtask {
    public var stateSize: ByteCount { FlinkMetadata.sum(channelSizes + [operatorSize, keyedSize]) }

    public var checkpointedSize: ByteCount? {
        var sizes = channelSizes + [operatorSize]
        for state in [managedKeyedState, rawKeyedState] {
            guard let state else { continue }
            guard let size = state.checkpointedSize else { return nil }
            sizes.append(size)
        }
        return FlinkMetadata.sum(sizes)
    }

    public var hasState: Bool {
        managedOperatorState != nil || rawOperatorState != nil || managedKeyedState != nil || rawKeyedState != nil || !inputChannels.isEmpty
            || !resultSubpartitions.isEmpty
    }

    /// Of lists and broadcast state.
    public var operatorSize: ByteCount { FlinkMetadata.sum([managedOperatorState, rawOperatorState].map { $0?.stream?.size ?? 0 }) }
    public var keyedSize: ByteCount { FlinkMetadata.sum([managedKeyedState, rawKeyedState].map { $0?.size ?? 0 }) }
    /// Of records in flight.
    public var channelSize: ByteCount { FlinkMetadata.sum(channelSizes) }
    private var channelSizes: [ByteCount] { (inputChannels + resultSubpartitions).map(\.size) }
}

extension FlinkMetadata.Channel {
    public var size: ByteCount {
        switch self {
        case .single(_, _, _, _, let size, _), .merged(_, let size, _, _): ByteCount(max(0, size))
        }
    }

    var stream: FlinkMetadata.Stream? {
        switch self {
        case .single(_, _, _, _, _, let stream), .merged(_, _, let stream, _): stream
        }
    }
}

extension FlinkMetadata.Stream {
    public var size: ByteCount {
        switch self {
        case .bytes(_, let bytes): ByteCount(Int64(bytes.count))
        case .file(_, let size), .relativeFile(_, let size): ByteCount(max(0, size))
        case .segment(let segment): ByteCount(max(0, segment.size))
        case .emptySegment: 0
        case .keyGroups(let groups): groups.stream?.size ?? 0
        }
    }
}

extension FlinkMetadata.Keyed {
    public var size: ByteCount {
        switch self {
        case .keyGroups(let groups): return groups.stream?.size ?? 0
        case .incremental(let state):
            return FlinkMetadata.sum([state.meta?.size ?? 0] + (state.shared + state.exclusive).map { $0.stream?.size ?? 0 })
        case .changelog(let state): return FlinkMetadata.sum((state.materialized + state.changes).map { $0?.size ?? 0 })
        case .changes(let state): return FlinkMetadata.sum(state.changes.map { ByteCount(Int64($0.bytes.count)) })
        case .changeFiles(let state): return ByteCount(max(0, state.size))
        }
    }

    /// nil where the version does not say.
    public var checkpointedSize: ByteCount? {
        func known(_ size: Int64?) -> ByteCount? { size.flatMap { $0 >= 0 ? ByteCount($0) : nil } }
        switch self {
        case .keyGroups, .changes: return size
        case .incremental(let state): return known(state.identity?.checkpointedSize)
        case .changelog(let state): return known(state.identity?.checkpointedSize)
        case .changeFiles(let state): return known(state.identity?.checkpointedSize)
        }
    }

    func visitStreams(_ visit: (FlinkMetadata.Stream, FlinkMetadata.File.Role) -> Void) {
        switch self {
        case .keyGroups(let groups): if let stream = groups.stream { visit(stream, .exclusive) }
        case .incremental(let state):
            if let stream = state.meta { visit(stream, .exclusive) }
            for entry in state.shared { if let stream = entry.stream { visit(stream, .shared) } }
            for entry in state.exclusive { if let stream = entry.stream { visit(stream, .exclusive) } }
        case .changelog(let state):
            // What was materialised for an earlier checkpoint is used by this one again.
            for handle in state.materialized { handle?.visitStreams { stream, role in visit(stream, role == .exclusive ? .shared : role) } }
            for handle in state.changes { handle?.visitStreams(visit) }
        case .changes: break
        case .changeFiles(let state): for part in state.parts { if let stream = part.stream { visit(stream, .changes) } }
        }
    }
}

/// Files in the order in which handles lead to them, each once.
private struct FileList {
    private(set) var files: [FlinkMetadata.File] = []
    private var positions: [String: Int] = [:]

    mutating func add(_ stream: FlinkMetadata.Stream, _ role: FlinkMetadata.File.Role, owner: OperatorID) {
        switch stream {
        case .bytes, .emptySegment: break
        case .file(let path, let size): add(path, isRelative: false, role, Self.length(size, role), owner)
        case .relativeFile(let path, let size): add(path, isRelative: true, role, Self.length(size, role), owner)
        case .segment(let segment):
            let end = FlinkMetadata.sum([ByteCount(segment.start), ByteCount(segment.size)])
            add(segment.path, isRelative: false, segment.scope == .shared ? .shared : role, .atLeast(end), owner)
        case .keyGroups(let groups): if let stream = groups.stream { add(stream, role, owner: owner) }
        }
    }

    private static func length(_ size: Int64, _ role: FlinkMetadata.File.Role) -> FlinkMetadata.File.Length {
        guard size >= 0 else { return .unknown }
        return role == .changes ? .atLeast(ByteCount(size)) : .exactly(ByteCount(size))
    }

    private mutating func add(_ path: String, isRelative: Bool, _ role: FlinkMetadata.File.Role, _ length: FlinkMetadata.File.Length, _ owner: OperatorID) {
        let key = (isRelative ? "r" : "a") + path
        guard let known = positions[key] else {
            positions[key] = files.count
            return files.append(FlinkMetadata.File(path: path, isRelative: isRelative, role: role, length: length, owner: owner))
        }
        if files[known].role == .exclusive { files[known].role = role }
        switch (files[known].length, length) {
        case (.atLeast(let before), .atLeast(let now)): files[known].length = .atLeast(max(before, now))
        case (.unknown, _): files[known].length = length
        // A whole length says more than the end of a segment.
        case (.atLeast, .exactly): files[known].length = length
        default: break
        }
    }
}
