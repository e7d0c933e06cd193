/// Cuts a stream of bytes into frames: one JSON text a line. Pure and bounded: it holds at most one unfinished frame of
/// `maximumLength` bytes, plus the chunk that it was last fed.
///
/// Owned by one connection, used on its event loop only. Empty lines are skipped, a carriage return before the newline is
/// dropped. A frame that grows too long ends the stream: the decoder is spent and says so again each time it is asked.
public struct FrameDecoder: Sendable {
    private let maximumLength: Int
    private var buffer: [UInt8] = []
    /// Where the unfinished frame begins.
    private var start = 0
    /// Everything before it has been searched for a newline.
    private var searched = 0
    private var isSpent = false

    public init(maximumLength: Int) { self.maximumLength = maximumLength }

    /// Bytes of a frame whose end has not come yet.
    public var pendingCount: Int { buffer.count - start }

    /// Takes in bytes as they came from the peer, split anywhere.
    public mutating func feed(_ bytes: some Collection<UInt8>) {
        guard !isSpent else { return }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame without its newline; nil = more bytes are needed. Throws `frameTooLong` and is spent then.
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

    /// True where `nextFrame` would not ask for more bytes; what it returns may still be nil, after empty lines.
    public mutating func hasFrame() -> Bool { isSpent || findNewline() != nil || pendingCount > maximumLength }

    private mutating func findNewline() -> Int? {
        while searched < buffer.count {
            if buffer[searched] == UInt8(ascii: "\n") { return searched }
            searched += 1
        }
        return nil
    }

    /// Drops the bytes of frames already handed out.
    private mutating func compact() {
        guard start > 0 else { return }
        buffer.removeFirst(start)
        searched -= start
        start = 0
    }
}
