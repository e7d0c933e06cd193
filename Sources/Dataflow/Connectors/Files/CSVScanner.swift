/// Finds the fields of rows. Remembers its position in an unfinished row, so that it scans each byte once, however the bytes arrive.
@usableFromInline
final class CSVScanner {
    @usableFromInline
    enum Step {
        /// The row is incomplete.
        case more
        /// A row, with fields kept until the next call, and the start of the next one.
        case row(next: Int)
        case blank(next: Int)
    }

    @usableFromInline
    struct Field {
        /// Offset from the start of the row, without quotes.
        @usableFromInline var start: Int
        @usableFromInline var end: Int
        @usableFromInline var hasDoubledQuotes: Bool
        @usableFromInline var line: Int
    }

    private enum Mode {
        case fieldStart, plain, quoted
        /// After a quote in a quoted field: the end of the field, or the first of two quotes.
        case quoteSeen
        case returnAfterQuote
        /// A bad row: the rest of its line is skipped.
        case skipping
    }

    private let separator: UInt8
    @usableFromInline private(set) var names: [String]
    private let hasHeaderLine: Bool
    @usableFromInline private(set) var fields: UnsafeMutablePointer<Field>
    private var capacity = 64
    private var fieldCount = 0
    /// Number of fields of the last row.
    private var fieldsOfRow = 0
    private var readsHeader = false
    private var mode = Mode.fieldStart
    /// Offset from the start of the row.
    private var scanned = 0
    private var field = Field(start: 0, end: 0, hasDoubledQuotes: false, line: 0)
    private var lines = 0
    private var fault: (line: Int, field: Int, problem: String)?
    /// Number of lines of the last row.
    @usableFromInline private(set) var linesOfRow = 0
    private var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 1)

    private static let quote = UInt8(ascii: "\""), newline = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r")

    /// - Parameter names: of the columns, for files without header line.
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

    /// The header; nil = incomplete.
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
            // Given again from the start of the file, with more: no position is kept.
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
        // The column may not exist in this row if it comes from another file's header.
        guard index < fieldsOfRow else { return UnsafeRawBufferPointer(start: base, count: 0) }
        let field = fields[index]
        let raw = UnsafeRawBufferPointer(start: base + field.start, count: field.end - field.start)
        return field.hasDoubledQuotes ? undouble(raw) : raw
    }

    /// Removes doubled quotes; valid until the next call.
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

    /// Scans the row that starts at `start`.
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

    /// Handles the end of the file in this row.
    private func end(start: Int, row: UnsafePointer<UInt8>, count: Int) throws(BadRecord) -> Step {
        switch mode {
        case .fieldStart: field = Field(start: count, end: count, hasDoubledQuotes: false, line: lines)
        case .plain: field.end = count > field.start && row[count - 1] == Self.carriageReturn ? count - 1 : count
        case .quoteSeen, .returnAfterQuote: break
        case .skipping: throw bad(length: count)
        case .quoted:
            // The line with the quote is bad; reading may continue after it.
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

    /// Completes the row.
    private func finish(next: Int, length: Int, _ row: UnsafePointer<UInt8>) throws(BadRecord) -> Step {
        linesOfRow = lines + 1
        let found = fieldCount
        (mode, scanned, fieldCount, lines) = (.fieldStart, 0, 0, 0)
        // Nothing but a line end. A quoted field starts behind the quote.
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

    /// An error of the program's own function for the last row.
    @usableFromInline
    func describe(_ error: any Error, skip: Int) -> BadRecord {
        guard let error = error as? CSVFieldError else { return BadRecord(problem: "\(error)", skip: (skip, linesOfRow)) }
        return BadRecord(
            line: fields[error.column].line, field: name(ofColumn: error.column), problem: "is \"\(error.found)\", expected \(error.expected)",
            skip: (skip, linesOfRow))
    }
}
