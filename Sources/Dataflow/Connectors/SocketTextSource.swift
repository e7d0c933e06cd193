public import StreamModel

/// Lines from a network server, as they arrive.
///
/// **At most once.** A socket cannot be read again: lines between the newest checkpoint and a restart, and lines sent while disconnected, are lost.
/// Screens show this in the source's name. One subtask reads; the others end at once. The subtask's thread never waits for the network: names are
/// looked up on a separate thread, everything else is non-blocking.
public struct SocketTextSource: Source {
    let host: String
    let port: UInt16
    let reconnects: Bool
    let maximumLineBytes: Int

    /// - Parameters:
    ///   - reconnects: connects again when the server closes or is unreachable, after 0.1 s, doubling up to 10 s. The unfinished line at the end of a
    ///     connection is dropped. Otherwise the input ends with the connection, whose last line needs no line end, and an unreachable server is an
    ///     error.
    ///   - maximumLineBytes: a longer line is an error.
    public init(host: String, port: UInt16, reconnects: Bool = true, maximumLineBytes: Int = 1 << 20) {
        self.host = host
        self.port = port
        self.reconnects = reconnects
        self.maximumLineBytes = maximumLineBytes
    }

    public static var splitType: String { "socket-lines-1" }
    public var guarantee: SourceGuarantee { .atMostOnce }

    public func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
        try makeReader(subtask: subtask, parallelism: parallelism, host: MachineHost())
    }

    public func makeReader(subtask: Int, parallelism: Int, host engine: any EngineHost) throws -> Reader {
        Reader(source: self, connection: subtask == 0 ? SocketConnection(host: host, port: port, engine: engine) : nil)
    }

    public struct Reader: SourceReader {
        private let source: SocketTextSource
        private let connection: SocketConnection?
        private var parser = LineParser()
        private var buffer: [UInt8] = []
        private var received: UInt64 = 0
        private var attempts = 0
        private var retryAt: EngineInstant?
        /// Number of polls without data: the pauses between polls grow to 50 ms.
        private var idleLooks = 0
        private var hasEnded = false

        init(source: SocketTextSource, connection: SocketConnection?) {
            self.source = source
            self.connection = connection
        }

        public mutating func read(into out: Emitter<String>, at now: EngineInstant) throws -> SourceStatus {
            guard let connection, !hasEnded else { return .ended }
            if let retryAt, now < retryAt { return .waiting(until: retryAt) }
            retryAt = nil
            switch connection.receive(into: &buffer) {
            case .waiting:
                idleLooks = min(idleLooks + 1, 50)
                return .waiting(until: now + Milliseconds(Int64(idleLooks)))
            case .received:
                (idleLooks, attempts) = (0, 0)
                try emitLines(into: out, isAtEnd: false)
                guard buffer.count <= source.maximumLineBytes else {
                    throw JobError.source(
                        "\(source.host):\(source.port) sent a line of more than \(source.maximumLineBytes) bytes: raise the limit, or split the line")
                }
                return .more
            case .failed(let problem):
                guard source.reconnects else { throw JobError.source("cannot read from \(source.host):\(source.port): \(problem)") }
                return reconnect(after: now)
            case .closed:
                guard source.reconnects else {
                    try emitLines(into: out, isAtEnd: true)
                    hasEnded = true
                    return .ended
                }
                return reconnect(after: now)
            }
        }

        private mutating func emitLines(into out: Emitter<String>, isAtEnd: Bool) throws {
            var progress = ParseProgress()
            try buffer.withUnsafeBytes { try parser.parse($0, isAtEnd: isAtEnd, limit: .max, into: out, progress: &progress) }
            buffer.removeFirst(progress.bytes)
            received += UInt64(progress.records)
        }

        private mutating func reconnect(after now: EngineInstant) -> SourceStatus {
            buffer = []
            parser = LineParser()
            let pause = Milliseconds(min(100 << Int64(min(attempts, 7)), 10_000))
            attempts += 1
            retryAt = now + pause
            return .waiting(until: now + pause)
        }

        /// Number of lines, for reports; the offset itself is lost with the connection.
        public func splits() -> [[UInt8]] {
            guard connection != nil else { return [] }
            return [withUnsafeBytes(of: received.littleEndian) { Array($0) }]
        }

        public mutating func restore(_ splits: [[UInt8]]) throws {
            guard splits.allSatisfy({ $0.count == 8 }) else { throw StateDecodingError(offset: 0, problem: "no count of lines") }
            received = splits.reduce(0) { sum, bytes in sum &+ bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        }

        public var position: UInt64 { received }
        public var progress: InputProgress? { nil }
    }
}
