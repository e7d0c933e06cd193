// Goal: requests are answered, levels hold, and no client can take more than its share or make the engine wait.
// Method: real sockets; our client for the good cases, a raw one for the bad; limits set short and waited for by condition.

import ControlProtocol
import ControlSocket
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@Suite struct ServingTests {
    private let sandbox = Sandbox()
    private let handler = RecordingHandler()

    private func serve(_ limits: ControlLimits = ControlLimits(), viewer: Bool = false) throws -> ControlServer {
        try ControlServer.start(
            path: sandbox["e.sock"], viewerPath: viewer ? sandbox["v.sock"] : nil, handler: handler, limits: limits)
    }

    private func raw() throws -> RawClient { try #require(RawClient(sandbox["e.sock"])) }

    private func failureKind(_ message: ServerMessage?) -> ControlFailure.Kind? {
        if case .reply(_, .failure(let failure)) = message { failure.kind } else { nil }
    }

    // MARK: Good cases

    @Test func helloCallAndClose() throws {
        let server = try serve()
        let client = try ControlClient.connectAndWait(path: server.path, client: "test")
        #expect(client.hello == HelloReply(version: 1, engine: emptyReport.engine, level: .operator, maximumFrameLength: 1 << 20))
        #expect(try client.callAndWait(.jobs) == .jobs([]))
        let peer = handler.state.withLock { $0.peers[0] }
        #expect(peer.userID == geteuid() && peer.groupID == getegid() && peer.processID == getpid() && peer.client == "test")
        client.close()
        #expect(eventually { server.clientCount == 0 })
        #expect(throws: ControlClientError.closed(path: server.path)) { try client.callAndWait(.jobs) }
        server.stop()
    }

    @Test func releasingTheClientCloses() throws {
        let server = try serve()
        _ = try ControlClient.connectAndWait(path: server.path, client: "test")
        #expect(eventually { server.clientCount == 0 })
        server.stop()
    }

    @Test func stopNotifiesAndEndsClients() throws {
        let server = try serve()
        let ends = Mutex<[ControlClientError]>([])
        let client = try ControlClient.connectAndWait(path: server.path, client: "test", onClose: { end in ends.withLock { $0.append(end) } })
        handler.hold()
        let pending = Mutex<Result<ControlReply, ControlClientError>?>(nil)
        client.call(.jobs) { result in pending.withLock { $0 = result } }
        #expect(eventually { handler.requestCount == 1 })
        server.stop()
        #expect(eventually { ends.withLock { $0 == [.closed(path: server.path)] } })
        #expect(eventually { pending.withLock { $0 == .failure(.closed(path: server.path)) } })
        handler.release()
    }

    @Test func anUnansweredCallTimesOut() throws {
        let server = try serve()
        let client = try ControlClient.connectAndWait(path: server.path, client: "test")
        handler.hold()
        #expect(throws: ControlClientError.callTimedOut(verb: .jobs, 50)) { try client.callAndWait(.jobs, timeout: 50) }
        handler.release()
        #expect(try client.callAndWait(.programs) == .jobs([]), "the late reply is dropped, the next call has its own")
        server.stop()
    }

    @Test func aSilentServerTimesOut() throws {
        // A socket that listens and never accepts: the connection is made, hello is not answered.
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: sandbox["mute.sock"].utf8) }
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        listen(descriptor, 1)
        #expect(throws: ControlClientError.connectTimedOut(path: sandbox["mute.sock"], 50)) {
            try ControlClient.connectAndWait(path: sandbox["mute.sock"], client: "test", timeout: 50)
        }
    }

    @Test func aClientThatEndsItsInputGetsItsReplies() throws {
        let server = try serve()
        let client = try raw()
        handler.hold()
        client.send(helloLine + jobsLine)
        client.endInput()
        #expect(client.line()?.contains("\"hello\"") == true)
        #expect(eventually { handler.requestCount == 1 })
        handler.release()
        #expect(client.line() == #"{"id":7,"jsonrpc":"2.0","result":{"jobs":[]}}"#)
        #expect(client.line() == nil)
        #expect(eventually { server.clientCount == 0 })
        server.stop()
    }

    // MARK: Refusals

    @Test func helloComesFirstAndNegotiatesTheVersion() throws {
        let server = try serve()
        let client = try raw()
        client.send(jobsLine)
        #expect(failureKind(try client.message()) == .version)
        client.send(#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{"versions":[2,3],"client":"new"}}"# + "\n")
        #expect(failureKind(try client.message()) == .version)
        client.greet()
        client.send(jobsLine)
        #expect(try client.message() == .reply(id: .number(7), .success(.jobs([]))))
        #expect(handler.requestCount == 1)
        server.stop()
    }

    @Test func badLinesAreAnsweredAndTheConnectionContinues() throws {
        let server = try serve()
        let client = try raw()
        client.greet()
        client.send("what?\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"explode\"}\n" + jobsLine)
        #expect(failureKind(try client.message()) == .parse)
        #expect(failureKind(try client.message()) == .unknownVerb)
        #expect(try client.message() == .reply(id: .number(7), .success(.jobs([]))))
        client.send(String(repeating: "[", count: 33) + "\n")
        #expect(failureKind(try client.message()) == .parse)
        server.stop()
    }

    @Test func anOverlongFrameEndsTheConnection() throws {
        var limits = ControlLimits()
        limits.frame.maximumLength = 1000
        let server = try serve(limits)
        let client = try raw()
        client.greet()
        client.send(String(repeating: "x", count: 2000))
        #expect(failureKind(try client.message()) == .frameTooLong)
        #expect(client.line() == nil)
        #expect(eventually { server.clientCount == 0 })
        server.stop()
    }

    @Test func theViewerSocketIsReadOnly() throws {
        let server = try serve(viewer: true)
        let viewer = try ControlClient.connectAndWait(path: sandbox["v.sock"], client: "viewer")
        let op = try ControlClient.connectAndWait(path: sandbox["e.sock"], client: "operator")
        #expect(viewer.hello.level == .viewer)
        let id = try #require(OperationID("a"))
        let actions: [OperationRequest.Kind] = [
            .savepoint(directory: nil), .checkpoint, .stop(drain: false, directory: nil), .cancel(.discard), .restart(RestartOptions()),
            .dispose(path: "/sp/1"), .fault("off"),
        ]
        var mutations = actions.map { ControlRequest.operate(JobCommand(operation: id, job: JobReference("orders"), action: $0)) }
        mutations.append(.submit(SubmitRequest(operation: id, program: "orders")))
        #expect(Set(mutations.map(\.verb)) == Set(ControlVerb.allCases.filter { $0.level == .operator }))
        for request in mutations {
            #expect(throws: ControlClientError.failure(.forbidden(request.verb))) { try viewer.callAndWait(request) }
            #expect(try op.callAndWait(request) == .jobs([]))
        }
        #expect(handler.state.withLock { $0.peers.allSatisfy { $0.level == .operator } })
        #expect(try viewer.callAndWait(.jobs) == .jobs([]))
        server.stop()
    }

    // MARK: Limits

    @Test func aClientIsRefusedWhenAllSeatsAreBusy() throws {
        let server = try serve()
        handler.hold()
        var clients = try (0..<64).map { _ in try raw() }
        for client in clients {
            client.greet()
            client.send(jobsLine)
        }
        #expect(eventually { handler.requestCount == 64 })
        #expect(throws: ControlClientError.self) { try ControlClient.connectAndWait(path: server.path, client: "late") }
        let late = try raw()
        #expect(failureKind(try late.message()) == .busy)
        #expect(late.line() == nil)
        handler.release()
        for client in clients { #expect(try client.message() == .reply(id: .number(7), .success(.jobs([])))) }
        clients.removeAll()
        #expect(eventually { server.clientCount == 0 })
        #expect(try ControlClient.connectAndWait(path: server.path, client: "again").hello.version == 1)
        server.stop()
    }

    @Test func requestsInFlightAreBounded() throws {
        var limits = ControlLimits()
        limits.requestsInFlight = 4
        let server = try serve(limits)
        let client = try raw()
        client.greet()
        handler.hold()
        client.send(String(repeating: jobsLine, count: 100))
        #expect(eventually { handler.requestCount == 4 })
        let other = try ControlClient.connectAndWait(path: server.path, client: "other")
        #expect(throws: ControlClientError.callTimedOut(verb: .jobs, 20)) { try other.callAndWait(.jobs, timeout: 20) }
        #expect(eventually { handler.requestCount == 5 }, "four of the greedy one, one of the other")
        handler.release()
        for _ in 0..<100 { #expect(try client.message() == .reply(id: .number(7), .success(.jobs([])))) }
        server.stop()
    }

    @Test func aSilentClientIsDisconnected() throws {
        var limits = ControlLimits()
        limits.helloTimeout = 30
        limits.frameTimeout = 30
        limits.idleTimeout = 60
        let server = try serve(limits)
        let mute = try raw()
        #expect(failureKind(try mute.message()) == .timedOut)
        #expect(mute.line() == nil)
        let half = try raw()
        half.greet()
        half.send("{\"jsonrpc\":")
        #expect(failureKind(try half.message()) == .timedOut)
        let idle = try raw()
        idle.greet()
        #expect(failureKind(try idle.message()) == .timedOut)
        let subscriber = try raw()
        subscriber.greet()
        subscriber.send(#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"# + "\n")
        _ = subscriber.line()
        _ = subscriber.line()
        let idler = try raw()
        idler.greet()
        #expect(failureKind(try idler.message()) == .timedOut, "longer than the subscriber has been idle")
        server.publish(emptyReport)
        #expect(subscriber.line()?.contains("\"method\":\"report\"") == true)
        server.stop()
    }

    @Test func clientsMayLeaveInTheMiddleOfAFrame() throws {
        let server = try serve()
        let frame = helloLine + jobsLine
        for cut in stride(from: 0, to: frame.utf8.count, by: 1) {
            let client = try raw()
            client.send(String(frame.prefix(cut)))
        }
        #expect(eventually { server.clientCount == 0 })
        #expect(try ControlClient.connectAndWait(path: server.path, client: "honest").callAndWait(.jobs) == .jobs([]))
        server.stop()
    }

    // MARK: Reports

    @Test func aSubscriberGetsTheStateAndThenEveryReport() throws {
        let server = try serve()
        server.publish(emptyReport)
        let received = Mutex<[ReportNotification]>([])
        let client = try ControlClient.connectAndWait(path: server.path, client: "test", onReport: { note in received.withLock { $0.append(note) } })
        #expect(server.subscriberCount == 0)
        #expect(try client.callAndWait(.subscribe(interval: nil)) == .subscribed(SubscribedReply(sequence: 1)))
        #expect(server.subscriberCount == 1)
        #expect(eventually { received.withLock { $0 == [ReportNotification(sequence: 1, missed: 0, report: emptyReport)] } })
        for number in 2...5 {
            server.publish(report(ofSize: 10, at: Int64(number)))
            #expect(eventually { received.withLock { $0.count == number } })
        }
        #expect(received.withLock { $0.map(\.sequence) } == [1, 2, 3, 4, 5])
        #expect(received.withLock { $0.allSatisfy { $0.missed == 0 } })
        client.close()
        #expect(eventually { server.subscriberCount == 0 })
        server.stop()
    }

    @Test func aSubscriberMayRequestFewerReports() throws {
        let server = try serve()
        let client = try raw()
        client.greet()
        client.send(#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"intervalMilliseconds":100}}"# + "\n")
        _ = client.line()
        _ = client.line()
        for number in 1...10 { server.publish(report(ofSize: 10, at: Int64(number))) }
        guard case .report(let note) = try client.message() else {
            Issue.record("no report")
            return
        }
        #expect(note.report.at.milliseconds == 10, "the newest, once the interval has passed")
        #expect(note.sequence == 10 && note.missed == 9)
        server.stop()
    }

    @Test func aSlowSubscriberGetsTheNewestAndTheEngineNeverWaits() throws {
        let server = try serve()
        let slow = try raw()
        slow.greet()
        slow.send(#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"# + "\n")
        _ = slow.line()
        _ = slow.line()
        let fast = Mutex<UInt64>(0)
        let client = try ControlClient.connectAndWait(
            path: server.path, client: "fast", onReport: { note in fast.withLock { $0 = note.sequence } })
        _ = try client.callAndWait(.subscribe(interval: nil))
        // Each report is larger than the kernel's buffer for the socket.
        for number in 1...40 {
            server.publish(report(ofSize: 400_000, at: Int64(number)))
            #expect(eventually { fast.withLock { $0 } == UInt64(number) }, "the fast one is not held up")
        }
        guard case .report(let first) = try slow.message(), case .report(let second) = try slow.message() else {
            Issue.record("no reports")
            return
        }
        #expect(first.sequence == 1)
        #expect(second.sequence == 40 && second.missed == 38, "one was on its way, one waited, the others were passed over")
        server.stop()
    }

    @Test func aSubscriberThatReadsNothingIsDisconnected() throws {
        var limits = ControlLimits()
        limits.stallTimeout = 50
        let server = try serve(limits)
        let stuck = try raw()
        stuck.greet()
        stuck.send(#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"# + "\n")
        _ = stuck.line()
        _ = stuck.line()
        server.publish(report(ofSize: 1_000_000))
        #expect(eventually { server.clientCount == 0 })
        #expect(server.subscriberCount == 0)
        server.stop()
    }

    @Test func aClientThatSendsWithoutReadingIsPausedThenDisconnected() throws {
        var limits = ControlLimits()
        limits.stallTimeout = 50
        let server = try serve(limits)
        handler.state.withLock { $0.report = report(ofSize: 50_000) }
        let greedy = try raw()
        // Every hello is answered with 50 kB that are never read.
        for _ in 0..<200 where !greedy.send(helloLine) { break }
        #expect(eventually { server.clientCount == 0 })
        server.stop()
    }

    @Test func publishingFromManyThreadsKeepsTheOrder() throws {
        let server = try serve()
        let received = Mutex<[UInt64]>([])
        let missed = Mutex<UInt64>(0)
        let client = try ControlClient.connectAndWait(
            path: server.path, client: "test",
            onReport: { note in
                received.withLock { $0.append(note.sequence) }
                missed.withLock { $0 += note.missed }
            })
        _ = try client.callAndWait(.subscribe(interval: nil))
        for _ in 0..<2000 { server.publish(emptyReport) }
        #expect(eventually { received.withLock { $0.last == 2000 } })
        let sequences = received.withLock { $0 }
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $0 < $1 })
        #expect(UInt64(sequences.filter { $0 > 0 }.count) + missed.withLock { $0 } == 2000)
        server.stop()
    }
}
