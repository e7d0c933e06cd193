public import StreamModel

/// Where a source stands in one partition of a topic, as its state says.
public struct KafkaOffset: Sendable, Equatable {
    public enum Position: Sendable, Equatable {
        /// The offset of the next record to read.
        case next(Int64)
        /// Nothing was read yet: where reading begins.
        case earliest, latest, committed
    }
    public var topic: String
    public var partition: Int
    public var position: Position

    public init(topic: String, partition: Int, position: Position) {
        self.topic = topic
        self.partition = partition
        self.position = position
    }
}

/// An operator state that may hold Kafka offsets: where its elements are, and how to read them.
public struct KafkaOffsetState: Sendable, Equatable {
    public enum Source: String, Sendable {
        /// `KafkaSource`: splits in the state of a source's reader, which other sources have too.
        case splits = "KafkaSource"
        /// `FlinkKafkaConsumer`: a list of its own.
        case legacy = "FlinkKafkaConsumer"
    }
    public var source: Source
    public var owner: OperatorID
    public var subtask: Int
    /// Where the elements begin.
    public var offsets: [Int64]
    public var stream: FlinkMetadata.Stream

    public init(source: Source, owner: OperatorID, subtask: Int, offsets: [Int64], stream: FlinkMetadata.Stream) {
        self.source = source
        self.owner = owner
        self.subtask = subtask
        self.offsets = offsets
        self.stream = stream
    }

    /// Reads the elements.
    /// - Parameters:
    ///   - bytes: all bytes of `stream`.
    ///   - name: names them in errors.
    /// - Returns: nil when these are splits of another kind of source.
    public func decode(_ bytes: [UInt8], name: String) throws(FlinkFormatError) -> [KafkaOffset]? {
        var result: [KafkaOffset] = []
        for offset in offsets {
            guard let start = Int(exactly: offset), (0...bytes.count).contains(start) else {
                throw FlinkFormatError(file: name, offset: bytes.count, expected: "an element of a state at byte \(offset)", found: "the end")
            }
            var reader = JavaDataReader(bytes[start...], file: name)
            switch source {
            case .splits:
                guard let split = KafkaSplitDecoder.decode(&reader) else { return nil }
                result.append(split)
            case .legacy: result.append(try LegacyOffsetDecoder.decode(&reader))
            }
        }
        return result
    }
}

extension FlinkMetadata {
    public var kafkaOffsetStates: [KafkaOffsetState] {
        operators.flatMap { state in
            state.subtasks.flatMap { subtask -> [KafkaOffsetState] in
                guard let managed = subtask.managedOperatorState, let stream = managed.stream else { return [] }
                return managed.states.compactMap { named in
                    let source: KafkaOffsetState.Source? =
                        switch named.name {
                        case "SourceReaderState": .splits
                        case "topic-partition-offset-states": .legacy
                        default: nil
                        }
                    guard let source, !named.offsets.isEmpty else { return nil }
                    return KafkaOffsetState(source: source, owner: state.id, subtask: subtask.index, offsets: named.offsets, stream: stream)
                }
            }
        }
    }
}

/// A split of `KafkaSource`: lengths, versions, topic, partition, next offset, last offset.
private enum KafkaSplitDecoder {
    /// nil when the bytes are not such a split: every source keeps its splits under the same name.
    static func decode(_ reader: inout JavaDataReader) -> KafkaOffset? {
        do throws(FlinkFormatError) {
            let length = try reader.int("the length of a split")
            let version = try reader.int("the version of a split's serializer")
            let inner = try reader.int("the length of a split's bytes")
            guard version == 0, length >= 8, inner == length - 8 else { return nil }
            var split = JavaDataReader(try reader.take(inner, "a split"), file: reader.file)
            let topic = try split.text("a topic")
            let partition = try split.int("a partition")
            let next = try split.long("an offset")
            _ = try split.long("a last offset")
            guard split.remaining == 0, isTopic(topic), partition >= 0, let position = position(next) else { return nil }
            return KafkaOffset(topic: topic, partition: partition, position: position)
        } catch {
            return nil
        }
    }

    private static func position(_ offset: Int64) -> KafkaOffset.Position? {
        switch offset {
        case 0...: .next(offset)
        case -1: .latest
        case -2: .earliest
        case -3: .committed
        default: nil
        }
    }

    /// Kafka's rule for the names of topics.
    private static func isTopic(_ name: String) -> Bool {
        (1...249).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                    || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
            }
    }
}

/// An element of `FlinkKafkaConsumer`'s list: a topic and a partition in Kryo's form (fields in the order of their names, the first of
/// them a hash), and the offset of the last record that was read.
private enum LegacyOffsetDecoder {
    static func decode(_ reader: inout JavaDataReader) throws(FlinkFormatError) -> KafkaOffset {
        _ = try number(&reader, "the class of a partition")
        try marker(&reader, "a partition")
        _ = try number(&reader, "the hash of a partition")
        let place = reader.offset
        let folded = try number(&reader, "a partition's number")
        let partition = Int32(bitPattern: folded >> 1) ^ -Int32(bitPattern: folded & 1)
        guard partition >= 0 else { throw reader.failure("a partition's number", found: "\(partition)", at: place) }
        try marker(&reader, "a topic")
        let topic = try topic(&reader)
        let offsetPlace = reader.offset
        let last = try reader.long("an offset")
        guard let position = position(last) else { throw reader.failure("an offset", found: "\(last)", at: offsetPlace) }
        return KafkaOffset(topic: topic, partition: Int(partition), position: position)
    }

    /// The consumer resumes behind the record that it read last.
    private static func position(_ last: Int64) -> KafkaOffset.Position? {
        switch last {
        // Nothing is set, or the group's offsets are asked for.
        case -915_623_761_776, -915_623_761_773: .committed
        case -915_623_761_775: .earliest
        case -915_623_761_774: .latest
        case -1..<Int64.max: .next(last + 1)
        default: nil
        }
    }

    private static func marker(_ reader: inout JavaDataReader, _ what: String) throws(FlinkFormatError) {
        let place = reader.offset
        let mark = try reader.byte("the mark before \(what)")
        guard mark == 1 else { throw reader.failure("1, the mark before \(what)", found: "\(mark)", at: place) }
    }

    /// Seven bits a byte, the lowest first; the eighth says that another follows.
    private static func number(_ reader: inout JavaDataReader, _ what: String) throws(FlinkFormatError) -> UInt32 {
        let place = reader.offset
        var value: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 35, by: 7) {
            let byte = try reader.byte(what)
            value |= UInt32(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw reader.failure("\(what) of at most five bytes", found: "more", at: place)
    }

    /// Short ASCII text ends with a byte whose highest bit is set; other text begins with its length, marked by that bit.
    private static func topic(_ reader: inout JavaDataReader) throws(FlinkFormatError) -> String {
        let place = reader.offset
        let first = try reader.byte("a topic")
        guard first & 0x80 != 0 else { return try ascii(first, &reader) }
        var length = Int(first & 0x3F)
        if first & 0x40 != 0 {
            let rest = try number(&reader, "the length of a topic")
            guard rest < 1 << 20 else { throw reader.failure("the length of a topic", found: "\(rest)", at: place) }
            length |= Int(rest) << 6
        }
        guard length >= 2 else { throw reader.failure("a topic's name", found: length == 1 ? "an empty one" : "none", at: place) }
        // Kafka's names are ASCII: a byte a character.
        let bytes = try reader.take(length - 1, "a topic")
        guard bytes.allSatisfy({ $0 < 0x80 }) else { throw reader.failure("a topic's name in ASCII", found: "other bytes", at: place) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func ascii(_ first: UInt8, _ reader: inout JavaDataReader) throws(FlinkFormatError) -> String {
        var bytes = [first]
        while bytes.count <= 64 {
            let byte = try reader.byte("a topic")
            bytes.append(byte & 0x7F)
            if byte & 0x80 != 0 { return String(decoding: bytes, as: UTF8.self) }
        }
        throw reader.failure("the end of a short topic", found: "more than 64 bytes")
    }
}
