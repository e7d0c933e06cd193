public import ControlSocket
internal import Dataflow
public import StreamModel
internal import Synchronization

/// Who gets the reports: a server with its subscribers.
public protocol ReportAudience: Sendable {
    var subscriberCount: Int { get }
    func publish(_ report: EngineReport)
}

extension ControlServer: ReportAudience {}

/// When a report goes out: at once when something changed but at most ten times a second, and once a second. Without subscribers
/// none is made. All of it happens on the queue that it is given.
final class ReportPublisher: @unchecked Sendable {
    // Sound: everything mutable is touched on `queue` only, but for `makeReport`, which is set once before `start`.
    private static let shortest: Milliseconds = 100, longest: Milliseconds = 1000

    private let queue: WorkQueue
    private let host: any EngineHost
    var makeReport: () -> EngineReport? = { nil }
    private var audience: (any ReportAudience)?
    private var lastAt = EngineInstant(nanoseconds: 0)
    private var isScheduled = false

    init(queue: WorkQueue, host: any EngineHost) {
        self.queue = queue
        self.host = host
    }

    func start(_ audience: any ReportAudience) {
        queue.async {
            self.audience = audience
            self.tick()
        }
    }

    private func tick() {
        guard audience != nil else { return }
        publish()
        queue.after(Self.longest) { [weak self] in self?.tick() }
    }

    /// On the queue only: the engine ends.
    func stop() { audience = nil }

    /// Something changed that an operator wants to see now. On the queue only.
    func noteChange() {
        guard let audience, audience.subscriberCount > 0, !isScheduled else { return }
        let due = lastAt + Self.shortest, now = host.now()
        guard due > now else { return publish() }
        isScheduled = true
        queue.after(due - now + 1) { [weak self] in
            self?.isScheduled = false
            self?.publish()
        }
    }

    private func publish() {
        guard let audience, audience.subscriberCount > 0, let report = makeReport() else { return }
        lastAt = host.now()
        audience.publish(report)
    }
}
