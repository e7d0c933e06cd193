import StreamModel

/// Subtasks of the running attempt and their states. Answers rule 1.5, step 2: may a checkpoint begin?
struct TaskTable: Sendable {
    private var states: [SubtaskID: TaskState]
    private var runningCount = 0

    /// Creates a table with all subtasks initializing.
    init(_ tasks: [SubtaskID]) {
        states = Dictionary(tasks.map { ($0, .initializing) }, uniquingKeysWith: { first, _ in first })
    }

    var all: Set<SubtaskID> { Set(states.keys) }

    /// Sets the state of a subtask. An unknown one belongs to an older attempt and is ignored.
    mutating func set(_ task: SubtaskID, _ state: TaskState) {
        guard let old = states.updateIfPresent(state, forKey: task) else { return }
        runningCount += (state == .running ? 1 : 0) - (old == .running ? 1 : 0)
    }

    func contains(_ task: SubtaskID) -> Bool { states[task] != nil }

    /// Reason why no checkpoint may begin; nil = all are running.
    var obstacle: String? {
        guard runningCount < states.count || states.isEmpty else { return nil }
        let waiting = states.filter { $0.value != .running }
        guard let first = waiting.min(by: { $0.key < $1.key }) else { return "the job has no tasks" }
        return "\(waiting.count) of \(states.count) subtasks are not running; \(first.key) is \(first.value)"
    }
}

extension Dictionary {
    /// Replaces the value of an existing key and returns the old one.
    fileprivate mutating func updateIfPresent(_ value: Value, forKey key: Key) -> Value? {
        guard let index = index(forKey: key) else { return nil }
        defer { values[index] = value }
        return values[index]
    }
}
