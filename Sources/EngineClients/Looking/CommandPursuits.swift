internal import FlinkREST
internal import HostEnvironment
internal import StreamModel

/// A list of questions, of which a few are under way at once.
struct QuestionList: FlinkPursuit {
    var picture: FlinkPicture
    /// Why there is no link; nil = there is.
    private(set) var problem: FlinkFailure?
    /// What the link failed for, or the time: of these the picture knows nothing new.
    private(set) var unanswered: Set<FlinkQuestion> = []
    private var waiting: ArraySlice<FlinkQuestion>
    private var underWay = 0
    /// A failure of the link ends it, whatever the question was.
    private let needsAll: Bool

    init(_ questions: [FlinkQuestion], _ picture: FlinkPicture, needsAll: Bool) {
        (waiting, self.picture, self.needsAll) = (questions[...], picture, needsAll)
    }

    mutating func next(at now: Int64) -> FlinkQuestion? {
        guard underWay < FlinkScheduler.inFlightMax, let question = waiting.popFirst() else { return nil }
        underWay += 1
        return question
    }

    func wakeAt(_ now: Int64) -> Int64? { nil }

    /// What is no matter of the link leaves a gap in the report, not none.
    mutating func take(_ result: Result<FlinkReply, FlinkFailure>, to question: FlinkQuestion) -> Bool {
        underWay -= 1
        switch result {
        case .success(let reply): picture.take(reply, to: question, at: .now())
        case .failure(let failure):
            if question == .cluster || question == .jobs || needsAll && failure.isOfLink { problem = failure }
            if failure.isOfLink { unanswered.insert(question) }
            picture.takeNoAnswer(to: question)
        }
        return problem == nil
    }
}

/// What the scheduler says, for a command that goes on looking.
struct Watching: FlinkPursuit {
    var picture: FlinkPicture
    var scheduler: FlinkScheduler
    var focus: FlinkPicture.Focus
    /// When it stops asking.
    private let end: Int64
    private(set) var answered = 0
    private(set) var problem: FlinkFailure?

    init(_ picture: FlinkPicture, _ scheduler: FlinkScheduler, _ focus: FlinkPicture.Focus, until end: Int64) {
        (self.picture, self.scheduler, self.focus, self.end) = (picture, scheduler, focus, end)
    }

    mutating func next(at now: Int64) -> FlinkQuestion? {
        guard now < end else { return nil }
        let (picture, focus) = (picture, focus)
        return scheduler.next(at: now, isLookedAt: true) { picture.wishes(focus, at: .now()) }
    }

    func wakeAt(_ now: Int64) -> Int64? { now < end ? min(scheduler.wakeAt(now, isLookedAt: true) ?? end, end) : nil }

    mutating func take(_ result: Result<FlinkReply, FlinkFailure>, to question: FlinkQuestion) -> Bool {
        scheduler.end(question)
        switch result {
        case .success(let reply):
            answered += 1
            picture.take(reply, to: question, at: .now())
        case .failure(let failure):
            if failure.isOfLink { problem = failure }
            picture.takeNoAnswer(to: question)
        }
        return true
    }
}
