public import StreamModel

/// A rule for the watermarks of a stream: the lateness at which a record is still on time.
///
/// A watermark t announces that no more records with time t or earlier are expected. It is sent behind the records it follows from, every
/// `StreamEnvironment.watermarkInterval`, and never decreases. It becomes `.max` at the end of the input.
public struct WatermarkStrategy<Element: EventTimed>: Sendable {
    /// Makes a tracker, one per subtask: the watermark after a batch, and the time of that batch; nil = unchanged.
    @usableFromInline let makeTracker: @Sendable () -> WatermarkTracker<Element>
    @usableFromInline var idleTimeout: Milliseconds?

    @usableFromInline
    init(makeTracker: @escaping @Sendable () -> WatermarkTracker<Element>) { self.makeTracker = makeTracker }

    /// Records come at most `bound` late: the watermark is the latest time seen, minus the bound, minus 1 ms.
    @inlinable
    public static func boundedOutOfOrderness(_ bound: Milliseconds) -> Self {
        WatermarkStrategy {
            let latest = UnsafeMutablePointer<EventTime>.allocate(capacity: 1)
            latest.initialize(to: .min)
            return WatermarkTracker(
                observe: { base, count in
                    var highest = latest.pointee
                    for index in 0..<count { highest = max(highest, base[index].eventTime) }
                    latest.pointee = highest
                }, watermark: { latest.pointee - bound - 1 }, close: { latest.deallocate() })
        }
    }

    /// The times of a subtask's records never decrease.
    @inlinable
    public static var monotonous: Self { boundedOutOfOrderness(0) }

    /// Only the final watermark: all work that waits for event time is done at the end of the input.
    @inlinable
    public static var atEndOnly: Self {
        WatermarkStrategy { WatermarkTracker(observe: { _, _ in }, watermark: { .min }, close: {}) }
    }

    /// A custom generator, one per subtask.
    @inlinable
    public static func custom<Generator: WatermarkGenerator>(_ make: @escaping @Sendable () -> Generator) -> Self
    where Generator.Element == Element {
        WatermarkStrategy {
            let generator = UnsafeMutablePointer<Generator>.allocate(capacity: 1)
            generator.initialize(to: make())
            return WatermarkTracker(
                observe: { base, count in for index in 0..<count { generator.pointee.observe(base[index]) } },
                watermark: { generator.pointee.watermark },
                close: {
                    generator.deinitialize(count: 1)
                    generator.deallocate()
                })
        }
    }

    /// Makes a subtask without records for this long idle: its watermark is ignored until its next record.
    @inlinable
    public func withIdleness(_ timeout: Milliseconds) -> Self {
        var copy = self
        copy.idleTimeout = timeout
        return copy
    }
}

/// A custom watermark rule. A value type: each subtask has its own instance.
public protocol WatermarkGenerator<Element>: SendableMetatype {
    associatedtype Element: EventTimed
    mutating func observe(_ record: Element)
    /// Watermark after the records observed so far; a lower one than before has no effect.
    var watermark: EventTime { get }
}

/// A generator without its type, called once per batch.
@usableFromInline
struct WatermarkTracker<Element> {
    @usableFromInline let observe: (UnsafeMutablePointer<Element>, Int) -> Void
    @usableFromInline let watermark: () -> EventTime
    @usableFromInline let close: () -> Void
    @usableFromInline
    init(
        observe: @escaping (UnsafeMutablePointer<Element>, Int) -> Void, watermark: @escaping () -> EventTime, close: @escaping () -> Void
    ) {
        self.observe = observe
        self.watermark = watermark
        self.close = close
    }
}

extension DataStream {
    /// Assigns every record its time, and the stream its watermarks, which replace earlier ones.
    @inlinable
    public func assignTimestamps(
        by time: @escaping @Sendable (Element) -> EventTime, watermarks strategy: WatermarkStrategy<Timestamped<Element>>
    ) -> DataStream<Timestamped<Element>> {
        refuseIdleTimeout(strategy.idleTimeout)
        return environment.addOperator(name: "timestamps", input: forward) { site, out, hooks in
            let tracker = strategy.makeTracker()
            let clock = WatermarkClock(tracker.watermark, idleTimeout: strategy.idleTimeout, site: site)
            clock.install(in: &hooks, close: tracker.close)
            let batch = BatchSize.records(of: Timestamped<Element>.self)
            let stamped = UnsafeMutablePointer<Timestamped<Element>>.allocate(capacity: batch)
            let close = hooks.close
            hooks.close = {
                close()
                stamped.deallocate()
            }
            return { base, count in
                var start = 0
                while start < count {
                    let end = min(start + batch, count)
                    for index in start..<end { (stamped + index - start).initialize(to: Timestamped(base[index], at: time(base[index]))) }
                    tracker.observe(stamped, end - start)
                    for index in 0..<end - start { out.emit(stamped[index]) }
                    stamped.deinitialize(count: end - start)
                    start = end
                }
                out.flush()
                clock.tookBatch()
            }
        }
    }

    @usableFromInline
    func refuseIdleTimeout(_ timeout: Milliseconds?) {
        guard let timeout, timeout < 1 else { return }
        environment.refuse("an idleness timeout of \(timeout.count) ms is too short: give at least 1 ms")
    }
}

extension DataStream where Element: EventTimed {
    /// Assigns watermarks to a stream of records with event time, which replace earlier ones.
    @inlinable
    public func assignWatermarks(_ strategy: WatermarkStrategy<Element>) -> DataStream<Element> {
        refuseIdleTimeout(strategy.idleTimeout)
        return environment.addOperator(name: "watermarks", input: forward) { site, out, hooks in
            let tracker = strategy.makeTracker()
            let clock = WatermarkClock(tracker.watermark, idleTimeout: strategy.idleTimeout, site: site)
            clock.install(in: &hooks, close: tracker.close)
            return { base, count in
                tracker.observe(base, count)
                for index in 0..<count { out.emit(base[index]) }
                out.flush()
                clock.tookBatch()
            }
        }
    }
}

/// Times an assigner's watermarks and its idleness. Owned by the subtask's thread. Not checkpointed: after a restore the watermark follows from the
/// next records.
@usableFromInline
final class WatermarkClock {
    private let watermark: () -> EventTime
    private let idleTimeout: Milliseconds?
    private let context: SubtaskContext
    private var forward: (StreamTime) -> Void = { _ in }
    private var sent = EventTime.min
    private var isIdle = false
    /// Whether records came since the last reading of the clock.
    private var hasTaken = false
    private var sentAt: EngineInstant
    private var tookAt: EngineInstant

    @usableFromInline
    init(_ watermark: @escaping () -> EventTime, idleTimeout: Milliseconds?, site: OperatorSite) {
        self.watermark = watermark
        self.idleTimeout = idleTimeout
        context = site.context
        sentAt = site.context.host.now()
        tookAt = sentAt
    }

    @usableFromInline
    func install(in hooks: inout OperatorHooks, close: @escaping () -> Void) {
        forward = hooks.advance
        hooks.close = close
        // Event time from upstream is replaced, except the end.
        hooks.advance = { [self] time in
            if case .watermark(.max) = time { send(.max) }
        }
        hooks.alarm = Alarm(due: due, ring: ring)
    }

    /// Handles the end of a batch, after its records were passed on.
    @usableFromInline
    func tookBatch() {
        hasTaken = true
        tookAt = context.moment.pointee.instant
        if isIdle {
            isIdle = false
            tell(.active)
        }
        if context.watermarkInterval == 0 { send(watermark()) }
    }

    private func due(_ moment: TaskMoment) -> EngineInstant? {
        guard sent < .max else { return nil }
        if hasTaken { return context.watermarkInterval == 0 ? moment.instant : sentAt + context.watermarkInterval }
        guard let idleTimeout, !isIdle else { return nil }
        return tookAt + idleTimeout
    }

    private func ring(_ moment: TaskMoment) {
        if hasTaken {
            (hasTaken, sentAt) = (false, moment.instant)
            send(watermark())
        } else if let idleTimeout, !isIdle, moment.instant >= tookAt + idleTimeout {
            isIdle = true
            tell(.idle)
        }
    }

    private func send(_ watermark: EventTime) {
        guard watermark > sent else { return }
        sent = watermark
        tell(.watermark(watermark))
    }

    private func tell(_ time: StreamTime) {
        context.noteAssigned(time)
        forward(time)
    }
}
