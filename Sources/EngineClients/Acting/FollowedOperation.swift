internal import HostEnvironment
public import StreamModel
internal import Synchronization

/// An operation of a command: reported by the thread that carries it out, awaited by the command's.
public final class FollowedOperation: Sendable {
    private struct State {
        var progress = OperationProgress()
        var isNews = false
        /// The command has given up: no further step may be taken.
        var isHalted = false
        var step: OperationStep?
        /// Nobody has decided the refusal: the same request may do better later.
        var mayPass = false
    }
    private let state = Mutex(State())
    private let wakeTimer = WakeTimer()

    public init(_ report: OperationReport? = nil) { if let report { take(report) } }

    public var report: OperationReport? { state.withLock { $0.progress.report } }
    public var refusal: String? { state.withLock { $0.progress.refusal } }

    public func take(_ report: OperationReport) { take(.reported(report)) }
    public func refuse(_ message: String, mayPass: Bool = false) {
        state.withLock { $0.mayPass = mayPass }
        take(.refused(message))
    }

    /// Whether it was refused for a reason that may pass.
    var mayPass: Bool { state.withLock { $0.progress.refusal != nil && $0.mayPass } }

    /// Takes the next step, unless it is too late for that.
    func mayTake(_ step: OperationStep?) -> Bool {
        state.withLock { state in
            if !state.isHalted { state.step = step ?? state.step }
            return !state.isHalted
        }
    }

    /// Forbids further steps. Returns the last one taken; nil = nothing was sent.
    func halt() -> OperationStep? {
        state.withLock { state in
            state.isHalted = true
            return state.step
        }
    }

    var isHalted: Bool { state.withLock { $0.isHalted } }

    private func take(_ event: OperationProgress.Event) {
        state.withLock { state in
            if state.progress.take(event) != .none { state.isNews = true }
        }
        wakeTimer.wake()
    }

    /// The next report that was not returned yet; nil = the time is over, or there was a refusal.
    public func next(before deadline: Deadline) -> OperationReport? {
        while true {
            let (report, isRefused): (OperationReport?, Bool) = state.withLock { state in
                defer { state.isNews = false }
                return (state.isNews ? state.progress.report : nil, state.progress.stage == .refused)
            }
            if let report { return report }
            guard !isRefused, deadline.left > 0 else { return nil }
            wakeTimer.wait(atMost: deadline.left)
        }
    }

    /// Waits for a report of this kind; nil = the time is over.
    public func wait(before deadline: Deadline, until isEnough: (OperationReport) -> Bool) throws(ClientFailure) -> OperationReport? {
        while true {
            let progress = state.withLock { $0.progress }
            if let refusal = progress.refusal { throw ClientFailure(.refused, refusal) }
            if let report = progress.report, isEnough(report) { return report }
            guard deadline.left > 0 else { return nil }
            wakeTimer.wait(atMost: deadline.left)
        }
    }
}
