internal import CellGrid
internal import ConsoleCore
internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// Plays recorded events back into a console: a clock that shows the time of the recording, and an engine for each of its contexts. The
/// engines cannot act: a question is answered with what the recording knew at that moment, an operation has nowhere to go.
final class Playback: ConsoleClock {
    let recording: RecordedEvents
    private let state: Mutex<State>
    /// Rung when something changed that the playing thread waits for.
    private let wakeTimer = WakeTimer()

    private struct State {
        /// Index of the next line.
        var next = 0
        /// The recording's time at `since` of the machine.
        var base: WallTime
        var since: Int64
        /// Thousandths of the machine's speed.
        var speed: Int64 = 1000
        var isPaused = false
        var isStopped = false
        var outlets: [String: @Sendable (EngineEvent) -> Void] = [:]
        var known: [Question: EngineEvent] = [:]
        var lastKey: String?

        func time(at machine: Int64) -> WallTime {
            isPaused ? base : WallTime(milliseconds: base.milliseconds &+ (machine - since) * speed / 1000)
        }

        /// From now on the clock goes on from here.
        mutating func rebase(at machine: Int64) { (base, since) = (time(at: machine), machine) }
    }

    /// What a console asks beside the reports.
    private enum Question: Hashable {
        case checkpoints(String, JobID)
        case checkpoint(String, JobID, CheckpointID)
        case failures(String, JobID)
        case inspection(String, String)
    }

    static let speeds: [Int64] = [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]

    init(_ recording: RecordedEvents, speed: Double = 1) {
        self.recording = recording
        let wanted = speed.isFinite ? Int64(clamping: min(max(speed * 1000, 1), 1e6)) : 1000
        let nearest = Self.speeds.min { abs($0 - wanted) < abs($1 - wanted) } ?? 1000
        state = Mutex(State(base: recording.header.startedAt, since: MonotonicClock.milliseconds(), speed: nearest))
    }

    // MARK: Clock

    func now() -> WallTime { state.withLock { $0.time(at: MonotonicClock.milliseconds()) } }

    func offset() -> Milliseconds { 0 }

    func delay(until time: WallTime) -> Int64? {
        state.withLock { state in
            if state.isPaused { return nil }
            return max(1, (time - state.time(at: MonotonicClock.milliseconds())).count * 1000 / state.speed)
        }
    }

    // MARK: Keys

    /// Takes the keys of the playback; false = it is the console's.
    func take(_ key: KeyPress) -> Bool {
        switch key {
        case .character("p"): change { $0.isPaused.toggle() }
        case .character("+"): change { $0.speed = Self.speeds.first { [speed = $0.speed] in $0 > speed } ?? $0.speed }
        case .character("-"): change { $0.speed = Self.speeds.last { [speed = $0.speed] in $0 < speed } ?? $0.speed }
        case .character("s"): step()
        default: return false
        }
        return true
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            state.rebase(at: MonotonicClock.milliseconds())
            body(&state)
        }
        wakeTimer.wake()
    }

    /// Pauses at the next report.
    private func step() {
        change { state in
            state.isPaused = true
            let later = recording.lines[state.next...].firstIndex { $0.report != nil }
            guard let index = later ?? recording.lines.indices.last else { return }
            state.base = max(state.base, recording.lines[index].at)
        }
    }

    /// The bar at the bottom: where the playback is, how fast, and its keys.
    var caption: Caption {
        let (time, speed, isPaused, isOver, key) = state.withLock { state in
            (state.time(at: MonotonicClock.milliseconds()), state.speed, state.isPaused, state.next >= recording.lines.count, state.lastKey)
        }
        let total = max(1, (recording.lines.last?.at ?? recording.header.startedAt) - recording.header.startedAt).count
        let part = min(100, max(0, (time - recording.header.startedAt).count * 100 / total))
        let rate: SafeText = speed >= 1000 ? "x\(speed / 1000)" : "x1/\(1000 / speed)"
        let word: SafeText = isOver ? "at its end" : isPaused ? "paused" : "playing"
        return Caption(
            badge: "REPLAY", text: "\(rate) \(word) \(part)%   p pause  + - speed  s step  q quit", keys: key.map { "key: \(SafeText($0, limit: 12))" } ?? "")
    }

    // MARK: Engines

    func engine(_ context: String) -> any Engine { ReplayEngine(playback: self, context: context) }

    fileprivate func attach(_ context: String, _ deliver: @escaping @Sendable (EngineEvent) -> Void) {
        let isComplete = state.withLock { state in
            state.outlets[context] = deliver
            guard state.outlets.count == recording.header.contexts.count else { return false }
            // The clock starts when everybody listens.
            state.since = MonotonicClock.milliseconds()
            return true
        }
        if isComplete { startThread { self.play() } }
    }

    fileprivate func stop() {
        state.withLock { state in
            state.isStopped = true
            state.outlets = [:]
        }
        wakeTimer.wake()
    }

    fileprivate func answer(_ asked: EngineQuestion, in context: String) {
        let question: Question
        switch asked {
        case .checkpoints(let job): question = .checkpoints(context, job)
        case .checkpoint(let job, let id): question = .checkpoint(context, job, id)
        case .failures(let job): question = .failures(context, job)
        case .inspect(let path), .inspectForDeletion(let path): question = .inspection(context, path)
        // Its lines come when they came.
        case .log: return
        }
        if let known = state.withLock({ $0.known[question] }) { deliver(known, to: context) }
    }

    private func deliver(_ event: EngineEvent, to context: String) { state.withLock { $0.outlets[context] }?(event) }

    private func play() {
        while let line = waitForNext() {
            guard let context = line.context, let event = line.engineEvent else {
                if let key = line.key { state.withLock { $0.lastKey = key } }
                continue
            }
            if let question = Self.question(event, context) { state.withLock { $0.known[question] = event } }
            deliver(event, to: context)
        }
    }

    /// The next line when its time has come; nil at the end.
    private func waitForNext() -> ConsoleLog.Line? {
        while true {
            enum Outcome { case line(ConsoleLog.Line), wait(Int64?), ended }
            let outcome: Outcome = state.withLock { state in
                guard !state.isStopped, state.next < recording.lines.count else { return .ended }
                let line = recording.lines[state.next]
                let left = (line.at - state.time(at: MonotonicClock.milliseconds())).count
                guard left > 0 else {
                    state.next += 1
                    return .line(line)
                }
                return .wait(state.isPaused ? nil : max(1, left * 1000 / state.speed))
            }
            switch outcome {
            case .line(let line): return line
            case .ended: return nil
            case .wait(let milliseconds): wakeTimer.wait(atMost: milliseconds.map { Milliseconds($0) })
            }
        }
    }

    private static func question(_ event: EngineEvent, _ context: String) -> Question? {
        switch event {
        case .checkpoints(let job, _): .checkpoints(context, job)
        case .checkpoint(let job, let checkpoint): .checkpoint(context, job, checkpoint.id)
        case .failures(let job, _): .failures(context, job)
        case .inspection(let inspection): .inspection(context, inspection.path)
        default: nil
        }
    }
}

/// A context of a recording.
private struct ReplayEngine: Engine {
    let playback: Playback
    let context: String

    func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) { playback.attach(context, deliver) }
    func send(_ question: EngineQuestion) { playback.answer(question, in: context) }
    func retryNow() {}
    func stop() { playback.stop() }
}
