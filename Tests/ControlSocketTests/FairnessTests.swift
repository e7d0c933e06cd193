// Goal: no client locks others out or overtakes an operator, however many connections it has and however fast it asks. Method: real sockets;
// conditions with deadlines, never a pause.

import ControlProtocol
import ControlSocket
import Dispatch
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@Suite struct FairnessTests {
    private let sandbox = Sandbox()
    private let handler = RecordingHandler()

    private func serve(_ limits: ControlLimits = ControlLimits()) throws -> ControlServer {
        try ControlServer.start(path: sandbox["e.sock"], viewerPath: sandbox["v.sock"], handler: handler, limits: limits)
    }

    private func raw(_ name: String) throws -> RawClient { try #require(RawClient(sandbox[name])) }

    private func failureKind(_ message: ServerMessage?) -> ControlFailure.Kind? {
        if case .reply(_, .failure(let failure)) = message { failure.kind } else { nil }
    }

    // MARK: Seats

    @Test(arguments: ["e.sock", "v.sock"]) func idleConnectionsLockNoClientOut(socket: String) throws {
        let server = try serve()
        defer { server.stop() }
        let idle = try (0..<70).map { _ in
            let client = try raw(socket)
            client.greet()
            return client
        }
        for name in ["e.sock", "v.sock"] {
            let client = try ControlClient.connectAndWait(path: sandbox[name], client: "honest")
            #expect(try client.callAndWait(.jobs) == .jobs([]))
        }
        #expect(failureKind(try idle[0].message()) == .busy, "the longest idle one was told why it ends")
        #expect(idle[0].line() == nil)
        idle[69].send(jobsLine)
        #expect(try idle[69].message() == .reply(id: .number(7), .success(.jobs([]))))
    }

    @Test(arguments: ["e.sock", "v.sock"]) func silentConnectionsMakeRoom(socket: String) throws {
        var limits = ControlLimits()
        limits.helloTimeout = .minutes(60)
        let server = try serve(limits)
        defer { server.stop() }
        let known = try ControlClient.connectAndWait(path: sandbox[socket], client: "known")
        let mute = try (0..<200).map { _ in try raw(socket) }
        for _ in 0..<3 {
            #expect(try ControlClient.connectAndWait(path: sandbox[socket], client: "honest").callAndWait(.jobs) == .jobs([]))
        }
        #expect(try known.callAndWait(.jobs) == .jobs([]), "who said hello is not dismissed for those who did not")
        #expect(failureKind(try mute[0].message()) == .busy)
    }

    @Test func busyViewersLeaveSeatsToOperators() throws {
        let server = try serve()
        defer { server.stop() }
        let viewers = try (0..<64).map { _ in
            let viewer = try raw("v.sock")
            viewer.send(helloLine + #"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"# + "\n")
            return viewer
        }
        #expect(eventually { server.subscriberCount == 48 })
        let operators = try (0..<16).map { _ in try ControlClient.connectAndWait(path: sandbox["e.sock"], client: "operator") }
        for client in operators { #expect(try client.callAndWait(.jobs) == .jobs([])) }
        #expect(server.clientCount == 64)
        withExtendedLifetime(viewers) {}
    }

    @Test func departuresAreReported() throws {
        let server = try serve()
        defer { server.stop() }
        let client = try raw("e.sock")
        client.greet()
        client.send(jobsLine)
        #expect(try client.message() != nil)
        let number = try #require(handler.state.withLock { $0.peers.first?.connection })
        client.endInput()
        #expect(eventually { handler.state.withLock { $0.ended == [number] } })
    }

    // MARK: Turns

    @Test func operatorsOvertakeViewers() throws {
        let server = try serve()
        defer { server.stop() }
        let viewers = try (0..<8).map { _ in try raw("v.sock") }
        for viewer in viewers { viewer.greet() }
        let client = try raw("e.sock")
        client.greet()
        // The loop stands still in the first request while all others arrive.
        let gate = DispatchSemaphore(value: 0)
        handler.state.withLock { $0.gate = gate }
        viewers[0].send(jobsLine)
        #expect(eventually { handler.requestCount == 1 })
        for viewer in viewers { viewer.send(String(repeating: jobsLine, count: 30)) }
        client.send(jobsLine)
        gate.signal()
        #expect(try client.message() == .reply(id: .number(7), .success(.jobs([]))))
        for viewer in viewers { #expect(try viewer.message() == .reply(id: .number(7), .success(.jobs([])))) }
        let levels = handler.state.withLock { $0.peers.map(\.level) }
        let place = try #require(levels.firstIndex(of: .operator))
        // Behind the one that was being served, and at most a turn of others.
        #expect(place < 60, "\(place) of \(levels.count) requests came before the operator's")
    }

    @Test func aFloodIsSlowedAndAnsweredWithoutDelayingOthers() throws {
        var limits = ControlLimits()
        let little = ControlShares.Shares(
            connection: WorkShare(permille: 5, burst: 5), user: WorkShare(permille: 500, burst: 1000), level: WorkShare(permille: 500, burst: 1000))
        (limits.shares.operators, limits.shares.viewers) = (little, little)
        limits.frameTimeout = 1000
        limits.idleTimeout = 1000
        let server = try serve(limits)
        defer { server.stop() }
        handler.state.withLock { $0.report = report(ofSize: 20_000) }
        let flood = try raw("v.sock")
        flood.greet()
        flood.send(String(repeating: helloLine, count: 1000))
        #expect(flood.line() != nil)
        let begin = ContinuousClock.now
        for _ in 0..<5 {
            let client = try ControlClient.connectAndWait(path: sandbox["v.sock"], client: "honest")
            #expect(try client.callAndWait(.jobs, timeout: 2000) == .jobs([]))
        }
        let answered = flood.availableLines()
        #expect(answered < 990, "a flood of requests is not served at once: \(answered)")
        // Held up longer than any deadline of a silent client, it is neither cut off nor answered with an error.
        #expect(eventually { ContinuousClock.now - begin > .milliseconds(1200) })
        #expect(flood.line()?.contains("\"hello\"") == true)
    }
}
