internal import JSON
public import StreamModel

/// `/config`: who is there.
public struct FlinkClusterConfiguration: Sendable, Equatable {
    /// Where it cannot be read, the oldest that is supported: nothing is sent that it might not have.
    public var version: FlinkVersion
    /// As it came: "1.14.3", "2.4-SNAPSHOT", "1.20.1-cloud-r3".
    public var versionText: String
    /// Serves the archives of jobs that have ended, and runs none.
    public var isHistoryServer: Bool
    /// Why the version asks for caution; nil = it is one of those that Weir is tested on.
    public var versionWarning: String?
    /// How old what the cluster answers may be (`web.refresh-interval`).
    public var refreshInterval: Milliseconds?
    /// Jars can be uploaded and run.
    public var allowsSubmit: Bool
    public var allowsCancel: Bool

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let text = json["flink-version"]?.text, !text.isEmpty else { throw FlinkReadingProblem("has no 'flink-version'") }
        let name = shortened(text, to: 60), read = FlinkVersion(text)
        versionText = name
        version = read ?? FlinkVersion.oldest
        versionWarning =
            read.map { $0.warning(as: name) } ?? "Flink calls itself '\(name)', which is no version: it is treated as \(FlinkVersion.oldest)"
        isHistoryServer = json["features"]?["web-history"]?.flag ?? false
        refreshInterval = json["refresh-interval"]?.count.map { Milliseconds($0) }
        allowsSubmit = json["features"]?["web-submit"]?.flag ?? true
        allowsCancel = json["features"]?["web-cancel"]?.flag ?? true
    }
}

/// `/overview`: slots and task managers.
public struct FlinkClusterOverview: Sendable, Equatable {
    public var taskManagers: Int
    public var slots: Int
    public var freeSlots: Int

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let taskManagers = json["taskmanagers"]?.smallCount else { throw FlinkReadingProblem("has no 'taskmanagers'") }
        self.taskManagers = taskManagers
        slots = json["slots-total"]?.smallCount ?? 0
        freeSlots = json["slots-available"]?.smallCount ?? 0
    }
}

/// Flink's words for the state of a task, of which a vertex counts how many are in it.
public enum FlinkTaskState: String, Sendable, CaseIterable {
    case created = "CREATED", scheduled = "SCHEDULED", deploying = "DEPLOYING", initializing = "INITIALIZING", running = "RUNNING"
    case finished = "FINISHED", canceling = "CANCELING", canceled = "CANCELED", failed = "FAILED", reconciling = "RECONCILING"
}

/// Subtasks by state.
public struct FlinkTaskCounts: Sendable, Equatable {
    public var byState: [FlinkTaskState: Int] = [:]
    /// As `/jobs/overview` says it, or the sum of a vertex's states; states that are not known count too.
    public var total = 0

    public var running: Int { byState[.running] ?? 0 }
    public var finished: Int { byState[.finished] ?? 0 }

    init(lenient json: JSONValue?) {
        for (name, count) in json?.counts ?? [:] {
            if name.lowercased() == "total" { continue }
            total = total &+ count
            if let state = FlinkTaskState(rawValue: name.uppercased()) { byState[state] = count }
        }
        if let named = json?["total"]?.smallCount { total = named }
    }
}

extension FlinkWord where Known == JobState {
    /// The state of ours that a job is in; nil = a word of a later version.
    public var nearest: JobState? {
        switch text {
        case "CREATED", "RECONCILING": .initializing
        default: known
        }
    }
}

/// A row of `/jobs/overview`.
public struct FlinkJobListing: Sendable, Equatable {
    public var id: JobID
    public var name: String
    public var state: FlinkWord<JobState>
    public var startedAt: WallTime
    public var endedAt: WallTime?
    /// When a task of it last changed its state.
    public var modifiedAt: WallTime?
    public var tasks: FlinkTaskCounts

    /// nil when it has no id.
    init?(lenient json: JSONValue) {
        guard let id = (json["jid"] ?? json["id"])?.text.flatMap({ JobID($0) }) else { return nil }
        self.id = id
        name = shortened(json["name"]?.text ?? id.short, to: FlinkJobDetails.nameMax)
        state = FlinkWord(json["state"]?.text ?? "")
        startedAt = WallTime(milliseconds: json["start-time"]?.count ?? 0)
        endedAt = json["end-time"]?.count.map { WallTime(milliseconds: $0) }
        modifiedAt = json["last-modification"]?.count.map { WallTime(milliseconds: $0) }
        tasks = FlinkTaskCounts(lenient: json["tasks"])
    }
}

/// `/jobs/:id`.
public struct FlinkJobDetails: Sendable, Equatable {
    public var id: JobID
    public var name: String
    public var state: FlinkWord<JobState>
    public var startedAt: WallTime
    public var endedAt: WallTime?
    /// Clock of the JobManager when the answer was made; answers come from a cache.
    public var now: WallTime?
    /// nil = not set, or a version that does not say.
    public var maxParallelism: Int?
    /// When the job came into each state for the last time.
    public var timestamps: [JobState: WallTime]
    /// In topological order, sources first.
    public var vertices: [FlinkVertex]

    /// Characters of a job's name that are kept.
    static let nameMax = 1000

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let id = json["jid"]?.text.flatMap({ JobID($0) }) else { throw FlinkReadingProblem("has no 'jid'") }
        self.id = id
        name = shortened(json["name"]?.text ?? id.short, to: Self.nameMax)
        state = FlinkWord(json["state"]?.text ?? "")
        startedAt = WallTime(milliseconds: json["start-time"]?.count ?? 0)
        endedAt = json["end-time"]?.count.map { WallTime(milliseconds: $0) }
        now = json["now"]?.count.map { WallTime(milliseconds: $0) }
        maxParallelism = json["maxParallelism"]?.smallCount.flatMap { $0 > 0 ? $0 : nil }
        var timestamps: [JobState: WallTime] = [:]
        for (name, time) in json["timestamps"]?.members ?? [:] {
            if let state = JobState(rawValue: name), let time = time.count, time > 0 { timestamps[state] = WallTime(milliseconds: time) }
        }
        self.timestamps = timestamps
        let vertices = (json["vertices"]?.items ?? []).compactMap(FlinkVertex.init(lenient:))
        self.vertices = FlinkPlan(lenient: json["plan"]).order(vertices)
    }
}

/// A vertex of `/jobs/:id`.
public struct FlinkVertex: Sendable, Equatable {
    public var id: OperatorID
    public var name: String
    public var parallelism: Int
    public var maxParallelism: Int?
    public var tasks: FlinkTaskCounts
    /// When the tasks of this attempt began; nil = they have not.
    public var startedAt: WallTime?
    /// Records over the network into and out of the chain: 0 by design into a source and out of a sink. nil = not fetched yet.
    public var recordsRead: Int64?
    public var recordsWritten: Int64?
    /// Sums over the subtasks since they began; nil before 1.15 or so, and for legacy sources, which are not measured.
    public var busyTime: Milliseconds?
    public var backPressuredTime: Milliseconds?
    public var idleTime: Milliseconds?
    /// No vertex feeds it.
    public var isSource = true
    /// It feeds no vertex.
    public var isSink = true

    init?(lenient json: JSONValue) {
        guard let id = json["id"]?.text.flatMap({ OperatorID($0) }) else { return nil }
        self.id = id
        name = Self.plain(shortened(json["name"]?.text ?? id.short, to: FlinkJobDetails.nameMax))
        parallelism = json["parallelism"]?.smallCount ?? 1
        maxParallelism = json["maxParallelism"]?.smallCount.flatMap { $0 > 0 ? $0 : nil }
        tasks = FlinkTaskCounts(lenient: json["tasks"])
        startedAt = json["start-time"]?.count.flatMap { $0 > 0 ? WallTime(milliseconds: $0) : nil }
        let metrics = json["metrics"]
        func complete(_ name: String) -> Int64? { metrics?[name + "-complete"]?.flag == false ? nil : metrics?[name]?.count }
        recordsRead = complete("read-records")
        recordsWritten = complete("write-records")
        func time(_ name: String) -> Milliseconds? {
            metrics?[name]?.real.flatMap { $0 >= 0 && $0 < 1e18 ? Milliseconds(Int64(clamping: $0)) : nil }
        }
        busyTime = time("accumulated-busy-time")
        backPressuredTime = time("accumulated-backpressured-time")
        idleTime = time("accumulated-idle-time")
    }

    /// Records leave the job here. Since 1.15 a sink is a writer and a committer, which takes no records.
    var takesOutput: Bool { !name.hasSuffix("Committer") && (isSink || name.hasSuffix("Writer")) }

    /// When the counts were read, where the answer tells it.
    var clock: MetricClock? {
        guard let busyTime, let idleTime, let backPressuredTime, parallelism > 0 else { return nil }
        let sum = Double(busyTime.count) + Double(idleTime.count) + Double(backPressuredTime.count)
        return sum > 0 ? MetricClock(elapsed: sum / Double(parallelism), subtasks: parallelism) : nil
    }

    /// Descriptions and some names come with HTML escapes.
    static func plain(_ text: String) -> String {
        guard text.contains("&") || text.contains("<br/>") else { return text }
        var plain = text
        for (entity, character) in [("<br/>", " "), ("&gt;", ">"), ("&lt;", "<"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            plain = plain.replacing(entity, with: character)
        }
        return plain
    }
}

/// The edges between vertices: which are sources and sinks, and what comes before what.
struct FlinkPlan: Equatable {
    /// Inputs of each vertex.
    var inputs: [OperatorID: [OperatorID]] = [:]

    init(lenient json: JSONValue?) {
        for node in json?["nodes"]?.items ?? [] {
            guard let id = node["id"]?.text.flatMap({ OperatorID($0) }) else { continue }
            inputs[id] = (node["inputs"]?.items ?? []).compactMap { $0["id"]?.text.flatMap { OperatorID($0) } }
        }
    }

    /// The vertices with what the plan says of them, sources first. One that the plan does not know keeps its place.
    func order(_ vertices: [FlinkVertex]) -> [FlinkVertex] {
        guard !inputs.isEmpty else { return vertices }
        let fed = Set(inputs.values.joined())
        var depths: [OperatorID: Int] = [:]
        // Longest way from a source; a plan is no deeper than it has vertices, whatever it says.
        for _ in vertices {
            for (id, before) in inputs { depths[id] = (before.map { (depths[$0] ?? 0) &+ 1 }.max() ?? 0) }
        }
        return vertices.enumerated().sorted { left, right in
            (depths[left.element.id] ?? 0, left.offset) < (depths[right.element.id] ?? 0, right.offset)
        }.map { _, vertex in
            var vertex = vertex
            vertex.isSource = inputs[vertex.id]?.isEmpty ?? true
            vertex.isSink = !fed.contains(vertex.id)
            return vertex
        }
    }
}

/// `/jobs/:id/config`.
public struct FlinkExecutionConfiguration: Sendable, Equatable {
    /// In Flink's words: "Restart with fixed delay (1000 ms). #10 restart attempts.", "Cluster level default restart strategy".
    public var restartStrategy: String?
    public var parallelism: Int?

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        let settings = json["execution-config"]
        restartStrategy = settings?["restart-strategy"]?.text.map { shortened($0, to: 300) }
        parallelism = settings?["job-parallelism"]?.smallCount.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// Metrics by name, without those that have no value.
public struct FlinkMetrics: Sendable, Equatable {
    public struct Value: Sendable, Equatable {
        public var sum: Double?
        public var min: Double?
        public var max: Double?
        public var avg: Double?
    }
    /// Of those that were asked for; a name that the cluster does not know is missing.
    public var values: [String: Value]
    /// All names, when none was asked for.
    public var names: [String]

    static let namesMax = 20_000

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let items = json.items else { throw FlinkReadingProblem("is no list") }
        values = [:]
        names = []
        for item in items.prefix(Self.namesMax) {
            guard let name = item["id"]?.text else { continue }
            names.append(name)
            let single = item["value"]?.real
            let value = Value(
                sum: item["sum"]?.real ?? single, min: item["min"]?.real ?? single, max: item["max"]?.real ?? single, avg: item["avg"]?.real ?? single)
            if value != Value() { values[name] = value }
        }
    }
}

/// `/jobs/:id/vertices/:id`: where the subtasks run.
public struct FlinkVertexSubtasks: Sendable, Equatable {
    /// "host:port", by subtask.
    public var places: [Int: String]

    init(lenient json: JSONValue) {
        places = [:]
        // Of thousands of subtasks many run in one place: its name is kept once.
        var names: [String: String] = [:]
        for item in json["subtasks"]?.items ?? [] {
            guard let index = item["subtask"]?.smallCount, let text = (item["endpoint"] ?? item["host"])?.text else { continue }
            let name = names[text] ?? shortened(text, to: 300)
            names[text] = name
            places[index] = name
        }
    }
}
