internal import Glibc
internal import StreamModel
internal import Synchronization

/// Starts a detached thread of the engine. Its name (at most 15 characters are kept) shows in `top -H`. An error means that the system
/// refuses more threads.
func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) {
    final class Box {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
    }
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let box = Unmanaged.passRetained(Box(name, body))
    let status = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
            nameThread(box.name)
            box.body()
            return nil
        }, box.toOpaque())
    pthread_attr_destroy(&attributes)
    guard status == 0 else {
        box.release()
        throw .threads("the system refuses another thread (\(errorText(status))): lower the parallelism, or raise the limit of processes (ulimit -u)")
    }
}

/// glibc hides `pthread_setname_np` from Swift; the kernel's file does the same. A name is only for the reader of `top`, so a failure is
/// not worth a word.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = name.withCString { write(file, $0, min(strlen($0), 15)) }
    close(file)
}

/// A queue from many threads to one, which sleeps while it is empty.
final class Mailbox<Message: Sendable>: Sendable {
    private struct Queue {
        var messages: [Message] = []
        var isClosed = false
    }

    private let queue = Mutex(Queue())
    private let parker = Parker()

    /// False when the mailbox is closed: nobody will take the message.
    @discardableResult
    func post(_ message: Message) -> Bool {
        let isPosted = queue.withLock { queue in
            if !queue.isClosed { queue.messages.append(message) }
            return !queue.isClosed
        }
        parker.unpark()
        return isPosted
    }

    /// Takes no more; returns what was not taken.
    func close() -> [Message] {
        queue.withLock { queue in
            defer { queue = Queue(messages: [], isClosed: true) }
            return queue.messages
        }
    }

    /// All that is there; waits for the first until `deadline`. Called by the owner only.
    func take(until deadline: EngineInstant?) -> [Message] {
        while true {
            let taken = queue.withLock { queue in
                defer { queue.messages = [] }
                return queue.messages
            }
            if !taken.isEmpty { return taken }
            if let deadline, SystemClock.now() >= deadline { return [] }
            parker.park(until: deadline) { !queue.withLock { $0.messages.isEmpty } }
        }
    }
}

/// One thread that does a job's blocking file work, in order: encodes and writes snapshots, commits manifests, renames, deletes. The
/// data path never waits for it.
final class FileWorker: Sendable {
    private enum Work: Sendable {
        case run(@Sendable () -> Void)
        case stop
    }
    private let work = Mailbox<Work>()

    init(name: String) throws(JobError) {
        let work = self.work
        try startThread(named: name) {
            while true {
                for item in work.take(until: nil) {
                    switch item {
                    case .run(let body): body()
                    case .stop: return
                    }
                }
            }
        }
    }

    func perform(_ body: @escaping @Sendable () -> Void) { work.post(.run(body)) }

    /// Ends the thread once everything before is done.
    func stop() { work.post(.stop) }
}
