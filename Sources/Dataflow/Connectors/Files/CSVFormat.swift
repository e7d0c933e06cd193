/// Comma-separated values with a header, as in RFC 4180: fields in quotes may hold separators, line ends and doubled quotes; lines end with
/// CRLF or LF; a byte order mark at the start is passed over, and so are empty lines. A quote inside a field without quotes is an error.
///
///     CSVFormat { header in
///         let symbol = try header.column("symbol", String.self)
///         let price = try header.column("price", Double?.self)
///         return { row in Quote(symbol: try row[symbol], price: try row[price]) }
///     }
public struct CSVFormat<Record: Sendable>: RecordFormat {
    /// Makes the function that reads a row, once a file, when its header is known.
    public typealias Bind = @Sendable (CSVHeader) throws -> (CSVRow) throws -> Record

    @usableFromInline let separator: UInt8
    @usableFromInline let header: [String]?
    @usableFromInline let bind: Bind

    /// - Parameters:
    ///   - separator: an ASCII character other than a quote or a line end.
    ///   - header: names of the columns of files that have no header line; nil = the first line names them.
    @inlinable
    public init(separator: Character = ",", header: [String]? = nil, _ bind: @escaping Bind) {
        self.separator = separator.asciiValue ?? UInt8(ascii: ",")
        self.header = header
        self.bind = bind
    }

    @inlinable public static var recordName: String { "row" }
    @inlinable public static var hasHeader: Bool { true }
    @inlinable public func makeParser() -> CSVParser<Record> { CSVParser(separator: separator, header: header, bind: bind) }
}

/// The names of the columns.
public struct CSVHeader: Sendable {
    public let names: [String]
    @usableFromInline init(names: [String]) { self.names = names }

    /// The column of this name, whose fields are read as `type`.
    public func column<Value: CSVValue>(_ name: String, _ type: Value.Type = Value.self) throws(CSVHeaderError) -> CSVColumn<Value> {
        guard let index = names.firstIndex(of: name) else {
            throw CSVHeaderError(problem: "has no column \"\(name)\": the columns are \(names.joined(separator: ", "))")
        }
        return CSVColumn(index: index)
    }
}

public struct CSVHeaderError: Error, Sendable {
    public let problem: String
    public init(problem: String) { self.problem = problem }
}

/// A column whose fields are read as `Value`.
public struct CSVColumn<Value: CSVValue>: Sendable {
    @usableFromInline let index: Int
    init(index: Int) { self.index = index }
}

/// A field that is not what its column is read as.
public struct CSVFieldError: Error, Sendable {
    public let column: Int
    /// What the field holds, shortened.
    public let found: String
    public let expected: String

    @usableFromInline
    init(column: Int, found: UnsafeRawBufferPointer, expected: String) {
        self.column = column
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: found.prefix(60)), as: UTF8.self)
        self.found = found.count > 60 ? text + "..." : text
        self.expected = expected
    }
}

/// One row, while its bytes are there: it must not be kept.
public struct CSVRow {
    @usableFromInline let base: UnsafePointer<UInt8>
    @usableFromInline let scanner: CSVScanner

    @usableFromInline
    init(base: UnsafePointer<UInt8>, scanner: CSVScanner) {
        self.base = base
        self.scanner = scanner
    }

    @inlinable
    public subscript<Value: CSVValue>(_ column: CSVColumn<Value>) -> Value {
        get throws(CSVFieldError) {
            let bytes = scanner.bytes(of: column.index, base: base)
            guard let value = Value(csv: bytes) else {
                throw CSVFieldError(column: column.index, found: bytes, expected: Value.csvExpectation)
            }
            return value
        }
    }
}

public struct CSVParser<Record: Sendable>: RecordParser {
    @usableFromInline let scanner: CSVScanner
    @usableFromInline let bind: CSVFormat<Record>.Bind
    @usableFromInline var read: ((CSVRow) throws -> Record)?

    @usableFromInline
    init(separator: UInt8, header: [String]?, bind: @escaping CSVFormat<Record>.Bind) {
        scanner = CSVScanner(separator: separator, names: header)
        self.bind = bind
    }

    @inlinable
    public mutating func parseHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)? {
        guard let length = try scanner.readHeader(bytes, isAtEnd: isAtEnd) else { return nil }
        // A file without a byte has no header and no rows.
        guard isAtEnd == false || bytes.count > 0 else { return length }
        do { read = try bind(CSVHeader(names: scanner.names)) } catch {
            throw BadRecord(problem: (error as? CSVHeaderError)?.problem ?? "is refused: \(error)", skip: (0, 0))
        }
        return length
    }

    @inlinable
    public mutating func parse(
        _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, limit: Int, into out: Emitter<Record>, progress: inout ParseProgress
    ) throws(BadRecord) {
        guard let read, let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        while progress.records < limit {
            switch try scanner.scan(bytes, from: progress.bytes, isAtEnd: isAtEnd) {
            case .more: return
            case .blank(let next): progress.bytes = next
            case .row(let next):
                do { out.emit(try read(CSVRow(base: base + progress.bytes, scanner: scanner))) } catch {
                    throw scanner.describe(error, skip: next - progress.bytes)
                }
                progress.bytes = next
                progress.records += 1
            }
            progress.lines += scanner.linesOfRow
        }
    }
}

/// Finds the fields of rows. Keeps its place in an unfinished row, so that it looks at no byte twice however the bytes come.
@usableFromInline
final class CSVScanner {
    @usableFromInline
    enum Step {
        /// The row is not all there.
        case more
        /// A row, whose fields are kept until the next call; where the next one starts.
        case row(next: Int)
        case blank(next: Int)
    }

    @usableFromInline
    struct Field {
        /// From the start of the row, without quotes.
        @usableFromInline var start: Int
        @usableFromInline var end: Int
        @usableFromInline var hasDoubledQuotes: Bool
        @usableFromInline var line: Int
    }

    private enum Mode {
        case fieldStart, plain, quoted
        /// Behind a quote in a quoted field: the end of the field, or the first of two quotes.
        case quoteSeen
        case returnAfterQuote
        /// The row is bad: its line is passed over.
        case skipping
    }

    private let separator: UInt8
    @usableFromInline private(set) var names: [String]
    private let hasHeaderLine: Bool
    @usableFromInline private(set) var fields: UnsafeMutablePointer<Field>
    private var capacity = 64
    private var fieldCount = 0
    /// Fields of the row that was found last.
    private var fieldsOfRow = 0
    private var readsHeader = false
    private var mode = Mode.fieldStart
    /// From the start of the row.
    private var scanned = 0
    private var field = Field(start: 0, end: 0, hasDoubledQuotes: false, line: 0)
    private var lines = 0
    private var fault: (line: Int, field: Int, problem: String)?
    /// Lines of the row that was found last.
    @usableFromInline private(set) var linesOfRow = 0
    private var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 1)

    private static let quote = UInt8(ascii: "\""), newline = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r")

    /// - Parameter names: of the columns, where no line of the file names them.
    @usableFromInline
    init(separator: UInt8, names: [String]?) {
        self.separator = separator
        self.names = names ?? []
        hasHeaderLine = names == nil
        fields = .allocate(capacity: capacity)
    }

    deinit {
        fields.deallocate()
        scratch.deallocate()
    }

    /// nil = it is not all there.
    @usableFromInline
    func readHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)? {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if bytes.count < 3, !isAtEnd { return nil }
        let start = bytes.starts(with: mark) ? 3 : 0
        guard hasHeaderLine else { return (start, 0) }
        readsHeader = true
        defer { readsHeader = false }
        var place = start, lines = 0
        while true {
            // Given again from the start of the file, with more: no place is kept.
            (mode, scanned, fieldCount, self.lines) = (.fieldStart, 0, 0, 0)
            switch try scan(bytes, from: place, isAtEnd: isAtEnd) {
            case .more:
                (mode, scanned, fieldCount, self.lines) = (.fieldStart, 0, 0, 0)
                return isAtEnd ? (bytes.count, lines) : nil
            case .blank(let next):
                lines += linesOfRow
                place = next
            case .row(let next):
                names = try (0..<fieldsOfRow).map { (index) throws(BadRecord) in
                    let name = self.bytes(of: index, base: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + place)
                    guard let text = String(validating: name, as: UTF8.self) else {
                        throw BadRecord(field: "column \(index + 1)", problem: "has a name that is not UTF-8", skip: (0, 0))
                    }
                    return text
                }
                if let twice = names.indices.first(where: { names[..<$0].contains(names[$0]) }) {
                    throw BadRecord(field: "column \(twice + 1)", problem: "has the name \"\(names[twice])\" of another column", skip: (0, 0))
                }
                return (next, lines + linesOfRow)
            }
        }
    }

    @usableFromInline
    func bytes(of index: Int, base: UnsafePointer<UInt8>) -> UnsafeRawBufferPointer {
        // A column of another file's header may lie behind the end of this row.
        guard index < fieldsOfRow else { return UnsafeRawBufferPointer(start: base, count: 0) }
        let field = fields[index]
        let raw = UnsafeRawBufferPointer(start: base + field.start, count: field.end - field.start)
        return field.hasDoubledQuotes ? undouble(raw) : raw
    }

    /// Good until the next call.
    private func undouble(_ raw: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        if scratch.count < raw.count {
            scratch.deallocate()
            scratch = .allocate(byteCount: raw.count, alignment: 1)
        }
        var count = 0, index = 0
        while index < raw.count {
            scratch[count] = raw[index]
            count += 1
            index += raw[index] == Self.quote ? 2 : 1
        }
        return UnsafeRawBufferPointer(rebasing: scratch[0..<count])
    }

    /// The row that starts at `start`.
    @usableFromInline
    func scan(_ bytes: UnsafeRawBufferPointer, from start: Int, isAtEnd: Bool) throws(BadRecord) -> Step {
        guard start < bytes.count, let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return .more }
        let row = base + start, count = bytes.count - start
        var index = scanned
        while index < count {
            let byte = row[index]
            switch mode {
            case .fieldStart:
                field = Field(start: index, end: index, hasDoubledQuotes: false, line: lines)
                if byte == Self.quote {
                    field.start = index + 1
                    mode = .quoted
                    index += 1
                } else {
                    mode = .plain
                }
            case .plain:
                var end = index
                while end < count, row[end] != separator, row[end] != Self.newline, row[end] != Self.quote { end += 1 }
                index = end
                guard end < count else { break }
                if row[end] == Self.quote {
                    fail("has a quote inside a field without quotes: put the field in quotes and double the ones inside")
                } else {
                    let isNewline = row[end] == Self.newline
                    let hasReturn = isNewline && end > field.start && row[end - 1] == Self.carriageReturn
                    field.end = hasReturn ? end - 1 : end
                    append()
                    index = end + 1
                    if isNewline { return try finish(next: start + index, length: index, row) }
                }
            case .quoted:
                var end = index
                while end < count, row[end] != Self.quote {
                    if row[end] == Self.newline { lines += 1 }
                    end += 1
                }
                index = end
                guard end < count else { break }
                field.end = end
                mode = .quoteSeen
                index = end + 1
            case .quoteSeen:
                if byte == Self.quote {
                    field.hasDoubledQuotes = true
                    mode = .quoted
                } else if byte == separator {
                    append()
                } else if byte == Self.newline {
                    append()
                    return try finish(next: start + index + 1, length: index + 1, row)
                } else if byte == Self.carriageReturn {
                    mode = .returnAfterQuote
                } else {
                    fail("has text behind its closing quote")
                    continue
                }
                index += 1
            case .returnAfterQuote:
                guard byte == Self.newline else {
                    fail("has text behind its closing quote")
                    continue
                }
                append()
                return try finish(next: start + index + 1, length: index + 1, row)
            case .skipping:
                index += 1
                if byte == Self.newline { throw bad(length: index) }
            }
        }
        scanned = index
        return isAtEnd ? try end(start: start, row: row, count: count) : .more
    }

    /// The file ends in this row.
    private func end(start: Int, row: UnsafePointer<UInt8>, count: Int) throws(BadRecord) -> Step {
        switch mode {
        case .fieldStart: field = Field(start: count, end: count, hasDoubledQuotes: false, line: lines)
        case .plain: field.end = count > field.start && row[count - 1] == Self.carriageReturn ? count - 1 : count
        case .quoteSeen, .returnAfterQuote: break
        case .skipping: throw bad(length: count)
        case .quoted:
            // The line that the quote stands in is bad; what follows may be read.
            var skip = field.start
            while skip < count, row[skip] != Self.newline { skip += 1 }
            (lines, fault) = (field.line, (field.line, fieldCount, "has a quote that is never closed"))
            throw bad(length: min(skip + 1, count))
        }
        append()
        return try finish(next: start + count, length: count, row)
    }

    private func append() {
        if fieldCount == capacity {
            let larger = UnsafeMutablePointer<Field>.allocate(capacity: capacity * 2)
            larger.update(from: fields, count: fieldCount)
            fields.deallocate()
            (fields, capacity) = (larger, capacity * 2)
        }
        fields[fieldCount] = field
        fieldCount += 1
        mode = .fieldStart
    }

    /// The row is complete.
    private func finish(next: Int, length: Int, _ row: UnsafePointer<UInt8>) throws(BadRecord) -> Step {
        linesOfRow = lines + 1
        let found = fieldCount
        (mode, scanned, fieldCount, lines) = (.fieldStart, 0, 0, 0)
        // Nothing but a line end. A field in quotes starts behind the quote.
        if found == 1, fields[0].start == 0, fields[0].end == 0 { return .blank(next: next) }
        fieldsOfRow = found
        guard readsHeader || found == names.count else {
            throw BadRecord(
                problem: "has \(found) field\(found == 1 ? "" : "s"), the header has \(names.count)", skip: (length, linesOfRow))
        }
        return .row(next: next)
    }

    private func fail(_ problem: String) {
        fault = (lines, fieldCount, problem)
        mode = .skipping
    }

    private func bad(length: Int) -> BadRecord {
        let fault = fault ?? (0, 0, "cannot be read")
        let error = BadRecord(line: fault.line, field: name(ofColumn: fault.field), problem: fault.problem, skip: (length, lines + 1))
        (mode, scanned, fieldCount, lines, self.fault) = (.fieldStart, 0, 0, 0, nil)
        return error
    }

    private func name(ofColumn index: Int) -> String {
        index < names.count ? "column \(index + 1) (\(names[index]))" : "column \(index + 1)"
    }

    /// An error of the program's own function for the row that was found last.
    @usableFromInline
    func describe(_ error: any Error, skip: Int) -> BadRecord {
        guard let error = error as? CSVFieldError else { return BadRecord(problem: "\(error)", skip: (skip, linesOfRow)) }
        return BadRecord(
            line: fields[error.column].line, field: name(ofColumn: error.column), problem: "is \"\(error.found)\", expected is \(error.expected)",
            skip: (skip, linesOfRow))
    }
}
