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

        static let newestAtEnd = Candidate(path: "")
        var isNewestAtEnd: Bool { path.isEmpty }
    }

    let key: JobKey
    var step = Step.choose
    /// Path of the chosen row; nil = the first one.
    var selected: String?
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
        if let job = model.live.job(key), !job.state.isTerminal, !rows.isEmpty { rows.insert(.newestAtEnd, at: 0) }
        if let otherPath, !rows.contains(where: { $0.path == otherPath }) { rows.append(Candidate(path: otherPath, checkpoint: nil)) }
        return rows
    }

    func index(in candidates: [Candidate]) -> Int { candidates.firstIndex { $0.path == selected } ?? 0 }

    /// The row that was chosen; nil when it is not there any more: a running job subsumes checkpoints, and none takes its place unasked.
    func chosen(_ model: ConsoleModel) -> Candidate? {
        let rows = candidates(model)
        guard let selected else { return rows.first }
        return rows.first { $0.path == selected }
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
