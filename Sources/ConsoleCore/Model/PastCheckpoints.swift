import CellGrid
public import StreamModel

/// A set of remembered checkpoints: of a context, of a job (name, or id of 32 digits); nil = all.
public struct HistoryScope: Hashable, Sendable {
    public var context: String?
    public var job: String?

    public init(context: String? = nil, job: String? = nil) {
        self.context = context
        self.job = job
    }
}

/// A page of the ledger: the newest checkpoints that were triggered until a moment.
public struct HistoryQuestion: Sendable, Equatable {
    public var scope: HistoryScope
    /// nil = the newest of all.
    public var until: WallTime?
    public var limit: Int

    public init(_ scope: HistoryScope, until: WallTime? = nil, limit: Int = pageRows) {
        self.scope = scope
        self.until = until
        self.limit = limit
    }

    /// Rows of a page: more than anybody scrolls through before the next one is there.
    public static let pageRows = 500
}

/// The rows of one scope that were read from the ledger, newest first.
struct PastCheckpoints: Sendable {
    /// The most rows that are held; a narrower question finds older ones.
    static let rowsMax = 2000

    private(set) var rows: [RememberedCheckpoint] = [] {
        didSet { places = Dictionary(rows.enumerated().map { ($1.rowID, $0) }, uniquingKeysWith: { first, _ in first }) }
    }
    private var places: [RememberedCheckpoint.RowID: Int] = [:]
    /// How many there are in the ledger.
    private(set) var total = 0
    private(set) var isComplete = false
    private(set) var isLoaded = false
    /// A question is under way.
    var isAsked = false
    /// Changes with every change of the rows.
    private(set) var revision = 0

    subscript(id: RememberedCheckpoint.RowID) -> RememberedCheckpoint? { places[id].map { rows[$0] } }

    mutating func take(_ page: [RememberedCheckpoint], of question: HistoryQuestion, total: Int) {
        (isAsked, isLoaded, self.total) = (false, true, total)
        revision += 1
        guard question.until != nil else {
            // Read anew: what was learned since from the engine itself is in the ledger by the next time.
            (rows, isComplete) = (page, page.count < question.limit)
            return
        }
        // The pages meet at one moment, and share what was triggered in it.
        let new = page.filter { places[$0.rowID] == nil }
        rows += new.prefix(Self.rowsMax - rows.count)
        isComplete = new.isEmpty || page.count < question.limit || rows.count >= Self.rowsMax
    }

    /// Takes in rows that an engine has just let go of, before the ledger is read again.
    mutating func add(_ new: [RememberedCheckpoint]) {
        let added = new.filter { places[$0.rowID] == nil }
        guard !added.isEmpty else { return }
        total += added.count
        revision += 1
        rows = (added + rows).sorted { $0.report.triggeredAt > $1.report.triggeredAt }
    }
}

extension RememberedCheckpoint {
    struct RowID: Hashable, Sendable {
        var job: JobID
        var checkpoint: CheckpointID
    }

    var rowID: RowID { RowID(job: job, checkpoint: report.id) }
}

extension ConsoleModel {
    /// Scopes that are held at once.
    private static let scopesMax = 6
    /// The next page is asked for when the cursor is this near to the end.
    private static let margin = 100

    func past(_ scope: HistoryScope) -> PastCheckpoints { pasts[scope] ?? PastCheckpoints() }

    /// A job's checkpoints in the ledger that the engine does not list, up to the moment that the screen shows.
    func remembered(_ key: JobKey) -> [RememberedCheckpoint] {
        let rows = past(HistoryScope(job: key.job.description)).rows
        guard !rows.isEmpty else { return [] }
        let memory = shown.memory(key), limit = frozen?.at
        return rows.filter { row in memory[row.report.id] == nil && (limit.map { row.report.triggeredAt <= $0 } ?? true) }
    }

    /// A checkpoint of the current job that only the ledger knows; nil = listed by the engine, or unknown.
    func remembered(_ id: CheckpointID) -> RememberedCheckpoint? {
        guard let key = currentJob, !pasts.isEmpty, shown.memory(key)[id] == nil else { return nil }
        let own = past(HistoryScope(job: key.job.description)), rowID = RememberedCheckpoint.RowID(job: key.job, checkpoint: id)
        if let row = own[rowID] { return row }
        guard !own.isLoaded, case .history(let scope)? = screens.first(where: { if case .history = $0 { true } else { false } }) else { return nil }
        return past(scope)[rowID]
    }

    /// The checkpoints of a job, the newest first: what the engine lists, and between them what only the ledger remembers.
    func knownCheckpoints(_ key: JobKey) -> [CheckpointReport] {
        let listed = shown.memory(key).checkpoints, past = remembered(key)
        guard !past.isEmpty else { return listed }
        var rows: [CheckpointReport] = []
        rows.reserveCapacity(listed.count + past.count)
        var rest = past[...]
        for checkpoint in listed {
            while let next = rest.first, next.report.id > checkpoint.id { rows.append(rest.removeFirst().report) }
            rows.append(checkpoint)
        }
        rows += rest.map(\.report)
        return rows
    }

    /// A snapshot of an earlier run of a job (the same name, in the same context), or one that its engine lists no longer: a restart can be
    /// tried from it.
    func rememberedCandidates(_ key: JobKey) -> [RememberedCheckpoint] {
        let names = lineage(key).map { past($0).rows } ?? []
        let own = past(HistoryScope(job: key.job.description)).rows
        let listed = Set(live.memory(key).checkpoints.compactMap(\.path))
        var known: Set<String> = []
        let oldest = oldestRetained(key)
        return (own + names).filter { row in
            guard row.mayBeRestored, let path = row.report.path, !listed.contains(path) else { return false }
            if row.job == key.job, let oldest, !row.report.kind.isSavepoint, row.report.id < oldest { return false }
            return known.insert(path).inserted
        }.sorted { $0.report.triggeredAt > $1.report.triggeredAt }
    }

    /// The oldest checkpoint that a job still keeps, by how many it keeps: those before it were subsumed. nil = not known.
    private func oldestRetained(_ key: JobKey) -> CheckpointID? {
        guard let job = live.job(key), !job.state.isTerminal, job.configuration.tells(.retainedCheckpoints) else { return nil }
        let completed = live.memory(key).checkpoints.filter { $0.status == .completed && !$0.kind.isSavepoint }.map(\.id).sorted(by: >)
        let kept = max(1, job.configuration.retainedCheckpoints)
        return completed.count >= kept ? completed[kept - 1] : nil
    }

    /// The ledger has told all that it knows of a job and of its earlier runs.
    func pastIsLoaded(of key: JobKey) -> Bool {
        past(HistoryScope(job: key.job.description)).isLoaded && (lineage(key).map { past($0).isLoaded } ?? true)
    }

    private func lineage(_ key: JobKey) -> HistoryScope? {
        live.job(key).map { HistoryScope(context: key.context, job: $0.name) }
    }

    // MARK: Questions to the ledger

    /// The scopes that the screen shows.
    private var shownScopes: [HistoryScope] {
        for modal in modals.reversed() {
            if case .chooser(let chooser) = modal { return [HistoryScope(job: chooser.key.job.description)] + (lineage(chooser.key).map { [$0] } ?? []) }
        }
        switch screen {
        case .history(let scope): return [scope]
        case .job, .checkpoints, .checkpoint, .subtasks: return currentJob.map { [HistoryScope(job: $0.job.description)] } ?? []
        default: return []
        }
    }

    /// Asks the ledger for what the screen shows of it and has not been read, and for the next page near the end of one.
    mutating func requestPast(_ effects: inout [ConsoleEffect]) {
        for scope in shownScopes {
            let past = past(scope)
            guard !past.isAsked else { continue }
            var question = HistoryQuestion(scope)
            if past.isLoaded {
                guard !past.isComplete, isNearEnd(scope, past), let last = past.rows.last else { continue }
                question.until = last.report.triggeredAt
            }
            if pasts[scope] == nil, pasts.count >= Self.scopesMax {
                let shown = Set(shownScopes)
                pasts = pasts.filter { shown.contains($0.key) }
            }
            pasts[scope, default: PastCheckpoints()].isAsked = true
            effects.append(.loadHistory(question))
        }
    }

    private func isNearEnd(_ scope: HistoryScope, _ past: PastCheckpoints) -> Bool {
        switch screen {
        case .history, .checkpoints: listPosition.index + Self.margin >= listPosition.count
        default: false
        }
    }

    /// Forgets rows that may be old; they are read again when shown.
    mutating func forgetPast(_ isOld: (HistoryScope) -> Bool = { _ in true }) {
        pasts = pasts.filter { $0.value.isAsked || !isOld($0.key) }
    }

    mutating func take(history question: HistoryQuestion, _ rows: [RememberedCheckpoint], total: Int) {
        // A scope that is no longer shown was given up.
        guard pasts[question.scope]?.isAsked ?? false else { return }
        pasts[question.scope]?.take(rows, of: question, total: total)
    }

    /// The engine has let go of checkpoints: they stay on the screen as remembered.
    mutating func keepLost(_ lost: [CheckpointReport], of key: JobKey, jobName: String) {
        let scope = HistoryScope(job: key.job.description)
        guard pasts[scope]?.isLoaded ?? false, !lost.isEmpty else { return }
        let time = now
        pasts[scope]?.add(
            lost.map { report in
                let fate = report.fate == .kept ? RememberedCheckpoint.Fate.unlisted : report.fate
                return RememberedCheckpoint(
                    context: key.context, job: key.job, jobName: jobName, report: report, fate: fate, firstSeenAt: report.triggeredAt, lastSeenAt: time)
            })
    }

    // MARK: The list of what is remembered

    var historyRows: [RememberedCheckpoint] { kept(.history, \.history) ?? arrangedHistory }

    var arrangedHistory: [RememberedCheckpoint] {
        guard case .history(let scope) = screen else { return [] }
        return arranged(past(scope).rows, .history, historyFields)
    }

    var selectedRemembered: RememberedCheckpoint? {
        let rows = historyRows
        return rows.first { $0.rowID == cursors.history } ?? rows.first
    }

    /// `:history [JOB]`.
    mutating func openHistory(of job: String) {
        let scope = HistoryScope(job: job.isEmpty ? nil : job)
        forgetPast { $0 == scope }
        cursors.history = nil
        screens = [.overview, .history(scope)]
    }

    /// Opens the selected row; the screens below are about its job from then on.
    mutating func openRemembered() {
        guard let row = selectedRemembered else { return }
        enter(JobKey(context: row.context, job: row.job))
        cursors.checkpoint = row.report.id
        screens.append(.checkpoint(row.report.id))
    }
}
