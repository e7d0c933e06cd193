internal import StreamModel

/// The newest lines of the engine's log, oldest first. A value without I/O.
struct LogRing {
    /// Number of lines kept, and the longest message in bytes.
    static let capacity = 2000, longest = 4000

    private(set) var entries: [EngineLogEntry] = []
    /// Sequence number of the newest line ever taken; 0 = none.
    private(set) var end: UInt64 = 0

    /// Begins with the lines of earlier runs, oldest first. Lines out of order are dropped.
    init(recovered: [EngineLogEntry] = []) {
        for entry in recovered where entry.sequence > end {
            entries.append(entry)
            end = entry.sequence
        }
        trim()
    }

    /// Numbers a line and keeps it.
    mutating func add(_ entry: EngineLogEntry) -> EngineLogEntry {
        var entry = entry
        end += 1
        entry.sequence = end
        if entry.message.utf8.count > Self.longest { entry.message = entry.message.prefix(Self.longest / 4) + " ..." }
        entries.append(entry)
        trim()
        return entry
    }

    /// The newest `limit` lines that follow `after`. A number beyond the newest one is of another log: then nothing is held back.
    func tail(after: UInt64?, limit: Int, _ isWanted: (EngineLogEntry) -> Bool = { _ in true }) -> [EngineLogEntry] {
        let after = after.map { $0 > end ? 0 : $0 } ?? 0
        var rows: [EngineLogEntry] = []
        for entry in entries.reversed() where isWanted(entry) {
            guard entry.sequence > after, rows.count < limit else { break }
            rows.append(entry)
        }
        return rows.reversed()
    }

    /// Drops a tenth at a time, so that a line costs the same with a full ring.
    private mutating func trim() {
        if entries.count > Self.capacity + Self.capacity / 10 { entries.removeFirst(entries.count - Self.capacity) }
    }
}
