internal import ControlProtocol
internal import JSON
internal import StreamModel

/// An engine's state directory as the oracle reads it: records and log, without the engine's types.
struct StateReading {
    struct Job {
        let id, lineage, name, state: String
        /// Number of the newest execution.
        let attempt: String?
        var isTerminal: Bool { ["FINISHED", "CANCELED", "FAILED"].contains(state.uppercased()) }
    }

    struct Operation {
        let id, verb, state: String
        let job, newJob: String?
        var isTerminal: Bool { state != "accepted" && state != "running" }
    }

    private(set) var jobs: [Job] = []
    /// The newest line of each, by id.
    private(set) var operations: [String: Operation] = [:]

    init(_ directory: String, _ disk: DiskModel) throws {
        for (path, node) in disk.walk(directory + "/jobs") where path.hasSuffix(".json") {
            let record = try Self.parse(disk[node].bytes, path), report = Self.member(record, "report")
            guard let id = Self.text(record, "id"), let lineage = Self.text(record, "lineage"), let name = Self.text(record, "name"),
                let state = Self.text(report, "state"), path == "\(directory)/jobs/\(id).json"
            else { throw SnapshotReading.Problem(description: "\(path) is no record of a job") }
            jobs.append(Job(id: id, lineage: lineage, name: name, state: state, attempt: Self.member(report, "attempt").map { "\($0)" }))
        }
        let path = directory + "/operations.log"
        guard let bytes = try SnapshotReading.contents(path, on: disk, durable: false) else { return }
        for line in try LineReading.records(bytes, path, allowsTornEnd: true) {
            let entry = try Self.parse(Array(line.utf8), path)
            guard let id = Self.text(entry, "operation"), let verb = Self.text(entry, "verb"), let state = Self.text(entry, "state") else {
                throw SnapshotReading.Problem(description: "\(path) has a line that is no operation: \(line)")
            }
            operations[id] = Operation(
                id: id, verb: verb, state: state, job: Self.text(entry, "job"), newJob: Self.text(Self.member(entry, "report"), "newJob"))
        }
    }

    /// Two records of one lineage that both say that their job lives.
    var twins: String? {
        for (lineage, jobs) in Dictionary(grouping: jobs.filter { !$0.isTerminal }, by: \.lineage).sorted(by: { $0.key < $1.key }) where jobs.count > 1 {
            return "\(jobs.count) records of the lineage \(lineage) say that their job lives: \(jobs.map { "\($0.id) \($0.state)" }.joined(separator: ", "))"
        }
        return nil
    }

    /// Live jobs whose cancel is in the log, accepted and without an outcome.
    var underCancel: [Job] {
        let canceled = Set(operations.values.filter { $0.verb == "cancel" && !$0.isTerminal }.compactMap(\.job))
        return jobs.filter { !$0.isTerminal && canceled.contains($0.id) }
    }

    private static func parse(_ bytes: [UInt8], _ path: String) throws -> JSONValue {
        do throws(JSONSyntaxError) { return try JSONValue.parse(bytes, maximumDepth: 64) } catch {
            throw SnapshotReading.Problem(description: "\(path) \(error.problem.rawValue) at \(error.offset)")
        }
    }

    private static func member(_ value: JSONValue?, _ name: String) -> JSONValue? {
        guard case .object(let members) = value else { return nil }
        return members[name]
    }

    private static func text(_ value: JSONValue?, _ name: String) -> String? {
        guard case .string(let text) = member(value, name) else { return nil }
        return text
    }
}
