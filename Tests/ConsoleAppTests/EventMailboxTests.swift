// Goal: nothing that counts is lost on the way to the console's thread, the rest is replaced by newer news, and the descriptor is
// readable exactly while events wait. Method: posting from many threads, polling the descriptor.

import ConsoleCore
import Dispatch
import Glibc
import StreamModel
import Testing

@testable import ConsoleApp

@Suite struct EventMailboxTests {
    func isReadable(_ mailbox: EventMailbox) -> Bool {
        var descriptor = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) == 1
    }

    func report(_ name: String) -> EngineEvent {
        let info = EngineInfo(name: name, version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
        return .report(EngineReport(engine: info, at: WallTime(milliseconds: 0), jobs: [], operations: []), receivedAt: WallTime(milliseconds: 0))
    }

    @Test func `the descriptor is readable while events wait`() {
        let mailbox = EventMailbox()
        #expect(!isReadable(mailbox))
        mailbox.post(.notice("a"))
        mailbox.post(.notice("b"))
        #expect(isReadable(mailbox))
        #expect(mailbox.take().count == 2)
        #expect(!isReadable(mailbox))
        mailbox.post(.notice("c"))
        #expect(isReadable(mailbox))
    }

    @Test func `of reports only the newest of each context waits, in its place in the order`() {
        let mailbox = EventMailbox()
        mailbox.post(.engine(context: "a", report("old")))
        mailbox.post(.engine(context: "b", report("other")))
        mailbox.post(.notice("between"))
        mailbox.post(.engine(context: "a", report("new")))
        let names = mailbox.take().map { event in
            switch event {
            case .engine(_, .report(let report, _)): report.engine.name
            case .notice(let text): text
            default: "?"
            }
        }
        #expect(names == ["other", "between", "new"])
    }

    @Test func `a full mailbox drops the oldest and says how many`() {
        let mailbox = EventMailbox()
        for number in 0..<EventMailbox.capacity + 5 { mailbox.post(.notice("\(number)")) }
        let events = mailbox.take()
        #expect(events.count == EventMailbox.capacity + 1)
        guard case .notice("5") = events.first, case .notice(let last) = events.last else {
            Issue.record("unexpected ends")
            return
        }
        #expect(last.hasPrefix("5 events"))
    }

    @Test func `many threads post, one takes, all arrive`() {
        let mailbox = EventMailbox()
        let threads = 8, each = 100
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            for number in 0..<each { mailbox.post(.notice("\(number)")) }
        }
        #expect(mailbox.take().count == threads * each)
    }
}
