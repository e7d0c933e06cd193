internal import StreamModel

/// The frame around the bytes of a state file. Pure.
///
///     8  magic "WEIRDATA"        4  format version        4  length of the header
///    16  job      8  checkpoint      role, name: 32-bit count and UTF-8
///     n  state
///     8  length of the whole file    4  CRC32C of everything before it    4  "END."
///
/// The names in the header are checksummed with the rest: an intact file in the wrong place is detected.
enum StateFileFormat {
    static let magic: [UInt8] = Array("WEIRDATA".utf8)
    static let version: UInt32 = 1
    static let trailerLength = 16
    /// Bytes at the end outside the checksum: itself and the end mark.
    static let unsummedLength = 8
    static let minimumLength = UInt64(fixedLength + trailerLength)
    private static let fixedLength = 48
    private static let endMark: [UInt8] = Array("END.".utf8)
    /// Upper bound of header lengths.
    static let maximumHeaderLength = 4096

    struct Identity: Equatable {
        var job: JobID
        var checkpoint: CheckpointID
        var role: String
        var name: String
    }

    static func header(_ identity: Identity) -> [UInt8] {
        var out = ByteWriter()
        out.raw(magic)
        out.integer(version)
        out.count(fixedLength + identity.role.utf8.count + identity.name.utf8.count)
        out.integer(identity.job.high)
        out.integer(identity.job.low)
        out.integer(identity.checkpoint.rawValue)
        out.text(identity.role)
        out.text(identity.name)
        return out.bytes
    }

    /// The trailer without the checksum, which covers this part.
    static func trailerStart(fileLength: UInt64) -> [UInt8] {
        var out = ByteWriter()
        out.integer(fileLength)
        return out.bytes
    }

    static func trailerEnd(checksum: UInt32) -> [UInt8] {
        var out = ByteWriter()
        out.integer(checksum)
        out.raw(endMark)
        return out.bytes
    }

    /// Reads the header from the first bytes of a file and compares it with the manifest's entry.
    static func verifyHeader(_ bytes: ArraySlice<UInt8>, _ expected: Identity, path: String) throws(StoreError) {
        guard bytes.starts(with: magic) else { throw .foreignFormat(path: path, looksLike: nil) }
        var reader = ByteReader(bytes, path: path)
        _ = try reader.raw(magic.count)
        let found: UInt32 = try reader.integer()
        guard found == version else { throw .unsupportedVersion(path: path, found: found, supported: version) }
        let length = try reader.small()
        let identity = Identity(
            job: JobID(high: try reader.integer(), low: try reader.integer()), checkpoint: CheckpointID(try reader.integer()),
            role: try reader.text(), name: try reader.text())
        guard reader.offset - bytes.startIndex == length else { throw reader.malformed("the header is not \(length) bytes long") }
        try compare("job", expected.job, identity.job, path)
        try compare("checkpoint", expected.checkpoint, identity.checkpoint, path)
        try compare("role", expected.role, identity.role, path)
        try compare("name", expected.name, identity.name, path)
    }

    /// Verifies the end of a file.
    /// - Parameter bytes: the last sixteen bytes of the file.
    static func verifyTrailer(_ bytes: [UInt8], length: UInt64, checksum: UInt32, path: String) throws(StoreError) {
        var reader = ByteReader(bytes[...], path: path)
        let recordedLength: UInt64 = try reader.integer()
        guard recordedLength == length else { throw .wrongLength(path: path, expected: recordedLength, found: length) }
        let recorded: UInt32 = try reader.integer()
        guard recorded == checksum else { throw .checksumMismatch(path: path, expected: recorded, found: checksum) }
        guard Array(try reader.raw(endMark.count)) == endMark else { throw reader.malformed("the end mark is missing") }
    }

    static func compare<Value: Equatable & CustomStringConvertible>(
        _ field: String, _ expected: Value, _ found: Value, _ path: String
    ) throws(StoreError) {
        guard expected == found else {
            throw .misdirected(path: path, field: field, expected: expected.description, found: found.description)
        }
    }
}
