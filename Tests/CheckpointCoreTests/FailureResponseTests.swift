import CheckpointCore
import StreamModel
import Testing

// Goal: what the machine lacks is waited for and costs no restart; all else is the strategy's. Method: rows of failures with their moments.
@Suite struct FailureResponseTests {
    private let full = Shortage(.space, path: "/disk/out")

    private func at(_ seconds: Int64) -> EngineInstant { EngineInstant(milliseconds: seconds * 1000) }

    private func wait(_ seconds: Int64) -> FailureResponse.Decision {
        .wait(.seconds(seconds), reason: "no space left on device on /disk/out: free space; tried again in \(seconds) s")
    }

    @Test func `waits grow to a minute and use up no attempt`() {
        var response = FailureResponse(.fixedDelay(attempts: 2, delay: 500), seed: 1)
        var now: Int64 = 0
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] as [Int64] {
            #expect(response.jobFailed(lacking: full, at: at(now)) == wait(seconds))
            now += seconds
        }
        #expect(response.countedFailures == 0)
        // Its own failures still have all of theirs.
        #expect(response.jobFailed(lacking: nil, at: at(now)) == .restart(after: 500))
        #expect(response.jobFailed(lacking: nil, at: at(now)) == .restart(after: 500))
        #expect(response.jobFailed(lacking: full, at: at(now)) == wait(60))
        #expect(response.jobFailed(lacking: nil, at: at(now)) == .giveUp(reason: "all 2 restarts of the fixed-delay strategy are used up"))
    }

    @Test(arguments: [(59, 2), (60, 1), (1000, 1)] as [(Int64, Int64)])
    func `an attempt that ran for a minute resets the waits`(_ ran: Int64, _ next: Int64) {
        var response = FailureResponse(.checkpointingDefault, seed: 1)
        #expect(response.jobFailed(lacking: full, at: at(0)) == wait(1))
        #expect(response.jobFailed(lacking: full, at: at(1 + ran)) == wait(next))
    }

    @Test(
        arguments: [
            .fixedDelay(attempts: 0, delay: 1), .failureRate(maxFailuresPerInterval: 1, failureRateInterval: .minutes(1), delay: 1), .exponentialDelay(),
        ] as [RestartStrategy])
    func `every strategy that restarts waits`(_ strategy: RestartStrategy) {
        var response = FailureResponse(strategy, seed: 1)
        #expect(response.jobFailed(lacking: full, at: at(0)) == wait(1))
    }

    @Test func `a job that is never restarted ends`() {
        var response = FailureResponse(.none, seed: 1)
        #expect(response.jobFailed(lacking: full, at: at(0)) == .giveUp(reason: "the job has no restart strategy"))
    }

    @Test(
        arguments: [(28, .space), (122, .quota), (27, .fileSize), (24, .openFiles), (23, .openFilesOfSystem), (5, nil), (13, nil), (30, nil)]
            as [(Int32, Shortage.Resource?)])
    func `error numbers of shortages`(_ errno: Int32, _ resource: Shortage.Resource?) {
        #expect(Shortage(errno: errno, path: "/x")?.resource == resource)
        #expect(Shortage(errno: errno, path: "/x")?.description.contains("/x: ") ?? true)
    }
}
