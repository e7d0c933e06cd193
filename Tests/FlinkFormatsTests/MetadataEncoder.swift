import FlinkFormats
import StreamModel

/// Writes metadata as Flink does. The decoder keeps everything, so that what it read becomes the same bytes again; and tests make
/// files with it that no Flink at hand writes.
struct MetadataEncoder {
    private(set) var bytes: [UInt8] = []
    private let version: Int

    static func encode(_ metadata: FlinkMetadata) -> [UInt8] {
        var encoder = MetadataEncoder(version: metadata.version)
        encoder.write(metadata)
        return encoder.bytes
    }

    private init(version: Int) { self.version = version }

    private mutating func integer(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
    private mutating func int(_ value: Int) { integer(Int32(truncatingIfNeeded: value)) }
    private mutating func byte(_ value: UInt8) { bytes.append(value) }

    private mutating func text(_ value: String) {
        var encoded: [UInt8] = []
        for unit in value.utf16 {
            switch unit {
            case 1..<0x80: encoded.append(UInt8(unit))
            case 0..<0x800: encoded += [0xC0 | UInt8(unit >> 6), 0x80 | UInt8(unit & 0x3F)]
            default: encoded += [0xE0 | UInt8(unit >> 12), 0x80 | UInt8(unit >> 6 & 0x3F), 0x80 | UInt8(unit & 0x3F)]
            }
        }
        integer(UInt16(encoded.count))
        bytes += encoded
    }

    private mutating func write(_ metadata: FlinkMetadata) {
        integer(FlinkMetadata.magic)
        int(version)
        integer(metadata.checkpoint.rawValue)
        int(metadata.masterStates.count)
        for state in metadata.masterStates {
            var inner = MetadataEncoder(version: version)
            inner.int(state.version)
            inner.text(state.name)
            inner.int(state.bytes.count)
            integer(Int32(-915_728_746))
            int(inner.bytes.count + state.bytes.count)
            bytes += inner.bytes + state.bytes
        }
        int(metadata.operators.count)
        for state in metadata.operators { write(state) }
        // Java's null.
        let none: [UInt8] = version >= 4 ? [0xAC, 0xED, 0x00, 0x05, 0x70] : []
        bytes += (metadata.properties?.bytes ?? none) + metadata.trailing
    }

    private mutating func write(_ state: FlinkMetadata.Operator) {
        if version >= 5 {
            text(state.name ?? "")
            text(state.uid ?? "")
        }
        integer(state.id.high)
        integer(state.id.low)
        int(state.parallelism)
        int(state.maxParallelism)
        if version == 2 { int(1) } else { write(state.coordinatorState) }
        guard !state.isFullyFinished else { return int(-1) }
        int(state.subtasks.count)
        for subtask in state.subtasks {
            guard !subtask.isFinished else {
                int(-subtask.index - 1)
                continue
            }
            int(subtask.index)
            if version == 2 {
                integer(Int64(-1))
                int(0)
            }
            for operatorState in [subtask.managedOperatorState, subtask.rawOperatorState] { write(operatorState) }
            for keyed in [subtask.managedKeyedState, subtask.rawKeyedState] { write(keyed) }
            guard version > 2 else { continue }
            write(subtask.inputChannels, single: 1, merged: 3)
            write(subtask.resultSubpartitions, single: 2, merged: 4)
        }
    }

    private mutating func write(_ state: FlinkMetadata.OperatorState?) {
        guard let state else { return int(0) }
        int(1)
        byte(state.merging == nil ? 4 : 17)
        int(state.states.count)
        for named in state.states {
            text(named.name)
            byte(named.distribution.rawValue)
            int(named.offsets.count)
            for offset in named.offsets { integer(offset) }
        }
        if let merging = state.merging {
            text(merging.taskOwnedDirectory)
            text(merging.sharedDirectory)
            byte(merging.isEmpty ? 1 : 0)
        }
        write(state.stream)
    }

    private mutating func write(_ channels: [FlinkMetadata.Channel], single: UInt8, merged: UInt8) {
        int(channels.count)
        for channel in channels {
            switch channel {
            case .single(let subtask, let gate, let index, let offsets, let size, let stream):
                if version >= 6 { byte(single) }
                int(subtask)
                int(gate)
                int(index)
                int(offsets.count)
                for offset in offsets { integer(offset) }
                integer(size)
                write(stream)
            case .merged(let subtask, let size, let stream, let offsets):
                byte(merged)
                int(subtask)
                integer(size)
                write(stream)
                int(offsets.count)
                bytes += offsets
            }
        }
    }

    private mutating func write(_ range: FlinkMetadata.KeyGroupRange) {
        int(range.start)
        int(range.count)
    }

    private mutating func write(_ groups: FlinkMetadata.KeyGroups) {
        switch groups.form {
        case .plain: byte(3)
        case .canonicalSavepoint: byte(7)
        case .identified: byte(12)
        }
        write(groups.range)
        for offset in groups.offsets { integer(offset) }
        write(groups.stream)
        if case .identified(let id) = groups.form { text(id) }
    }

    private mutating func write(_ keyed: FlinkMetadata.Keyed?) {
        switch keyed {
        case nil: byte(0)
        case .keyGroups(let groups): write(groups)
        case .incremental(let state):
            byte(state.identity == nil ? 5 : 11)
            integer(state.checkpoint)
            text(state.backend)
            write(state.range)
            if let identity = state.identity { integer(identity.checkpointedSize) }
            write(state.meta)
            for entries in [state.shared, state.exclusive] {
                int(entries.count)
                for entry in entries {
                    text(entry.name)
                    write(entry.stream)
                }
            }
            if let identity = state.identity { text(identity.handleID) }
        case .changelog(let state): write(state)
        case .changes(let state):
            byte(9)
            write(state.range)
            integer(state.from)
            integer(state.to)
            int(state.changes.count)
            for change in state.changes {
                int(change.keyGroup)
                int(change.bytes.count)
                bytes += change.bytes
            }
            if let id = state.handleID { text(id) }
        case .changeFiles(let state):
            byte(state.identity?.storage == nil ? 10 : 13)
            write(state.range)
            int(state.parts.count)
            for part in state.parts {
                integer(part.offset)
                write(part.stream)
            }
            integer(state.size)
            guard let identity = state.identity else { return }
            integer(identity.checkpointedSize)
            text(identity.handleID)
            if let storage = identity.storage { text(storage) }
        }
    }

    private mutating func write(_ state: FlinkMetadata.Changelog) {
        byte(state.identity?.checkpoint == nil ? 8 : 14)
        write(state.range)
        if let identity = state.identity { integer(identity.checkpointedSize) }
        for handles in [state.materialized, state.changes] {
            int(handles.count)
            for handle in handles { write(handle) }
        }
        guard let identity = state.identity else { return }
        integer(identity.materialization)
        if let checkpoint = identity.checkpoint { integer(checkpoint) }
        text(identity.handleID)
    }

    private mutating func write(_ stream: FlinkMetadata.Stream?) {
        switch stream {
        case nil: byte(0)
        case .bytes(let name, let content):
            byte(1)
            text(name)
            int(content.count)
            bytes += content
        case .file(let path, let size):
            byte(2)
            integer(size)
            text(path)
        case .relativeFile(let path, let size):
            byte(6)
            text(path)
            integer(size)
        case .segment(let segment):
            byte(15)
            integer(segment.start)
            integer(segment.size)
            int(segment.scope.rawValue)
            text(segment.path)
            text(segment.logicalID)
        case .emptySegment: byte(16)
        case .keyGroups(let groups): write(groups)
        }
    }
}
