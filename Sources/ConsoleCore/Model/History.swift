import StreamModel

/// Reports of past moments: finely for the last minutes, ever more coarsely before.
///
/// Bounded by the number of job reports kept, so that a console with many jobs remembers less time instead of more memory.
struct History: Sendable {
    /// The state of one context.
    struct ContextMoment: Sendable {
        var name: String
        var link: LinkState
        var downSince: WallTime?
        var report: EngineReport?
        var receivedAt: WallTime?
        /// Samples that there had been of each job.
        var samples: [JobID: Int]
    }

    struct Moment: Sendable {
        var at: WallTime
        var contexts: [ContextMoment]

        var weight: Int { contexts.reduce(1) { $0 + ($1.report?.jobs.count ?? 0) } }
    }

    /// Oldest first.
    private(set) var moments: [Moment] = []
    private var weight = 0

    static let momentsMax = 360
    /// Moments lie apart by at least this part of their age: an hour ago a minute.
    private static let fineness: Int64 = 60
    static let weightMax = 1500
    private static let step = Milliseconds.seconds(1)

    /// Remembers this moment, unless the last one is younger than a second.
    mutating func record(_ observations: Observations, at now: WallTime) {
        if let last = moments.last, now - last.at < Self.step {
            // The clock was set back: moments ahead of it are no longer in order.
            if now < last.at { moments.removeAll { $0.at > now } }
            return
        }
        let moment = Moment(at: now, contexts: observations.contexts.map(\.moment))
        moments.append(moment)
        weight += moment.weight
        if moments.count > Self.momentsMax || weight > Self.weightMax { thin(now) }
    }

    /// Drops moments that lie closer together than their age makes worthwhile, and then the oldest, to a little below the limits.
    private mutating func thin(_ now: WallTime) {
        var kept: [Moment] = []
        for moment in moments.reversed() {
            guard let last = kept.last else {
                kept.append(moment)
                continue
            }
            if (last.at - moment.at).count >= max(Self.step.count, (now - moment.at).count / Self.fineness) { kept.append(moment) }
        }
        moments = kept.reversed()
        weight = moments.reduce(0) { $0 + $1.weight }
        // A single moment may be heavier than all that is allowed.
        while moments.count > 1, weight > Self.weightMax * 7 / 8 || moments.count > Self.momentsMax * 7 / 8 {
            weight -= moments.removeFirst().weight
        }
    }

    /// The moment before or after a time; nil = there is none.
    func moment(before time: WallTime) -> Moment? { moments.last { $0.at < time } }
    var oldest: Moment? { moments.first }
    func moment(after time: WallTime) -> Moment? { moments.first { $0.at > time } }
}

extension ContextState {
    fileprivate var moment: History.ContextMoment {
        var light = report
        light?.operations = []
        return History.ContextMoment(
            name: name, link: link, downSince: downSince, report: light, receivedAt: receivedAt, samples: memories.mapValues(\.sampleCount))
    }

    /// This context as it was.
    fileprivate func asOf(_ moment: History.ContextMoment, _ at: WallTime) -> ContextState {
        var state = self
        (state.link, state.downSince, state.report, state.receivedAt) = (moment.link, moment.downSince, moment.report, moment.receivedAt)
        let time = state.engineTime(at: at)
        for (id, count) in moment.samples { state.memories[id] = memories[id]?.asOf(time, sampleCount: count, job: state.job(id)) }
        return state
    }
}

extension Observations {
    /// These observations at a past moment, as far as it is recorded.
    func asOf(_ moment: History.Moment) -> Observations {
        var past = self
        for index in past.contexts.indices {
            guard let known = moment.contexts.first(where: { $0.name == past.contexts[index].name }) else { continue }
            past.contexts[index] = past.contexts[index].asOf(known, moment.at)
        }
        past.operations = operations.filter { $0.since <= moment.at }
        return past
    }
}

extension CheckpointReport {
    /// As it stood then; nil = it had not ended.
    fileprivate func asOf(_ time: WallTime) -> CheckpointReport? { endedAt.map { $0 <= time } ?? (status != .inProgress && triggeredAt <= time) ? self : nil }
}

extension JobMemory {
    fileprivate func asOf(_ time: WallTime, sampleCount: Int, job: JobReport?) -> JobMemory {
        var past = self
        past.trimSeries(to: sampleCount)
        // The report of that time has the checkpoints in flight.
        past.take(list: checkpoints.compactMap { $0.asOf(time) }, job: job)
        past.failures = failures.filter { $0.at <= time }
        return past
    }
}
