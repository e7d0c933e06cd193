internal import Glibc
internal import Synchronization
internal import StreamModel

/// Lets one thread sleep until another has something for it. `park` is called by the owner only, `unpark` by anyone.
///
/// No wake-up is lost: the owner announces that it sleeps, then looks once more; the other publishes its work, then looks for the
/// announcement; a full fence stands between the two steps on both sides (Dekker).
final class Parker: @unchecked Sendable {
    // Sound: the mutex and the condition guard the sleep, the flag is atomic; the pointers never change.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let isParked = Atomic<Bool>(false)

    init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Sleeps until `unpark`, or `deadline`, unless `hasWork` is true. May return early; the caller looks again.
    func park(until deadline: EngineInstant?, unless hasWork: () -> Bool) {
        isParked.store(true, ordering: .relaxed)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if hasWork() {
            isParked.store(false, ordering: .relaxed)
            return
        }
        pthread_mutex_lock(mutex)
        while isParked.load(ordering: .relaxed) {
            if let deadline {
                var time = timespec(tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
                if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { break }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
        isParked.store(false, ordering: .relaxed)
        pthread_mutex_unlock(mutex)
    }

    /// To be called after the work was published.
    func unpark() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard isParked.load(ordering: .relaxed) else { return }
        pthread_mutex_lock(mutex)
        isParked.store(false, ordering: .relaxed)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}

/// The monotonic and the wall clock. The only place of the engine that reads them.
enum SystemClock {
    static func now() -> EngineInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return EngineInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func wall() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
