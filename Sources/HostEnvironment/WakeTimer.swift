internal import CTimer
internal import Glibc
public import StreamModel
internal import Synchronization

/// Ends another thread's wait by a wake-up or at a set moment. The waker changes shared state first, and the waiter checks it afterwards.
///
/// Uses a clock that never jumps. (A semaphore of Dispatch uses the wall clock: if that is set back by an hour, a pause of seconds lasts an hour.)
/// Moving the moment during a wait wakes nobody up, so a check needed only during inactivity costs nothing during activity.
public final class WakeTimer: Sendable {
    /// Timer descriptor, readable from the moment on.
    private let timer: Int32
    private let isWoken = Mutex(false)

    public init() {
        // The close-on-exec flag has the same number for timers as for files.
        timer = timerfd_create(CLOCK_MONOTONIC, O_CLOEXEC)
        precondition(timer >= 0, "the system refuses a timer")
    }

    deinit { close(timer) }

    public func wake() {
        isWoken.withLock { isWoken in
            isWoken = true
            timer_set(timer, 1)
        }
    }

    /// Sets the moment to this pause from now; nil = only a wake-up ends the wait. A pending wake-up stays.
    public func set(_ pause: Milliseconds?) {
        isWoken.withLock { isWoken in
            // Centuries count as never.
            if !isWoken { timer_set(timer, pause.map { Int(min(max($0.count, 0), 1 << 42)) * 1_000_000 + 1 } ?? 0) }
        }
    }

    /// Waits; for one thread only.
    public func wait() {
        var count: UInt64 = 0
        while read(timer, &count, 8) < 0, errno == EINTR {}
        isWoken.withLock { $0 = false }
    }

    public func wait(atMost pause: Milliseconds?) {
        set(pause)
        wait()
    }

    /// Waits for a wake-up within the pause, and leaves it pending: any number of threads may wait. Returns whether it came.
    public func isWoken(within pause: Milliseconds) -> Bool {
        var file = pollfd(fd: timer, events: Int16(POLLIN), revents: 0)
        return poll(&file, 1, Int32(clamping: max(pause.count, 0))) > 0
    }
}
