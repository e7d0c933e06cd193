import Glibc
import StreamModel
import Testing

@testable import Dataflow

// Goal: lines come whole, a server that goes away is connected to again, and nothing waits. Method: a listener of the test's own on the
// loopback; the reader is asked with a clock that the test moves, until it has said what it must, with a deadline.

@Suite struct SocketTextSourceTests {
    private final class Server {
        let descriptor: Int32
        let port: UInt16

        init() throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = descriptor
            let status = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    bind(descriptor, address, size) == 0 && listen(descriptor, 4) == 0 && getsockname(descriptor, address, &size) == 0
                }
            }
            try #require(status)
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { close(descriptor) }

        /// Waits for the reader's connection, which is on its way.
        func accept() throws -> Int32 {
            var query = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            try #require(poll(&query, 1, 10_000) == 1)
            return Glibc.accept(descriptor, nil, nil)
        }
    }

    private struct Driver {
        var reader: SocketTextSource.Reader
        var now = EngineInstant(nanoseconds: 0)
        var lines: [String] = []
        var hasEnded = false

        init(_ source: SocketTextSource) throws { reader = try source.makeReader(subtask: 0, parallelism: 2) }

        mutating func step() throws {
            let collector = RecordCollector<String>()
            switch try reader.read(into: collector.emitter, at: now) {
            case .more: break
            case .waiting(let until): now = until ?? now
            case .ended: hasEnded = true
            }
            lines += collector.take()
        }

        /// Asks until it is so; the machine has 10 s for it.
        mutating func run(until isMet: (Driver) -> Bool) throws {
            let end = MachineHost().now() + .seconds(10)
            while !isMet(self) {
                try #require(MachineHost().now() < end, "lines so far: \(lines)")
                try step()
            }
        }
    }

    private func send(_ text: String, to descriptor: Int32) {
        var text = text
        _ = text.withUTF8 { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func linesAreWholeAndConnectionsAreReestablished(host: String) throws {
        let server = try Server()
        var driver = try Driver(SocketTextSource(host: host, port: server.port))
        for _ in 0..<3 { try driver.step() }
        try driver.run { _ in
            var query = pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&query, 1, 0) == 1
        }
        let first = try server.accept()
        send("one\r\ntw", to: first)
        try driver.run { $0.lines == ["one"] }
        send("o\nunfinished", to: first)
        try driver.run { $0.lines == ["one", "two"] }
        close(first)
        try driver.run { _ in
            var query = pollfd(fd: server.descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&query, 1, 0) == 1
        }
        let second = try server.accept()
        send("three\n", to: second)
        try driver.run { $0.lines == ["one", "two", "three"] }
        #expect(driver.reader.position == 3)
        close(second)
        var restored = try SocketTextSource(host: host, port: server.port).makeReader(subtask: 0, parallelism: 1)
        try restored.restore(driver.reader.splits())
        #expect(restored.position == 3)
        #expect(throws: StateDecodingError.self) { try restored.restore([[1]]) }
    }

    @Test func withoutReconnectingTheInputEndsWithTheConnection() throws {
        let server = try Server()
        var driver = try Driver(SocketTextSource(host: "127.0.0.1", port: server.port, reconnects: false))
        try driver.step()
        let connection = try server.accept()
        send("one\nlast", to: connection)
        close(connection)
        try driver.run { $0.hasEnded }
        #expect(driver.lines == ["one", "last"])
        var idle = try SocketTextSource(host: "127.0.0.1", port: server.port).makeReader(subtask: 1, parallelism: 2)
        guard case .ended = try idle.read(into: RecordCollector<String>().emitter, at: driver.now) else {
            Issue.record("only one subtask reads")
            return
        }
    }

    @Test func anOverlongLineIsAnError() throws {
        let server = try Server()
        var driver = try Driver(SocketTextSource(host: "127.0.0.1", port: server.port, maximumLineBytes: 10))
        try driver.step()
        let connection = try server.accept()
        send("short\n" + String(repeating: "x", count: 30), to: connection)
        #expect { try driver.run { _ in false } } throws: {
            String(describing: $0).contains("127.0.0.1:\(server.port) sent a line of more than 10 bytes")
        }
        close(connection)
    }

    @Test func anUnreachableServerIsRetriedOrAnError() throws {
        let port = try Server().port  // Closed again: nobody listens.
        var patient = try Driver(SocketTextSource(host: "127.0.0.1", port: port))
        // The pauses grow: on the clock of the test this takes minutes.
        try patient.run { $0.now > EngineInstant(nanoseconds: 60_000_000_000) }
        #expect(patient.lines == [])
        var strict = try Driver(SocketTextSource(host: "127.0.0.1", port: port, reconnects: false))
        #expect { try strict.run { _ in false } } throws: { String(describing: $0).contains("cannot read from 127.0.0.1:\(port): Connection refused") }
    }

    @Test func theNameStatesTheGuarantee() {
        let environment = StreamEnvironment(parallelism: 1)
        let stream = environment.read(SocketTextSource(host: "127.0.0.1", port: 1), name: "lines")
        #expect(stream.node.name == "lines (at most once)")
    }
}
