// Goal: what is seen of a cluster is as fresh as it is promised, at a bounded cost, and nothing is forgotten. Method: simulated time, jobs
// and round trips; ages and questions are counted. `WEIR_PRINT_TABLE=1` prints the table of the benchmarks' README.

import Foundation
import StreamModel
import Testing

@testable import FlinkREST

@Suite struct FlinkSchedulerTests {
    struct Outcome {
        var list: Int64 = 0, checkpoints: Int64 = 0, flow: Int64 = 0
        var rate = 0.0, worstSecond = 0, inFlight = 0
        var whole: Int64?
    }

    /// Ages of the rows in sight once the picture has settled.
    private func outcome(jobs: Int, roundTrip: Int64, failsEach: Int = 0) throws -> Outcome {
        var cluster = try SimulatedCluster(jobs: jobs, roundTrip: roundTrip)
        cluster.failsEach = failsEach
        let inSight = cluster.jobs.prefix(50)
        if jobs > inSight.count { cluster.focus = .rows(Set(inSight)) }
        let settled = max(30_000, roundTrip * Int64(min(jobs, 50)) * 5)
        cluster.run(until: settled)
        var outcome = Outcome()
        cluster.run(until: settled + max(30_000, roundTrip * 40)) { cluster in
            outcome.list = max(outcome.list, cluster.worstAge(inSight) { $0.listing?.at } ?? .max)
            outcome.checkpoints = max(outcome.checkpoints, cluster.worstAge(inSight) { $0.checkpoints?.at } ?? .max)
            outcome.flow = max(outcome.flow, cluster.worstAge(inSight) { $0.sourceFlowAt } ?? .max)
        }
        (outcome.rate, outcome.worstSecond) = cluster.rates(after: settled)
        (outcome.inFlight, outcome.whole) = (cluster.inFlightMax, cluster.wholeAt.map { $0 - (cluster.firstAnswerAt ?? 0) })
        return outcome
    }

    private static let sizes = [1, 21, 50, 100, 500, 1000], roundTrips: [Int64] = [1, 20, 200, 1000, 3000]
    private static let prints = ProcessInfo.processInfo.environment["WEIR_PRINT_TABLE"] != nil

    @Test(arguments: sizes) func agesAndRequestsKeepTheirBounds(jobs: Int) throws {
        for roundTrip in Self.roundTrips where Self.prints || roundTrip == 20 || jobs != 50 && jobs != 500 {
            let found = try outcome(jobs: jobs, roundTrip: roundTrip)
            if Self.prints {
                func seconds(_ age: Int64) -> String { (Double(age) / 1000).formatted(.number.precision(.fractionLength(1))) }
                print(
                    "| \(jobs) | \(roundTrip) | \(seconds(found.list)) | \(seconds(found.checkpoints)) | \(seconds(found.flow)) |"
                        + " \(found.rate.formatted(.number.precision(.fractionLength(1)))) | \(found.whole.map { seconds($0) } ?? "-") |")
            }
            #expect(found.inFlight <= 4 && found.rate <= 20.1 && found.worstSecond <= 40, "\(found)")
            // What four questions in flight allow: they are shared in proportion.
            let capacity = min(20, 4000 / Double(roundTrip))
            let stretch = max(1, 28 / capacity) * 1.15
            #expect(Double(found.list) <= 2500 * stretch + Double(roundTrip) * 2, "\(jobs) jobs, rtt \(roundTrip): \(found)")
            if roundTrip <= 20 {
                #expect(found.checkpoints <= (jobs <= 50 ? 5000 : 15_000), "\(jobs) jobs, rtt \(roundTrip): \(found)")
                #expect(found.flow <= (jobs <= 50 ? 10_000 : 15_000), "\(jobs) jobs, rtt \(roundTrip): \(found)")
                if jobs <= 50 { #expect(found.whole.map { $0 <= 3000 } == true, "\(jobs) jobs, rtt \(roundTrip): \(found)") }
            } else {
                #expect(found.checkpoints < .max && Double(found.checkpoints) <= 5000 * stretch + Double(roundTrip) * 2, "\(jobs), rtt \(roundTrip): \(found)")
            }
        }
    }

    @Test(arguments: [3, 10]) func singleFailuresDelayOnlyWhatTheyHit(failsEach: Int) throws {
        for roundTrip: Int64 in [1, 200] {
            let found = try outcome(jobs: 21, roundTrip: roundTrip, failsEach: failsEach)
            #expect(found.list <= 12_000 && found.checkpoints <= 30_000, "\(found)")
            #expect(found.rate <= 20.1 && found.inFlight <= 4, "a failure is no reason to ask more: \(found)")
        }
    }

    @Test func aJobOfManyVerticesKeepsItsScreenFresh() throws {
        for vertices in [1, 60, 300] {
            var cluster = try SimulatedCluster(jobs: 21, vertices: vertices, roundTrip: 20)
            let job = cluster.jobs[3]
            cluster.focus = .job(job)
            cluster.run(until: 30_000)
            var worst: Int64 = 0
            cluster.run(until: 60_000) { cluster in
                for part: (FlinkJobPicture) -> WallTime? in [
                    { $0.listing?.at }, { $0.details?.at }, { $0.checkpoints?.at }, { $0.exceptions?.at }, { $0.restarts?.at },
                ] {
                    worst = max(worst, cluster.worstAge([job], part) ?? .max)
                }
                if vertices <= 60 { worst = max(worst, cluster.worstAge([job]) { $0.sourceFlowAt } ?? .max) }
            }
            #expect(worst <= 5000, "\(vertices) vertices: \(worst)")
            #expect(cluster.rates(after: 30_000).mean <= 20.1)
        }
    }

    @Test func aContextThatNobodyLooksAtIsAskedOnceASecond() throws {
        var cluster = try SimulatedCluster(jobs: 50, roundTrip: 1)
        cluster.focus = .elsewhere
        cluster.isLookedAt = false
        cluster.run(until: 200_000)
        #expect(cluster.rates(after: 0).worst == 1 && cluster.rates(after: 0).mean <= 1.01)
        #expect(cluster.jobs.allSatisfy { cluster.picture.job($0)?.checkpoints != nil }, "none is forgotten")
        cluster.focus = .overview
        cluster.isLookedAt = true
        let start = cluster.now
        cluster.run(until: start + 12_000)
        #expect(cluster.worstAge(cluster.jobs) { $0.checkpoints?.at } ?? .max <= 12_000, "who looks sees it soon")
    }

    @Test func jobsOutOfSightAreNotForgotten() throws {
        var cluster = try SimulatedCluster(jobs: 250, roundTrip: 20)
        cluster.focus = .rows(Set(cluster.jobs.prefix(40)))
        cluster.run(until: 120_000)
        #expect(cluster.worstAge(cluster.jobs) { $0.checkpoints?.at } ?? .max <= 100_000)
    }

    /// A weight that never fades would keep the rest waiting for ever.
    @Test func theMostOverdueByItsOwnPeriodComesFirst() {
        var scheduler = FlinkScheduler()
        let often = (1...60).map { FlinkWish(.checkpoints(JobID(high: 1, low: $0)), every: 1000) }
        let seldom = FlinkWish(.cluster, every: 20_000), never = FlinkWish(.capacity, every: 60_000)
        var asked: [FlinkQuestion: [Int64]] = [:]
        for now: Int64 in stride(from: 0, to: 240_000, by: 10) {
            while let question = scheduler.next(at: now, isLookedAt: true, wishes: { often + [seldom, never] }) {
                asked[question, default: []].append(now)
                scheduler.end(question)
            }
        }
        // Three times as much is wanted as can be asked: each waits three of its periods.
        func pauses(_ question: FlinkQuestion) -> [Int64] { zip(asked[question, default: []].dropFirst(), asked[question, default: []]).map { $0 - $1 } }
        #expect(pauses(seldom.question).allSatisfy { (50_000...75_000).contains($0) } && pauses(seldom.question).count >= 3, "\(pauses(seldom.question))")
        #expect(asked[never.question]?.isEmpty == false)
        #expect(often.allSatisfy { pauses($0.question).suffix(20).allSatisfy { $0 < 4500 } })
    }

    @Test func whatIsUrgentGoesFirstAndOnce() {
        var scheduler = FlinkScheduler()
        scheduler.hurry(.jobs)
        scheduler.hurry(.jobs)
        #expect(scheduler.next(at: 0, isLookedAt: true, wishes: { [FlinkWish(.cluster, every: 1)] }) == .jobs)
        scheduler.hurry(.jobs)
        #expect(scheduler.next(at: 25, isLookedAt: true, wishes: { [FlinkWish(.cluster, every: 1)] }) == .cluster, "it is under way")
        #expect(scheduler.next(at: 26, isLookedAt: true, wishes: { [] }) == nil)
    }
}
