internal import Glibc
internal import Synchronization
internal import StreamModel

/// Parks a thread of the machine on a condition variable.
///
/// No wake-up is lost: the owner announces its sleep, then checks once more; the other publishes its work, then checks for the announcement; a full
/// fence stands between the two steps on both sides (Dekker).
final class ThreadParker: Parker, @unchecked Sendable {
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

    func unpark() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard isParked.load(ordering: .relaxed) else { return }
        pthread_mutex_lock(mutex)
        isParked.store(false, ordering: .relaxed)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }
}
