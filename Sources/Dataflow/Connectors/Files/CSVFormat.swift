/// Comma-separated values with a header, as in RFC 4180: quoted fields may contain separators, line ends and doubled quotes; lines end with CRLF or
/// LF. Skips a byte order mark at the start and empty lines. A quote inside an unquoted field is an error.
///
///     CSVFormat { header in
///         let symbol = try header.column("symbol", String.self)
///         let price = try header.column("price", Double?.self)
///         return { row in Quote(symbol: try row[symbol], price: try row[price]) }
///     }
public struct CSVFormat<Record: Sendable>: RecordFormat {
    /// Makes the function that reads a row, once per file, from its header.
    public typealias Bind = @Sendable (CSVHeader) throws -> (CSVRow) throws -> Record

    @usableFromInline let separator: UInt8
    @usableFromInline let header: [String]?
    @usableFromInline let bind: Bind

    /// - Parameters:
    ///   - separator: an ASCII character other than a quote or a line end.
    ///   - header: column names for files without header line; nil = the first line names them.
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

/// Names of the columns.
public struct CSVHeader: Sendable {
    public let names: [String]
    @usableFromInline init(names: [String]) { self.names = names }

    /// The column of this name, with fields of type `type`.
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

/// A column with fields of type `Value`.
public struct CSVColumn<Value: CSVValue>: Sendable {
    @usableFromInline let index: Int
    init(index: Int) { self.index = index }
}

/// A field that does not have its column's type.
public struct CSVFieldError: Error, Sendable {
    public let column: Int
    /// Text of the field, shortened.
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

/// A row, valid only while its bytes exist: it must not be kept.
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
        // An empty file has no header and no rows.
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
