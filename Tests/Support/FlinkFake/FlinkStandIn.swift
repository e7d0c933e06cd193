internal import Glibc
internal import Synchronization

/// A server that behaves like a JobManager with one job, whose answers are lost or forgotten where a test says so.
public final class FlinkStandIn: Sendable {
    public static let job = "0123456789abcdef0123456789abcdef"

    public enum Outcome: Sendable { case completes, fails(String) }

    public struct Script: Sendable {
        public var state = "RUNNING"
        /// Rows of the list beside the job.
        public var others: [(id: String, name: String, state: String)] = []
        /// Answers as a history server: no overview, no slots, no jars.
        public var isHistoryServer = false
        public var externalization = #"{"enabled":true,"delete_on_cancellation":false}"#
        public var outcome = Outcome.completes
        /// POSTs of savepoints whose answer is lost; the request with it where `losesRequests` says so.
        public var lostPosts = 0
        public var losesRequests = false
        public var lostPatches = 0
        /// Every question for a result is answered with 404.
        public var forgetsResults = false
        /// One more checkpoint completes while the job is canceled.
        public var completesOnCancel = false
        /// The newest is subsumed in the last moments.
        public var losesOnCancel = false
        public var runReply: FakeServer.Reply?
        /// Once a launch was asked for, no request is answered any more.
        public var fallsSilentOnRun = false
        /// The job stays CANCELLING until `finishCancel`.
        public var cancelsSlowly = false
        /// State of the job after a stop whose savepoint is done.
        public var stateAfterStop = "FINISHED"
        /// A JobManager that ends, and another one that takes over: first nobody answers, then nobody leads, then it knows no job yet.
        public enum Takeover: Sendable { case gone, noLeader, empty }
        public var takeover: Takeover?
        /// An answer that a test gives instead, by method and path.
        public var instead: @Sendable (String, String) -> FakeServer.Reply? = { _, _ in nil }
        fileprivate var isStopping = false
        fileprivate var isSilent = false
        /// It has no checkpoint of its own.
        public var hasNone = false
        /// So many answers call the newest of the live job discarded: they come from a memory, and it has been subsumed since.
        public var subsumedAnswers = 0
        /// Where its checkpoints are. On this machine there is nothing at the first.
        public var root = "file:/cp"
        /// What the job began from, and when; its checkpoints were triggered at 1000.
        public var restored: (path: String, at: Int64)?
        fileprivate var jars: [(id: String, name: String)] = [("x_count.jar", "count.jar")]
        fileprivate var uploads = 0
        fileprivate var triggers: [String] = []
        fileprivate var polls = 0
        fileprivate var hadLostPost = false
        fileprivate var takenAt: Int64 = 0
        fileprivate var launched: Set<String> = []
        fileprivate var jobState = ""
    }

    public let server: FakeServer
    private let script: Script.Shared

    public init(version: String, _ change: (inout Script) -> Void = { _ in }) throws {
        var script = Script()
        change(&script)
        let shared = Script.Shared(script)
        self.script = shared
        server = try FakeServer { shared.answer($0, version) }
    }

    public func stop() {
        // ChannelError: the test is over, and a server that is closed already changes nothing.
        try? server.stop()
    }

    public var requests: [FakeServer.Request] { server.requests }
    public func requests(_ method: String) -> [FakeServer.Request] { server.requests.filter { $0.method == method } }
    /// Savepoints and checkpoints that were begun.
    public var triggers: Int { script.state.withLock { $0.triggers.count } }
    public var jobState: String { script.state.withLock { $0.jobState } }
    /// Jobs that were launched.
    public var launched: Set<String> { script.state.withLock { $0.launched } }
    public func change(_ body: (inout Script) -> Void) { script.state.withLock { body(&$0) } }
    public func finishStop(_ state: String) { script.state.withLock { ($0.stateAfterStop, $0.jobState) = (state, state) } }
    public func finishCancel() { script.state.withLock { $0.jobState = "CANCELED" } }
    /// Another job of the same name, which runs.
    public func launchElsewhere(_ id: String) { script.state.withLock { _ = $0.launched.insert(id) } }
    public func forgetJars() { script.state.withLock { $0.jars = [] } }

    /// Milliseconds of the wall clock.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

extension FlinkStandIn.Script {
    final class Shared: Sendable {
        let state: Mutex<FlinkStandIn.Script>

        init(_ script: FlinkStandIn.Script) {
            var script = script
            script.jobState = script.state
            state = Mutex(script)
        }

        func answer(_ request: FakeServer.Request, _ version: String) -> FakeServer.Reply {
            state.withLock { $0.answer(request, version) }
        }
    }

    private static var unknown: FakeServer.Reply { .status(404, body: #"{"errors":["org.apache.flink.runtime.rest.NotFoundException: no such thing"]}"#) }

    fileprivate mutating func answer(_ request: FakeServer.Request, _ version: String) -> FakeServer.Reply {
        if isSilent { return .silence }
        if let reply = instead(request.method, request.path) { return reply }
        let parts = request.path.split(separator: "/").map(String.init)
        switch takeover {
        case .gone: return .close
        case .noLeader: return .status(503, body: #"{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}"#)
        case .empty where parts.first == "jobs": return parts.last == "overview" ? .json(#"{"jobs":[]}"#) : Self.unknown
        case .empty, nil: break
        }
        switch (request.method, parts.first ?? "", parts.count) {
        case ("GET", "config", _):
            return .json(
                #"{"refresh-interval":3000,"flink-version":"\#(version)","features":{"web-submit":\#(!isHistoryServer),"web-history":\#(isHistoryServer)}}"#)
        case (_, "overview", _), (_, "taskmanagers", _), (_, "jars", _), ("POST", _, _), ("PATCH", _, _): if isHistoryServer { return Self.unknown }
        default: break
        }
        switch (request.method, parts.first ?? "", parts.count) {
        case ("GET", "overview", 1): return .json(#"{"taskmanagers":1,"slots-total":4,"slots-available":2,"flink-version":"\#(version)"}"#)
        case ("GET", "jars", 1):
            let files = jars.map { #"{"id":"\#($0.id)","name":"\#($0.name)","uploaded":\#($0.id.hasPrefix("u") ? FlinkStandIn.now() : 1)}"# }
            return .json(#"{"files":[\#(files.joined(separator: ","))]}"#)
        case ("POST", "jars", 2):
            uploads += 1
            let name = request.text.firstMatch(of: /filename="([^"]+)"/).map { String($0.1) } ?? "none"
            jars.append(("u\(uploads)_\(name)", name))
            return .json(#"{"filename":"/tmp/web/u\#(uploads)_\#(name)","status":"success"}"#)
        case ("POST", "jars", 3): return run(request)
        case ("DELETE", "jars", 2):
            jars.removeAll { $0.id == parts[1] }
            return .json("{}")
        case ("GET", "jobs", 2) where parts[1] == "overview":
            let again = launched.sorted().map { ($0, "orders", "RUNNING") }
            let rows = ([(FlinkStandIn.job, "orders", jobState)] + again + others).map { id, name, state in
                #"{"jid":"\#(id)","name":"\#(name)","state":"\#(state)","start-time":1,"end-time":-1}"#
            }
            return .json(#"{"jobs":[\#(rows.joined(separator: ","))]}"#)
        case ("POST", "savepoint-disposal", 1): return trigger(request)
        case ("GET", "savepoint-disposal", 2): return progress(parts[0], parts[1])
        case ("GET", "jobs", 2):
            return parts[1] == FlinkStandIn.job ? details(parts[1], jobState) : launched.contains(parts[1]) ? details(parts[1], "RUNNING") : Self.unknown
        case ("PATCH", "jobs", 2): return cancel()
        case ("GET", "jobs", 3): return .json(checkpoints())
        case ("GET", "jobs", 4) where parts[3] == "config": return .json(#"{"mode":"exactly_once","interval":1000,"externalization":\#(externalization)}"#)
        case ("POST", "jobs", 3): return trigger(request)
        case ("GET", "jobs", 4): return progress(parts[2], parts[3])
        default: return Self.unknown
        }
    }

    private func details(_ id: String, _ state: String) -> FakeServer.Reply {
        let now = FlinkStandIn.now(), end = ["CANCELED", "FINISHED", "FAILED"].contains(state) ? now - 1000 : -1
        return .json(#"{"jid":"\#(id)","name":"orders","state":"\#(state)","now":\#(now),"end-time":\#(end),"vertices":[]}"#)
    }

    private mutating func cancel() -> FakeServer.Reply {
        jobState = cancelsSlowly ? "CANCELLING" : "CANCELED"
        lostPatches -= 1
        return lostPatches >= 0 ? .close : .status(202, body: "{}")
    }

    private mutating func trigger(_ request: FakeServer.Request) -> FakeServer.Reply {
        isStopping = request.path.hasSuffix("/stop")
        lostPosts -= 1
        hadLostPost = hadLostPost || lostPosts >= 0
        if lostPosts >= 0, losesRequests { return .close }
        let chosen = request.text.firstMatch(of: /"triggerId":"([0-9a-f]+)"/).map { String($0.1) } ?? "00000000000000000000000000000001"
        if !triggers.contains(chosen) {
            triggers.append(chosen)
            takenAt = FlinkStandIn.now()
        }
        return lostPosts >= 0 ? .close : .status(202, body: #"{"request-id":"\#(chosen)"}"#)
    }

    private mutating func progress(_ kind: String, _ trigger: String) -> FakeServer.Reply {
        guard triggers.contains(trigger), !forgetsResults else { return Self.unknown }
        polls += 1
        guard polls > 2 else { return .json(#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#) }
        if isStopping { jobState = stateAfterStop }
        switch outcome {
        case .completes:
            let result = kind == "checkpoints" ? #""checkpointId":5"# : #""location":"file:/sp/savepoint-1""#
            return .json(#"{"status":{"id":"COMPLETED"},"operation":{\#(result)}}"#)
        case .fails(let trace):
            let text = trace.replacing("\n", with: "\\n").replacing("\t", with: "\\t")
            return .json(#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"X","stack-trace":"\#(text)"}}}"#)
        }
    }

    private mutating func run(_ request: FakeServer.Request) -> FakeServer.Reply {
        let id = request.text.firstMatch(of: /"jobId":"([0-9a-f]+)"/).map { String($0.1) } ?? "none"
        if fallsSilentOnRun {
            isSilent = true
            return .silence
        }
        if case .status? = runReply {} else { launched.insert(id) }
        return runReply ?? .json(#"{"jobid":"\#(id)"}"#)
    }

    private func row(_ id: Int, _ status: String, savepoint: Bool = false, path: String?, discarded: Bool = false, at time: Int64 = 1000, acknowledged: Int = 2)
        -> String
    {
        let place = path.map { #","external_path":"\#($0)","discarded":\#(discarded)"# } ?? ""
        return
            #"{"id":\#(id),"status":"\#(status)","is_savepoint":\#(savepoint),"trigger_timestamp":\#(time),"num_subtasks":2,"num_acknowledged_subtasks":\#(acknowledged)\#(place)}"#
    }

    private mutating func checkpoints() -> String {
        let latest = restored.map { #""restored":{"id":9,"restore_timestamp":\#($0.at),"external_path":"\#($0.path)","is_savepoint":true}"# } ?? ""
        let isGone = jobState == "CANCELED" && losesOnCancel || jobState == "CANCELED" && !externalization.contains("\"delete_on_cancellation\":false")
        let isSubsumed = jobState != "CANCELED" && subsumedAnswers > 0
        if isSubsumed { subsumedAnswers -= 1 }
        if hasNone { return #"{"counts":{"total":5},"latest":{\#(latest)},"history":[]}"# }
        var rows = [
            row(3, "COMPLETED", path: root + "/chk-3", discarded: true), row(4, "COMPLETED", path: root + "/chk-4", discarded: isGone || isSubsumed),
        ]
        if !triggers.isEmpty {
            let isDone = polls > 2 || forgetsResults || hadLostPost
            rows.append(
                isDone
                    ? row(5, "COMPLETED", savepoint: true, path: "file:/sp/savepoint-1", at: takenAt)
                    : row(5, "IN_PROGRESS", savepoint: true, path: nil, at: takenAt, acknowledged: 1))
        }
        if jobState == "CANCELED", completesOnCancel { rows.append(row(5, "COMPLETED", path: root + "/chk-5")) }
        return #"{"counts":{"total":5},"latest":{\#(latest)},"history":[\#(rows.joined(separator: ","))]}"#
    }
}
