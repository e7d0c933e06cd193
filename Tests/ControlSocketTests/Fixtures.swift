// What the tests of this module share: a directory of their own, a handler that records, a raw client without any of our code
// between it and the socket, and a wait for a condition.

import ControlProtocol
import ControlSocket
import Dispatch
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

/// Records what it is asked. Replies at once with an empty list of jobs, or holds the replies back until `release()`.
final class RecordingHandler: ControlHandler {
    typealias Reply = @Sendable (Result<ControlReply, ControlFailure>) -> Void
    struct State {
        var requests: [ControlRequest] = []
        var peers: [ControlPeer] = []
        var isHolding = false
        var held: [Reply] = []
        var report = emptyReport
        var ended: [UInt64] = []
        /// Waited for once, on the event loop.
        var gate: DispatchSemaphore?
    }
    let state = Mutex(State())

    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping Reply) {
        let (isHolding, gate) = state.withLock { state in
            state.requests.append(request)
            state.peers.append(peer)
            if state.isHolding { state.held.append(reply) }
            defer { state.gate = nil }
            return (state.isHolding, state.gate)
        }
        gate?.wait()
        if !isHolding { reply(.success(.jobs([]))) }
    }

    func currentReport() -> EngineReport { state.withLock { $0.report } }

    func connectionEnded(_ connection: UInt64) { state.withLock { $0.ended.append(connection) } }

    var requestCount: Int { state.withLock { $0.requests.count } }

    func hold() { state.withLock { $0.isHolding = true } }

    func release() {
        let held = state.withLock { state in
            defer { (state.held, state.isHolding) = ([], false) }
            return state.held
        }
        for reply in held { reply(.success(.jobs([]))) }
    }
}

let emptyReport = EngineReport(
    engine: EngineInfo(name: "test", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/nowhere"),
    at: WallTime(milliseconds: 0), jobs: [], operations: [])

/// A report whose frame is about `bytes` long.
func report(ofSize bytes: Int, at: Int64 = 0) -> EngineReport {
    var report = emptyReport
    report.engine.stateDirectory = String(repeating: "x", count: bytes)
    report.at = WallTime(milliseconds: at)
    return report
}

/// A blocking socket with nothing of ours in it.
final class RawClient {
    let descriptor: Int32
    private var buffer: [UInt8] = []

    /// nil = could not connect.
    init?(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else {
            close(descriptor)
            return nil
        }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// False where the peer has closed.
    @discardableResult func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    func endInput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next line; nil at the end of the stream, or after ten seconds of silence.
    func line() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeSubrange(...end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            buffer.append(contentsOf: chunk[..<count])
        }
    }

    /// Whole lines that have come by now.
    func availableLines() -> Int {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 { buffer.append(contentsOf: chunk[..<count]) }
        return buffer.count { $0 == 10 }
    }

    func message() throws -> ServerMessage? {
        try line().map { try ControlCodec.decodeServerMessage(Array($0.utf8)) }
    }

    /// Says hello and reads the answer.
    func greet() {
        send(helloLine)
        _ = line()
    }
}

let helloLine = #"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"versions":[1],"client":"raw"}}"# + "\n"
let jobsLine = #"{"jsonrpc":"2.0","id":7,"method":"jobs"}"# + "\n"
