internal import CellGrid
public import TOMLKit

/// A mistake in a configuration: its place, what is wrong there, and what follows from it.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public var file: String
    /// 1 is the first; nil where no line is to blame.
    public var line: Int?
    public var column: Int?
    public var problem: String
    /// Until it is mended.
    public var consequence = "it is ignored"

    public init(file: String, line: Int? = nil, column: Int? = nil, problem: String) {
        self.file = file
        self.line = line
        self.column = column
        self.problem = problem
    }

    public var description: String { "\(place): \(problem); \(consequence)" }

    /// "config.toml:3:1".
    public var place: String { "\(file)\(line.map { ":\($0)" } ?? "")\(column.map { ":\($0)" } ?? "")" }
}

/// The text of a configuration, for finding the places that errors name: the parser keeps none.
public struct ConfigurationSource {
    public let text: String
    public let name: String

    public func root() throws(ConfigurationError) -> ConfigurationSection {
        guard !text.utf8.contains(0) else { throw ConfigurationError(file: name, problem: "contains a NUL character") }
        do {
            return ConfigurationSection(source: self, path: "", table: try TOMLTable(string: text))
        } catch let error as TOMLParseError {
            let begin = error.source.begin
            throw ConfigurationError(
                file: name, line: begin.line, column: begin.column, problem: "is not TOML: \(SafeText(error.description, limit: 200))")
        } catch {
            throw ConfigurationError(file: name, problem: "is not TOML: \(SafeText("\(error)", limit: 200))")
        }
    }

    /// Where a key of a section stands, however it is written; else where the section begins. An empty key is the section itself.
    public func place(of key: String, in section: String) -> (line: Int, column: Int)? {
        let wanted = [section, key].filter { !$0.isEmpty }.joined(separator: ".")
        var current = "", around: (line: Int, column: Int)?
        for (row, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let indent = line.prefix { $0 == " " || $0 == "\t" }.count
            let place = (line: row + 1, column: indent + 1)
            let bare = line.filter { $0 != " " && $0 != "\t" && $0 != "\"" && $0 != "'" }
            if bare.hasPrefix("[") {
                current = String(bare.drop { $0 == "[" }.prefix { $0 != "]" })
                if current == wanted { return place }
                if current == section || current.hasPrefix(wanted + ".") { around = around ?? place }
            } else if bare.contains("="), !bare.hasPrefix("#") {
                let left = bare.prefix { $0 != "=" }
                let path = current.isEmpty ? String(left) : "\(current).\(left)"
                if path == wanted || path.hasPrefix(wanted + ".") { return place }
                // An inline table holds the key.
                if wanted.hasPrefix(path + ".") { around = place }
            }
        }
        return around
    }
}

/// A table of a configuration: values by type, with errors that know their place.
public struct ConfigurationSection {
    public let source: ConfigurationSource
    /// "contexts.lab"; empty at the top.
    public let path: String
    private let table: TOMLTable

    public init(source: ConfigurationSource, path: String, table: TOMLTable) {
        self.source = source
        self.path = path
        self.table = table
    }

    /// Sorted.
    public var keys: [String] { table.keys.sorted() }

    public func has(_ key: String) -> Bool { table[key] != nil }

    public func failure(_ key: String, _ problem: String) -> ConfigurationError {
        let place = source.place(of: key, in: path)
        return ConfigurationError(file: source.name, line: place?.line, column: place?.column, problem: problem)
    }

    public func checkKeys(_ known: [String]) throws(ConfigurationError) {
        for key in keys where !known.contains(key) {
            let place = path.isEmpty ? "" : " in [\(SafeText(path))]"
            throw failure(key, "unknown key \"\(SafeText(key, limit: 60))\"\(place); there are \(known.joined(separator: ", "))")
        }
    }

    public func section(_ key: String) throws(ConfigurationError) -> ConfigurationSection? {
        guard let value = table[key] else { return nil }
        let inner = path.isEmpty ? key : "\(path).\(key)"
        guard let table = value.table else {
            throw failure(key, inner == "contexts" ? "\(key) must be tables: [\(key).NAME]" : "\(SafeText(key)) must be a table: [\(SafeText(inner))]")
        }
        return ConfigurationSection(source: source, path: inner, table: table)
    }

    public func text(_ key: String) throws(ConfigurationError) -> String? {
        guard let value = table[key] else { return nil }
        guard let text = value.string, !text.isEmpty else { throw failure(key, "\(SafeText(key)) must be a text in quotes") }
        return text
    }

    public func absolutePath(_ key: String) throws(ConfigurationError) -> String? {
        guard let path = try text(key) else { return nil }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw failure(key, "\(key) must be an absolute path") }
        return path
    }

    public func truth(_ key: String) throws(ConfigurationError) -> Bool? {
        guard let value = table[key] else { return nil }
        guard let truth = value.bool else { throw failure(key, "\(key) must be true or false") }
        return truth
    }

    public func count(_ key: String, _ range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        guard let value = table[key] else { return nil }
        guard let count = value.int, range.contains(count) else {
            throw failure(key, "\(key) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }

    public func choice<Value>(_ key: String, _ choices: [(String, Value)]) throws(ConfigurationError) -> Value? {
        guard let value = table[key] else { return nil }
        guard let word = value.string, let found = choices.first(where: { $0.0 == word }) else {
            throw failure(key, "\(key) must be one of \(choices.map { "\"\($0.0)\"" }.joined(separator: ", "))")
        }
        return found.1
    }

    /// A text, or several in an array.
    public func texts(_ key: String) throws(ConfigurationError) -> [String]? {
        guard let value = table[key] else { return nil }
        if let text = value.string { return [text] }
        guard let array = value.array else { throw failure(key, "\(SafeText(key)) must be a text, or texts in [ ]") }
        var texts: [String] = []
        for element in array {
            guard let text = element.string else { throw failure(key, "\(SafeText(key)) must be a text, or texts in [ ]") }
            texts.append(text)
        }
        return texts
    }
}
