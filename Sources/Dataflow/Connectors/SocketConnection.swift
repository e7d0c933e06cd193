internal import Glibc
internal import StreamModel
internal import Synchronization

/// A non-blocking connection to a server. Used on the subtask's thread.
final class SocketConnection {
    enum Step {
        case waiting
        case received
        /// The server has ended the connection.
        case closed
        /// No connection; the next call starts another one.
        case failed(String)
    }

    private struct Address {
        var family: Int32
        var bytes: [UInt8]
    }

    /// Result of a name look-up on another thread.
    private final class LookUp: Sendable {
        let result = Mutex<Result<Address, JobError>?>(nil)
    }

    private enum State {
        case idle
        case lookingUp(LookUp)
        case connecting(Int32)
        case open(Int32)
    }

    private let host: String
    private let port: UInt16
    private let engine: any EngineHost
    private var state = State.idle

    init(host: String, port: UInt16, engine: any EngineHost) {
        self.host = host
        self.port = port
        self.engine = engine
    }

    deinit { drop() }

    /// Advances by one step: connects, or receives data.
    func receive(into buffer: inout [UInt8]) -> Step {
        switch state {
        case .idle: return lookUp()
        case .lookingUp(let lookUp):
            switch lookUp.result.withLock({ $0 }) {
            case nil: return .waiting
            case .success(let address)?: return connect(to: address)
            case .failure(let error)?:
                state = .idle
                return .failed(error.description)
            }
        case .connecting(let descriptor):
            var query = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&query, 1, 0) > 0 else { return .waiting }
            var number: Int32 = 0, size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size)
            guard number == 0 else { return fail(errorText(number)) }
            state = .open(descriptor)
            return take(from: descriptor, into: &buffer)
        case .open(let descriptor): return take(from: descriptor, into: &buffer)
        }
    }

    private func take(from descriptor: Int32, into buffer: inout [UInt8]) -> Step {
        let got = withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { piece in
            let got = recv(descriptor, piece.baseAddress, piece.count, Int32(MSG_DONTWAIT))
            if got > 0 { buffer += UnsafeRawBufferPointer(rebasing: piece[0..<got]) }
            return got
        }
        if got > 0 { return .received }
        if got < 0, errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR { return .waiting }
        if got < 0 { return fail(errorText(errno)) }
        drop()
        return .closed
    }

    private func fail(_ problem: String) -> Step {
        drop()
        return .failed(problem)
    }

    private func drop() {
        switch state {
        case .connecting(let descriptor), .open(let descriptor): close(descriptor)
        default: break
        }
        state = .idle
    }

    private func lookUp() -> Step {
        // A numeric address needs no look-up, and so no thread.
        if let address = Self.address(of: host, port: port, flags: AI_NUMERICHOST) { return connect(to: address) }
        let lookUp = LookUp()
        state = .lookingUp(lookUp)
        do throws(JobError) {
            try engine.startThread(named: "look up") { [host, port] in
                let found = Self.address(of: host, port: port, flags: 0)
                lookUp.result.withLock { $0 = found.map { .success($0) } ?? .failure(.source("unknown host name \(host)")) }
            }
        } catch {
            state = .idle
            return .failed(error.description)
        }
        return .waiting
    }

    private func connect(to address: Address) -> Step {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return .failed(errorText(errno)) }
        state = .connecting(descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0 else { return fail(errorText(errno)) }
        let status = address.bytes.withUnsafeBytes { bytes in
            Glibc.connect(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        return status == 0 || errno == EINPROGRESS ? .waiting : fail(errorText(errno))
    }

    private static func address(of host: String, port: UInt16, flags: Int32) -> Address? {
        var hints = addrinfo()
        hints.ai_flags = flags
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(list) }
        return Address(
            family: first.pointee.ai_family, bytes: Array(UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(first.pointee.ai_addrlen))))
    }
}
