import CellGrid
import StreamModel

/// The four steps of a restart: choose a checkpoint, set options, confirm, and watch the proof.
struct RestartChooser: Sendable {
    enum Step: Sendable, Equatable {
        case choose, options, confirm
        case verify(OperationID)
    }

    /// The rows of the options step.
    enum Option: Int, Sendable, CaseIterable { case claim, unmatched, parallelism }

    /// A state to start from: a checkpoint of the job, or a path that the operator gave.
    struct Candidate: Sendable, Equatable {
        /// Empty = whichever is the newest when the job has ended: a running job goes on completing checkpoints, and subsumes what is chosen.
        var path: String
        var checkpoint: CheckpointReport?
        /// Its engine does not list it; not nil = the ledger remembers it.
        var remembered: RememberedCheckpoint?
        /// The one that the job came from.
        var origin: RestoreReport?

        /// Chosen, and no longer among what can be restored.
        var isGone = false

        static let newestAtEnd = Candidate(path: "")
        var isNewestAtEnd: Bool { path.isEmpty }
    }

    let key: JobKey
    var step = Step.choose
    /// Path of the chosen row; nil = the first one.
    private(set) var selected: String?
    /// The chosen row as it was when it was chosen: it keeps its place when it is subsumed, so that no other takes it.
    private var pinned: Candidate?
    /// Given by `:restore PATH`.
    var otherPath: String?
    var options = RestartOptions()
    var optionRow = Option.claim
    /// What is typed for the parallelism; empty = as recorded.
    var parallelism = TextField()
    var sheet: ActionSheet?
    var answer: SafeText = ""

    init(_ key: JobKey, selected: String? = nil, otherPath: String? = nil) {
        self.key = key
        self.selected = otherPath ?? selected
        self.otherPath = otherPath
    }

    /// What can be chosen, the newest first: what the engine lists, and what the ledger remembers of the job and of its earlier runs. A path
    /// given by hand comes last.
    func candidates(_ model: ConsoleModel) -> [Candidate] {
        var rows = model.live.memory(key).checkpoints.compactMap { checkpoint -> Candidate? in
            guard checkpoint.isRestorable, let path = checkpoint.path else { return nil }
            return Candidate(path: path, checkpoint: checkpoint)
        }
        let remembered = model.rememberedCandidates(key).map { Candidate(path: $0.report.path ?? "", checkpoint: $0.report, remembered: $0) }
        if !remembered.isEmpty {
            func time(_ row: Candidate) -> WallTime { row.checkpoint?.triggeredAt ?? WallTime(milliseconds: 0) }
            rows = (rows + remembered).enumerated().sorted { (time($0.element), $1.offset) > (time($1.element), $0.offset) }.map(\.element)
        }
        // Of a stop that failed after its savepoint the cluster may list nothing.
        for operation in model.live.operations where operation.context == key.context && operation.request.job == key.job {
            guard case .stop = operation.request.kind, operation.stage == .failed, let path = operation.report?.path else { continue }
            let place = SnapshotLocation(path)
            if !rows.contains(where: { SnapshotLocation($0.path) == place }) { rows.insert(Candidate(path: path, checkpoint: nil), at: 0) }
        }
        let job = model.live.job(key)
        if let job, let origin = WayBack.origin(of: job), origin.chosen || rows.isEmpty,
            !rows.contains(where: { SnapshotLocation($0.path) == SnapshotLocation(origin.path) })
        {
            rows.append(Candidate(path: origin.path, origin: origin))
        }
        if var pinned, !pinned.isNewestAtEnd, pinned.path != otherPath, !rows.contains(where: { $0.path == pinned.path }) {
            pinned.isGone = true
            let at = pinned.checkpoint?.triggeredAt
            let place = rows.firstIndex { row in at.map { at in row.checkpoint.map { $0.triggeredAt < at } ?? true } ?? true } ?? rows.endIndex
            rows.insert(pinned, at: place)
        }
        // A cluster's memory may call all of them discarded, since the job has gone on.
        let hasCompleted = !rows.isEmpty || model.live.memory(key).checkpoints.contains { $0.status == .completed && $0.kind == .checkpoint }
        if let job, !job.state.isTerminal, hasCompleted { rows.insert(.newestAtEnd, at: 0) }
        if let otherPath, !rows.contains(where: { $0.path == otherPath }) { rows.append(Candidate(path: otherPath, checkpoint: nil)) }
        return rows
    }

    /// The row that the cursor begins on: the first whose files are not known to be unusable.
    func firstUsable(_ model: ConsoleModel) -> Candidate? {
        let rows = candidates(model)
        return rows.first { problem($0, model) == nil } ?? rows.first
    }

    /// Why a row cannot be restored, from looks at its files; nil = no reason is known.
    func problem(_ row: Candidate, _ model: ConsoleModel) -> SafeText? {
        guard let context = model.live.context(key.context) else { return nil }
        if !row.isNewestAtEnd {
            guard let found = context.inspection(row.path), !found.verdict.allowsRestore else { return nil }
            return "\(found.verdict.rawValue): \(found.problem ?? "no details")"
        }
        guard let job = model.live.job(key), let bad = job.unusableNewest(in: context) else { return nil }
        return "#\(bad.id), the newest, is \(bad.verdict.rawValue)"
    }

    func index(in candidates: [Candidate]) -> Int { candidates.firstIndex { $0.path == selected } ?? 0 }

    mutating func pin(_ row: Candidate) { (selected, pinned) = (row.path, row) }

    /// Pins the row that is shown as chosen, so that rows that come later do not take its place.
    mutating func pinShown(_ model: ConsoleModel) {
        let rows = candidates(model)
        if pinned == nil, rows.indices.contains(index(in: rows)) { pin(rows[index(in: rows)]) }
    }

    /// The chosen row; nil when it has been subsumed: no other takes its place unasked.
    func chosen(_ model: ConsoleModel) -> Candidate? {
        let rows = candidates(model)
        guard let selected else { return rows.first }
        return rows.first { $0.path == selected && !$0.isGone }
    }

    /// The options with what is typed; nil when the parallelism is no number.
    func finalOptions(path: String?, cancelsFirst: Bool) -> RestartOptions? {
        var final = options
        final.path = path
        final.cancelsFirst = cancelsFirst
        if parallelism.text.isEmpty {
            final.parallelism = nil
        } else if let number = Int(parallelism.text) {
            final.parallelism = number
        } else {
            return nil
        }
        return final
    }
}
