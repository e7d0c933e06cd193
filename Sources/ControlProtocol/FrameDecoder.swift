/// Cuts a stream of bytes into frames: one JSON text a line. Pure and bounded: it holds at most one unfinished frame of `maximumLength` bytes,
/// plus the last chunk.
///
/// Owned by one connection, used on its event loop only. Skips empty lines, and drops a carriage return before the newline. A frame that grows
/// too long ends the stream: the decoder then throws on every call.
public struct FrameDecoder: Sendable {
    private let maximumLength: Int
    private var buffer: [UInt8] = []
    /// Start of the unfinished frame.
    private var start = 0
    /// End of the bytes already searched for a newline.
    private var searched = 0
    private var isSpent = false

    public init(maximumLength: Int) { self.maximumLength = maximumLength }

    /// Number of bytes of the unfinished frame.
    public var pendingCount: Int { buffer.count - start }

    /// Appends bytes from the peer, split anywhere.
    public mutating func feed(_ bytes: some Collection<UInt8>) {
        guard !isSpent else { return }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame without its newline; nil = more bytes are needed. Throws `frameTooLong` and then ends the stream.
    public mutating func nextFrame() throws(ControlFailure) -> [UInt8]? {
        while !isSpent {
            guard let end = findNewline() else {
                if pendingCount > maximumLength { break }
                compact()
                return nil
            }
            var frame = buffer[start..<end]
            start = end + 1
            searched = start
            if frame.last == UInt8(ascii: "\r") { frame.removeLast() }
            if frame.count > maximumLength { break }
            if !frame.isEmpty { return Array(frame) }
        }
        isSpent = true
        buffer = []
        (start, searched) = (0, 0)
        throw .frameTooLong(limit: maximumLength)
    }

    /// Whether `nextFrame` needs no more bytes; it may still return nil, after empty lines.
    public mutating func hasFrame() -> Bool { isSpent || findNewline() != nil || pendingCount > maximumLength }

    private mutating func findNewline() -> Int? {
        while searched < buffer.count {
            if buffer[searched] == UInt8(ascii: "\n") { return searched }
            searched += 1
        }
        return nil
    }

    /// Drops the bytes of frames already returned.
    private mutating func compact() {
        guard start > 0 else { return }
        buffer.removeFirst(start)
        searched -= start
        start = 0
    }
}
