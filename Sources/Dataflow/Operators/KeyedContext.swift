internal import StreamModel

/// A function's view of its operator: the subtask and the side outputs. Passed to `open`.
public class ProcessContext {
    @usableFromInline let site: OperatorSite

    /// States of the subtask, independent of keys.
    public let operatorStates = OperatorStates()

    @usableFromInline init(site: OperatorSite) { self.site = site }

    /// Index in 0 ..< parallelism.
    public var subtask: Int { site.context.index }
    public var parallelism: Int { site.context.parallelism }
    @usableFromInline var sideOutputs: SideOutputs { site.sideOutputs }

    /// The emitter for the tag, to be kept by the function.
    public func sideOutput<Element>(_ tag: OutputTag<Element>) throws -> Emitter<Element> { try site.sideOutputs.emitter(tag) }
}

/// A keyed function's view of its operator, with keyed states and timers. Passed to `open`.
public final class KeyedContext<Key: StreamKey>: ProcessContext {
    public let states: KeyedStates<Key>
    private var madeTimers: Timers<Key>?

    @usableFromInline
    override init(site: OperatorSite) {
        states = KeyedStates(context: site.context)
        super.init(site: site)
    }

    /// The function's timers, to be kept by it. Call it in `open`, so that a restore finds them.
    public func timers() throws -> Timers<Key> {
        if let madeTimers { return madeTimers }
        let timers = try Timers(states: states)
        madeTimers = timers
        return timers
    }

    /// Registers the states and timers for checkpoints, restores and firing. Called once the function is open.
    @usableFromInline
    func install<Output>(in hooks: inout OperatorHooks, out: Emitter<Output>, onTimer: @escaping (Timer, Key) throws -> Void) {
        let states = self.states, timers = madeTimers
        hooks.snapshot = { id in states.registered.map { $0.snapshot(id) } }
        hooks.restore = { state in
            for registered in states.registered { try registered.restore(state) }
            timers?.rebuild()
        }
        operatorStates.install(in: &hooks)
        hooks.stateBytes = { states.registered.reduce(0) { $0 + $1.bytes() } }
        guard let timers else {
            // Never rings: it makes the subtask read the clock before every batch.
            if states.expires { hooks.alarm = Alarm(due: { _ in nil }, ring: { _ in }) }
            return
        }
        let context = site.context, sides = sideOutputs
        let fire = { (queue: TimerQueue<Key>, limit: Int64, time: (Int64) -> Timer.Time) in
            do {
                while let due = queue.take(dueBy: limit) {
                    states.select(due.key, hash: due.key.stableHash)
                    try onTimer(Timer(time: time(due.time), namespace: due.namespace), due.key)
                }
            } catch { context.fail(error) }
            out.flush()
            sides.flush()
        }
        let forward = hooks.advance
        hooks.advance = { time in
            if case .watermark(let watermark) = time {
                timers.watermark = watermark
                fire(timers.event, watermark.milliseconds) { .event(EventTime(milliseconds: $0)) }
            }
            forward(time)
        }
        hooks.alarm = Alarm(
            due: { moment in timers.processing.next.map { moment.instant(of: WallTime(milliseconds: $0)) } },
            ring: { moment in fire(timers.processing, moment.wall.milliseconds) { .processing(WallTime(milliseconds: $0)) } })
    }
}
