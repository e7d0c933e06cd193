public import StreamModel

/// One checkpoint that is asked for piece by piece: itself, then each operator's subtasks, then where those run. Pure.
public struct FlinkDetailQuest: Sendable {
    public let job: JobID
    public let id: CheckpointID
    private var checkpoint: FlinkCheckpoint?
    private var subtasks: [OperatorID: FlinkVertexCheckpoint] = [:]
    /// Asked for in this order.
    private var open: [FlinkQuestion]
    private var asked: FlinkQuestion?

    public init(_ job: JobID, _ id: CheckpointID) {
        self.job = job
        self.id = id
        open = [.checkpoint(job, id)]
    }

    public var isDone: Bool { open.isEmpty && asked == nil }

    /// The next question; nil while one is under way, and at the end.
    public mutating func next() -> FlinkQuestion? {
        guard asked == nil, !open.isEmpty else { return nil }
        asked = open.removeFirst()
        return asked
    }

    public func awaits(_ question: FlinkQuestion) -> Bool { asked == question }

    /// An answer, or nil where there is none (it is older than the history, or was never acknowledged by anybody).
    public mutating func take(_ reply: FlinkReply?, knownHosts: Set<OperatorID>) {
        defer { asked = nil }
        switch reply {
        case .checkpoint(let found)?:
            checkpoint = found
            let vertices = found.tasks.keys.sorted()
            open += vertices.map { .checkpointVertex(job, id, $0) } + vertices.filter { !knownHosts.contains($0) }.map { .hosts(job, $0) }
        case .checkpointVertex(let vertex)?: subtasks[vertex.vertex] = vertex
        default: break
        }
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
