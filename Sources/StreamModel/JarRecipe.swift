/// The data to launch a job of a Flink cluster again: the jar and the settings of its program.
public struct JarRecipe: Codable, Sendable, Hashable {
    public enum Jar: Codable, Sendable, Hashable {
        /// Id of a jar on the cluster: "<uuid>_<name>.jar".
        case uploaded(String)
        /// A file on the operator's machine, uploaded before each launch.
        case file(String)
    }
    public var jar: Jar
    /// Entry class; nil = named by the jar's manifest.
    public var entryClass: String?
    public var arguments: [String]
    /// Parallelism; nil = set by the program, or the cluster's default.
    public var parallelism: Int?

    public init(jar: Jar, entryClass: String? = nil, arguments: [String] = [], parallelism: Int? = nil) {
        self.jar = jar
        self.entryClass = entryClass
        self.arguments = arguments
        self.parallelism = parallelism
    }

    /// Name of the jar without folders and uuid.
    public var jarName: String {
        switch jar {
        case .file(let path): return path.split(separator: "/").last.map(String.init) ?? path
        case .uploaded(let id):
            let digits = id.prefix { $0 != "_" }
            return digits.utf8.count == 36 ? String(id.dropFirst(37)) : id
        }
    }

    /// Recipe for screens that show how a job is launched.
    public var summary: JobRecipe {
        JobRecipe(
            program: entryClass.map { "\(jarName) \($0)" } ?? jarName,
            arguments: arguments.isEmpty ? [:] : ["arguments": arguments.joined(separator: " ")], parallelism: parallelism ?? 0)
    }
}

/// Parsing of typed recipes: the jar, then options `--class NAME` and `--parallelism N`, then `--` and the program's arguments. A quoted part ("two
/// words") is one word.
extension JarRecipe {
    public enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
        case noJar, unclosedQuote, noValue(String), notAParallelism(String), unknown(String)

        public var description: String {
            switch self {
            case .noJar: "there is no jar: JAR [--class NAME] [--parallelism N] [-- ARGUMENT...], where JAR is a file or the id of a jar on the cluster"
            case .unclosedQuote: "a quotation mark is not closed"
            case .noValue(let option): "\(option) needs a value"
            case .notAParallelism(let text):
                "'\(text)' is no parallelism: it is a number from \(Parallelism.range.lowerBound) to \(Parallelism.range.upperBound)"
            case .unknown(let word): "'\(word)' is no option: there are --class and --parallelism; arguments of the program come after --"
            }
        }
    }

    public init(line: String) throws(Problem) { try self.init(words: try Self.words(of: line)) }

    public init(words: [String]) throws(Problem) {
        guard let first = words.first, !first.hasPrefix("--") else { throw .noJar }
        self.init(jar: Self.jar(first))
        var rest = words.dropFirst()
        while let word = rest.popFirst() {
            switch word {
            case "--":
                arguments = Array(rest)
                return
            case "--class":
                guard let name = rest.popFirst() else { throw .noValue(word) }
                entryClass = name
            case "--parallelism":
                guard let text = rest.popFirst() else { throw .noValue(word) }
                guard let number = Int(text), Parallelism.range.contains(number) else { throw .notAParallelism(text) }
                parallelism = number
            default: throw .unknown(word)
            }
        }
    }

    /// Text that `init(line:)` reads as this recipe. A word with both kinds of quotation marks cannot be written.
    public var line: String {
        var words = [jarWord]
        if let entryClass { words += ["--class", entryClass] }
        if let parallelism { words += ["--parallelism", "\(parallelism)"] }
        if !arguments.isEmpty { words += ["--"] + arguments }
        return words.map(Self.quoted).joined(separator: " ")
    }

    private var jarWord: String {
        switch jar {
        case .uploaded(let id): id
        case .file(let path): path
        }
    }

    private static func quoted(_ word: String) -> String {
        guard word.isEmpty || word.contains(where: { " \t\"'".contains($0) }) else { return word }
        return word.contains("\"") ? "'\(word)'" : "\"\(word)\""
    }

    /// The jar named by a word: one with a slash or without a uuid prefix is a file.
    public static func jar(_ word: String) -> Jar {
        let digits = word.prefix { $0 != "_" }
        let isID = digits.utf8.count == 36 && digits.utf8.allSatisfy { $0 == 0x2d || (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        return isID && !word.contains("/") ? .uploaded(word) : .file(word)
    }

    private static func words(of line: String) throws(Problem) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in line {
            if let open = quote {
                if character == open { quote = nil } else { word?.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let finished = word { words.append(finished) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { throw .unclosedQuote }
        if let finished = word { words.append(finished) }
        return words
    }
}
