package import StreamModel
internal import Synchronization

/// A queue from many threads to one, which sleeps while it is empty.
package final class Mailbox<Message: Sendable>: Sendable {
    private struct Queue {
        var messages: [Message] = []
        var isClosed = false
    }

    private let queue = Mutex(Queue())
    private let host: any EngineHost
    private let parker: any Parker

    package init(host: any EngineHost) {
        self.host = host
        parker = host.makeParker()
    }

    /// Posts a message; false when the mailbox is closed and nobody will take it.
    @discardableResult
    package func post(_ message: Message) -> Bool {
        let isPosted = queue.withLock { queue in
            if !queue.isClosed { queue.messages.append(message) }
            return !queue.isClosed
        }
        parker.unpark()
        return isPosted
    }

    /// Closes the mailbox; returns the remaining messages.
    package func close() -> [Message] {
        queue.withLock { queue in
            defer { queue = Queue(messages: [], isClosed: true) }
            return queue.messages
        }
    }

    /// Takes all messages; waits for the first until `deadline`. Called only by the owner.
    package func take(until deadline: EngineInstant?) -> [Message] {
        while true {
            let taken = queue.withLock { queue in
                defer { queue.messages = [] }
                return queue.messages
            }
            if !taken.isEmpty { return taken }
            if let deadline, host.now() >= deadline { return [] }
            parker.park(until: deadline) { !queue.withLock { $0.messages.isEmpty } }
        }
    }
}

/// The thread of a job's blocking file work, in order: encodes and writes snapshots, commits manifests, renames, deletes. The data path never waits
/// for it.
final class FileWorker: Sendable {
    private enum Work: Sendable {
        case run(@Sendable () -> Void)
        case stop
    }
    private let work: Mailbox<Work>

    init(name: String, host: any EngineHost) throws(JobError) {
        let work = Mailbox<Work>(host: host)
        self.work = work
        try host.startThread(named: name) {
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

    /// Ends the thread after all preceding work.
    func stop() { work.post(.stop) }
}
