internal import CellGrid
internal import ConsoleApp
public import ConsoleCore
internal import ControlProtocol

/// Themes for `weir themes`, found as the console finds them.
public enum ThemeCommands {
    public struct Listed: Sendable {
        public var name: String
        /// nil = compiled in.
        public var file: String?
    }

    /// All themes that can be chosen by name.
    public static func list() -> [Listed] {
        let library = ThemeLibrary()
        return library.names().map { Listed(name: $0, file: library.path(of: $0)) }
    }

    /// Themes looked over; without names all there are. A theme that cannot be read is its error.
    public static func check(_ names: [String]) -> [(name: String, result: Result<ThemeReport, ThemeError>)] {
        let library = ThemeLibrary()
        return (names.isEmpty ? library.names() : names).map { name in
            do throws(ThemeError) { return (name, .success(try library.check(name))) } catch { return (name, .failure(error)) }
        }
    }

    /// The reports as one line of JSON.
    public static func json(_ results: [(name: String, result: Result<ThemeReport, ThemeError>)]) throws -> String {
        try ControlCodec.json(CheckRecord(themes: results.map(ThemeRecord.init)))
    }
}

private struct CheckRecord: Encodable {
    var schema = 1
    var themes: [ThemeRecord]
}

private struct ThemeRecord: Encodable {
    struct Finding: Encodable {
        var rule: String
        var line: Int?
        var text: String
        var isError: Bool
    }

    var name: String
    var file: String
    var isGood: Bool
    var leastContrast: Double?
    var leastContrastRole: String?
    var nearestPairDistance: Double?
    var nearestPairVision: String?
    var findings: [Finding]

    init(_ name: String, _ result: Result<ThemeReport, ThemeError>) {
        switch result {
        case .success(let report):
            (self.name, file, isGood) = (report.name, report.file, report.isGood)
            leastContrast = report.leastContrast?.ratio
            leastContrastRole = report.leastContrast?.role.name
            nearestPairDistance = report.nearestPair?.distance
            nearestPairVision = report.nearestPair?.vision.rawValue
            findings = report.findings.map { Finding(rule: $0.rule.rawValue, line: $0.line, text: $0.text, isError: $0.isError) }
        case .failure(let error):
            (self.name, file, isGood) = (name, error.file, false)
            findings = [Finding(rule: "unreadable", line: error.line, text: error.problem, isError: true)]
        }
    }
}
