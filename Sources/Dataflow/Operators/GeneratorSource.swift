public import StreamModel

/// Position of a generated record: the same position gives the same record, in every run.
public struct GeneratorPlace: Sendable {
    /// Number of the split, in 0 ..< splits.
    @usableFromInline let splitNumber: UInt32
    /// Number within the split, from 0.
    public let ordinal: UInt64
    /// Sequence number `ordinal * splits + split`: unique over all splits.
    public let sequence: UInt64
    public var split: Int { Int(splitNumber) }

    @inlinable
    init(split: UInt32, ordinal: UInt64, splits: UInt32) {
        splitNumber = split
        self.ordinal = ordinal
        sequence = ordinal &* UInt64(splits) &+ UInt64(split)
    }
}

/// A deterministic generator with a rate limit: record n is a function of n, so a restore repeats exactly the records read after it.
public struct GeneratorSource<Element: Sendable>: Source {
    @usableFromInline let count: UInt64?
    @usableFromInline let rate: Double?
    @usableFromInline let splits: Int?
    @usableFromInline let make: @Sendable (GeneratorPlace) -> Element

    /// - Parameters:
    ///   - count: records over all splits; nil = unlimited.
    ///   - rate: records per second over all subtasks; nil = unlimited.
    ///   - splits: parts to distribute over subtasks; nil = the number of subtasks at the first start.
    @inlinable
    public init(count: UInt64? = nil, rate: Double? = nil, splits: Int? = nil, make: @escaping @Sendable (GeneratorPlace) -> Element) {
        self.count = count
        self.rate = rate
        self.splits = splits
        self.make = make
    }

    @inlinable public static var splitType: String { "generator-split-1" }

    @inlinable
    public func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
        let total = splits ?? parallelism
        let own = stride(from: subtask, to: total, by: parallelism).map { GeneratorSplit(split: UInt32($0), splits: UInt32(total), next: 0) }
        // Subtasks without a split take no share of the rate.
        return Reader(source: self, own: own, readers: min(parallelism, max(total, 1)))
    }

    public struct Reader: SourceReader {
        @usableFromInline let make: @Sendable (GeneratorPlace) -> Element
        @usableFromInline var generator: GeneratorProgress

        @inlinable
        init(source: GeneratorSource, own: [GeneratorSplit], readers: Int) {
            make = source.make
            generator = GeneratorProgress(
                own: own, count: source.count, rate: source.rate.map { $0 / Double(readers) }, batch: BatchSize.records(of: Element.self))
        }

        @inlinable
        public mutating func read(into out: Emitter<Element>, at now: EngineInstant) throws -> SourceStatus {
            let (split, from, end, status) = generator.take(at: now)
            let make = self.make
            out.emit(count: Int(end - from)) { make(GeneratorPlace(split: split.split, ordinal: from &+ UInt64($0), splits: split.splits)) }
            return status
        }

        public func splits() -> [[UInt8]] { generator.own.map(\.encoded) }
        public mutating func restore(_ splits: [[UInt8]]) throws { generator.own = try splits.map(GeneratorSplit.init(encoded:)) }
        public var position: UInt64 { generator.own.reduce(0) { $0 + $1.next } }
        public var progress: InputProgress? { generator.progress }
    }
}

/// A part of a generated sequence: the records with `sequence % splits == split`.
@usableFromInline
struct GeneratorSplit: Sendable {
    @usableFromInline let split: UInt32
    @usableFromInline let splits: UInt32
    /// Ordinal of the next record.
    @usableFromInline var next: UInt64

    @usableFromInline
    init(split: UInt32, splits: UInt32, next: UInt64) {
        self.split = split
        self.splits = splits
        self.next = next
    }

    /// Number of records of the split out of `count` in all.
    func total(of count: UInt64) -> UInt64 {
        count > UInt64(split) ? (count - UInt64(split) + UInt64(splits) - 1) / UInt64(splits) : 0
    }

    var encoded: [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        writer.write(split)
        writer.write(splits)
        writer.write(next)
        return Array(writer.bytes)
    }

    init(encoded: [UInt8]) throws(StateDecodingError) {
        let result: Result<GeneratorSplit, StateDecodingError> = encoded.withUnsafeBytes { bytes in
            var reader = StateReader(bytes)
            do throws(StateDecodingError) {
                return .success(GeneratorSplit(split: try reader.read(), splits: try reader.read(), next: try reader.read()))
            } catch { return .failure(error) }
        }
        self = try result.get()
        guard split < splits else { throw StateDecodingError(offset: 0, problem: "split \(split) of \(splits)") }
    }
}

/// The part of a generator's reader independent of the record type: splits in turn, rate, end.
@usableFromInline
struct GeneratorProgress {
    var own: [GeneratorSplit]
    private let count: UInt64?
    private var limiter: RateLimiter
    private let batch: Int
    private var turn = 0

    @usableFromInline
    init(own: [GeneratorSplit], count: UInt64?, rate: Double?, batch: Int) {
        self.own = own
        self.count = count
        limiter = RateLimiter(perSecond: rate)
        self.batch = batch
    }

    /// Claims the next ordinals of one split.
    @usableFromInline
    mutating func take(at now: EngineInstant) -> (split: GeneratorSplit, from: UInt64, end: UInt64, status: SourceStatus) {
        for _ in 0..<own.count {
            turn = (turn + 1) % own.count
            let split = own[turn]
            let left = count.map { split.total(of: $0) - min(split.next, split.total(of: $0)) } ?? .max
            guard left > 0 else { continue }
            let (granted, retryAt) = limiter.grant(Int(min(UInt64(batch), left)), at: now)
            own[turn].next += UInt64(granted)
            return (split, split.next, split.next + UInt64(granted), granted == 0 ? .waiting(until: retryAt) : .more)
        }
        return (GeneratorSplit(split: 0, splits: 1, next: 0), 0, 0, .ended)
    }

    var progress: InputProgress? {
        guard let count else { return nil }
        return InputProgress(read: own.reduce(0) { $0 + $1.next }, total: own.reduce(0) { $0 + $1.total(of: count) })
    }
}

extension GeneratorSource where Element == UInt64 {
    /// The numbers 0, 1, 2, ... below `count`; nil = unlimited.
    public static func sequence(_ count: UInt64? = nil, rate: Double? = nil, splits: Int? = nil) -> GeneratorSource {
        GeneratorSource(count: count, rate: rate, splits: splits) { $0.sequence }
    }
}

extension GeneratorSource {
    /// These records, each once. A restart needs the same array: records are identified by number.
    public static func elements(_ elements: [Element], rate: Double? = nil, splits: Int? = nil) -> GeneratorSource {
        GeneratorSource(count: UInt64(elements.count), rate: rate, splits: splits) { elements[Int($0.sequence)] }
    }
}
