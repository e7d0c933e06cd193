import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: the same bytes make the same records, wherever they are cut, and no bytes make a trap. Method: the parsers alone, driven as the file
// reader drives them, with all bytes at once, byte by byte, and in pieces of random lengths.

/// What a parser made of some bytes: records, and in their places the faults.
private func parse<Format: RecordFormat>(_ bytes: [UInt8], _ format: Format, pieces: () -> Int) -> [String] {
    var parser = format.makeParser()
    var found: [String] = []
    let out = Emitter<Format.Record> { base, count in
        for index in 0..<count { found.append("\(base[index])") }
    }
    defer { out.release() }
    var start = 0, end = 0, line = 0, hasHeader = false
    while true {
        let isAtEnd = end == bytes.count, hadHeader = hasHeader
        var progress = ParseProgress()
        let bad = bytes.withUnsafeBytes { all -> BadRecord? in
            let window = UnsafeRawBufferPointer(rebasing: all[start..<end])
            do throws(BadRecord) {
                if !hasHeader {
                    guard let header = try parser.parseHeader(window, isAtEnd: isAtEnd) else { return nil }
                    hasHeader = true
                    start += header.bytes
                    line += header.lines
                    return nil
                }
                try parser.parse(window, isAtEnd: isAtEnd, limit: 7, into: out, progress: &progress)
                return nil
            } catch { return error }
        }
        if let error = bad {
            out.flush()
            line += progress.lines
            found.append("line \(line + error.line + 1)\(error.field.map { ", \($0)" } ?? ""): \(error.problem)")
            if !hasHeader { return found }
            start += progress.bytes + error.skip.bytes
            line += error.skip.lines
            continue
        }
        out.flush()
        start += progress.bytes
        line += progress.lines
        if isAtEnd, hadHeader, progress.bytes == 0 {
            if start < bytes.count { found.append("stuck") }
            return found
        }
        if progress.bytes == 0, hadHeader == hasHeader { end = min(bytes.count, end + pieces()) }
    }
}

private func parse<Format: RecordFormat>(_ bytes: [UInt8], _ format: Format, sourceLocation: SourceLocation = #_sourceLocation) -> [String] {
    let whole = parse(bytes, format) { .max / 2 }
    #expect(parse(bytes, format) { 1 } == whole, "byte by byte", sourceLocation: sourceLocation)
    return whole
}

private struct Quote: Sendable, CustomStringConvertible {
    var symbol: String, price: Double?, size: Int
    var description: String { "\(symbol)|\(price.map { "\($0)" } ?? "-")|\(size)" }
}

private let quotes = CSVFormat { header in
    let symbol = try header.column("symbol", String.self)
    let price = try header.column("price", Double?.self)
    let size = try header.column("size", Int.self)
    return { row in Quote(symbol: try row[symbol], price: try row[price], size: try row[size]) }
}

@Suite struct CSVTests {
    private func rows(_ text: String) -> [String] { parse(Array(text.utf8), quotes) }

    @Test func readsTypedColumnsByName() {
        #expect(rows("symbol,price,size\nA,1.5,2\nB,,3\n") == ["A|1.5|2", "B|-|3"])
        #expect(rows("size,symbol,price\n2,A,1.5") == ["A|1.5|2"], "by name, not by place; the last line needs no end")
        #expect(rows("size,other,symbol,price\n2,x,A,1.5") == ["A|1.5|2"], "a column that nobody asks for")
    }

    @Test func readsQuotesSeparatorsAndLineEndsInFields() {
        #expect(
            rows("symbol,price,size\r\n\"a,b\",1,2\r\n\"say \"\"hi\"\"\",2,3\r\n\"two\r\nlines\",3,4\r\n") == [
                "a,b|1.0|2", "say \"hi\"|2.0|3", "two\r\nlines|3.0|4",
            ])
        #expect(rows("\"symbol\",\"price\",\"size\"\n\"\",\"\",\"7\"\n") == ["|-|7"])
        #expect(rows("symbol,price,size\nA,1,2\r") == ["A|1.0|2"])
        #expect(rows("symbol,price,size\n\"A\",1,\"2\"") == ["A|1.0|2"])
    }

    @Test func skipsAByteOrderMarkAndEmptyLines() {
        #expect(rows("\u{FEFF}symbol,price,size\n\n\r\nA,1,2\n\n") == ["A|1.0|2"])
        #expect(rows("\n\nsymbol,price,size\nA,1,x\n") == ["line 4, column 3 (size): is \"x\", expected a whole number of \(Int.min) to \(Int.max)"])
        #expect(rows("") == [] && rows("symbol,price,size\n") == [] && rows("symbol,price,size") == [])
    }

    @Test func namesLineColumnAndExpectation() {
        #expect(
            rows("symbol,price,size\nA,1,2\nB,1.5.2,3\nC,1,4\n") == [
                "A|1.0|2", "line 3, column 2 (price): is \"1.5.2\", expected a number, or nothing", "C|1.0|4",
            ])
        // The row starts at line 2; its bad field at line 3.
        #expect(
            rows("symbol,price,size\n\"x\ny\",abc,3\nC,1,4\n") == [
                "line 3, column 2 (price): is \"abc\", expected a number, or nothing", "C|1.0|4",
            ])
        #expect(
            rows("symbol,price,size\nA,1\nB,1,2,3\nC,1,4\n") == [
                "line 2: has 2 fields, the header has 3", "line 3: has 4 fields, the header has 3", "C|1.0|4",
            ])
        let long = rows("symbol,price,size\nA,1,\(String(repeating: "9", count: 100))\n")[0]
        #expect(long.count < 200 && long.contains("..."))
    }

    @Test func badQuotesCostTheirLineOnly() {
        #expect(
            rows("symbol,price,size\nA\"x\",1,2\nB,1,2\n") == [
                "line 2, column 1 (symbol): has a quote inside a field without quotes: put the field in quotes and double the ones inside", "B|1.0|2",
            ])
        #expect(rows("symbol,price,size\nA,\"1\"x,2\nB,1,2\n") == ["line 2, column 2 (price): has text behind its closing quote", "B|1.0|2"])
        #expect(rows("symbol,price,size\nA,\"1\"\rx,2\nB,1,2\n") == ["line 2, column 2 (price): has text behind its closing quote", "B|1.0|2"])
        #expect(rows("symbol,price,size\nA,\"1,2\nB,1,2\nC,3,4") == ["line 2, column 2 (price): has a quote that is never closed", "B|1.0|2", "C|3.0|4"])
    }

    @Test func aMismatchedHeaderIsRefused() {
        #expect(rows("symbol,size\nA,1\n") == ["line 1: has no column \"price\": the columns are symbol, size"])
        #expect(rows("symbol,price,size,price\n") == ["line 1, column 4: has the name \"price\" of another column"])
        #expect(parse([0xFF, 0x2C, 0x61, 0x0A], quotes) == ["line 1, column 1: has a name that is not UTF-8"])
        #expect(rows("symbol,\"price,size\nA,1,2\n") == ["line 1, column 2: has a quote that is never closed"])
    }

    @Test func namesMayComeFromTheProgram() {
        let format = CSVFormat(separator: ";", header: ["a", "b"]) { header in
            let a = try header.column("a", Int.self), b = try header.column("b", Bool.self)
            return { row in "\(try row[a]) \(try row[b])" }
        }
        #expect(parse(Array("1;true\n2;0\n3;no\n".utf8), format) == ["1 true", "2 false", "line 3, column 2 (b): is \"no\", expected true, false, 1 or 0"])
    }

    @Test func numbersAreReadExactly() {
        func number<Value: CSVValue>(_ text: String, _ type: Value.Type) -> Value? { Array(text.utf8).withUnsafeBytes { Value(csv: $0) } }
        for text in ["0", "-0", "1", "-1.5", "3.141592653589793", "123456789012345678", "0.1", "1e300", "-2.5E-7", "9007199254740993", ".5", "5."] {
            let normal = text.hasPrefix(".") ? "0" + text : text.hasSuffix(".") ? text + "0" : text
            #expect(number(text, Double.self) == Double(normal), "\(text)")
        }
        for text in ["", "-", ".", "1,5", " 1", "1 ", "nan", "inf", "0x10", "1e", "1e999", "--1", "1-2"] {
            #expect(number(text, Double.self) == nil, "\(text)")
        }
        #expect(number("-128", Int.self) == -128 && number("+5", UInt64.self) == 5 && number("-5", UInt64.self) == nil)
        #expect(number("9223372036854775807", Int.self) == .max && number("-9223372036854775808", Int.self) == .min)
        #expect(number("9223372036854775808", Int.self) == nil && number("18446744073709551616", UInt64.self) == nil)
        #expect(number("1.0", Int.self) == nil && number("", Int.self) == nil && number("", Int?.self) == .some(nil))
    }

    @Test(arguments: UInt64(1)...40)
    func garbageGivesTheSameResultInAnyPieces(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = [UInt8]("\"\",,\n\r\nab1.".utf8) + [0, 0xFF, 0xEF]
        let body = (0..<Int.random(in: 0...400, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
        let bytes = (seed % 4 == 0 ? [] : Array("symbol,price,size\n".utf8)) + body
        let whole = parse(bytes, quotes)
        #expect(!whole.contains("stuck"), "seed \(seed)")
        #expect(parse(bytes, quotes) { Int.random(in: 1...9, using: &random) } == whole, "seed \(seed)")
    }
}

@Suite struct JSONLinesTests {
    private struct Order: Decodable, Sendable, CustomStringConvertible {
        struct Item: Decodable, Sendable { var name: String, price: Double }
        var id: Int
        var items: [Item]
        var description: String { "\(id):" + items.map { "\($0.name)=\($0.price)" }.joined(separator: ",") }
    }

    private func lines(_ text: String) -> [String] { parse(Array(text.utf8), JSONLinesFormat<Order>()) }

    @Test func decodesOneRecordPerLine() {
        #expect(lines(#"{"id":1,"items":[]}"# + "\n\n  \r\n" + #"{"items":[{"name":"é","price":1.5}],"id":2}"#) == ["1:", "2:é=1.5"])
        #expect(lines("") == [] && lines("\n\n") == [])
    }

    @Test func namesLineAndFieldPath() {
        let good = #"{"id":1,"items":[]}"# + "\n"
        let missing = lines(good + #"{"id":1,"items":[{"name":"a","price":1},{"name":"b"}]}"# + "\n" + good)
        #expect(missing == ["1:", "line 2, field items[1].price: is missing", "1:"])
        let mistyped = lines(#"{"id":"x","items":[]}"# + "\n" + good)
        #expect(mistyped.count == 2 && mistyped[0].hasPrefix("line 1, field id: is no Int"), "\(mistyped)")
        let null = lines(#"{"id":null,"items":[]}"# + "\n")
        #expect(null.count == 1 && null[0].hasPrefix("line 1, field id: is null, a Int is expected"), "\(null)")
        let cut = lines(#"{"id":1,"#)
        #expect(cut.count == 1 && cut[0].hasPrefix("line 1: is not valid JSON"), "\(cut)")
    }

    @Test(arguments: UInt64(1)...20)
    func garbageIsAnErrorInAnyPieces(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bytes = Array((#"{"id":1,"items":[{"name":"a","price":1}]}"# + "\n" + #"{"id":2,"items":[]}"# + "\n").utf8)
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = [0x22, 0x7B, 0x5B, 0x0A, 0x5C, 0xFF, 0, 0x30].randomElement(using: &random)!
        }
        let whole = parse(bytes, JSONLinesFormat<Order>())
        #expect(!whole.contains("stuck") && parse(bytes, JSONLinesFormat<Order>()) { Int.random(in: 1...9, using: &random) } == whole, "seed \(seed)")
    }
}

@Suite struct LineFormatTests {
    @Test(arguments: ["", "\n", "a", "a\r\nb", "a\r", "\r\n\r\n", "a\n\nb\n"])
    func linesAreTheSameInAnyPieces(text: String) { #expect(!parse(Array(text.utf8), LineFormat()).contains("stuck")) }
}
