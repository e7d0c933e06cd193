internal import CTimer
internal import Glibc
internal import StreamModel
internal import Synchronization

/// Ends another thread's wait: when it is rung, or at the moment that was set. Who rings changes something first, and who waits looks at it
/// afterwards.
///
/// It counts by a clock that never jumps. (A semaphore of Dispatch counts by the wall clock: where that is set back by an hour, a pause of
/// seconds lasts an hour.) The moment can be moved while the other thread waits for it, and that wakes nobody up: what has to happen only
/// when nothing else did costs nothing while things happen.
final class Bell: Sendable {
    /// Readable from the moment on.
    private let timer: Int32
    private let isRung = Mutex(false)

    init() {
        // What closes a file when another program is started has the same number for timers.
        timer = timerfd_create(CLOCK_MONOTONIC, O_CLOEXEC)
        precondition(timer >= 0, "the system refuses a timer")
    }

    deinit { close(timer) }

    func ring() {
        isRung.withLock { isRung in
            isRung = true
            timer_set(timer, 1)
        }
    }

    /// Moves the moment to so long from now; nil = it is over only when it is rung. One that was rung and not heard yet stays so.
    func set(_ pause: Milliseconds?) {
        isRung.withLock { isRung in
            // A number of centuries is never, too.
            if !isRung { timer_set(timer, pause.map { Int(min(max($0.count, 0), 1 << 42)) * 1_000_000 + 1 } ?? 0) }
        }
    }

    /// Waits; for one thread only.
    func wait() {
        var count: UInt64 = 0
        while read(timer, &count, 8) < 0, errno == EINTR {}
        isRung.withLock { $0 = false }
    }

    func wait(atMost pause: Milliseconds?) {
        set(pause)
        wait()
    }

    /// Waits until it is rung, at most so long, and leaves it rung: any number of threads may. Whether it was.
    func isRung(within pause: Milliseconds) -> Bool {
        var file = pollfd(fd: timer, events: Int16(POLLIN), revents: 0)
        return poll(&file, 1, Int32(clamping: max(pause.count, 0))) > 0
    }
}
