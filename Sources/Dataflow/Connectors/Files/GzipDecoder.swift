internal import CZlib

/// Decodes gzip data of one or more members incrementally. Zeros may follow the last member, as left by tapes and block devices.
final class GzipDecoder {
    struct Fault: Error {
        let problem: String
    }

    private enum State {
        /// Inside a member.
        case member
        /// A member has ended (or none has begun): another may follow.
        case between(isFirst: Bool)
        case padding
    }

    // On the heap: zlib keeps a pointer to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var state = State.between(isFirst: true)

    init() throws(Fault) {
        stream.initialize(to: z_stream())
        guard zlib_begin_gunzip(stream) == Z_OK else { throw Fault(problem: "not enough memory to decompress it") }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Whether the data may end here.
    var isComplete: Bool {
        switch state {
        case .member, .between(isFirst: true): false
        case .between(isFirst: false), .padding: true
        }
    }

    /// Decodes until the input is consumed or the output is full.
    /// - Returns: number of bytes read and written.
    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Fault) -> (read: Int, written: Int) {
        var read = 0, written = 0
        while read < input.count, written < output.count {
            switch state {
            case .padding:
                guard input[read] == 0 else { throw Fault(problem: "data that is not gzip follows the zeros at its end") }
                read += 1
            case .between(let isFirst):
                if !isFirst, input[read] == 0 {
                    state = .padding
                    continue
                }
                guard input[read] == 0x1F else {
                    throw Fault(problem: isFirst ? "it is not gzip data" : "data that is not gzip follows its end")
                }
                state = .member
            case .member:
                let more = try inflateMember(
                    UnsafeRawBufferPointer(rebasing: input[read...]), into: UnsafeMutableRawBufferPointer(rebasing: output[written...]))
                read += more.read
                written += more.written
            }
        }
        return (read, written)
    }

    private func inflateMember(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Fault) -> (read: Int, written: Int) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(min(input.count, Int(UInt32.max)))
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(min(output.count, Int(UInt32.max)))
        let offered = (Int(stream.pointee.avail_in), Int(stream.pointee.avail_out))
        let status = inflate(stream, Z_NO_FLUSH)
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            guard inflateReset(stream) == Z_OK else { throw Fault(problem: "cannot start its next member") }
            state = .between(isFirst: false)
        case Z_MEM_ERROR: throw Fault(problem: "not enough memory to decompress it")
        default:
            let reason = stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(status)"
            throw Fault(problem: "its compressed data is damaged (\(reason))")
        }
        return (offered.0 - Int(stream.pointee.avail_in), offered.1 - Int(stream.pointee.avail_out))
    }
}
