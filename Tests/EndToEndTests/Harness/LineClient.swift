// A bare client of the control socket: what it sends is up to the test.

import ControlProtocol
import Glibc
import JSON
import TestKit

final class LineClient {
    private let descriptor: Int32
    private var pending: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw Broken("cannot connect to \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Sends bytes as they are. The other end may hang up in the middle.
    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// The next line; nil = the other end hung up.
    func line(within seconds: Double = 10) throws -> [UInt8]? {
        let end = monotonicSeconds() + seconds
        while true {
            if let newline = pending.firstIndex(of: 10) {
                let line = Array(pending[..<newline])
                pending.removeSubrange(...newline)
                return line
            }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, Int32(max(0, end - monotonicSeconds()) * 1000)) == 1 else {
                throw DeadlinePassed(what: "a line from the engine", seconds: seconds, evidence: String(decoding: pending, as: UTF8.self))
            }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count > 0 else { return nil }
            pending += bytes.prefix(count)
        }
    }

    /// Sends a line and reads the answer as JSON.
    func ask(_ text: String) throws -> JSONValue {
        send(text + "\n")
        guard let line = try line() else { throw Broken("the engine hung up on \(text.prefix(200))") }
        return try JSONValue.parse(line, maximumDepth: 64)
    }

    func hello() throws { _ = try ask(#"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"versions":[1],"client":"test"}}"#) }
}
