internal import StreamModel
internal import Synchronization

/// One execution of the job's graph: its subtasks and their progress.
final class JobAttempt {
    enum Addressees { case all, sources }

    let number: Int
    let subtasks: [Subtask]
    let vertices: [ExecutionPlan.Vertex]
    var running: Set<SubtaskID> = []
    var ended: Set<SubtaskID> = []
    var exited: Set<SubtaskID> = []

    init(number: Int, subtasks: [Subtask], vertices: [ExecutionPlan.Vertex]) {
        self.number = number
        self.subtasks = subtasks
        self.vertices = vertices
    }

    func send(_ command: SubtaskCommand, to addressees: Addressees) {
        for subtask in subtasks where addressees == .all || vertices[subtask.context.id.vertex].isSource { subtask.send(command) }
    }

    func cancel() {
        for subtask in subtasks { subtask.context.cancel() }
    }

    func subtask(_ id: SubtaskID) -> Subtask? { subtasks.first { $0.context.id == id } }
    func contexts(of vertex: Int) -> [SubtaskContext] { subtasks.map(\.context).filter { $0.id.vertex == vertex } }
    var sources: [SubtaskContext] { subtasks.map(\.context).filter { vertices[$0.id.vertex].isSource } }
}

extension JobAttempt {
    /// Watermark of a vertex: the minimum over the active subtasks, or the maximum when all are idle. nil = a subtask has none yet.
    func watermark(of vertex: Int) -> EventTime? {
        let metrics = contexts(of: vertex).map(\.metrics)
        let busy = metrics.filter { !$0.isTimeIdle.load(ordering: .relaxed) }
        let times = (busy.isEmpty ? metrics : busy).map { $0.watermark.load(ordering: .relaxed) }
        guard let time = busy.isEmpty ? times.max() : times.min(), time > .min else { return nil }
        return EventTime(milliseconds: time)
    }
}

extension JobAttempt {
    /// Counts of its tasks added to those of earlier attempts.
    func throughput(before: Throughput) -> Throughput {
        var total = before
        total.recordsRead = total.recordsRead.addingClamped(sources.map(\.recordsIn).sumClamped())
        total.recordsWritten = total.recordsWritten.addingClamped(subtasks.map { $0.context.metrics.recordsWritten.load(ordering: .relaxed) }.sumClamped())
        total.inputFraction = inputFraction
        return total
    }

    /// Mean of the sources' fractions, computed per source because their units differ; nil when none is bounded.
    private var inputFraction: Double? {
        let fractions = vertices.filter(\.isSource).compactMap { vertex -> Double? in
            let contexts = contexts(of: vertex.index)
            let total = contexts.map { $0.metrics.inputTotal.load(ordering: .relaxed) }.sumClamped()
            let read = contexts.map { $0.metrics.inputRead.load(ordering: .relaxed) }.sumClamped()
            return total == 0 ? nil : min(1, Double(read) / Double(total))
        }
        return fractions.isEmpty ? nil : fractions.reduce(0, +) / Double(fractions.count)
    }
}
