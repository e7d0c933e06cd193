public import StreamModel

/// A value with the moment (on this machine's clock) at which it came.
public struct Dated<Value: Sendable & Equatable>: Sendable, Equatable {
    public var value: Value
    public var at: WallTime
}

/// What is known of a cluster: the newest answers, and when they came. It decides what to ask next and puts the answers together into
/// reports. Pure: times are given, and asking is somebody else's.
public struct FlinkPicture: Sendable {
    /// What the operator looks at; more is not asked for.
    public enum Focus: Sendable, Equatable {
        /// All jobs of the cluster, a line each.
        case overview
        case job(JobID)
    }

    /// Questions a poll at most: on the overview, and for one job.
    public static let questionsMax = (overview: 1, job: 3)

    public private(set) var cluster: FlinkClusterConfiguration?
    /// In the order of submission.
    public private(set) var jobs: [FlinkJobPicture] = []
    /// How far the cluster's clock is ahead of ours; nil = not known yet.
    private var clockAhead: Milliseconds?
    private var listedAt: WallTime?
    /// Counts the polls of the overview, for whose turn it is.
    private var turn = 0

    public init() {}

    /// No job is known from an answer of this connection: the first question is who is there.
    public var isEmpty: Bool { cluster == nil }

    public func job(_ id: JobID) -> FlinkJobPicture? { jobs.first { $0.id == id } }

    // MARK: What to ask

    /// The questions of the next poll.
    public mutating func nextQuestions(_ focus: Focus, at now: WallTime) -> [FlinkQuestion] {
        guard cluster != nil else { return [.cluster] }
        switch focus {
        case .overview: return [nextForOverview(at: now)]
        case .job(let id):
            // Before the list has come, and when the job is in it no more, only the list helps.
            guard let job = job(id), listedAt != nil else { return [.jobs] }
            var questions = job.standing(at: now)
            if questions.count < Self.questionsMax.job, let other = nextBeside(job, at: now) { questions.append(other) }
            return questions
        }
    }

    /// Every other poll the list; between them the jobs take turns.
    private mutating func nextForOverview(at now: WallTime) -> FlinkQuestion {
        turn &+= 1
        guard turn % 2 == 0, listedAt != nil else { return .jobs }
        let wanted = jobs.flatMap { $0.wantedForOverview(at: now) }
        return wanted.max { $0.urgency < $1.urgency }?.question ?? .jobs
    }

    /// What is most overdue of what changes seldom.
    private func nextBeside(_ job: FlinkJobPicture, at now: WallTime) -> FlinkQuestion? {
        var wanted = job.wantedBeside(at: now)
        wanted.append(FlinkWish(.jobs, age: listedAt.map { now - $0 }, period: .seconds(8)))
        return wanted.filter { $0.urgency >= 1 }.max { $0.urgency < $1.urgency }?.question
    }

    /// All that is needed for whole reports of all jobs (or of one), without regard to how many questions that takes: for commands.
    public func missingQuestions(_ id: JobID? = nil, at now: WallTime) -> [FlinkQuestion] {
        guard cluster != nil else { return [.cluster] }
        guard listedAt != nil else { return [.jobs] }
        return jobs.filter { id == nil || $0.id == id }.flatMap { $0.missing(at: now) }
    }

    // MARK: Answers

    public mutating func take(cluster: FlinkClusterConfiguration) { self.cluster = cluster }

    public mutating func take(jobs list: [FlinkJobListing], at now: WallTime) {
        var known = Dictionary(jobs.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        jobs = list.sorted { ($0.startedAt, $0.id) < ($1.startedAt, $1.id) }.map { listing in
            var job = known.removeValue(forKey: listing.id) ?? FlinkJobPicture(id: listing.id)
            job.take(listing, at: now)
            return job
        }
        listedAt = now
    }

    /// Changes what is known of a job; an answer about one that is in the list no more is dropped.
    public mutating func change(_ id: JobID, _ body: (inout FlinkJobPicture) -> Void) {
        guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
        body(&jobs[index])
    }

    public mutating func take(details: FlinkJobDetails, at now: WallTime) {
        if let theirs = details.now { clockAhead = theirs - now }
        change(details.id) { $0.take(details, at: now) }
    }

    /// The cluster is gone, or another one has taken its place: what was counted there says nothing of here.
    public mutating func forgetConnection() {
        cluster = nil
        listedAt = nil
    }

    // MARK: Reports

    /// The cluster's clock at a moment of ours.
    public func clusterTime(at now: WallTime) -> WallTime {
        // Below two seconds it may as well be the way of the answer.
        guard let clockAhead, abs(clockAhead.count) >= 2000 else { return now }
        return now + clockAhead
    }

    /// What the overview or a job's screen shows has not all come yet.
    public func isIncomplete(_ focus: Focus) -> Bool {
        switch focus {
        case .overview: jobs.prefix(40).contains { !$0.isKnownForOverview }
        case .job(let id): job(id).map { !$0.isKnownForOverview || $0.exceptions == nil } ?? false
        }
    }

    public var hasList: Bool { listedAt != nil }

    /// The cluster, as reports name it. When it was started the API does not say.
    public func engineInfo(_ address: FlinkAddress) -> EngineInfo {
        EngineInfo(
            name: address.description, version: "Flink \(cluster?.versionText ?? "?")", processID: 0, startedAt: WallTime(milliseconds: 0), stateDirectory: "")
    }

    public func reports(at now: WallTime) -> [JobReport] {
        let ahead = clusterTime(at: now) - now
        return jobs.map { $0.report(version: cluster?.version, clockAhead: ahead) }
    }
}

/// A question with how much it is wanted: its age in periods; without bounds when it was never answered.
struct FlinkWish: Sendable {
    var question: FlinkQuestion
    var urgency: Double

    init(_ question: FlinkQuestion, urgency: Double) { (self.question, self.urgency) = (question, urgency) }

    init(_ question: FlinkQuestion, age: Milliseconds?, period: Milliseconds, weight: Double = 1) {
        self.question = question
        urgency = (age.map { Double($0.count) / Double(max(1, period.count)) } ?? 1e6) * weight
    }
}
