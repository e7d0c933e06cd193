internal import StreamModel

/// All that a seed decides of a run of whole engine processes before it begins: the jobs, the operators, the faults.
struct ServiceScenario: Sendable {
    enum Event: Sendable {
        case crash(after: Int, survival: DiskModel.Survival?)
        case crashNow(survival: DiskModel.Survival?)
        /// An orderly end of the engine.
        case shutDown
    }

    struct Step: Sendable {
        /// Milliseconds after the step before.
        let delay: Int
        let event: Event
    }

    /// A job each.
    var jobs: [Scenario] = []
    var operators = 1
    /// What each operator does before it goes home.
    var actions = 0
    /// Milliseconds between two actions of an operator, at most.
    var pace = 100
    /// How likely a link is cut while its operator waits, in a million.
    var cuts = 0
    var rates = DiskFaultRates()
    var steps: [Step] = []
    var crashesInRecovery = 0
    var wallJumps = false

    init(seed: UInt64) {
        var random = SimulationRandom(seed: seed, stream: 6)
        let isUnderEngine = random.coin()
        for number in 0..<random.pick([1, 1, 2, 2, 3]) {
            var job = Scenario(seed: random.next())
            // Jobs that end by themselves before anybody has asked for anything show little.
            job.records = random.number(40...150)
            job.rate = Double(job.records) / (Double(random.number(200...800)) * 0.001)
            job.parallelism = random.number(1...2)
            job.checkpoints.interval = Milliseconds(Int64(random.number(25...120)))
            job.windows = random.below(8) == 0 ? job.windows : nil
            job.place = SimulatedPlace("/\(number)", storage: isUnderEngine ? "/engine/checkpoints" : "/state/checkpoints")
            job.checkpoints.storageDirectory = isUnderEngine ? nil : job.place.storage
            job.checkpoints.savepointDirectory = job.place.savepoints
            job.checkpoints.retention = .retainOnCancellation
            // A job that is down for good before its first checkpoint leaves nothing to go on from.
            job.restartStrategy = .fixedDelay(attempts: 1_000, delay: Milliseconds(Int64(random.number(0...60))))
            jobs.append(job)
        }
        operators = random.number(1...3)
        actions = random.number(2...7)
        pace = random.pick([20, 60, 150])
        cuts = random.pick([0, 150_000, 400_000])
        rates = random.below(3) == 0 ? DiskFaultRates() : DiskFaultRates(&random)
        crashesInRecovery = random.pick([0, 200_000, 500_000])
        wallJumps = random.coin()
        for _ in 0..<random.number(0...5) { steps.append(Step(delay: random.number(1...300), event: Self.event(&random))) }
    }

    private static func event(_ random: inout SimulationRandom) -> Event {
        let survival = random.below(3) == 0 ? nil : random.pick(DiskModel.Survival.allCases)
        switch random.below(5) {
        case 0, 1: return .crash(after: random.number(1...200), survival: survival)
        case 2, 3: return .crashNow(survival: survival)
        default: return .shutDown
        }
    }

    /// For people.
    var summary: String {
        "\(operators) operators, \(actions) actions each within \(pace) ms, cuts \(cuts) of a million\n  disk \(rates)\n  steps "
            + steps.map { "+\($0.delay) \($0.event)" }.joined(separator: "; ") + jobs.map { "\n  job: \($0.summary)" }.joined()
    }
}
