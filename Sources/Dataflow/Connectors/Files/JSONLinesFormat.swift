internal import FoundationEssentials

/// One JSON value per line, decoded into a type of the program. Empty lines are skipped.
public struct JSONLinesFormat<Record: Decodable & Sendable>: RecordFormat {
    public init(_ type: Record.Type = Record.self) {}
    public static var recordName: String { "line" }
    public func makeParser() -> JSONLinesParser<Record> { JSONLinesParser() }
}

public struct JSONLinesParser<Record: Decodable & Sendable>: RecordParser {
    private let decoder = JSONDecoder()
    private var finder = LineFinder()

    public init() {}

    public mutating func parse(
        _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, limit: Int, into out: Emitter<Record>, progress: inout ParseProgress
    ) throws(BadRecord) {
        while progress.records < limit, let line = finder.next(in: bytes, from: progress.bytes, isAtEnd: isAtEnd) {
            let text = UnsafeRawBufferPointer(rebasing: bytes[progress.bytes..<line.end])
            if text.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
                do { out.emit(try decoder.decode(Record.self, from: Data(text))) } catch {
                    let (field, problem) = JSONProblem.describe(error)
                    throw BadRecord(field: field, problem: problem, skip: (line.next - progress.bytes, 1))
                }
                progress.records += 1
            }
            progress.bytes = line.next
            progress.lines += 1
        }
    }
}

/// Texts for errors of the JSON decoder.
enum JSONProblem {
    static func describe(_ error: any Error) -> (field: String?, problem: String) {
        guard let error = error as? DecodingError else { return (nil, "\(error)") }
        switch error {
        case .keyNotFound(let key, let context): return (path(context.codingPath + [key]), "is missing")
        case .typeMismatch(let type, let context): return (path(context.codingPath), "is no \(type): \(context.debugDescription)")
        case .valueNotFound(let type, let context): return (path(context.codingPath), "is null, a \(type) is expected")
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty
                ? (nil, "is not valid JSON: \(context.underlyingError.map { "\($0)" } ?? context.debugDescription)")
                : (path(context.codingPath), context.debugDescription)
        @unknown default: return (nil, "\(error)")
        }
    }

    /// Path such as `items[2].price`.
    private static func path(_ keys: [any CodingKey]) -> String? {
        guard !keys.isEmpty else { return nil }
        let text = keys.reduce("") { path, key in
            if let index = key.intValue { path + "[\(index)]" } else { path + (path.isEmpty ? "" : ".") + key.stringValue }
        }
        return "field \(text)"
    }
}
