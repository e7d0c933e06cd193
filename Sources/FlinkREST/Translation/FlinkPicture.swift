public import StreamModel

/// A value with the moment (on this machine's clock) at which it came.
public struct Dated<Value: Sendable & Equatable>: Sendable, Equatable {
    public var value: Value
    public var at: WallTime
}

/// What is known of a cluster: the newest answers, and when they came. It decides what to ask next and puts the answers together into
/// reports. Pure: times are given, and asking is somebody else's.
public struct FlinkPicture: Sendable {
    /// What the operator looks at: of that the most is asked.
    public enum Focus: Sendable, Equatable {
        /// All jobs of the cluster, a line each.
        case overview
        /// The same, of which only some lines are in sight.
        case rows(Set<JobID>)
        case job(JobID)
        /// Another context, or nothing.
        case elsewhere
    }

    public private(set) var cluster: FlinkClusterConfiguration?
    /// In the order of submission.
    public private(set) var jobs: [FlinkJobPicture] = []
    /// How far the cluster's clock is ahead of ours; nil = not known yet.
    private var clockAhead: Milliseconds?
    private var listedAt: WallTime?
    public private(set) var capacity: Dated<FlinkClusterOverview>?
    /// nil = not told.
    private var settings: FlinkClusterSettings?

    public init() {}

    /// No job is known from an answer of this connection: the first question is who is there.
    public var isEmpty: Bool { cluster == nil }

    public func job(_ id: JobID) -> FlinkJobPicture? { jobs.first { $0.id == id } }

    // MARK: What to ask

    /// All that is wanted, each with its period; the most wanted first among equals.
    public func wishes(_ focus: Focus, at now: WallTime) -> [FlinkWish] {
        guard cluster != nil else { return [FlinkWish(.cluster, every: 1000)] }
        let isElsewhere = focus == .elsewhere
        var wishes = [FlinkWish(.jobs, every: isElsewhere ? 4000 : isWaited(focus) ? 1000 : 1500)]
        guard listedAt != nil else { return wishes }
        wishes.append(FlinkWish(.capacity, every: isElsewhere ? 20_000 : capacity == nil ? 1000 : 5000))
        let seen = jobs.count { isSeen($0.id, focus) && !$0.hasEnded }, unseen = jobs.count { !isSeen($0.id, focus) }
        let turn = Int64(unseen) * Self.turn(focus)
        let regards = jobs.map { job -> FlinkRegard in
            if focus == .job(job.id) { return .screen }
            return isSeen(job.id, focus) ? .row(count: seen) : .unseen(turn: turn)
        }
        for kind in FlinkWishKind.allCases {
            for index in jobs.indices { jobs[index].wish(kind, regards[index], at: now, into: &wishes) }
        }
        return wishes
    }

    /// A job that was just launched is not in the list yet.
    private func isWaited(_ focus: Focus) -> Bool {
        if case .job(let id) = focus { job(id) == nil } else { false }
    }

    /// Milliseconds a question to a job that is not in sight: beside the rows that are, or beside one job and in a context that nobody sees.
    private static func turn(_ focus: Focus) -> Int64 {
        if case .rows = focus { 250 } else { 1500 }
    }

    private func isSeen(_ id: JobID, _ focus: Focus) -> Bool {
        switch focus {
        case .overview: true
        case .rows(let rows): rows.contains(id)
        case .job(let job): id == job
        case .elsewhere: false
        }
    }

    /// All that is still needed for whole reports of all jobs that run, or of one job: for commands. The most wanted first.
    public func missingQuestions(_ id: JobID? = nil, at now: WallTime) -> [FlinkQuestion] {
        guard cluster != nil else { return [.cluster] }
        guard listedAt != nil else { return [.jobs] }
        return FlinkWishKind.allCases.flatMap { kind in
            // Of a job that has ended a list needs no more than why it failed.
            let wanted = jobs.filter { id == nil ? !$0.hasEnded || kind == .exceptions && $0.state?.known == .failed : $0.id == id }
            return wanted.flatMap { $0.missing(kind, isWhole: id != nil, at: now) }
        }
    }

    // MARK: Answers

    public mutating func take(cluster: FlinkClusterConfiguration) { self.cluster = cluster }

    public mutating func take(settings: FlinkClusterSettings) { self.settings = settings }

    public mutating func take(jobs list: [FlinkJobListing], at now: WallTime) {
        var known = Dictionary(jobs.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        jobs = list.sorted { ($0.startedAt, $0.id) < ($1.startedAt, $1.id) }.map { listing in
            var job = known.removeValue(forKey: listing.id) ?? FlinkJobPicture(id: listing.id)
            job.take(listing, at: now)
            return job
        }
        listedAt = now
    }

    public mutating func take(capacity: FlinkClusterOverview, at now: WallTime) { self.capacity = Dated(value: capacity, at: now) }

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
        (cluster, listedAt, capacity, settings) = (nil, nil, nil, nil)
    }

    // MARK: Reports

    /// The cluster's clock at a moment of ours.
    public func clusterTime(at now: WallTime) -> WallTime {
        // Below two seconds it may as well be the way of the answer.
        guard let clockAhead, abs(clockAhead.count) >= 2000 else { return now }
        return now + clockAhead
    }

    /// What a line or a screen shows has not all been asked yet.
    public func isIncomplete(_ focus: Focus) -> Bool {
        switch focus {
        case .elsewhere: false
        case .job(let id): job(id).map { !$0.isKnownForOverview || $0.details == nil || $0.exceptions == nil } ?? false
        case .overview, .rows: jobs.contains { isSeen($0.id, focus) && !$0.isKnownForOverview }
        }
    }

    public var hasList: Bool { listedAt != nil }

    /// The cluster, as reports name it. When it was started the API does not say.
    public func engineInfo(_ address: FlinkAddress) -> EngineInfo {
        var info = EngineInfo(
            name: address.description, version: "Flink \(cluster?.versionText ?? "?")", processID: 0, startedAt: WallTime(milliseconds: 0), stateDirectory: "")
        info.capacity = capacity.map { ClusterCapacity(taskManagers: $0.value.taskManagers, slots: $0.value.slots, freeSlots: $0.value.freeSlots) }
        return info
    }

    public func reports(at now: WallTime) -> [JobReport] {
        let ahead = clusterTime(at: now) - now
        return jobs.map { $0.report(version: cluster?.version, clockAhead: ahead, settings: settings) }
    }
}
