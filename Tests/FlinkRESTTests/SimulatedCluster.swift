import JSON
import StreamModel

@testable import FlinkREST

/// A cluster of jobs that run, behind a link with a round trip, and whoever looks at it: time is simulated, answers are Flink's.
struct SimulatedCluster {
    var picture = FlinkPicture()
    var scheduler = FlinkScheduler()
    var focus = FlinkPicture.Focus.overview
    var isLookedAt = true
    let jobs: [JobID]
    let roundTrip: Int64
    /// Of the questions, each of so many has no answer; 0 = none.
    var failsEach = 0
    private let replies: Replies

    private(set) var now: Int64 = 0
    /// When each question was sent.
    private(set) var sent: [Int64] = []
    private(set) var inFlightMax = 0
    private(set) var asked: [FlinkQuestion: Int] = [:]
    /// When the first answer came, and when all rows were whole.
    private(set) var firstAnswerAt: Int64?
    private(set) var wholeAt: Int64?
    private var underWay: [(question: FlinkQuestion, end: Int64)] = []

    init(jobs count: Int, vertices: Int = 2, roundTrip: Int64) throws {
        jobs = (1...count).map { JobID(high: 7, low: UInt64($0)) }
        self.roundTrip = roundTrip
        replies = try Replies(jobs, vertices: vertices)
    }

    private var time: WallTime { WallTime(milliseconds: 1_800_000_000_000 + now) }

    /// Goes on until a moment; `look` is called each second.
    mutating func run(until end: Int64, look: (SimulatedCluster) -> Void = { _ in }) {
        var nextLook = now
        while now < end {
            let time = time
            while let question = scheduler.next(at: now, isLookedAt: isLookedAt, wishes: { [picture, focus] in picture.wishes(focus, at: time) }) {
                underWay.append((question, now + roundTrip))
                sent.append(now)
                asked[question, default: 0] += 1
                inFlightMax = max(inFlightMax, underWay.count)
            }
            let answer = underWay.map(\.end).min() ?? .max
            let wake = scheduler.wakeAt(now, isLookedAt: isLookedAt) ?? .max
            now = max(now + (answer > now ? 0 : 0), min(answer, max(wake, now + 1), nextLook > now ? nextLook : now + 1000, end))
            for (question, _) in underWay where underWay.contains(where: { $0.question == question && $0.end <= now }) { take(question) }
            underWay.removeAll { $0.end <= now }
            if now >= nextLook {
                look(self)
                nextLook = now + 1000
            }
        }
    }

    private mutating func take(_ question: FlinkQuestion) {
        firstAnswerAt = firstAnswerAt ?? now
        scheduler.end(question)
        let isFirst = question == .cluster || asked[.jobs] == nil
        if failsEach > 0, !isFirst, sent.count % failsEach == 0 {
            picture.takeNoAnswer(to: question)
        } else {
            picture.take(replies.reply(to: question), to: question, at: time)
        }
        if wholeAt == nil, picture.hasList, !picture.isIncomplete(focus) { wholeAt = now }
    }

    /// The worst age, in milliseconds, over jobs, of what `part` tells; nil = one of them is not known.
    func worstAge(_ jobs: some Sequence<JobID>, _ part: (FlinkJobPicture) -> WallTime?) -> Int64? {
        var worst: Int64 = 0
        for id in jobs {
            guard let job = picture.job(id), let at = part(job) else { return nil }
            worst = max(worst, (time - at).count)
        }
        return worst
    }

    /// Questions a second: in the long run, and in the worst second of the time after `start`.
    func rates(after start: Int64) -> (mean: Double, worst: Int) {
        let late = sent.filter { $0 >= start }
        var worst = 0, first = 0
        for (index, at) in late.enumerated() {
            while late[first] <= at - 1000 { first += 1 }
            worst = max(worst, index - first + 1)
        }
        return (Double(late.count) * 1000 / Double(max(1, now - start)), worst)
    }
}

/// Answers of a cluster whose jobs all look alike.
private struct Replies {
    private let list: [FlinkJobListing]
    private var details: [JobID: FlinkJobDetails] = [:]
    private let checkpoints: FlinkCheckpoints
    private let configuration: FlinkCheckpointConfiguration
    private let exceptions: FlinkExceptions
    private let execution: FlinkExecutionConfiguration
    private let metrics: FlinkMetrics
    private let cluster: FlinkClusterConfiguration
    private let overview: FlinkClusterOverview

    init(_ jobs: [JobID], vertices: Int) throws {
        func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8), maximumDepth: 16) }
        list = try jobs.map { id in
            try FlinkEndpoint.jobs.read(
                json(#"{"jobs":[{"jid":"\#(id)","name":"job","state":"RUNNING","start-time":1,"tasks":{"total":\#(vertices),"running":\#(vertices)}}]}"#))[0]
        }
        let ids = (1...vertices).map { OperatorID(high: 3, low: UInt64($0)) }
        let rows = ids.map { #"{"id":"\#($0)","name":"v","parallelism":1,"tasks":{"RUNNING":1},"start-time":5}"# }.joined(separator: ",")
        let nodes = ids.enumerated().map { index, id in
            #"{"id":"\#(id)","inputs":[\#(index == 0 ? "" : #"{"id":"\#(ids[index - 1])"}"#)]}"#
        }.joined(separator: ",")
        for id in jobs {
            details[id] = try FlinkJobDetails(
                reading: json(#"{"jid":"\#(id)","name":"job","state":"RUNNING","vertices":[\#(rows)],"plan":{"nodes":[\#(nodes)]}}"#))
        }
        checkpoints = try FlinkCheckpoints(reading: json(#"{"counts":{"total":0},"history":[]}"#))
        configuration = try FlinkCheckpointConfiguration(reading: json(#"{"mode":"exactly_once","interval":1000}"#))
        exceptions = try FlinkExceptions(reading: json("{}"))
        execution = try FlinkExecutionConfiguration(reading: json("{}"))
        metrics = try FlinkMetrics(
            reading: json(
                ##"[{"id":"numRecordsOut","sum":5},{"id":"numRecordsIn","sum":5},{"id":"numRecordsInPerSecond","sum":5},{"id":"numRestarts","value":"0"}]"##))
        cluster = try FlinkClusterConfiguration(reading: json(#"{"flink-version":"2.3.0"}"#))
        overview = try FlinkClusterOverview(reading: json(#"{"taskmanagers":1,"slots-total":8,"slots-available":1}"#))
    }

    func reply(to question: FlinkQuestion) -> FlinkReply {
        switch question {
        case .cluster: .cluster(cluster)
        case .capacity: .capacity(overview)
        case .jobs: .jobs(list)
        case .job(let id): details[id].map { .job($0) } ?? .metrics(metrics)
        case .checkpoints: .checkpoints(checkpoints)
        case .checkpointConfiguration: .checkpointConfiguration(configuration)
        case .executionConfiguration: .executionConfiguration(execution)
        case .exceptions: .exceptions(exceptions)
        case .jobMetrics, .metricNames, .vertexMetrics, .checkpoint, .checkpointVertex, .hosts: .metrics(metrics)
        }
    }
}

extension FlinkJobPicture {
    /// When the flow of the sources was last asked for.
    var sourceFlowAt: WallTime? {
        (details?.value.vertices ?? []).filter(\.isSource).compactMap { flows[$0.id]?.measuredAt }.min()
    }
}
