public import Dataflow
internal import StreamModel

/// Checks a source of a bounded input against the contract of the article *Connectors*. Drives readers as the engine does, with its own clock;
/// nothing waits.
public struct SourceConformance<S: Source> where S.Reader.Element: Hashable {
    private let make: () throws -> S
    private let isOrdered: Bool

    /// Creates a check.
    /// - Parameters:
    ///   - isOrdered: whether a single subtask reads the records in the same order every time.
    ///   - make: the source, over an input that does not change and is read in several steps.
    public init(isOrdered: Bool = true, _ make: @escaping () throws -> S) {
        self.isOrdered = isOrdered
        self.make = make
    }

    /// All violations found; thrown errors are the source's own.
    public func violations() throws -> [Violation] {
        var drive = try Drive(make(), subtask: 0, parallelism: 1, splits: nil)
        let whole = try drive.rest()
        guard !whole.isEmpty else { return [Violation(rule: .readsOnFromEveryPlace, detail: "the input is empty: give it records")] }
        return try places(whole) + rescales(whole) + ended(whole) + damaged()
    }

    private func places(_ whole: [S.Reader.Element]) throws -> [Violation] {
        var violations: [Violation] = []
        var first = try Drive(make(), subtask: 0, parallelism: 1, splits: nil)
        var prefix: [S.Reader.Element] = [], step = 0
        while true {
            let splits = first.reader.splits()
            if first.reader.splits() != splits { violations.append(Violation(rule: .snapshotsDoNotDisturb, detail: "two snapshots in a row differ")) }
            var second = try Drive(make(), subtask: 0, parallelism: 1, splits: splits)
            if second.reader.splits() != splits {
                violations.append(Violation(rule: .restoreIsIdentity, detail: "after \(prefix.count) records"))
            }
            if second.reader.position != UInt64(prefix.count) {
                violations.append(Violation(rule: .positionCountsRecords, detail: "\(second.reader.position) after \(prefix.count) records"))
            }
            let all = prefix + (try second.rest())
            if let difference = difference(all, whole) {
                violations.append(Violation(rule: .readsOnFromEveryPlace, detail: "after \(prefix.count) records: \(difference)"))
            } else if isOrdered, all != whole {
                violations.append(Violation(rule: .readsOnFromEveryPlace, detail: "after \(prefix.count) records: the order differs"))
            }
            guard step < 200, let more = try first.step() else { break }
            prefix += more
            step += 1
        }
        return violations
    }

    /// Reads a little at one parallelism, the next part at another.
    private func rescales(_ whole: [S.Reader.Element]) throws -> [Violation] {
        var violations: [Violation] = []
        for chain in [[1, 2, 1], [2, 3, 1], [3, 1, 4], [2, 2, 2], [5, 2, 3]] {
            var lists: [[[UInt8]]]?
            var found: [S.Reader.Element] = []
            for (index, parallelism) in chain.enumerated() {
                let dealt = try lists.map { try deal($0, to: parallelism) }
                var next: [[[UInt8]]] = []
                for subtask in 0..<parallelism {
                    var drive = try Drive(make(), subtask: subtask, parallelism: parallelism, splits: dealt?[subtask])
                    if index == chain.count - 1 { found += try drive.rest() } else { for _ in 0...index + subtask { found += try drive.step() ?? [] } }
                    next.append(drive.reader.splits())
                }
                lists = next
            }
            if let difference = difference(found, whole) {
                violations.append(Violation(rule: .rescaleReadsEverythingOnce, detail: "parallelism \(chain): \(difference)"))
            }
        }
        return violations
    }

    /// Redistributes splits as the engine does.
    private func deal(_ lists: [[[UInt8]]], to parallelism: Int) throws -> [[[UInt8]]] {
        let all = lists.flatMap { $0 }
        switch try make().splitSharing {
        case .givenToAll: return [[[UInt8]]](repeating: all, count: parallelism)
        case .dealtOut:
            if lists.count == parallelism { return lists }
            let base = all.count / parallelism, extra = all.count % parallelism
            return (0..<parallelism).map { index in
                let start = index * base + min(index, extra)
                return Array(all[start..<start + base + (index < extra ? 1 : 0)])
            }
        }
    }

    private func ended(_ whole: [S.Reader.Element]) throws -> [Violation] {
        var drive = try Drive(make(), subtask: 0, parallelism: 1, splits: nil)
        _ = try drive.rest()
        var again = try Drive(make(), subtask: 0, parallelism: 1, splits: drive.reader.splits())
        let more = try again.rest()
        return more.isEmpty ? [] : [Violation(rule: .staysEnded, detail: "\(more.count) records come after the end")]
    }

    private func damaged() throws -> [Violation] {
        var drive = try Drive(make(), subtask: 0, parallelism: 1, splits: nil)
        _ = try drive.step()
        guard let split = drive.reader.splits().first, !split.isEmpty else { return [] }
        do {
            // Half a split names no position.
            _ = try Drive(make(), subtask: 0, parallelism: 1, splits: [Array(split.prefix(split.count / 2))])
            return [Violation(rule: .refusesDamagedSplits, detail: "half of a split was taken for a whole one")]
        } catch { return [] }
    }

    /// A reader driven by the check.
    private struct Drive {
        var reader: S.Reader
        private var now = EngineInstant(nanoseconds: 0)

        init(_ source: S, subtask: Int, parallelism: Int, splits: [[UInt8]]?) throws {
            reader = try source.makeReader(subtask: subtask, parallelism: parallelism, host: MachineHost())
            if let splits { try reader.restore(splits) }
            try reader.start(at: now)
        }

        /// Records of one step; nil at the end.
        mutating func step() throws -> [S.Reader.Element]? {
            let collector = RecordCollector<S.Reader.Element>()
            let status = try reader.read(into: collector.emitter, at: now)
            let records = collector.take()
            switch status {
            case .more: break
            case .waiting(let until): now = max(until ?? now, EngineInstant(nanoseconds: now.nanoseconds + 1_000_000))
            case .ended: return records.isEmpty ? nil : records
            }
            return records
        }

        /// All remaining records, in at most a million steps: a source that never ends is not bounded.
        mutating func rest() throws -> [S.Reader.Element] {
            var records: [S.Reader.Element] = []
            for _ in 0..<1_000_000 {
                guard let more = try step() else { return records }
                records += more
            }
            throw JobError.source("the source does not end: check it over a bounded input")
        }
    }
}
