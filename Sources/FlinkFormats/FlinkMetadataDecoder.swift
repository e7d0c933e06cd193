internal import StreamModel

extension FlinkMetadata {
    /// The first four bytes of every `_metadata` file of Flink.
    public static let magic: UInt32 = 0x4960_672D
    public static let versions = 2...6
    /// Flink counts its versions one by one: more than this is no number of one.
    private static let laterVersions = 7...9999
    /// Flink 1.1 and 1.2 wrote these.
    private static let abandonedVersions = 0...1

    static func unread(_ version: Int) -> FlinkFormatError.Version? {
        if laterVersions.contains(version) { return .later(version) }
        return abandonedVersions.contains(version) ? .abandoned(version) : nil
    }

    /// Whether bytes begin like a file of Flink; the rest of them need not be there.
    public static func hasMagic(_ bytes: some Sequence<UInt8>) -> Bool { Array(bytes.prefix(4)) == [0x49, 0x60, 0x67, 0x2D] }

    /// Reads a whole file. Nothing it holds is trusted: the result is a value or one error, and takes memory in proportion to the input.
    /// - Parameter file: names the file in errors.
    public static func decode(_ bytes: [UInt8], file: String) throws(FlinkFormatError) -> FlinkMetadata {
        var decoder = FlinkMetadataDecoder(reader: JavaDataReader(bytes[...], file: file))
        return try decoder.metadata()
    }
}

/// Walks through the bytes in the order in which Flink writes them.
struct FlinkMetadataDecoder {
    var reader: JavaDataReader
    private(set) var version = 0

    /// Handles within handles: Flink nests them three deep.
    private static let depthMax = 8
    private static let masterStateMagic: Int32 = -915_728_746

    init(reader: JavaDataReader) { self.reader = reader }

    mutating func metadata() throws(FlinkFormatError) -> FlinkMetadata {
        try header()
        let checkpoint = try checkpointID()
        let masterStates = try masterStates()
        // 16 bytes of id, parallelism and its maximum, a handle, and the number of subtasks.
        let count = try reader.count(of: "operators", minimum: 16 + 8 + 1 + 4)
        var operators: [FlinkMetadata.Operator] = []
        for _ in 0..<count { operators.append(try operatorState()) }
        var properties: FlinkCheckpointProperties?
        if version >= 4 {
            var stream = JavaObjectReader(reader)
            properties = try stream.checkpointProperties()
            reader = stream.reader
        }
        return FlinkMetadata(
            version: version, checkpoint: checkpoint, masterStates: masterStates, operators: operators, properties: properties,
            trailing: Array(reader.takeRest()))
    }

    private mutating func header() throws(FlinkFormatError) {
        let magic: UInt32 = try reader.integer("the magic number of Flink's metadata")
        guard magic == FlinkMetadata.magic else {
            throw reader.failure("the magic number 0x4960672d of Flink's metadata", found: "0x" + String(magic, radix: 16), at: 0)
        }
        version = try reader.int("the version")
        guard FlinkMetadata.versions.contains(version) else {
            var failure = reader.failure(
                "a version from \(FlinkMetadata.versions.lowerBound) to \(FlinkMetadata.versions.upperBound)", found: "\(version)", at: 4)
            failure.version = FlinkMetadata.unread(version)
            throw failure
        }
    }

    private mutating func checkpointID() throws(FlinkFormatError) -> CheckpointID {
        let place = reader.offset
        let number = try reader.long("the number of the checkpoint")
        guard number >= 0 else { throw reader.failure("a number of the checkpoint that is not negative", found: "\(number)", at: place) }
        return CheckpointID(UInt64(number))
    }

    // MARK: Master states

    private mutating func masterStates() throws(FlinkFormatError) -> [FlinkMetadata.MasterState] {
        let count = try reader.count(of: "master states", minimum: 8)
        var states: [FlinkMetadata.MasterState] = []
        for _ in 0..<count { states.append(try masterState()) }
        return states
    }

    private mutating func masterState() throws(FlinkFormatError) -> FlinkMetadata.MasterState {
        let place = reader.offset
        let magic: Int32 = try reader.integer("the magic number of a master state")
        guard magic == Self.masterStateMagic else { throw reader.failure("the magic number of a master state", found: "\(magic)", at: place) }
        let length = try reader.int("the length of a master state")
        var inner = JavaDataReader(try reader.take(length, "a master state"), file: reader.file)
        let version = try inner.int("the version of a master state")
        let name = try inner.text("the name of a master state")
        let count = try inner.int("the length of a master state's bytes")
        let bytes = Array(try inner.take(count, "a master state's bytes"))
        guard inner.remaining == 0 else { throw inner.failure("the end of a master state", found: "\(inner.remaining) more bytes") }
        return FlinkMetadata.MasterState(version: version, name: name, bytes: bytes)
    }

    // MARK: Operators

    private mutating func operatorState() throws(FlinkFormatError) -> FlinkMetadata.Operator {
        let name = version >= 5 ? try reader.text("an operator's name") : ""
        let uid = version >= 5 ? try reader.text("an operator's uid") : ""
        let high: UInt64 = try reader.integer("an operator's id")
        let low: UInt64 = try reader.integer("an operator's id")
        var state = FlinkMetadata.Operator(
            id: OperatorID(high: high, low: low), name: name.isEmpty ? nil : name, uid: uid.isEmpty ? nil : uid, parallelism: 0, maxParallelism: 0)
        let place = reader.offset
        state.parallelism = try reader.int("an operator's parallelism")
        state.maxParallelism = try reader.int("an operator's maximum parallelism")
        guard state.parallelism >= 0, state.parallelism <= state.maxParallelism else {
            throw reader.failure(
                "a parallelism of operator \(state.id) between 0 and its maximum", found: "\(state.parallelism) of \(state.maxParallelism)", at: place)
        }
        // Version 2 has the length of a chain there, which nobody reads, and no coordinators.
        if version == 2 { _ = try reader.int("the length of a chain") } else { state.coordinatorState = try coordinatorState() }
        try subtasks(of: &state)
        return state
    }

    private mutating func coordinatorState() throws(FlinkFormatError) -> FlinkMetadata.Stream? {
        let place = reader.offset
        let handle = try stream(depth: 0)
        switch handle {
        case nil, .bytes: return handle
        default: throw reader.failure("a coordinator's state within the file", found: "a handle of another kind", at: place)
        }
    }

    private mutating func subtasks(of state: inout FlinkMetadata.Operator) throws(FlinkFormatError) {
        let place = reader.offset
        let count = try reader.int("the number of subtask states")
        guard count != -1 || version == 2 else {
            state.isFullyFinished = true
            return
        }
        guard count >= 0, count <= reader.remaining / 4 else {
            throw reader.failure("a number of subtask states that fits in the \(reader.remaining) bytes left", found: "\(count)", at: place)
        }
        for _ in 0..<count { state.subtasks.append(try subtask(of: state)) }
    }

    private mutating func subtask(of state: FlinkMetadata.Operator) throws(FlinkFormatError) -> FlinkMetadata.Subtask {
        let place = reader.offset
        let number = try reader.int("the index of a subtask")
        // A finished subtask i is written as -i-1.
        let index = number < 0 && version > 2 ? -(number + 1) : number
        guard (0..<state.parallelism).contains(index) else {
            throw reader.failure("a subtask of operator \(state.id) below its parallelism \(state.parallelism)", found: "\(index)", at: place)
        }
        guard number >= 0 else { return FlinkMetadata.Subtask(index: index, isFinished: true) }
        var subtask = FlinkMetadata.Subtask(index: index)
        if version == 2 { try early() }
        subtask.managedOperatorState = try optionalOperatorState()
        subtask.rawOperatorState = try optionalOperatorState()
        subtask.managedKeyedState = try keyed(depth: 0)
        subtask.rawKeyedState = try keyed(depth: 0)
        // Records in flight came with unaligned checkpoints.
        guard version > 2 else { return subtask }
        subtask.inputChannels = try channels("input channels", single: 1, merged: 3)
        subtask.resultSubpartitions = try channels("result subpartitions", single: 2, merged: 4)
        return subtask
    }

    /// Two fields of version 2: a duration that nobody reads, and the number of states of an interface that ended with Flink 1.1.
    private mutating func early() throws(FlinkFormatError) {
        _ = try reader.long("a duration")
        let place = reader.offset
        let states = try reader.int("the number of states of Flink 1.1")
        guard states > 0 else { return }
        var failure = reader.failure("no state of Flink 1.1", found: "\(states)", at: place)
        failure.version = .abandoned(version)
        throw failure
    }

    private mutating func optionalOperatorState() throws(FlinkFormatError) -> FlinkMetadata.OperatorState? {
        let place = reader.offset
        let flag = try reader.int("whether there is operator state")
        guard flag == 0 || flag == 1 else { throw reader.failure("0 or 1 for whether there is operator state", found: "\(flag)", at: place) }
        return flag == 1 ? try operatorStateHandle() : nil
    }

    private mutating func operatorStateHandle() throws(FlinkFormatError) -> FlinkMetadata.OperatorState? {
        let place = reader.offset
        let tag = try reader.byte("an operator state's handle")
        if tag == 0 { return nil }
        guard tag == 4 || tag == 17 else { throw unknown(tag, "an operator state's handle", at: place) }
        // A name, the distribution, and the number of offsets.
        let states = try reader.array(of: "named states", minimum: 2 + 1 + 4) { (reader) throws(FlinkFormatError) in try Self.named(&reader) }
        var merging: FlinkMetadata.OperatorState.Merging?
        if tag == 17 {
            merging = FlinkMetadata.OperatorState.Merging(
                taskOwnedDirectory: try reader.text("a task-owned directory"), sharedDirectory: try reader.text("a shared directory"),
                isEmpty: try flag("whether a merged state is empty"))
        }
        return FlinkMetadata.OperatorState(states: states, merging: merging, stream: try stream(depth: 0))
    }

    private static func named(_ reader: inout JavaDataReader) throws(FlinkFormatError) -> FlinkMetadata.OperatorState.Named {
        let name = try reader.text("a state's name")
        let place = reader.offset
        let mode = try reader.byte("a state's distribution")
        guard let distribution = FlinkMetadata.OperatorState.Distribution(rawValue: mode) else {
            throw reader.failure("a distribution from 0 to 2", found: "\(mode)", at: place)
        }
        return FlinkMetadata.OperatorState.Named(name: name, distribution: distribution, offsets: try reader.longs(of: "offsets of a state"))
    }

    private mutating func flag(_ what: String) throws(FlinkFormatError) -> Bool {
        let place = reader.offset
        let value = try reader.byte(what)
        guard value <= 1 else { throw reader.failure("0 or 1 for \(what)", found: "\(value)", at: place) }
        return value == 1
    }

    // MARK: Channels

    private mutating func channels(_ what: String, single: UInt8, merged: UInt8) throws(FlinkFormatError) -> [FlinkMetadata.Channel] {
        let count = try reader.count(of: what, minimum: version >= 6 ? 1 + 4 + 8 + 1 + 4 : 12 + 4 + 8 + 1)
        var channels: [FlinkMetadata.Channel] = []
        for _ in 0..<count { channels.append(try channel(what, single: single, merged: merged)) }
        return channels
    }

    private mutating func channel(_ what: String, single: UInt8, merged: UInt8) throws(FlinkFormatError) -> FlinkMetadata.Channel {
        if version >= 6 {
            let place = reader.offset
            let tag = try reader.byte("a handle of \(what)")
            if tag == merged { return try mergedChannels(what) }
            guard tag == single else { throw unknown(tag, "a handle of \(what)", at: place) }
        }
        return .single(
            subtask: try reader.int("the subtask of \(what)"), gate: try reader.int("the gate of \(what)"),
            channel: try reader.int("the channel of \(what)"), offsets: try reader.longs(of: "offsets of \(what)"),
            size: try reader.size("the size of \(what)"), stream: try stream(depth: 0))
    }

    private mutating func mergedChannels(_ what: String) throws(FlinkFormatError) -> FlinkMetadata.Channel {
        let subtask = try reader.int("the subtask of \(what)")
        let size = try reader.size("the size of \(what)")
        let handle = try stream(depth: 0)
        let length = try reader.int("the length of the offsets of \(what)")
        return .merged(subtask: subtask, size: size, stream: handle, offsets: Array(try reader.take(length, "the offsets of \(what)")))
    }

    // MARK: Keyed state

    private mutating func keyed(depth: Int) throws(FlinkFormatError) -> FlinkMetadata.Keyed? {
        let place = reader.offset
        try require(depth, at: place)
        let tag = try reader.byte("a keyed state's handle")
        switch tag {
        case 0: return nil
        case 3, 7, 12: return .keyGroups(try keyGroups(tag, depth: depth))
        case 5, 11: return .incremental(try incremental(tag, depth: depth))
        case 8, 14: return .changelog(try changelog(tag, depth: depth))
        case 9: return .changes(try changes())
        case 10, 13: return .changeFiles(try changeFiles(tag, depth: depth))
        default: throw unknown(tag, "a keyed state's handle", at: place)
        }
    }

    private mutating func range() throws(FlinkFormatError) -> FlinkMetadata.KeyGroupRange {
        let place = reader.offset
        let start = try reader.int("the first key group")
        let count = try reader.int("the number of key groups")
        guard start >= 0, count >= 0 else { throw reader.failure("a range of key groups", found: "\(count) from \(start) on", at: place) }
        return FlinkMetadata.KeyGroupRange(start: start, count: count)
    }

    private mutating func keyGroups(_ tag: UInt8, depth: Int) throws(FlinkFormatError) -> FlinkMetadata.KeyGroups {
        let range = try range()
        let offsets = try reader.longs(range.count, of: "offsets of key groups")
        let handle = try stream(depth: depth + 1)
        let form: FlinkMetadata.KeyGroups.Form =
            switch tag {
            case 7: .canonicalSavepoint
            case 12: .identified(handleID: try reader.text("a handle's id"))
            default: .plain
            }
        return FlinkMetadata.KeyGroups(form: form, range: range, offsets: offsets, stream: handle)
    }

    private mutating func incremental(_ tag: UInt8, depth: Int) throws(FlinkFormatError) -> FlinkMetadata.Incremental {
        let checkpoint = try reader.long("the checkpoint of an incremental state")
        let backend = try reader.text("the backend of an incremental state")
        let range = try range()
        let written = tag == 11 ? try reader.size("the checkpointed size") : 0
        let meta = try stream(depth: depth + 1)
        let shared = try entries("shared files", depth: depth)
        let exclusive = try entries("private files", depth: depth)
        let identity =
            tag == 11 ? FlinkMetadata.Incremental.Identity(checkpointedSize: written, handleID: try reader.text("a handle's id")) : nil
        return FlinkMetadata.Incremental(
            checkpoint: checkpoint, backend: backend, range: range, meta: meta, shared: shared, exclusive: exclusive, identity: identity)
    }

    private mutating func entries(_ what: String, depth: Int) throws(FlinkFormatError) -> [FlinkMetadata.Incremental.Entry] {
        let count = try reader.count(of: what, minimum: 2 + 1)
        var entries: [FlinkMetadata.Incremental.Entry] = []
        for _ in 0..<count {
            entries.append(FlinkMetadata.Incremental.Entry(name: try reader.text("the name of one of the \(what)"), stream: try stream(depth: depth + 1)))
        }
        return entries
    }

    // MARK: Changelogs

    /// Flink 1.14 wrote these in other forms under the same tags.
    private var hasEarlyChangelogs: Bool { version <= 3 }

    private mutating func changelog(_ tag: UInt8, depth: Int) throws(FlinkFormatError) -> FlinkMetadata.Changelog {
        let range = try range()
        let isEarly = hasEarlyChangelogs && tag == 8
        let written = isEarly ? 0 : try reader.size("the checkpointed size")
        let materialized = try keyedHandles("materialised states", depth: depth)
        let changes = try keyedHandles("changes", depth: depth)
        guard !isEarly else { return FlinkMetadata.Changelog(range: range, materialized: materialized, changes: changes, identity: nil) }
        let materialization = try reader.long("the number of a materialisation")
        let checkpoint = tag == 14 ? try reader.long("the checkpoint of a changelog") : nil
        let identity = FlinkMetadata.Changelog.Identity(
            checkpointedSize: written, materialization: materialization, checkpoint: checkpoint, handleID: try reader.text("a handle's id"))
        return FlinkMetadata.Changelog(range: range, materialized: materialized, changes: changes, identity: identity)
    }

    private mutating func keyedHandles(_ what: String, depth: Int) throws(FlinkFormatError) -> [FlinkMetadata.Keyed?] {
        let count = try reader.count(of: what, minimum: 1)
        var handles: [FlinkMetadata.Keyed?] = []
        for _ in 0..<count { handles.append(try keyed(depth: depth + 1)) }
        return handles
    }

    private mutating func changes() throws(FlinkFormatError) -> FlinkMetadata.InMemoryChanges {
        let range = try range()
        let from = try reader.long("the first sequence number of changes")
        let to = try reader.long("the last sequence number of changes")
        let changes = try reader.array(of: "changes", minimum: 8) { (reader) throws(FlinkFormatError) in
            let keyGroup = try reader.int("the key group of a change")
            let length = try reader.int("the length of a change")
            return FlinkMetadata.InMemoryChanges.Change(keyGroup: keyGroup, bytes: Array(try reader.take(length, "a change")))
        }
        return FlinkMetadata.InMemoryChanges(
            range: range, from: from, to: to, changes: changes, handleID: hasEarlyChangelogs ? nil : try reader.text("a handle's id"))
    }

    private mutating func changeFiles(_ tag: UInt8, depth: Int) throws(FlinkFormatError) -> FlinkMetadata.ChangeFiles {
        let range = try range()
        let count = try reader.count(of: "files of changes", minimum: 8 + 1)
        var parts: [FlinkMetadata.ChangeFiles.Part] = []
        for _ in 0..<count {
            parts.append(FlinkMetadata.ChangeFiles.Part(offset: try reader.long("the offset of changes"), stream: try stream(depth: depth + 1)))
        }
        let size = try reader.size("the size of changes")
        guard !(hasEarlyChangelogs && tag == 10) else { return FlinkMetadata.ChangeFiles(range: range, parts: parts, size: size, identity: nil) }
        let identity = FlinkMetadata.ChangeFiles.Identity(
            checkpointedSize: try reader.size("the checkpointed size"), handleID: try reader.text("a handle's id"),
            storage: tag == 13 ? try reader.text("the storage of changes") : nil)
        return FlinkMetadata.ChangeFiles(range: range, parts: parts, size: size, identity: identity)
    }

    // MARK: Streams

    private mutating func stream(depth: Int) throws(FlinkFormatError) -> FlinkMetadata.Stream? {
        let place = reader.offset
        try require(depth, at: place)
        let tag = try reader.byte("a handle")
        switch tag {
        case 0: return nil
        case 1:
            let name = try reader.text("the name of a handle")
            let length = try reader.int("the length of a handle's bytes")
            return .bytes(name: name, Array(try reader.take(length, "a handle's bytes")))
        case 2:
            let size = try reader.size("the size of a file")
            return .file(path: try reader.text("the path of a file"), size: size)
        case 3, 7, 12: return .keyGroups(try keyGroups(tag, depth: depth))
        case 6: return .relativeFile(path: try reader.text("the relative path of a file"), size: try reader.size("the size of a file"))
        case 15: return .segment(try segment())
        case 16: return .emptySegment
        default: throw unknown(tag, "a handle", at: place)
        }
    }

    private mutating func segment() throws(FlinkFormatError) -> FlinkMetadata.Segment {
        let start = try reader.size("the start of a segment")
        let size = try reader.size("the size of a segment")
        let place = reader.offset
        let ordinal = try reader.int("the scope of a segment")
        guard let scope = FlinkMetadata.Segment.Scope(rawValue: ordinal) else { throw reader.failure("a scope of 0 or 1", found: "\(ordinal)", at: place) }
        return FlinkMetadata.Segment(
            start: start, size: size, scope: scope, path: try reader.text("the path of a segment"), logicalID: try reader.text("the id of a segment"))
    }

    private func unknown(_ tag: UInt8, _ what: String, at place: Int) -> FlinkFormatError {
        reader.failure("the tag of \(what)", found: "\(tag)", at: place)
    }

    private func require(_ depth: Int, at place: Int) throws(FlinkFormatError) {
        guard depth <= Self.depthMax else { throw reader.failure("handles nested at most \(Self.depthMax) deep", found: "one more", at: place) }
    }
}
