internal import ControlSocket
internal import Dispatch
internal import StreamModel
internal import Synchronization

/// When a report goes out: at once when something changed but at most ten times a second, and once a second. Without subscribers
/// none is made. All of it happens on the queue that it is given.
final class ReportPublisher: @unchecked Sendable {
    // Sound: everything mutable is touched on `queue` only, but for `makeReport`, which is set once before `start`.
    private static let shortest = DispatchTimeInterval.milliseconds(100)

    private let queue: DispatchQueue
    var makeReport: () -> EngineReport? = { nil }
    private var server: ControlServer?
    private var timer: (any DispatchSourceTimer)?
    private var lastAt = DispatchTime(uptimeNanoseconds: 0)
    private var isScheduled = false

    init(queue: DispatchQueue) { self.queue = queue }

    func start(_ server: ControlServer) {
        queue.async {
            self.server = server
            let timer = DispatchSource.makeTimerSource(queue: self.queue)
            timer.schedule(deadline: .now() + 1, repeating: 1, leeway: .milliseconds(50))
            timer.setEventHandler { [weak self] in self?.publish() }
            timer.activate()
            self.timer = timer
        }
    }

    /// On the queue only: the engine ends.
    func stop() {
        timer?.cancel()
        (timer, server) = (nil, nil)
    }

    /// Something changed that an operator wants to see now. On the queue only.
    func noteChange() {
        guard let server, server.subscriberCount > 0, !isScheduled else { return }
        let due = lastAt + Self.shortest
        guard due > .now() else { return publish() }
        isScheduled = true
        queue.asyncAfter(deadline: due) {
            self.isScheduled = false
            self.publish()
        }
    }

    private func publish() {
        guard let server, server.subscriberCount > 0, let report = makeReport() else { return }
        lastAt = .now()
        server.publish(report)
    }
}
