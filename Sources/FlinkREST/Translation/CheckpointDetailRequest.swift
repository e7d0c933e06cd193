public import StreamModel

/// One checkpoint that is asked for piece by piece: itself, then each operator's subtasks, then where those run. Of thousands of subtasks
/// only those of the slowest operators are asked for, and of the one that is looked at: nobody reads more, and each costs memory. Pure.
public struct CheckpointDetailRequest: Sendable {
    /// Subtasks of one checkpoint that are kept.
    public static let subtasksMax = 20_000

    public let job: JobID
    public let id: CheckpointID
    /// Name of the operator whose subtasks come first.
    private let first: String?
    private var checkpoint: FlinkCheckpoint?
    private var subtasks: [OperatorID: FlinkVertexCheckpoint] = [:]
    /// Asked for in this order.
    public private(set) var open: [FlinkQuestion]
    private var toldAt: Int64?

    public init(_ job: JobID, _ id: CheckpointID, first: String? = nil) {
        self.job = job
        self.id = id
        self.first = first
        open = [.checkpoint(job, id)]
    }

    public var isDone: Bool { open.isEmpty }

    public func awaits(_ question: FlinkQuestion) -> Bool { open.contains(question) }

    /// An answer, or nil where there is none (it is older than the history, or was never acknowledged by anybody).
    /// - Parameter names: those of the job's operators.
    public mutating func take(_ reply: FlinkReply?, to question: FlinkQuestion, knownHosts: Set<OperatorID>, names: [OperatorID: String] = [:]) {
        guard let index = open.firstIndex(of: question) else { return }
        open.remove(at: index)
        switch reply {
        case .checkpoint(let found)?:
            checkpoint = found
            let vertices = wanted(found, names)
            open += vertices.map { .checkpointVertex(job, id, $0) } + vertices.filter { !knownHosts.contains($0) }.map { .hosts(job, $0) }
        case .checkpointVertex(let vertex)?: subtasks[vertex.vertex] = vertex
        default: break
        }
    }

    /// The operators whose subtasks are worth a question: the one that is looked at, then the slowest.
    private func wanted(_ checkpoint: FlinkCheckpoint, _ names: [OperatorID: String]) -> [OperatorID] {
        var room = Self.subtasksMax
        let tasks = checkpoint.tasks.values.sorted { left, right in
            let isFirst = (left: first != nil && names[left.vertex] == first, right: first != nil && names[right.vertex] == first)
            if isFirst.left != isFirst.right { return isFirst.left }
            return (left.duration?.count ?? -1, right.vertex) > (right.duration?.count ?? -1, left.vertex)
        }
        return tasks.filter { task in
            room -= max(1, task.parallelism)
            return room >= 0
        }.map(\.vertex)
    }

    /// Whether what is known is to be told now: the whole and the beginning at once, what lies between now and then.
    public mutating func isToldDue(at now: Int64, every pause: Int64) -> Bool {
        guard isDone || toldAt.map({ now - $0 >= pause }) ?? true else { return false }
        toldAt = now
        return true
    }

    /// What is known by now; nil = no such checkpoint is known at all.
    public func report(_ picture: FlinkJobPicture, version: FlinkVersion?) -> CheckpointReport? {
        if let checkpoint { return picture.report(checkpoint, subtasks: subtasks, version: version) }
        var row = picture.checkpointReports(version: version).first { $0.id == id }
        // There is no more to know of it.
        row?.operators = []
        return row
    }
}
