import FlinkFake
import Foundation
import HostEnvironment
import StreamModel
import Synchronization

/// A server that answers as clusters of a version did, from their recorded answers, for the job "orders".
enum RecordedFlink {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "FlinkRESTTests/Fixtures")
    static let source = "ca88eee0095684d687a1b6495617f957", count = "b71731f1c0df9c3076c4a455334d0ad6"

    /// The id that "orders" had in the recording of a version.
    static func job(_ version: String) throws -> JobID {
        let text = try String(contentsOf: folder.appending(path: "\(version)/job-running.json"), encoding: .utf8)
        guard let range = text.firstRange(of: "\"jid\":\""), let id = JobID(String(text[range.upperBound...].prefix(32))) else { throw Missing() }
        return id
    }

    struct Missing: Error {}

    static func answer(_ version: String) -> @Sendable (FakeServer.Request) -> FakeServer.Reply {
        { request in
            let parts = request.path.split(separator: "/").map(String.init)
            guard let name = fixture(parts) else {
                if parts.last == "metrics" { return .json(request.target.contains("get=") ? readings() : names(isSource: parts.contains(source))) }
                return .status(404, body: #"{"errors":["Not found: \#(request.path)"]}"#)
            }
            guard let data = FileManager.default.contents(atPath: folder.appending(path: "\(version)/\(name).json").path) else {
                return .status(404, body: #"{"errors":["not recorded: \#(name)"]}"#)
            }
            // Whichever job was asked for is the one that was recorded.
            let recorded = String(decoding: data, as: UTF8.self)
            guard parts.count >= 2, let asked = JobID(parts[1]), let id = try? job(version) else { return .json(recorded) }
            return .json(recorded.replacing(id.description, with: asked.description))
        }
    }

    private static func fixture(_ parts: [String]) -> String? {
        if parts == ["config"] { return "config" }
        if parts == ["overview"] { return "overview" }
        if parts == ["jobs", "overview"] { return "jobs-overview" }
        guard parts.first == "jobs", parts.count >= 2 else { return nil }
        let vertex = parts.contains(source) ? "source" : "count"
        switch parts.dropFirst(2).joined(separator: "/") {
        case "": return "job-running"
        case "checkpoints": return "checkpoints-with-savepoint"
        case "checkpoints/config": return "checkpoints-config"
        case "config": return "job-config"
        case "exceptions": return "exceptions-sync-failed"
        case "metrics": return "job-metrics"
        case let rest where rest.hasSuffix("subtasks/metrics"): return nil
        case let rest where rest.hasPrefix("checkpoints/details") && rest.contains("subtasks"): return "checkpoint-completed-subtasks"
        case let rest where rest.hasPrefix("checkpoints/details"): return "checkpoint-completed"
        case let rest where rest.hasPrefix("vertices/"): return "vertex-\(vertex)"
        default: return nil
        }
    }

    private static let counters = ["numRecordsIn", "numRecordsOut"]
    private static let lifeTimes = ["accumulateBusyTimeMs", "accumulateIdleTimeMs", "accumulateBackPressuredTimeMs"]

    private static func names(isSource: Bool) -> String {
        let task = ["numRecordsInPerSecond", "numRecordsOutPerSecond", "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "idleTimeMsPerSecond"]
        let all = task + counters + lifeTimes + (isSource ? [] : ["currentInputWatermark"])
        return "[" + all.map { #"{"id":"\#($0)"}"# }.joined(separator: ",") + "]"
    }

    /// Metrics of two tasks that have run since the test began, at 200 records a second.
    private static func readings() -> String {
        let elapsed = Double(MonotonicClock.milliseconds() - start + 1000)
        func row(_ name: String, _ mean: Double) -> String { #"{"id":"\#(name)","min":\#(mean),"max":\#(mean),"avg":\#(mean),"sum":\#(mean * 2)}"# }
        let rows =
            counters.map { row($0, (elapsed / 10).rounded()) } + zip(lifeTimes, [0.5, 0.4, 0.1]).map { row($0, elapsed * $1) }
            + [row("busyTimeMsPerSecond", 950), row("backPressuredTimeMsPerSecond", 0), row("idleTimeMsPerSecond", 50)]
        return "[" + rows.joined(separator: ",") + "]"
    }

    private static let start = MonotonicClock.milliseconds()
}
