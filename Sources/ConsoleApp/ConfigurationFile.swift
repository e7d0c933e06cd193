internal import CellGrid
internal import ConsoleCore
internal import TOMLKit

/// The operator's `config.toml`:
///
///     theme  = "slate"          # name or path
///     ascii  = false
///     colors = "256"            # none, 8, 16, 256, direct
///     [contexts.lab]
///     socket = "/run/user/1000/weir/engine.sock"
///     class  = "lab"            # lab, staging, prod, demo
///     readonly = false
struct ConfigurationFile: Equatable {
    var theme: String?
    var usesASCII: Bool?
    var colorDepth: ColorDepth?
    /// By name.
    var contexts: [ConsoleContext] = []

    static let bytesMax = 64 << 10

    struct Failure: Error, Equatable, CustomStringConvertible {
        var file: String
        var line: Int?
        var problem: String
        var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(problem); the file is left out" }
    }

    /// Reads the file; a missing one is an empty one, a bad one is an error as a whole.
    static func load(_ path: String) throws(Failure) -> ConfigurationFile {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, limit: bytesMax)
        } catch .missing {
            return ConfigurationFile()
        } catch {
            throw Failure(file: path, line: nil, problem: error.reason)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(file: path, line: nil, problem: "is not UTF-8; save it as UTF-8")
        }
        return try parse(text, name: path)
    }

    static func parse(_ text: String, name: String) throws(Failure) -> ConfigurationFile {
        let source = Source(text: text, name: name)
        let table = try source.table()
        var file = ConfigurationFile()
        for key in table.keys.sorted() {
            switch key {
            case "theme": file.theme = try source.text(table[key], key, in: "")
            case "ascii": file.usesASCII = try source.truth(table[key], key, in: "")
            case "colors":
                file.colorDepth = try source.choice(table[key], key, in: "", ColorDepth.allCases.map { ($0.rawValue, $0) })
            case "contexts":
                guard let contexts = table[key]?.table else { throw source.failure(key, in: "", "contexts must be tables: [contexts.NAME]") }
                for name in contexts.keys.sorted() { file.contexts.append(try context(name, contexts[name]?.table, source)) }
            default: throw source.failure(key, in: "", "unknown key \"\(SafeText(key))\"; there are theme, ascii, colors, contexts")
            }
        }
        return file
    }

    private static func context(_ name: String, _ table: TOMLTable?, _ source: Source) throws(Failure) -> ConsoleContext {
        let section = "contexts.\(name)"
        guard let table else { throw source.failure(name, in: "contexts", "a context must be a table: [contexts.NAME]") }
        guard let socket = try source.text(table["socket"], "socket", in: section), socket.hasPrefix("/") else {
            throw source.failure("socket", in: section, "[\(SafeText(section))] needs socket = \"/absolute/path\"")
        }
        var context = ConsoleContext(name: name, class: .prod, socket: socket)
        for key in table.keys.sorted() where key != "socket" {
            switch key {
            // Without a class the console is as careful as can be.
            case "class":
                context.class = try source.choice(table[key], key, in: section, ContextClass.allCases.map { ($0.rawValue, $0) }) ?? .prod
            case "readonly": context.isReadOnly = try source.truth(table[key], key, in: section) ?? false
            default:
                throw source.failure(
                    key, in: section, "unknown key \"\(SafeText(key))\" in [\(SafeText(section))]; there are socket, class, readonly")
            }
        }
        return context
    }

    /// The text being read: types of values, and the lines that errors name.
    private struct Source {
        let text: String
        let name: String

        func table() throws(Failure) -> TOMLTable {
            guard !text.utf8.contains(0) else { throw Failure(file: name, line: nil, problem: "contains a NUL character") }
            do {
                return try TOMLTable(string: text)
            } catch let error as TOMLParseError {
                throw Failure(
                    file: name, line: error.source.begin.line, problem: "is not TOML: \(SafeText(error.description, limit: 200))")
            } catch {
                throw Failure(file: name, line: nil, problem: "is not TOML: \(SafeText("\(error)", limit: 200))")
            }
        }

        func text(_ value: (any TOMLValueConvertible)?, _ key: String, in section: String) throws(Failure) -> String? {
            guard let value else { return nil }
            guard let text = value.string, !text.isEmpty else { throw failure(key, in: section, "\(key) must be a text in quotes") }
            return text
        }

        func truth(_ value: (any TOMLValueConvertible)?, _ key: String, in section: String) throws(Failure) -> Bool? {
            guard let value else { return nil }
            guard let truth = value.bool else { throw failure(key, in: section, "\(key) must be true or false") }
            return truth
        }

        func choice<Value>(
            _ value: (any TOMLValueConvertible)?, _ key: String, in section: String, _ choices: [(String, Value)]
        ) throws(Failure) -> Value? {
            guard let value else { return nil }
            guard let word = value.string, let found = choices.first(where: { $0.0 == word }) else {
                throw failure(key, in: section, "\(key) must be one of \(choices.map { "\"\($0.0)\"" }.joined(separator: ", "))")
            }
            return found.1
        }

        func failure(_ key: String, in section: String, _ problem: String) -> Failure {
            Failure(file: name, line: line(of: key, in: section), problem: problem)
        }

        /// The line where a section gives a key, or else where the section begins.
        private func line(of key: String, in section: String) -> Int? {
            let wanted = section.isEmpty ? key : "\(section).\(key)"
            var current = "", header: Int?
            for (row, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let bare = line.filter { $0 != " " && $0 != "\t" && $0 != "\"" && $0 != "'" }
                if bare.hasPrefix("[") {
                    current = String(bare.dropFirst().prefix { $0 != "]" })
                    if current == wanted { return row + 1 }
                    if current == section { header = row + 1 }
                } else if bare.contains("=") {
                    let left = bare.prefix { $0 != "=" }
                    let path = current.isEmpty ? String(left) : "\(current).\(left)"
                    if path == wanted || path.hasPrefix(wanted + ".") { return row + 1 }
                }
            }
            return header
        }
    }
}
