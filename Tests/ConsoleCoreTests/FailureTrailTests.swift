// Goal: the failures of a job are counted from its reports, and none is invented. Method: reports one after the other, with late counts as a
// cluster gives them and with numbers that no engine should send.

import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct FailureTrailTests {
    private let limits = DiagnosisThresholds()

    /// A report of a cluster, or of an engine that knows its count at once.
    private func report(_ last: Int64?, restarts: Int, isCluster: Bool = true, age: Int64 = 90_000_000) -> JobReport {
        var job = Sample.running()
        job.submittedAt = Sample.ago(age)
        job.restarts = restarts
        job.lastFailure = last.map { FailureReport(at: Sample.start + .seconds($0), message: "boom", attempt: 1) }
        if isCluster { job.freshness = ReportFreshness(state: Sample.start) }
        return job
    }

    private func trail(_ reports: [JobReport]) -> FailureTrail {
        var trail = FailureTrail()
        for report in reports { trail.note(report, limits) }
        return trail
    }

    @Test func `a count that comes late invents no failures`() {
        #expect(trail([report(0, restarts: 0), report(0, restarts: 7), report(30, restarts: 8)]).times.count == 2)
        #expect(trail([report(0, restarts: 0), report(30, restarts: 8)]).times.count == 2)
        // Failures are seen one by one, and the cluster counts all of them at once.
        let each = (0..<Int64(6)).map { report($0 * 3, restarts: $0 == 5 ? 6 : 1) }
        #expect(trail(each).times.count == 6)
    }

    @Test func `a known rise is failures that no report has told`() {
        #expect(trail([report(0, restarts: 3), report(30, restarts: 8)]).times.count == 5)
        #expect(trail([report(0, restarts: 3, isCluster: false), report(30, restarts: 8, isCluster: false)]).times.count == 6)
    }

    @Test func `the first count of a young job tells its failures, also when it comes late`() {
        #expect(trail([report(0, restarts: 5, age: 60_000)]).times.count == 5)
        #expect(trail([report(0, restarts: 0, age: 60_000), report(0, restarts: 5, age: 60_000)]).times.count == 5)
        // Older than the window: when they were is not known.
        #expect(trail([report(0, restarts: 12, age: 300_000)]).times.count == 1)
    }

    @Test(arguments: [Int.min, -1, 0, 1, Int.max - 1, .max], [Int.min, -1, 0, 1, Int.max - 1, .max])
    func `impossible numbers are no trap`(first: Int, second: Int) {
        let times = [Int64.min, -1, 0, 1, .max].map { WallTime(milliseconds: $0) }
        for submitted in times {
            for last in times {
                var trail = FailureTrail()
                for (restarts, time) in [(first, submitted), (second, last), (first, last), (second, Sample.start)] {
                    for state in [JobState.running, .restarting, .failed] {
                        var job = report(0, restarts: restarts, isCluster: state == .failed)
                        (job.state, job.submittedAt) = (state, submitted)
                        job.lastFailure?.at = time
                        trail.note(job, limits)
                    }
                }
                #expect(trail.times.count <= 64)
            }
        }
    }
}
