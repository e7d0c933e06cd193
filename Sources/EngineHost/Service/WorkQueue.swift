internal import Dataflow
internal import StreamModel
internal import Synchronization

/// A serial queue on a thread of the host, with delays: work runs in posting order, one piece at a time.
///
/// A thread of the host, not a dispatch queue, so that a simulated machine can decide the order and jump the clock.
final class WorkQueue: Sendable {
    private enum Message: Sendable {
        case run(@Sendable () -> Void)
        case later(EngineInstant, @Sendable () -> Void)
        case end
    }

    private struct Delayed {
        var due: EngineInstant
        var number: UInt64
        var body: @Sendable () -> Void
    }

    private let mailbox: Mailbox<Message>
    private let host: any EngineHost

    init(_ name: String, host: any EngineHost) throws(JobError) {
        self.host = host
        let mailbox = Mailbox<Message>(host: host)
        self.mailbox = mailbox
        try host.startThread(named: name) { Self.run(mailbox, host) }
    }

    deinit { mailbox.post(.end) }

    /// Posts work; false when the queue has ended and drops it.
    @discardableResult
    func async(_ body: @escaping @Sendable () -> Void) -> Bool { mailbox.post(.run(body)) }

    /// Runs the work after a delay by the monotonic clock. Work not yet due when the queue ends is dropped.
    func after(_ delay: Milliseconds, _ body: @escaping @Sendable () -> Void) { mailbox.post(.later(host.now() + delay, body)) }

    /// Runs the work and waits for it; nil when the queue has ended. Must not be called on the queue itself.
    @discardableResult
    func sync<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
        let result = Mutex<Value?>(nil), latch = Latch(host: host)
        latch.enter()
        let isPosted = async {
            let value = body()
            result.withLock { $0 = value }
            latch.leave()
        }
        guard isPosted else { return nil }
        latch.wait()
        return result.withLock { $0 }
    }

    /// Runs all work posted before, then ends the thread.
    func end() { mailbox.post(.end) }

    private static func run(_ mailbox: Mailbox<Message>, _ host: any EngineHost) {
        var delayed: [Delayed] = []
        var number: UInt64 = 0
        while true {
            var isEnding = false
            for message in mailbox.take(until: delayed.map(\.due).min()) {
                switch message {
                case .run(let body): body()
                case .later(let due, let body):
                    number += 1
                    delayed.append(Delayed(due: due, number: number, body: body))
                // Work posted behind it, before the mailbox was closed, was accepted as well: its poster relies on that.
                case .end: isEnding = true
                }
            }
            if isEnding {
                for case .run(let body) in mailbox.close() { body() }
                return
            }
            let now = host.now()
            let due = delayed.filter { $0.due <= now }.sorted { ($0.due, $0.number) < ($1.due, $1.number) }
            delayed.removeAll { $0.due <= now }
            for item in due { item.body() }
        }
    }
}

/// Counts work in progress; one thread waits for the end of all of it.
final class Latch: Sendable {
    private let count = Mutex(0)
    private let parker: any Parker
    private let host: any EngineHost

    init(host: any EngineHost) {
        self.host = host
        parker = host.makeParker()
    }

    func enter() { count.withLock { $0 += 1 } }

    func leave() {
        count.withLock { $0 -= 1 }
        parker.unpark()
    }

    /// Waits for the end of all work; false when `deadline` passed first. One thread at a time.
    @discardableResult
    func wait(until deadline: EngineInstant? = nil) -> Bool {
        while count.withLock({ $0 }) > 0 {
            if let deadline, host.now() >= deadline { return false }
            parker.park(until: deadline) { count.withLock { $0 } <= 0 }
        }
        return true
    }
}
