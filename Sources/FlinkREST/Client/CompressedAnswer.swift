internal import CZlib

extension RawAnswer {
    /// The answer as it was before a proxy compressed it; as it came where it is not compressed, or not in a way that is known.
    func unpacked(limit: Int) -> RawAnswer {
        guard let encoding, ["gzip", "x-gzip", "deflate"].contains(encoding), !isCut, let (bytes, isWhole) = Self.inflated(body, limit: limit) else {
            return self
        }
        return RawAnswer(status: status, location: location, encoding: nil, body: bytes, isCut: !isWhole)
    }

    /// nil = it is no such stream, or a part of one.
    private static func inflated(_ packed: [UInt8], limit: Int) -> (bytes: [UInt8], isWhole: Bool)? {
        var stream = z_stream()
        // 15 bits of window, and 32 to recognise either header.
        guard inflateInit2_(&stream, 15 + 32, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var packed = packed, bytes: [UInt8] = [], chunk = [UInt8](repeating: 0, count: 64 << 10)
        return packed.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(clamping: input.count)
            while true {
                let (result, count) = chunk.withUnsafeMutableBufferPointer { output -> (Int32, Int) in
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    let result = inflate(&stream, Z_NO_FLUSH)
                    return (result, output.count - Int(stream.avail_out))
                }
                bytes.append(contentsOf: chunk.prefix(min(count, limit - bytes.count + 1)))
                if bytes.count > limit { return (Array(bytes.prefix(limit)), false) }
                if result == Z_STREAM_END { return (bytes, true) }
                guard result == Z_OK, count > 0 || stream.avail_in > 0 else { return nil }
            }
        }
    }
}
