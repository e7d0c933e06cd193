internal import JSON

/// `/jobmanager/config`: where a job's snapshots go and how many stay, unless its program says otherwise. Keys have an old and a new name.
public struct FlinkClusterSettings: Sendable, Equatable {
    public var checkpointDirectory: String?
    public var savepointDirectory: String?
    /// nil = Flink's default.
    public var retainedCheckpoints: Int?

    /// Flink's default of `state.checkpoints.num-retained`.
    public static let retainedByDefault = 1

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let items = json.items else { throw FlinkReadingProblem("is no list") }
        var values: [String: String] = [:]
        for item in items { if let key = item["key"]?.text, let value = item["value"]?.text, !value.isEmpty { values[key] = value } }
        func value(_ names: String...) -> String? { names.lazy.compactMap { values[$0] }.first.map { shortened($0, to: 1000) } }
        checkpointDirectory = value("execution.checkpointing.dir", "state.checkpoints.dir")
        savepointDirectory = value("execution.checkpointing.savepoint-dir", "state.savepoints.dir")
        retainedCheckpoints = value("execution.checkpointing.num-retained", "state.checkpoints.num-retained").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }
}

extension FlinkEndpoint where Answer == FlinkClusterSettings {
    public static var settings: Self { Self(.get, ["jobmanager", "config"], answerMax: 1 << 20, read: FlinkClusterSettings.init(reading:)) }
}
