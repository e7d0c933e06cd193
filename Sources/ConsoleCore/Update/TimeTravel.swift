import CellGrid
import StreamModel

extension ConsoleModel {
    /// The shortest step.
    private static let scrubStep = Milliseconds.seconds(5)

    mutating func scrub(forward: Bool) {
        let from = shownAt
        let moment =
            forward
            ? history.moment(after: from + Milliseconds(Self.scrubStep.count - 1000))
            : history.moment(before: from + (1000 - Self.scrubStep)) ?? history.oldest.flatMap { $0.at < from ? $0 : nil }
        guard let moment else {
            if forward { return frozen == nil ? say("this is now") : goLive() }
            return say("no older moment is on record", .warn)
        }
        guard !forward || frozen != nil else { return say("this is now") }
        show(moment)
    }

    mutating func show(_ moment: History.Moment) {
        frozen = Frozen(observations: live.asOf(moment), at: moment.at)
        let keys = options.keyMap
        say("\(Figures.duration(now - moment.at)) ago; \(keys.label(.scrubBack, .scrubForward)) step, \(keys.label(.now)) returns to now", .warn)
    }

    mutating func goLive() {
        guard frozen != nil else { return say("this is now") }
        frozen = nil
        say("live again", .ok)
    }

    mutating func toggleFreeze() {
        if frozen == nil {
            frozen = Frozen(observations: live, at: now)
            say("frozen at \(Figures.clock(wall(now), offset: options.utcOffsetSeconds)); \(options.keyMap.label(.freeze)) returns to live", .warn)
        } else {
            goLive()
        }
    }
}
