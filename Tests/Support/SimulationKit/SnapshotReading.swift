internal import StreamModel

/// A snapshot as the oracle reads it, from the article `CheckpointFormat` and without the engine's code: the engine cannot be wrong about its
/// own format in the same way twice.
struct SnapshotReading {
    struct Problem: Error, CustomStringConvertible { let description: String }

    /// A line of the manifest's list of files.
    struct File: Hashable {
        var name, role: String
        var length: UInt64
        var checksum: UInt32
        var isShared: Bool { name.hasPrefix("shared/") }
    }

    struct Output: Hashable {
        var uid: String
        var subtask: Int64
        var type: String
        var payload: [UInt8]
    }

    /// A file that waits to be renamed, as an output of the type `file-part-1` says it.
    struct Part: Hashable {
        var pendingPath, path: String
        var length: UInt64
        var checksum: UInt32
    }

    let path: String
    private(set) var job = JobID(high: 0, low: 0)
    private(set) var jobName = ""
    private(set) var lineage = JobID(high: 0, low: 0)
    private(set) var checkpoint = CheckpointID(0)
    private(set) var isSavepoint = false
    private(set) var isFinal = false
    private(set) var operators: [String] = []
    private(set) var files: [File] = []
    private(set) var outputs: [Output] = []

    /// Reads the manifest and checks every byte of what it lists. nil = there is no manifest.
    /// - Parameter isDurable: what the platter has, without the cache.
    static func whole(_ path: String, on disk: DiskModel, durable isDurable: Bool = false) throws -> SnapshotReading? {
        guard let reading = try manifest(path, on: disk, durable: isDurable) else { return nil }
        for file in reading.files { try reading.check(file, on: disk, durable: isDurable) }
        return reading
    }

    /// Reads the manifest alone. nil = there is none.
    static func manifest(_ path: String, on disk: DiskModel, durable isDurable: Bool = false) throws -> SnapshotReading? {
        guard let bytes = try contents(path + "/_metadata", on: disk, durable: isDurable) else { return nil }
        return try SnapshotReading(path, bytes)
    }

    static func contents(_ path: String, on disk: DiskModel, durable isDurable: Bool) throws -> [UInt8]? {
        // ENOTDIR: a path through a file leads nowhere.
        guard let number = (try? disk.find(path, durable: isDurable)) ?? nil else { return nil }
        let node = disk[number]
        if node.isDirectory { throw Problem(description: "\(path) is a directory") }
        if node.isUnreadable { throw Problem(description: "\(path) cannot be read") }
        return isDurable ? node.durableBytes : node.bytes
    }

    // MARK: The manifest

    private init(_ path: String, _ bytes: [UInt8]) throws {
        self.path = path
        var frame = Words(bytes, path)
        try frame.expect("WEIRMETA")
        let version: UInt32 = try frame.number()
        guard version == 2 else { throw frame.problem("the version is \(version)") }
        let length: UInt64 = try frame.number()
        guard length == UInt64(frame.left) - 4 else { throw frame.problem("the body has \(frame.left - 4) bytes, \(length) are announced") }
        var body = Words(Array(bytes[20..<bytes.count - 4]), path)
        var trailer = Words(Array(bytes[(bytes.count - 4)...]), path)
        guard try trailer.number() as UInt32 == Castagnoli.sum(bytes[..<(bytes.count - 4)]) else { throw frame.problem("the checksum is wrong") }
        job = try body.id()
        jobName = try body.text()
        lineage = try body.id()
        checkpoint = CheckpointID(try body.number())
        let kind: UInt8 = try body.number()
        guard (1...3).contains(kind) else { throw body.problem("kind \(kind)") }
        isSavepoint = kind != 1
        _ = (try body.number() as Int64, try body.number() as Int64, try body.number() as UInt64, try body.number() as Int64)
        guard try body.text() == "weir-mix64-1" else { throw body.problem("another hash of keys") }
        isFinal = try body.flag()
        for _ in 0..<(try body.count()) {
            _ = (try body.text(), try body.number() as Int64)
            for _ in 0..<(try body.count()) { _ = (try body.text(), try body.text()) }
        }
        for _ in 0..<(try body.count()) { operators.append(try Self.skipOperator(&body)) }
        for _ in 0..<(try body.count()) {
            files.append(File(name: try body.text(), role: try body.text(), length: try body.number(), checksum: try body.number()))
        }
        for _ in 0..<(try body.count()) {
            outputs.append(Output(uid: try body.text(), subtask: try body.number(), type: try body.text(), payload: try body.raw(try body.count())))
        }
        guard body.left == 0 else { throw body.problem("\(body.left) bytes are left over") }
    }

    /// Its uid; of the rest only the shape is checked.
    private static func skipOperator(_ body: inout Words) throws -> String {
        let uid = try body.text()
        _ = (try body.text(), try body.id(), try body.number() as Int64)
        for _ in 0..<(try body.count()) {
            _ = (try body.number() as Int64, try body.flag())
            for _ in 0..<(try body.count()) { try skipState(&body) }
        }
        return uid
    }

    private static func skipState(_ body: inout Words) throws {
        _ = try body.text()
        let kind: UInt8 = try body.number()
        guard (1...5).contains(kind) else { throw body.problem("state of kind \(kind)") }
        let shape = try body.text()
        let fingerprint = shape.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        guard try body.number() as UInt64 == fingerprint else { throw body.problem("the fingerprint of \(shape)") }
        switch try body.number() as UInt8 {
        case 0: _ = try body.raw(try body.count())
        case 1: _ = (try body.text(), try body.number() as UInt64, try body.number() as UInt64)
        case 2: for _ in 0..<(try body.count()) { _ = try body.text() }
        case let place: throw body.problem("place \(place)")
        }
        for _ in 0..<(try body.count()) {
            _ = (try body.number() as UInt32, try body.number() as UInt32)
            _ = (try body.number() as UInt64, try body.number() as UInt64, try body.number() as UInt64)
        }
        if try body.flag() { for _ in 0..<(try body.count()) { _ = try body.number() as UInt32 } }
    }

    // MARK: State files

    /// Where a listed file lies.
    func path(of file: File) -> String {
        guard file.isShared else { return path + "/" + file.name }
        return path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/" + file.name
    }

    private func check(_ file: File, on disk: DiskModel, durable isDurable: Bool) throws {
        let place = self.path(of: file)
        guard let bytes = try Self.contents(place, on: disk, durable: isDurable) else { throw Problem(description: "\(place) is listed and missing") }
        guard UInt64(bytes.count) == file.length, bytes.count >= 64 else {
            throw Problem(description: "\(place) has \(bytes.count) bytes, \(file.length) are listed")
        }
        var header = Words(bytes, place)
        try header.expect("WEIRDATA")
        guard try header.number() as UInt32 == 1 else { throw header.problem("another version") }
        let length: UInt32 = try header.number()
        guard try header.id() as JobID == job else { throw header.problem("of another job") }
        let writer = file.isShared ? UInt64(file.name.dropFirst("shared/".count).prefix { $0 != "-" }) : checkpoint.rawValue
        guard try header.number() as UInt64 == writer else { throw header.problem("of another checkpoint") }
        guard try header.text() == file.role, try header.text() == file.name else { throw header.problem("of another name or role") }
        guard header.offset == Int(length) else { throw header.problem("the header is not \(length) bytes long") }
        let sum = Castagnoli.sum(bytes[..<(bytes.count - 8)])
        var trailer = Words(Array(bytes[(bytes.count - 16)...]), place)
        guard try trailer.number() as UInt64 == file.length, try trailer.number() as UInt32 == sum, sum == file.checksum else {
            throw header.problem("the checksum is wrong")
        }
        try trailer.expect("END.")
    }

    // MARK: Output

    /// The files of sinks that this snapshot makes visible.
    func parts() throws -> [Part] {
        try outputs.filter { $0.type == "file-part-1" }.map { output in
            var words = Words(output.payload, path)
            let part = Part(pendingPath: try words.text(), path: try words.text(), length: try words.number(), checksum: try words.number())
            guard words.left == 0 else { throw words.problem("output of \(output.uid) has \(words.left) bytes too many") }
            return part
        }
    }
}

/// Numbers and texts of the formats, little endian.
struct Words {
    private let bytes: [UInt8]
    private let path: String
    private(set) var offset = 0

    init(_ bytes: [UInt8], _ path: String) { (self.bytes, self.path) = (bytes, path) }

    var left: Int { bytes.count - offset }
    func problem(_ text: String) -> SnapshotReading.Problem { SnapshotReading.Problem(description: "\(path), byte \(offset): \(text)") }

    mutating func raw(_ count: Int) throws -> [UInt8] {
        guard count <= left else { throw problem("\(count) bytes are announced, \(left) are left") }
        offset += count
        return Array(bytes[(offset - count)..<offset])
    }

    mutating func number<Number: FixedWidthInteger>() throws -> Number {
        let size = Number.bitWidth / 8
        guard size <= left else { throw problem("it ends here") }
        var value: Number = 0
        for index in (0..<size).reversed() { value = (Number.bitWidth == 8 ? 0 : value << 8) | Number(truncatingIfNeeded: bytes[offset + index]) }
        offset += size
        return value
    }

    mutating func count() throws -> Int { Int(try number() as UInt32) }
    mutating func id() throws -> JobID { JobID(high: try number(), low: try number()) }
    mutating func text() throws -> String { String(decoding: try raw(try count()), as: UTF8.self) }

    mutating func flag() throws -> Bool {
        let value: UInt8 = try number()
        guard value <= 1 else { throw problem("a flag is \(value)") }
        return value == 1
    }

    mutating func expect(_ text: String) throws {
        guard try raw(text.utf8.count) == Array(text.utf8) else { throw problem("\(text) is missing") }
    }
}

/// CRC32C from its definition: the polynomial 0x1EDC6F41, bits reflected.
enum Castagnoli {
    private static let table: [UInt32] = (0..<256).map { byte in (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 } }

    static func sum(_ bytes: some Sequence<UInt8>) -> UInt32 { ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(($0 ^ UInt32($1)) & 0xFF)] } }
}

/// Records of one line each, as `DurableLog` and the number of the highest checkpoint have them: eight digits of CRC32C, a space, the text.
enum LineReading {
    /// - Parameter allowsTornEnd: a last line that is not whole is no damage.
    static func records(_ bytes: [UInt8], _ path: String, allowsTornEnd: Bool) throws -> [String] {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
        // What stands behind the last line end: nothing, or a torn line.
        let rest = lines.removeLast()
        guard rest.isEmpty || allowsTornEnd else { throw SnapshotReading.Problem(description: "\(path) does not end with a line") }
        var records: [String] = []
        for (number, line) in lines.enumerated() {
            let digits = String(decoding: line.prefix(8), as: UTF8.self), text = Array(line.dropFirst(9))
            guard line.count >= 9, line[8] == 32, UInt32(digits, radix: 16) == Castagnoli.sum(text) else {
                if allowsTornEnd, number == lines.count - 1 { break }
                throw SnapshotReading.Problem(description: "\(path): line \(number + 1) has a wrong checksum")
            }
            records.append(String(decoding: text, as: UTF8.self))
        }
        return records
    }
}
