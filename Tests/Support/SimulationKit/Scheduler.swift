internal import Glibc
internal import StreamModel

/// Runs many threads as if there were one: they are real threads, because the engine's code blocks where it stands, but only the one that
/// holds the baton moves. At every scheduling point (a park, an unpark, a file operation, the start and the end of a thread) the seed
/// chooses who goes on. When nobody can, the clock jumps to the next deadline; without one, that is a deadlock, reported with the names of
/// all threads.
///
///     ready --chosen--> holds the baton --scheduling point--> ready, or waiting for a time or an unpark
///     waiting --its time comes, unpark, or by chance (a wake-up for nothing)--> ready
final class Scheduler: @unchecked Sendable {
    // Sound: everything mutable is touched by the holder of the baton only; the semaphores that pass it on order the accesses.

    /// How the next thread is chosen; drawn a seed, because no single way finds every order.
    enum Policy: Int, CaseIterable {
        /// All alike.
        case uniform
        /// The one that runs goes on nine times of ten.
        case sticky
        /// Some threads are chosen far more often than others.
        case lottery
    }

    final class Thread {
        let number: Int
        let name: String
        let process: Int
        /// Ready when this is not in the future.
        fileprivate(set) var wakesAt: Int64 = 0
        fileprivate let weight: Int
        fileprivate let semaphore: UnsafeMutablePointer<sem_t>
        /// Where it waits, for reports.
        fileprivate(set) var place = "its start"

        fileprivate init(number: Int, name: String, process: Int, weight: Int) {
            self.number = number
            self.name = name
            self.process = process
            self.weight = weight
            semaphore = .allocate(capacity: 1)
            sem_init(semaphore, 0, 0)
        }

        deinit {
            sem_destroy(semaphore)
            semaphore.deallocate()
        }

        fileprivate func wait() { while sem_wait(semaphore) != 0 {} }
    }

    /// Why a run could not go on. The threads stay where they are, for ever.
    struct Stop: Error, CustomStringConvertible { let description: String }

    /// Nanoseconds of simulated time.
    private(set) var now: Int64 = 1_000_000_000
    private(set) var steps = 0
    private(set) var threadsStarted = 0
    private(set) var stop: Stop?
    private(set) var isRunning = false
    private var threads: [Thread] = []
    private var current: Thread
    private var random: SimulationRandom
    private let policy: Policy
    private let stepLimit: Int
    private let wakesForNothing: Int
    private let trace: Trace
    private let done = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(random: SimulationRandom, trace: Trace, stepLimit: Int) {
        var random = random
        policy = random.pick(Policy.allCases)
        wakesForNothing = random.pick([0, 200, 5000])
        self.random = random
        self.trace = trace
        self.stepLimit = stepLimit
        current = Thread(number: 0, name: "none", process: 0, weight: 1)
        sem_init(done, 0, 0)
    }

    deinit {
        sem_destroy(done)
        done.deallocate()
    }

    // MARK: A run

    /// Runs `body` as the first thread, and what it starts, until all have ended. Called from outside, once.
    func run(_ body: @escaping @Sendable () -> Void) throws {
        isRunning = true
        let first = makeThread("driver", process: 0)
        try spawn(first, body)
        current = first
        sem_post(first.semaphore)
        while sem_wait(done) != 0 {}
        isRunning = false
        if let stop { throw stop }
    }

    /// Starts a thread; a scheduling point.
    func start(_ name: String, process: Int, _ body: @escaping @Sendable () -> Void) throws {
        try spawn(makeThread(name, process: process), body)
        point("start of a thread")
    }

    func names(ofProcess process: Int) -> String { threads.filter { $0.process == process }.map { "\($0.name) at \($0.place)" }.joined(separator: ", ") }
    func count(ofProcess process: Int) -> Int { threads.count { $0.process == process } }

    private func makeThread(_ name: String, process: Int) -> Thread {
        threadsStarted += 1
        let weight = policy == .lottery ? random.pick([1, 8, 64]) : 1
        return Thread(number: threadsStarted, name: name, process: process, weight: weight)
    }

    private func spawn(_ thread: Thread, _ body: @escaping @Sendable () -> Void) throws {
        final class Box {
            let scheduler: Scheduler
            let thread: Thread
            var body: (@Sendable () -> Void)?
            init(_ scheduler: Scheduler, _ thread: Thread, _ body: @escaping @Sendable () -> Void) {
                (self.scheduler, self.thread, self.body) = (scheduler, thread, body)
            }
        }
        let box = Unmanaged.passRetained(Box(self, thread, body))
        var handle = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let status = pthread_create(
            &handle, &attributes,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                box.thread.wait()
                box.body?()
                // While the baton is held: what the body kept alive ends here, not beside the next thread.
                box.body = nil
                box.scheduler.end(box.thread)
                return nil
            }, box.toOpaque())
        pthread_attr_destroy(&attributes)
        guard status == 0 else {
            box.release()
            throw Stop(description: "this machine refuses another thread (\(status)): run fewer simulations at once")
        }
        threads.append(thread)
    }

    private func end(_ thread: Thread) {
        trace.add(2, thread.number, 0, "\(stamp) \(thread.name) ends")
        threads.removeAll { $0 === thread }
        guard !threads.isEmpty else {
            sem_post(done)
            return
        }
        if let next = choose() { pass(to: next) }
    }

    // MARK: Scheduling points

    /// Lets the seed choose who goes on.
    func point(_ place: @autoclosure () -> String) {
        guard isRunning else { return }
        reschedule(place)
    }

    /// The current thread sleeps for so many nanoseconds.
    func sleep(_ nanoseconds: Int64, _ place: @autoclosure () -> String) {
        guard isRunning else { return }
        current.wakesAt = now + nanoseconds
        reschedule(place)
    }

    /// The current thread sleeps until `wake`, or the deadline, or for no reason.
    func park(in parker: SimulatedParker, until deadline: EngineInstant?) {
        guard isRunning else { return }
        current.wakesAt = deadline?.nanoseconds ?? .max
        parker.sleeper = current
        reschedule { parker.name }
        parker.sleeper = nil
    }

    func wake(_ thread: Thread) { thread.wakesAt = 0 }

    private func reschedule(_ place: () -> String) {
        steps += 1
        guard steps < stepLimit else { return halt("no end after \(stepLimit) steps") }
        now += Int64(random.below(20_000))
        let own = current
        guard let next = choose() else { return halt("deadlock") }
        guard next !== own else {
            own.wakesAt = 0
            return
        }
        own.place = place()
        pass(to: next)
        own.wait()
    }

    private func pass(to next: Thread) {
        current = next
        next.wakesAt = 0
        trace.add(1, next.number, Int(truncatingIfNeeded: now), "\(stamp) -> \(next.name)")
        sem_post(next.semaphore)
    }

    private func choose() -> Thread? {
        if wakesForNothing > 0, random.chance(wakesForNothing) { random.pick(threads).wakesAt = 0 }
        var ready = 0, earliest = Int64.max
        for thread in threads {
            if thread.wakesAt <= now { ready += thread.weight } else { earliest = min(earliest, thread.wakesAt) }
        }
        if ready == 0 {
            guard earliest < .max else { return nil }
            now = earliest
            for thread in threads where thread.wakesAt <= now { ready += thread.weight }
        }
        if policy == .sticky, current.wakesAt <= now, threads.contains(where: { $0 === current }), !random.chance(100_000) { return current }
        var ticket = random.below(ready)
        for thread in threads where thread.wakesAt <= now {
            ticket -= thread.weight
            if ticket < 0 { return thread }
        }
        return nil
    }

    /// Ends the run where it is. The thread never comes back, nor do the others.
    private func halt(_ why: String) {
        let places = threads.map { thread in
            "\(thread.name)\(thread === current ? " (running)" : " at \(thread.place)")"
        }
        stop = Stop(description: "\(why); threads: \(places.joined(separator: ", "))")
        sem_post(done)
        while true { current.wait() }
    }

    /// Simulated milliseconds with microseconds, for the trace.
    var stamp: String {
        let microseconds = now / 1000 % 1000
        return "\(now / 1_000_000).\(String(repeating: "0", count: 3 - "\(microseconds)".count))\(microseconds)"
    }
    var currentName: String { current.name }
    var currentNumber: Int { current.number }
}
