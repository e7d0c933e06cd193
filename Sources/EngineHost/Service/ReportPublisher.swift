public import ControlSocket
internal import Dataflow
public import StreamModel
internal import Synchronization

/// The receiver of reports: a server with its subscribers.
public protocol ReportAudience: Sendable {
    var subscriberCount: Int { get }
    func publish(_ report: EngineReport)
}

extension ControlServer: ReportAudience {}

/// Decides when a report is published: on every change but at most ten times a second, and once a second. Makes none without subscribers. Works
/// only on the given queue.
final class ReportPublisher: @unchecked Sendable {
    // Sound: all mutable state is touched on `queue` only, except `makeReport`, which is set once before `start`.
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

    /// Stops with the engine. On the queue only.
    func stop() { audience = nil }

    /// Notes a change that operators want to see now. On the queue only.
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
