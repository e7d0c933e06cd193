internal import Glibc
internal import StreamModel

/// At most so many requests in flight; who comes later waits, by a clock that never jumps.
final class FlightLimit: @unchecked Sendable {
    static let standard = 8
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let condition: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
    // Touched only under the mutex.
    private var free: Int

    init(_ count: Int = standard) {
        free = count
        pthread_mutex_init(mutex, nil)
        condition.initializeMonotonic()
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// False = the deadline passed.
    func enter(by deadline: EngineInstant) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while free == 0 {
            guard condition.wait(mutex, until: deadline) else { return false }
        }
        free -= 1
        return true
    }

    func leave() {
        pthread_mutex_lock(mutex)
        free += 1
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}

extension UnsafeMutablePointer<pthread_cond_t> {
    /// A condition whose waits count by the clock of `EngineInstant`.
    func initializeMonotonic() {
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(self, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    /// False = the deadline passed.
    func wait(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, until deadline: EngineInstant) -> Bool {
        let nanoseconds = max(0, deadline.nanoseconds)
        var moment = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        return pthread_cond_timedwait(self, mutex, &moment) != ETIMEDOUT
    }
}
