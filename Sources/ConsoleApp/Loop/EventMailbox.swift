internal import ConsoleCore
internal import Glibc
internal import Synchronization

/// Where other threads leave events for the console's one thread. Posting never blocks: it appends and rings a descriptor that
/// the event loop polls.
///
/// Bounded: of the reports and link states of one context only the newest waits, and when `capacity` other events wait the oldest
/// is dropped and the loss announced. A console that is not reading (its terminal blocks) thus stays small.
final class EventMailbox: Sendable {
    static let capacity = 1024

    /// Readable while events wait.
    let descriptor: Int32
    private let waiting = Mutex(Waiting())

    private struct Waiting {
        var events: [ConsoleEvent] = []
        var dropped = 0
    }

    private let bell: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let failure = pipe(&ends)
        precondition(failure == 0, "the system refuses a pipe")
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        (descriptor, bell) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(bell)
    }

    func post(_ event: ConsoleEvent) {
        let wasEmpty = waiting.withLock { waiting in
            let wasEmpty = waiting.events.isEmpty
            if let slot = event.replaceableSlot, let older = waiting.events.firstIndex(where: { $0.replaceableSlot == slot }) {
                waiting.events.remove(at: older)
            } else if waiting.events.count >= Self.capacity {
                waiting.events.removeFirst()
                waiting.dropped += 1
            }
            waiting.events.append(event)
            return wasEmpty
        }
        var ring: UInt8 = 1
        if wasEmpty { write(bell, &ring, 1) }
    }

    /// Takes what waits, oldest first.
    func take() -> [ConsoleEvent] {
        var rings: (UInt64, UInt64) = (0, 0)
        read(descriptor, &rings, 16)
        return waiting.withLock { waiting in
            var events = waiting.events
            if waiting.dropped > 0 { events.append(.notice("\(waiting.dropped) events were dropped while the terminal was busy")) }
            waiting = Waiting()
            return events
        }
    }
}

extension ConsoleEvent {
    /// Events with the same slot make the older ones useless; nil = every one counts.
    fileprivate var replaceableSlot: String? {
        switch self {
        case .engine(let context, .report): "report " + context
        case .engine(let context, .link): "link " + context
        default: nil
        }
    }
}
