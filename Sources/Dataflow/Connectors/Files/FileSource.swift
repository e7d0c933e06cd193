public import StreamModel

/// The files that a source reads.
public enum FileInput: Sendable {
    /// These files, distributed to the subtasks in turn and each read in order.
    case files([String])
    /// These files, and the files in these directories at the start of the job: a bounded input. A restart does not list them again.
    case paths([String])
    /// The files of a directory, present and future, without end. A file must be complete when its name appears: write it under another name and
    /// rename it.
    case directory(String, every: Milliseconds)

    /// `paths` if one of them is a directory now, `files` otherwise.
    public static func files(orDirectories paths: [String]) -> FileInput {
        paths.contains(where: InputDirectory.isDirectory) ? .paths(paths) : .files(paths)
    }

    /// Whether a directory entry is read: not names that begin with a dot or an underscore, or end like unfinished files.
    public static func isStableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "_"), !name.hasSuffix("~") else { return false }
        let unfinished = [".tmp", ".temp", ".part", ".partial", ".pending", ".inprogress", ".crdownload", ".download", ".filepart", ".swp", ".lock"]
        return !unfinished.contains { name.hasSuffix($0) }
    }
}

/// Reads the records of files, in order within a file. Gzip data (named `.gz`, or beginning as such) is decompressed. A file is a split; the bytes
/// and records before the next one are its checkpointed offset, so a restore neither repeats nor skips records.
///
/// Directory files are assigned by a function of their path that every subtask evaluates; the offsets of all files, including finished ones, are in
/// every checkpoint and given to every subtask on restore. Every file is therefore read exactly once, even at another parallelism. A file that
/// disappears or shrinks while it is read is an error.
public struct FileSource<Format: RecordFormat>: Source {
    public let input: FileInput
    @usableFromInline let format: Format
    let rate: Double?
    let badRecords: BadRecordPolicy
    let includes: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - rate: records per second over all subtasks; nil = unlimited.
    ///   - includes: predicate for names in directories.
    public init(
        _ input: FileInput, format: Format, rate: Double? = nil, badRecords: BadRecordPolicy = .fail,
        includes: @escaping @Sendable (String) -> Bool = { FileInput.isStableName($0) }
    ) {
        self.input = input
        self.format = format
        self.rate = rate
        self.badRecords = badRecords
        self.includes = includes
    }

    public static var splitType: String { FileSplit.type }

    public var splitSharing: SplitSharing {
        if case .files = input { .dealtOut } else { .givenToAll }
    }

    public func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
        var readers = parallelism
        if case .files(let paths) = input { readers = min(parallelism, max(paths.count, 1)) }
        return Reader(
            format: format,
            cursor: FileCursor(
                input: input, includes: includes, subtask: subtask, parallelism: parallelism, rate: rate.map { $0 / Double(readers) },
                badRecords: badRecords, recordName: Format.recordName, hasHeader: Format.hasHeader))
    }

    public struct Reader: SourceReader {
        @usableFromInline let format: Format
        @usableFromInline let cursor: FileCursor
        @usableFromInline var parser: Format.Parser?

        init(format: Format, cursor: FileCursor) {
            self.format = format
            self.cursor = cursor
        }

        public mutating func start(at now: EngineInstant) throws { try cursor.start(at: now) }

        @inlinable
        public mutating func read(into out: Emitter<Format.Record>, at now: EngineInstant) throws -> SourceStatus {
            var left: Int
            switch try cursor.next(at: now) {
            case .waiting(let until): return .waiting(until: until)
            case .ended: return .ended
            case .reading(let granted): left = granted
            }
            var parser = try cursor.isFresh ? openParser() : (self.parser ?? openParser())
            defer { self.parser = parser }
            while left > 0 {
                var progress = ParseProgress()
                do throws(BadRecord) {
                    try parser.parse(cursor.window, isAtEnd: cursor.isAtEnd, limit: left, into: out, progress: &progress)
                } catch {
                    cursor.advance(progress)
                    try cursor.passOver(error)
                    left -= progress.records + 1
                    continue
                }
                cursor.advance(progress)
                left -= progress.records
                guard left > 0, progress.bytes == 0 else { continue }
                if cursor.isAtEnd {
                    try cursor.finishFile()
                    break
                }
                _ = try cursor.fill()
            }
            return .more
        }

        /// Reads the header, if any, and seeks to the checkpointed offset.
        @usableFromInline
        mutating func openParser() throws -> Format.Parser {
            var parser = format.makeParser()
            while true {
                let header: (bytes: Int, lines: Int)?
                do throws(BadRecord) { header = try parser.parseHeader(cursor.window, isAtEnd: cursor.isAtEnd) } catch {
                    throw cursor.problem(with: error, place: "header")
                }
                if let header {
                    try cursor.passHeader(bytes: header.bytes, lines: header.lines)
                    return parser
                }
                if cursor.isAtEnd { throw cursor.problem(with: BadRecord(problem: "is incomplete", skip: (0, 0)), place: "header") }
                _ = try cursor.fill()
            }
        }

        public func splits() -> [[UInt8]] { cursor.splits.map(\.encoded) }
        public mutating func restore(_ splits: [[UInt8]]) throws {
            parser = nil
            try cursor.restore(splits.map(FileSplit.init(encoded:)))
        }
        public var position: UInt64 { cursor.splits.reduce(0) { $0 + $1.records } }
        /// Number of skipped bad records, over all restarts.
        public var skipped: UInt64 { cursor.splits.reduce(0) { $0 + $1.skipped } }
        public var progress: InputProgress? { cursor.progress }
    }
}

/// Reads lines of text files.
public typealias TextFileSource = FileSource<LineFormat>

extension FileSource where Format == LineFormat {
    /// - Parameter rate: lines per second over all subtasks; nil = unlimited.
    public init(paths: [String], rate: Double? = nil) { self.init(.files(paths), format: LineFormat(), rate: rate) }

    public static func lines(_ input: FileInput, rate: Double? = nil) -> Self { Self(input, format: LineFormat(), rate: rate) }
}

/// The part of a file reader independent of the record type: the file, the offset in it, and the next file. Used on one thread.
@usableFromInline
final class FileCursor {
    @usableFromInline
    enum Step {
        case reading(Int)
        case waiting(until: EngineInstant)
        case ended
    }

    @usableFromInline private(set) var splits: [FileSplit] = []
    /// Whether the last `next` opened the file.
    @usableFromInline private(set) var isFresh = false
    private let input: FileInput
    private let includes: @Sendable (String) -> Bool
    private let subtask: Int
    private let parallelism: Int
    private let badRecords: BadRecordPolicy
    private let recordName: String
    private let hasHeader: Bool
    private var limiter: RateLimiter
    private var current = 0
    private var file: InputFile?
    /// Paths of `splits`, when files are discovered.
    private var known: Set<String> = []
    private var isRestored = false
    private var looksAgain = false
    private var nextLook: EngineInstant?

    init(
        input: FileInput, includes: @escaping @Sendable (String) -> Bool, subtask: Int, parallelism: Int, rate: Double?,
        badRecords: BadRecordPolicy, recordName: String, hasHeader: Bool
    ) {
        self.input = input
        self.includes = includes
        self.subtask = subtask
        self.parallelism = parallelism
        self.badRecords = badRecords
        self.recordName = recordName
        self.hasHeader = hasHeader
        limiter = RateLimiter(perSecond: rate)
        if case .files(let paths) = input {
            splits = stride(from: subtask, to: paths.count, by: parallelism).map { FileSplit(path: paths[$0]) }
        }
    }

    /// Lists the input before the first step, and before any checkpoint can request the splits.
    func start(at now: EngineInstant) throws(JobError) {
        switch input {
        case .files: break
        case .paths(let paths):
            guard !isRestored else { return }
            for path in paths {
                guard let names = try InputDirectory.files(path) else {
                    add(path)
                    continue
                }
                for name in names where includes(name) { add(path + "/" + name) }
            }
        case .directory(let path, _): try look(into: path, at: now)
        }
    }

    private func look(into path: String, at now: EngineInstant) throws(JobError) {
        guard case .directory(_, let interval) = input else { return }
        guard let names = try InputDirectory.files(path) else { throw .source("input \(path) is not a directory: name a directory to watch") }
        for name in names where includes(name) { add(path + "/" + name) }
        nextLook = now + interval
    }

    private func add(_ path: String) {
        guard FileSplit.owner(of: path, parallelism: parallelism) == subtask, known.insert(path).inserted else { return }
        splits.append(FileSplit(path: path))
    }

    func restore(_ restored: [FileSplit]) {
        (current, file, isRestored) = (0, nil, true)
        splits = restored
        guard case .files = input else {
            // Every subtask gets all splits. The same file cannot come twice: only a checkpoint from before the last rescale could list it twice.
            known = []
            splits = restored.filter { FileSplit.owner(of: $0.path, parallelism: parallelism) == subtask && known.insert($0.path).inserted }
            return
        }
        looksAgain = true
    }

    /// Checks again: a plain file of a list may have grown since it was read to its end, and the rest is read too. A missing or shorter one is an
    /// error.
    private func lookAgain() throws(JobError) {
        looksAgain = false
        for index in splits.indices where splits[index].isFinished && !splits[index].isCompressed {
            let opened = try InputFile(splits[index].path, recordName: recordName)
            try opened.skip(to: splits[index].offset)
            if let size = InputFile.size(of: opened.path), size > splits[index].offset { splits[index].isFinished = false }
        }
    }

    /// Advances to the next unfinished file and returns the number of records that may be read.
    @usableFromInline
    func next(at now: EngineInstant) throws(JobError) -> Step {
        isFresh = false
        if looksAgain { try lookAgain() }
        while true {
            while current < splits.count, splits[current].isFinished { current += 1 }
            if current < splits.count { break }
            guard case .directory(let path, _) = input else { return .ended }
            if let nextLook, now < nextLook { return .waiting(until: nextLook) }
            try look(into: path, at: now)
            if current == splits.count, let nextLook { return .waiting(until: nextLook) }
        }
        let (granted, retryAt) = limiter.grant(512, at: now)
        guard granted > 0 else { return .waiting(until: retryAt) }
        if file == nil {
            let opened = try InputFile(splits[current].path, recordName: recordName)
            if !hasHeader { try opened.skip(to: splits[current].offset) }
            splits[current].isCompressed = opened.isCompressed
            file = opened
            isFresh = true
        }
        return .reading(granted)
    }

    @usableFromInline var window: UnsafeRawBufferPointer { file?.window ?? UnsafeRawBufferPointer(start: nil, count: 0) }
    @usableFromInline var isAtEnd: Bool { file?.isAtEnd ?? true }

    @usableFromInline
    func fill() throws(JobError) -> Bool { try file?.fill() ?? false }

    /// Notes that the header was read from the start of the file; the offset of the split may be far behind it.
    @usableFromInline
    func passHeader(bytes: Int, lines: Int) throws(JobError) {
        guard hasHeader, let file else { return }
        if splits[current].offset == 0 {
            splits[current].offset = UInt64(bytes)
            splits[current].lines = UInt64(lines)
            file.advance(by: bytes)
        } else {
            try file.skip(to: splits[current].offset)
        }
    }

    @usableFromInline
    func advance(_ progress: ParseProgress) {
        file?.advance(by: progress.bytes)
        splits[current].offset += UInt64(progress.bytes)
        splits[current].lines += UInt64(progress.lines)
        splits[current].records += UInt64(progress.records)
    }

    /// Handles an unreadable record at the start of the window.
    @usableFromInline
    func passOver(_ bad: BadRecord) throws(JobError) {
        let problem = problem(with: bad)
        guard case .skip(let log) = badRecords else { throw problem }
        log.add(problem.description)
        file?.advance(by: bad.skip.bytes)
        splits[current].offset += UInt64(bad.skip.bytes)
        splits[current].lines += UInt64(bad.skip.lines)
        splits[current].skipped += 1
    }

    @usableFromInline
    func problem(with bad: BadRecord, place: String? = nil) -> JobError {
        let split = splits[current]
        let line = place == nil ? "line \(split.lines + 1 + UInt64(bad.line))" : "its \(place ?? "")"
        return .source("input file \(split.path), \(line)\(bad.field.map { ", " + $0 } ?? ""): \(bad.problem)")
    }

    /// Handles a parser that has consumed everything available.
    @usableFromInline
    func finishFile() throws(JobError) {
        guard let file else { return }
        guard file.window.isEmpty else { throw problem(with: BadRecord(problem: "the end of the file is no \(recordName)", skip: (0, 0))) }
        try file.checkLength()
        splits[current].isFinished = true
        self.file = nil
    }

    var progress: InputProgress? {
        if case .directory = input { return nil }
        // Files may grow while they are read; the sizes are the present ones. Compressed files count by their size on disk.
        return splits.indices.reduce(into: InputProgress(read: 0, total: 0)) { sum, index in
            let split = splits[index], size = InputFile.size(of: split.path) ?? 0
            var read = split.offset
            if split.isCompressed { read = split.isFinished ? size : index == current ? file?.fileOffset ?? 0 : 0 }
            sum.read += read
            sum.total += max(size, read)
        }
    }
}
