import StreamModel

/// A value that counts its changes, so that what is made from it can be kept until the next one.
@propertyWrapper
struct Revised<Value: Sendable>: Sendable {
    var wrappedValue: Value { didSet { projectedValue &+= 1 } }
    /// How often the value was changed.
    private(set) var projectedValue: UInt64 = 0

    init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}

/// The rows of the long lists as they were last put in order, with what they were made from: a key costs as much with a thousand rows as with
/// ten. The end of an update, or the frame after it, makes the rows of the screen anew where they no longer stand.
struct RowCache: Sendable {
    /// The inputs of the rows: small values themselves, of large ones the revision.
    struct Source: Sendable, Equatable {
        var live: UInt64 = 0
        var frozen: UInt64 = 0
        var pasts: UInt64 = 0
        var ticks: UInt64 = 0
        var job: JobKey?
        var scope: HistoryScope?
        var filter: String?
        var order: ListOrder?
    }

    struct Rows<Row: Sendable>: Sendable {
        var source: Source
        var rows: [Row]
    }

    fileprivate(set) var overview: Rows<OverviewRow>?
    /// Of the rows of the Overview.
    fileprivate(set) var counts = OverviewCounts([])
    fileprivate(set) var checkpoints: Rows<CheckpointReport>?
    fileprivate(set) var history: Rows<RememberedCheckpoint>?
    /// How often a list was put in order.
    private(set) var count = 0

    mutating func keep<Row>(_ list: WritableKeyPath<RowCache, Rows<Row>?>, _ source: Source, _ rows: [Row]) {
        self[keyPath: list] = Rows(source: source, rows: rows)
        count += 1
    }
}

extension ConsoleModel {
    /// The inputs of a list's rows; nil = the list is short and made anew each time.
    private func source(_ kind: ListKind) -> RowCache.Source? {
        var source = RowCache.Source(filter: listViews[kind].filter, order: listViews[kind].order)
        switch kind {
        case .overview:
            // The order depends on ages.
            (source.live, source.frozen, source.ticks) = ($live, $frozen, time.ticks)
        case .checkpoints: (source.live, source.frozen, source.pasts, source.job) = ($live, $frozen, $pasts, currentJob)
        case .history:
            guard case .history(let scope) = screen else { return nil }
            (source.pasts, source.scope) = ($pasts, scope)
        case .failures, .operations, .operators, .subtasks, .configuration, .contexts, .audit, .log: return nil
        }
        return source
    }

    /// The rows of a list as they were kept, where they still stand.
    func kept<Row>(_ kind: ListKind, _ list: KeyPath<RowCache, RowCache.Rows<Row>?>) -> [Row]? {
        guard let kept = rowCache[keyPath: list], kept.source == source(kind) else { return nil }
        return kept.rows
    }

    /// Puts the list of the screen in order, if it is not. To be called before a frame is rendered: without it the frame makes the list for itself
    /// alone.
    public mutating func arrange() {
        switch screen {
        case .overview: arrange(.overview, \.overview, \.arrangedOverview)
        case .job, .checkpoints, .checkpoint, .subtasks: arrange(.checkpoints, \.checkpoints, \.arrangedCheckpoints)
        case .history: arrange(.history, \.history, \.arrangedHistory)
        case .failures, .operations, .operation, .metrics, .configuration, .contexts, .audit, .log: break
        }
    }

    private mutating func arrange<Row>(_ kind: ListKind, _ list: WritableKeyPath<RowCache, RowCache.Rows<Row>?>, _ rows: KeyPath<ConsoleModel, [Row]>) {
        guard let source = source(kind), rowCache[keyPath: list]?.source != source else { return }
        rowCache.keep(list, source, self[keyPath: rows])
        if kind == .overview { rowCache.counts = OverviewCounts(rowCache.overview?.rows ?? []) }
    }
}
