// Goal: with many jobs, and through failovers, the picture is current, its rates are true, and the cluster is asked within bounds. Method: a cluster
// of 21 jobs, one of them of 60 vertices, each throttled to a rate of its own, behind a proxy that counts what it is asked. A console on it records all
// that it took in; what it showed is judged by that. Then the TaskManager is killed and comes back, then the JobManager.

import ControlProtocol
import Foundation
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct ManyJobs {
        /// Each takes three minutes: the oldest is tried where WEIR_CLUSTERS=all asks for it.
        private static let versions: [FlinkVersionUnderTest] = ProcessInfo.processInfo.environment["WEIR_CLUSTERS"] == "all" ? [.oldest, .newest] : [.newest]

        @Test(arguments: versions) func `the picture of 21 jobs is current, and true through failovers`(
            version: FlinkVersionUnderTest
        ) throws {
            let fleet = try Fleet(version)
            let console = try fleet.console()

            // At rest.
            let opened = monotonicSeconds()
            try console.wait(90, for: "all jobs, with their rates") { screen in
                screen.contains("jobs 21: 21 ok")
                    && fleet.jobs.allSatisfy { job in screen.lines.contains { $0.contains(job.name) && $0.contains("RUNNING") && !$0.contains(" - ") } }
            }
            print("\(version.rawValue): all 21 jobs with their rates after \(rounded(monotonicSeconds() - opened)) s")
            let calm = try fleet.watch(for: 15)
            try calm.expectCurrent("at rest")
            try calm.expectTrueRates("at rest", after: .seconds(0))
            try fleet.expectModestQuestions(calm, "at rest")

            // A round trip of two seconds: as fresh as four questions in flight allow, with ages that say so, and keys that do not wait.
            try fleet.proxy.delay(2)
            let far = try fleet.watch(for: 30)
            try far.expectCurrent("at 2 s a round trip", atMost: .seconds(30), from: .seconds(15))
            try fleet.expectModestQuestions(far, "at 2 s a round trip", limit: 3)
            let chosen = fleet.chosen(try console.screen())
            let pressed = monotonicSeconds()
            try console.press("Down")
            try console.wait(2, for: "the cursor to move") { screen in fleet.chosen(screen).map { $0 != chosen } ?? false }
            print("\(version.rawValue): at 2 s a round trip a key was answered within \(rounded(monotonicSeconds() - pressed)) s")
            let asked = monotonicSeconds()
            let status = try fleet.weir.succeed("status", within: 40)
            print("\(version.rawValue): at 2 s a round trip status of 21 jobs took \(rounded(monotonicSeconds() - asked)) s")
            #expect(monotonicSeconds() - asked < 20)
            for job in fleet.jobs { #expect(status.output.contains(job.name), "\(status.transcript)") }
            try fleet.proxy.delay(0)
            // What that command had under way when it ended is still on its way to the cluster.
            let quick = WallTime(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))
            try wait(20, for: "its questions to be over") { try fleet.proxy.requests(since: quick).last.map { $0.inFlight <= 4 } ?? false }

            // The job of 60 vertices is looked at.
            try console.command("job wide")
            try console.wait(for: "its screen") { $0.lines[0].contains("wide") && $0.contains("60/60 run") }
            let wide = try fleet.watch(for: 12)
            // A job that was just opened has its own questions first.
            // Metrics of 60 vertices fill the limit by themselves; the cluster's own are ten seconds old.
            try wide.expectCurrent("of 60 vertices", only: "wide", flow: .seconds(10), from: .seconds(5))
            // What silence has saved is spent when a job is opened.
            try fleet.expectModestQuestions(wide, "of 60 vertices", limit: 27)
            try console.type("1")

            // No TaskManager: nothing runs, and nothing says that it does.
            try fleet.cluster.order("kill taskmanager")
            let killed = monotonicSeconds()
            let alone = try console.wait(30, for: "the loss to be told") { $0.contains("0 TaskManagers, 0 slots") }
            print("\(version.rawValue): a killed TaskManager was told after \(rounded(monotonicSeconds() - killed)) s")
            #expect(alone.contains(": 0 ok"), "\(alone.text)")
            try fleet.watch(for: 5).expectNoRates()

            // It comes back: a counter that begins anew is no spike.
            try fleet.cluster.order("start taskmanager")
            let back = WallTime(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))
            try console.wait(60, for: "all jobs to run again") { screen in
                fleet.jobs.allSatisfy { job in screen.lines.contains { $0.contains(job.name) && $0.contains("RUNNING") } }
            }
            let again = monotonicSeconds()
            try console.wait(90, for: "all rates again") { screen in
                fleet.jobs.allSatisfy { job in screen.lines.contains { $0.contains(job.name) && !$0.contains(" - ") } }
            }
            print("\(version.rawValue): all 21 rates again after \(rounded(monotonicSeconds() - again)) s")
            let after = try fleet.watch(for: 5, since: back)
            try after.expectTrueRates("after the failover", after: .seconds(0))
            try fleet.watch(for: 5).expectCurrent("after the failover")

            // The JobManager comes back empty: its jobs are gone, and are not forgotten.
            try fleet.cluster.order("kill jobmanager")
            try console.wait(20, for: "the loss to be told") { $0.contains("down") || $0.contains("DOWN") }
            try fleet.cluster.order("start jobmanager")
            let gone = try console.wait(60, for: "all jobs to be gone") { screen in
                fleet.jobs.allSatisfy { job in screen.lines.contains { $0.contains(job.name) && $0.contains("GONE") } }
            }
            #expect(gone.contains(": 0 ok"), "\(gone.text)")

            // So does a console that was not there when it happened.
            let later = try TmuxSession(fleet.weir.home, [try #require(Binaries.weir), "--flink", fleet.proxy.url], columns: 160, rows: 50)
            try later.wait(60, for: "all jobs to be gone for the next console") { screen in
                fleet.jobs.allSatisfy { job in screen.lines.contains { $0.contains(job.name) && $0.contains("GONE") } }
            }
        }
    }
}

/// 20 jobs and one of 60 vertices on a cluster of their own, behind a proxy.
private struct Fleet {
    struct Job {
        var name: String
        /// Records a second that its source lets pass.
        var rate: Double
    }

    let cluster: FlinkCluster
    let weir: WeirOnFlink
    let jobs: [Job]
    let proxy: LoggingProxy
    private let events: String

    init(_ version: FlinkVersionUnderTest) throws {
        cluster = try FlinkCluster(version, slots: 24)
        proxy = try LoggingProxy(cluster)
        weir = WeirOnFlink(cluster, through: proxy)
        events = weir.home.path + "/events"
        jobs = (1...20).map { Job(name: "job-\($0 + 100)", rate: Double(100 + 20 * $0)) } + [Job(name: "wide", rate: 200)]
        for job in jobs {
            let stages = job.name == "wide" ? "58" : "0"
            let words = ["--name", job.name, "--rate", "\(Int(job.rate))", "--parallelism", "1", "--interval", "2000", "--stages", stages]
            let id = try cluster.run(words)
            try cluster.waitForState("RUNNING", of: id)
        }
    }

    func console() throws -> TmuxSession {
        try TmuxSession(weir.home, [try #require(Binaries.weir), "--flink", proxy.url, "--events", events], columns: 160, rows: 50)
    }

    /// The job under the cursor.
    func chosen(_ screen: TmuxSession.Screen) -> String? {
        screen.lines.first { $0.hasPrefix(">") }.flatMap { line in jobs.first { line.contains($0.name) }?.name }
    }

    /// What the console took in while time passed.
    func watch(for seconds: Double, since start: WallTime? = nil) throws -> Picture {
        let begin = start ?? now()
        // The time over which the picture is judged.
        Thread.sleep(forTimeInterval: seconds)
        let whole = String(decoding: readFile(events), as: UTF8.self)
        // The last line may be half written.
        let lines = whole[..<(whole.lastIndex(of: "\n") ?? whole.startIndex)].split(separator: "\n").dropFirst()
        struct Line: Decodable { var report: EngineReport? }
        let reports = try lines.compactMap { line in
            do throws(ControlCodecError) { return try ControlCodec.decode(Line.self, from: Array(line.utf8)).report } catch {
                throw Broken("\(events): \(error.problem): \(line.prefix(200))")
            }
        }
        let rates = Dictionary(uniqueKeysWithValues: jobs.map { ($0.name, $0.rate) })
        return Picture(version: cluster.version, rates: rates, begin: begin, end: now(), reports: reports.filter { $0.at >= begin })
    }

    /// At most 4 questions at once, and 20 a second.
    func expectModestQuestions(_ picture: Picture, _ when: String, limit: Double = 20, location: SourceLocation = #_sourceLocation) throws {
        let requests = try proxy.requests(since: picture.begin)
        let rate = requests.busiestRate, most = requests.map(\.inFlight).max() ?? 0
        print("\(cluster.version.rawValue) \(when): \(rounded(rate)) requests/s in the busiest 10 s, \(most) in flight")
        let kinds = Dictionary(grouping: requests) { $0.path.prefix { $0 != "?" }.replacing(/[0-9a-f]{32}/, with: "ID") }
        #expect(rate > 0 && rate <= limit, "requests a second: \(kinds.mapValues(\.count).sorted { $0.value > $1.value })", sourceLocation: location)
        #expect(most <= 4, "requests in flight", sourceLocation: location)
    }

    private func now() -> WallTime { WallTime(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000)) }
}

/// What a console showed over some time.
private struct Picture {
    let version: FlinkVersionUnderTest
    /// True rates by name.
    let rates: [String: Double]
    let begin, end: WallTime
    let reports: [EngineReport]

    private func after(_ time: Milliseconds) throws -> [EngineReport] {
        let reports = reports.filter { $0.at - begin >= time }
        guard !reports.isEmpty else { throw Broken("no report in \(end - begin) ms") }
        return reports
    }

    /// State, checkpoints and rates are at most so old when they are shown; `only` one job, or every one.
    func expectCurrent(
        _ when: String, only: String? = nil, atMost limit: Milliseconds = .seconds(5), flow: Milliseconds? = nil, from time: Milliseconds = 0,
        location: SourceLocation = #_sourceLocation
    ) throws {
        var oldest: [String: Milliseconds] = [:]
        for report in try after(time) {
            for job in report.jobs where !job.state.isTerminal && (only == nil || job.name == only) {
                guard let freshness = job.freshness else { throw Broken("\(job.name) tells no age") }
                for (part, told) in [("state", freshness.state), ("checkpoints", freshness.checkpoints), ("flow", freshness.flow)] {
                    let age = told.map { report.at - $0 } ?? (report.at - begin)
                    oldest[part] = max(oldest[part] ?? 0, age)
                }
            }
        }
        print("\(version.rawValue) \(when): oldest \(oldest.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.count) ms" }.joined(separator: ", "))")
        for (part, age) in oldest { #expect(age <= (part == "flow" ? flow ?? limit : limit), "\(part) \(when)", sourceLocation: location) }
    }

    /// Rates are within a fifth of the truth; none is ever above twice of it.
    func expectTrueRates(_ when: String, after time: Milliseconds, location: SourceLocation = #_sourceLocation) throws {
        var told = 0, wrong: [String] = [], spikes: [String] = [], worst = 0.0
        for report in reports {
            for job in report.jobs {
                guard let rate = job.throughput.recordsReadPerSecond, let truth = rates[job.name] else { continue }
                if rate > truth * 2 { spikes.append("\(job.name) \(rate) of \(truth)") }
                guard report.at - begin >= time else { continue }
                told += 1
                worst = max(worst, abs(rate - truth) / truth)
                if abs(rate - truth) > truth / 5 { wrong.append("\(job.name) \(Int(rate)) of \(Int(truth))") }
            }
        }
        print("\(version.rawValue) \(when): \(told) rates, the worst \(Int(worst * 100)) % off, \(wrong.count) beyond 20 %")
        #expect(told > 0 && wrong.isEmpty, "of \(told): \(wrong.prefix(5))", sourceLocation: location)
        #expect(spikes.isEmpty, "\(spikes.prefix(5))", sourceLocation: location)
    }

    func expectNoRates(location: SourceLocation = #_sourceLocation) throws {
        for report in try after(0) {
            for job in report.jobs {
                let rate = job.throughput.recordsReadPerSecond
                #expect(rate == nil, "\(job.name) \(rate ?? 0) without a TaskManager", sourceLocation: location)
            }
        }
    }
}

private func rounded(_ value: Double) -> String { String(format: "%.1f", value) }
