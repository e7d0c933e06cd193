/// A question with its place in the order of questions.
public struct FlinkWish: Sendable, Equatable {
    public var question: FlinkQuestion
    /// Time from one asking to the next, in milliseconds.
    public var period: Int64

    public init(_ question: FlinkQuestion, every period: Int64) { (self.question, self.period) = (question, max(1, period)) }
}

/// Decides which question to a cluster comes next, and when. Of the questions that are due the one goes first that is the most overdue by
/// its own period: where there are more than can be asked, all of them grow old in proportion, and none is forgotten. A question without an
/// answer waits for its period like any other. Pure: times are given, of one clock, in milliseconds.
///
/// The cost to the cluster is bounded: `inFlightMax` questions at once, `perSecond` in the long run while somebody looks. What silence has
/// saved, up to `savedMax` questions, may be spent at `spacing`, so that the first picture of fifty jobs is whole within three seconds.
public struct FlinkScheduler: Sendable {
    public static let inFlightMax = 4
    public static let perSecond: Int64 = 20
    /// A context that nobody looks at: one question in this time.
    public static let idleSpacing: Int64 = 1000
    static let savedMax: Int64 = 60
    static let spacing: Int64 = 25
    /// Time for which an order of questions holds.
    private static let planLasts: Int64 = 250
    private static let planMax = 64

    /// When each question was last sent, or first wished for, less its period then.
    private var marks: [FlinkQuestion: Int64] = [:]
    private var underWay: Set<FlinkQuestion> = []
    /// Asked before all others, the first first.
    private var urgent: [FlinkQuestion] = []
    /// In reverse order.
    private var plan: [FlinkQuestion] = []
    private var plannedAt: Int64?
    private var nextDueAt: Int64?
    private var sentAt: Int64?
    /// In thousandths of a question.
    private var saved = savedMax * 1000
    private var savedAt: Int64?

    public init() {}

    /// As it was, with nothing under way.
    public init(resuming other: FlinkScheduler) {
        self = other
        for question in underWay { marks[question] = nil }
        underWay = []
        replan()
    }

    public var inFlight: Int { underWay.count }
    public func isUnderWay(_ question: FlinkQuestion) -> Bool { underWay.contains(question) }

    /// The next question to send, which counts as sent; nil = none yet.
    /// - Parameter wishes: all that is wanted, the most wanted first among equals.
    public mutating func next(at now: Int64, isLookedAt: Bool, wishes: () -> [FlinkWish]) -> FlinkQuestion? {
        save(at: now)
        guard isFree(at: now, isLookedAt: isLookedAt) else { return nil }
        guard let question = takeUrgent() ?? takePlanned(at: now, wishes) else { return nil }
        underWay.insert(question)
        marks[question] = now
        sentAt = now
        saved -= 1000
        return question
    }

    /// The answer came, or will not come.
    public mutating func end(_ question: FlinkQuestion) {
        underWay.remove(question)
        if plan.isEmpty { replan() }
    }

    /// Asks it before all others, as soon as a question may be asked.
    public mutating func hurry(_ question: FlinkQuestion) {
        if !underWay.contains(question), !urgent.contains(question) { urgent.append(question) }
    }

    /// Something else is wanted than before.
    public mutating func replan() { (plan, plannedAt, nextDueAt) = ([], nil, nil) }

    /// Forgets what was asked: on another link it says nothing.
    public mutating func reset() {
        (marks, underWay, urgent) = ([:], [], [])
        replan()
    }

    /// The moment of the next question, unless an answer comes first; nil = only an answer or a change of what is wanted brings one.
    public func wakeAt(_ now: Int64, isLookedAt: Bool) -> Int64? {
        guard underWay.count < Self.inFlightMax else { return nil }
        let allowed = max(now, allowedAt(now, isLookedAt: isLookedAt))
        if !urgent.isEmpty || !plan.isEmpty { return allowed }
        guard let nextDueAt else { return plannedAt == nil ? allowed : nil }
        return max(allowed, nextDueAt)
    }

    // MARK: What it may cost

    private mutating func save(at now: Int64) {
        saved = min(Self.savedMax * 1000, saved + max(0, now - (savedAt ?? now)) * Self.perSecond)
        savedAt = now
    }

    private func isFree(at now: Int64, isLookedAt: Bool) -> Bool {
        underWay.count < Self.inFlightMax && allowedAt(now, isLookedAt: isLookedAt) <= now
    }

    private func allowedAt(_ now: Int64, isLookedAt: Bool) -> Int64 {
        let pause = isLookedAt ? Self.spacing : Self.idleSpacing
        let missing = max(0, 1000 - saved)
        let affordable = (savedAt ?? now) + (missing + Self.perSecond - 1) / Self.perSecond
        return max(affordable, sentAt.map { $0 + pause } ?? .min)
    }

    // MARK: Order

    private mutating func takeUrgent() -> FlinkQuestion? {
        guard let index = urgent.firstIndex(where: { !underWay.contains($0) }) else { return nil }
        return urgent.remove(at: index)
    }

    private mutating func takePlanned(at now: Int64, _ wishes: () -> [FlinkWish]) -> FlinkQuestion? {
        let isOld = plannedAt.map { now - $0 >= Self.planLasts } ?? true
        let isDue = plan.isEmpty && (nextDueAt.map { $0 <= now } ?? false)
        if isOld || isDue { order(wishes(), at: now) }
        while let question = plan.popLast() {
            if !underWay.contains(question) { return question }
        }
        return nil
    }

    private mutating func order(_ wishes: [FlinkWish], at now: Int64) {
        var due: [(urgency: Double, place: Int)] = []
        var next: Int64?
        for (place, wish) in wishes.enumerated() where !underWay.contains(wish.question) {
            let mark: Int64
            if let known = marks[wish.question] {
                mark = known
            } else {
                // Due at once, and no more than that: what is new does not keep what is old from being asked.
                mark = now - wish.period
                marks[wish.question] = mark
            }
            if now - mark >= wish.period {
                due.append((Double(now - mark) / Double(wish.period), place))
            } else {
                next = min(next ?? .max, mark + wish.period)
            }
        }
        due.sort { ($0.urgency, $1.place) > ($1.urgency, $0.place) }
        plan = due.prefix(Self.planMax).reversed().map { wishes[$0.place].question }
        (plannedAt, nextDueAt) = (now, next)
        if marks.count > 2 * wishes.count + 1000 { forget(beyond: wishes, at: now) }
    }

    /// Forgets questions that nobody has wished for in ten minutes.
    private mutating func forget(beyond wishes: [FlinkWish], at now: Int64) {
        let wanted = Set(wishes.map(\.question))
        marks = marks.filter { wanted.contains($0.key) || now - $0.value < 600_000 }
    }
}
