internal import StreamModel

/// Encodes and decodes `_metadata` files. Pure. Writes version 2, reads 1 and 2.
///
///     8  magic "WEIRMETA"        4  format version
///     8  length of the body      n  body
///     4  CRC32C of everything before it
///
/// All numbers are little endian; texts and arrays carry a 32-bit count. The body names the job, the checkpoint and the role of every file, so
/// that an intact manifest in the wrong directory is detected.
public enum ManifestCodec {
    static let magic: [UInt8] = Array("WEIRMETA".utf8)
    static let version: UInt32 = 2
    /// Oldest readable version. Additions of a later version are read only `if version >= ...`, in their part.
    static let oldestVersion: UInt32 = 1
    private static let headerLength = 20
    private static let trailerLength = 4

    public static func encode(_ manifest: CheckpointManifest) -> [UInt8] {
        var body = ByteWriter()
        write(manifest, &body)
        var file = ByteWriter()
        file.raw(magic)
        file.integer(version)
        file.integer(UInt64(body.bytes.count))
        file.raw(body.bytes)
        file.integer(CRC32C.checksum(file.bytes))
        return file.bytes
    }

    /// Decodes a manifest.
    /// - Parameter path: origin of the bytes, for errors.
    public static func decode(_ bytes: [UInt8], path: String) throws(StoreError) -> CheckpointManifest {
        let (version, body) = try verifiedBody(bytes, path: path)
        var reader = ByteReader(body, path: path, version: version)
        let manifest = try readManifest(&reader)
        try reader.end()
        if let reason = manifest.contradiction { throw .malformed(path: path, offset: headerLength, reason: reason) }
        return manifest
    }

    /// Checks magic, version, length and checksum, in this order.
    private static func verifiedBody(_ bytes: [UInt8], path: String) throws(StoreError) -> (version: UInt32, ArraySlice<UInt8>) {
        guard bytes.count >= magic.count else {
            throw .wrongLength(path: path, expected: UInt64(headerLength + trailerLength), found: UInt64(bytes.count))
        }
        guard bytes.starts(with: magic) else { throw .foreignFormat(path: path, looksLike: ForeignFormat.name(of: bytes)) }
        var reader = ByteReader(bytes[magic.count...], path: path)
        guard bytes.count >= headerLength + trailerLength else {
            throw .wrongLength(path: path, expected: UInt64(headerLength + trailerLength), found: UInt64(bytes.count))
        }
        let found: UInt32 = try reader.integer()
        guard (oldestVersion...version).contains(found) else { throw .unsupportedVersion(path: path, found: found, supported: version) }
        let length: UInt64 = try reader.integer()
        let expected = length.addingSaturating(UInt64(headerLength + trailerLength))
        guard expected == UInt64(bytes.count) else { throw .wrongLength(path: path, expected: expected, found: UInt64(bytes.count)) }
        let end = bytes.count - trailerLength
        reader = ByteReader(bytes[end...], path: path)
        let recorded: UInt32 = try reader.integer()
        let actual = CRC32C.checksum(bytes[..<end])
        guard recorded == actual else { throw .checksumMismatch(path: path, expected: recorded, found: actual) }
        return (found, bytes[headerLength..<end])
    }
}

// The body, field by field. Writer and reader of each part stand together: they must mirror each other.
extension ManifestCodec {
    private static func write(_ manifest: CheckpointManifest, _ out: inout ByteWriter) {
        write(manifest.job, &out)
        out.text(manifest.jobName)
        write(manifest.lineage, &out)
        out.integer(manifest.checkpoint.rawValue)
        out.byte(code(manifest.kind))
        out.integer(manifest.triggeredAt.milliseconds)
        out.integer(manifest.completedAt.milliseconds)
        out.integer(manifest.generation)
        out.integer(Int64(manifest.maxParallelism))
        out.text(manifest.keyHash)
        out.flag(manifest.isFinal)
        out.array(manifest.recipe.map { [$0] } ?? []) { write($1, &$0) }
        out.array(manifest.operators) { write($1, &$0) }
        out.array(manifest.files) { write($1, &$0) }
        out.array(manifest.committables) { write($1, &$0) }
    }

    private static func readManifest(_ reader: inout ByteReader) throws(StoreError) -> CheckpointManifest {
        CheckpointManifest(
            job: try readID(&reader),
            jobName: try reader.text(),
            lineage: try readID(&reader),
            checkpoint: CheckpointID(try reader.integer()),
            kind: try readKind(&reader),
            triggeredAt: WallTime(milliseconds: try reader.integer()),
            completedAt: WallTime(milliseconds: try reader.integer()),
            generation: try reader.integer(),
            maxParallelism: try readInt(&reader),
            keyHash: try reader.text(),
            isFinal: try reader.flag(),
            recipe: try reader.array(minimum: 16, readRecipe).first,
            operators: try reader.array(minimum: 36, readOperator),
            files: try reader.array(minimum: 20, readFile),
            committables: reader.version >= 2 ? try reader.array(minimum: 20, readCommittable) : try reader.array(minimum: 32, readPendingFile))
    }

    private static func write(_ id: some HexIdentifier, _ out: inout ByteWriter) {
        out.integer(id.high)
        out.integer(id.low)
    }

    private static func readID<ID: HexIdentifier>(_ reader: inout ByteReader) throws(StoreError) -> ID {
        ID(high: try reader.integer(), low: try reader.integer())
    }

    private static func readInt(_ reader: inout ByteReader) throws(StoreError) -> Int {
        let value: Int64 = try reader.integer()
        guard let value = Int(exactly: value) else { throw reader.malformed("\(value) is out of range") }
        return value
    }

    private static func code(_ kind: CheckpointKind) -> UInt8 {
        switch kind {
        case .checkpoint: 1
        case .savepoint: 2
        case .synchronousSavepoint: 3
        }
    }

    private static func readKind(_ reader: inout ByteReader) throws(StoreError) -> CheckpointKind {
        switch try reader.byte() {
        case 1: return .checkpoint
        case 2: return .savepoint
        case 3: return .synchronousSavepoint
        case let other: throw reader.malformed("\(other) is no kind of checkpoint")
        }
    }

    /// Writes a recipe with its arguments sorted by name, so that equal manifests have equal bytes.
    private static func write(_ recipe: JobRecipe, _ out: inout ByteWriter) {
        out.text(recipe.program)
        out.integer(Int64(recipe.parallelism))
        out.array(recipe.arguments.sorted { $0.key < $1.key }) { out, argument in
            out.text(argument.key)
            out.text(argument.value)
        }
    }

    private static func readRecipe(_ reader: inout ByteReader) throws(StoreError) -> JobRecipe {
        let program = try reader.text()
        let parallelism = try readInt(&reader)
        let arguments = try reader.array(minimum: 8) { (reader: inout ByteReader) throws(StoreError) -> (String, String) in
            (try reader.text(), try reader.text())
        }
        return JobRecipe(program: program, arguments: Dictionary(arguments) { _, last in last }, parallelism: parallelism)
    }

    private static func write(_ state: OperatorState, _ out: inout ByteWriter) {
        out.text(state.uid)
        out.text(state.name)
        write(state.operatorID, &out)
        out.integer(Int64(state.parallelism))
        out.array(state.subtasks) { write($1, &$0) }
    }

    private static func readOperator(_ reader: inout ByteReader) throws(StoreError) -> OperatorState {
        OperatorState(
            uid: try reader.text(), name: try reader.text(), operatorID: try readID(&reader), parallelism: try readInt(&reader),
            subtasks: try reader.array(minimum: 13, readSubtask))
    }

    private static func write(_ subtask: SubtaskState, _ out: inout ByteWriter) {
        out.integer(Int64(subtask.index))
        out.flag(subtask.isFinished)
        out.array(subtask.states) { write($1, &$0) }
    }

    private static func readSubtask(_ reader: inout ByteReader) throws(StoreError) -> SubtaskState {
        SubtaskState(index: try readInt(&reader), isFinished: try reader.flag(), states: try reader.array(minimum: 19, readHandle))
    }

    private static func write(_ handle: StateHandle, _ out: inout ByteWriter) {
        out.text(handle.name)
        out.byte(handle.kind.rawValue)
        out.text(handle.valueType)
        out.integer(handle.fingerprint)
        switch handle.location {
        case .inline(let bytes):
            out.byte(0)
            out.count(bytes.count)
            out.raw(bytes)
        case .file(let name, let offset, let length):
            out.byte(1)
            out.text(name)
            out.integer(offset)
            out.integer(length)
        case .files(let names):
            out.byte(2)
            out.array(names) { $0.text($1) }
        }
        out.array(handle.sections) { write($1, &$0) }
        out.flag(handle.elements != nil)
        if let elements = handle.elements { out.array(elements) { $0.integer($1) } }
    }

    private static func readHandle(_ reader: inout ByteReader) throws(StoreError) -> StateHandle {
        let name = try reader.text()
        let code = try reader.byte()
        guard let kind = StateHandle.Kind(rawValue: code) else { throw reader.malformed("\(code) is no kind of state") }
        return StateHandle(
            name: name, kind: kind, valueType: try readShape(&reader), location: try readLocation(&reader),
            sections: try reader.array(minimum: 32, readSection),
            elements: try reader.flag()
                ? try reader.array(minimum: 4) { (reader: inout ByteReader) throws(StoreError) -> UInt32 in try reader.integer() } : nil)
    }

    private static func readShape(_ reader: inout ByteReader) throws(StoreError) -> String {
        let shape = try reader.text()
        if reader.version >= 2, try reader.integer() != StateHandle.fingerprint(ofShape: shape) {
            throw reader.malformed("the fingerprint is not that of the shape \"\(shape)\"")
        }
        return shape
    }

    private static func readLocation(_ reader: inout ByteReader) throws(StoreError) -> StateHandle.Location {
        switch try reader.byte() {
        case 0: return .inline(Array(try reader.raw(try reader.small())))
        case 1: return .file(name: try reader.text(), offset: try reader.integer(), length: try reader.integer())
        case 2 where reader.version >= 2:
            return .files(try reader.array(minimum: 4) { (reader: inout ByteReader) throws(StoreError) -> String in try reader.text() })
        case let other: throw reader.malformed("\(other) is no place of a state")
        }
    }

    private static func write(_ section: KeyGroupSection, _ out: inout ByteWriter) {
        // Version 1 had one 64-bit number here, the group: the same bytes.
        out.integer(UInt32(truncatingIfNeeded: section.group))
        out.integer(UInt32(truncatingIfNeeded: section.file))
        out.integer(section.offset)
        out.integer(section.length)
        out.integer(section.entries)
    }

    private static func readSection(_ reader: inout ByteReader) throws(StoreError) -> KeyGroupSection {
        KeyGroupSection(
            group: try reader.small(), file: try reader.small(), offset: try reader.integer(), length: try reader.integer(),
            entries: try reader.integer())
    }

    private static func write(_ file: StateFileEntry, _ out: inout ByteWriter) {
        out.text(file.name)
        out.text(file.role)
        out.integer(file.length)
        out.integer(file.crc32c)
    }

    private static func readFile(_ reader: inout ByteReader) throws(StoreError) -> StateFileEntry {
        StateFileEntry(name: try reader.text(), role: try reader.text(), length: try reader.integer(), crc32c: try reader.integer())
    }

    private static func write(_ committable: Committable, _ out: inout ByteWriter) {
        out.text(committable.uid)
        out.integer(Int64(committable.subtask))
        out.text(committable.type)
        out.count(committable.payload.count)
        out.raw(committable.payload)
    }

    private static func readCommittable(_ reader: inout ByteReader) throws(StoreError) -> Committable {
        Committable(
            uid: try reader.text(), subtask: try readInt(&reader), type: try reader.text(), payload: Array(try reader.raw(try reader.small())))
    }

    /// Reads a file to be renamed, the only kind of output in version 1.
    private static func readPendingFile(_ reader: inout ByteReader) throws(StoreError) -> Committable {
        let uid = try reader.text(), subtask = try readInt(&reader)
        var payload = ByteWriter()
        payload.text(try reader.text())
        payload.text(try reader.text())
        payload.integer(try reader.integer(as: UInt64.self))
        payload.integer(try reader.integer(as: UInt32.self))
        return Committable(uid: uid, subtask: subtask, type: Committable.filePartType, payload: payload.bytes)
    }
}

/// Recognises foreign files, so that a message can name what an operator picked by mistake.
enum ForeignFormat {
    static func name(of bytes: [UInt8]) -> String? {
        if bytes.starts(with: [0x49, 0x60, 0x67, 0x2D]) { return "a snapshot of Apache Flink" }
        if bytes.starts(with: StateFileFormat.magic) { return "a Weir state file" }
        return nil
    }
}
