internal import CellGrid
public import ControlProtocol
public import Dataflow
public import StreamModel

/// A program that an engine can launch: a description of its arguments, and a factory for the job.
public struct Program: Sendable {
    public var description: ProgramDescription
    /// Default parallelism of a submission.
    public var parallelism: Int
    public var make: @Sendable (ProgramArguments) throws(ProgramError) -> any StreamJob

    public init(
        description: ProgramDescription, parallelism: Int, make: @escaping @Sendable (ProgramArguments) throws(ProgramError) -> any StreamJob
    ) {
        self.description = description
        self.parallelism = parallelism
        self.make = make
    }
}

/// Reason why a program cannot be launched as requested, with program and argument.
public enum ProgramError: Error, Sendable, Equatable, CustomStringConvertible {
    case unknownProgram(String, known: [String])
    case unknownArgument(program: String, String, known: [String])
    case missingArgument(program: String, String)
    case badArgument(program: String, String, value: String, expected: String)

    public var description: String {
        switch self {
        case .unknownProgram(let name, let known): "no program '\(printable(name))': the programs are \(known.joined(separator: ", "))"
        case .unknownArgument(let program, let name, let known):
            "\(program) has no argument '\(printable(name))': it takes \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .missingArgument(let program, let name): "\(program) needs the argument \(name)"
        case .badArgument(let program, let name, let value, let expected):
            "\(program): \(name) must be \(expected), not '\(printable(value))'"
        }
    }
}

/// The arguments of one launch, by name, with readers whose errors state the expectation.
public struct ProgramArguments: Sendable {
    public let program: String
    private let values: [String: String]

    init(_ values: [String: String], of program: ProgramDescription) throws(ProgramError) {
        let known = program.arguments.map(\.name)
        for name in values.keys.sorted() where !known.contains(name) {
            throw .unknownArgument(program: program.name, name, known: known)
        }
        for argument in program.arguments where argument.isRequired && values[argument.name] == nil {
            throw .missingArgument(program: program.name, argument.name)
        }
        self.program = program.name
        var filled = values
        for argument in program.arguments where filled[argument.name] == nil { filled[argument.name] = argument.defaultValue }
        self.values = filled
    }

    private func bad(_ name: String, _ value: String, _ expected: String) -> ProgramError {
        .badArgument(program: program, name, value: value, expected: expected)
    }

    /// A text argument; nil = not given, without a default.
    public func text(_ name: String) -> String? { values[name] }

    public func path(_ name: String) throws(ProgramError) -> String? {
        guard let value = values[name] else { return nil }
        guard value.hasPrefix("/"), !value.contains("\n") else { throw bad(name, value, "an absolute path") }
        return value
    }

    /// Absolute paths, one per line.
    public func paths(_ name: String) throws(ProgramError) -> [String] {
        let lines = (values[name] ?? "").split(separator: "\n").map(String.init)
        guard !lines.isEmpty else { throw bad(name, values[name] ?? "", "one absolute path per line") }
        for line in lines where !line.hasPrefix("/") { throw bad(name, line, "one absolute path per line") }
        return lines
    }

    /// A rate in records per second; nil = unlimited.
    public func rate(_ name: String) throws(ProgramError) -> Double? {
        guard let value = values[name] else { return nil }
        guard let rate = Double(value), rate > 0, rate.isFinite else { throw bad(name, value, "a number above 0") }
        return rate
    }

    public func duration(_ name: String, in range: ClosedRange<Milliseconds>) throws(ProgramError) -> Milliseconds? {
        guard let value = values[name] else { return nil }
        guard let duration = Milliseconds(text: value), range.contains(duration) else {
            throw bad(name, value, "a span of \(range.lowerBound.count) to \(range.upperBound.count) ms, such as 200ms or 3s")
        }
        return duration
    }

    /// One of several words; nil = not given, without a default.
    public func choice(_ name: String, _ words: [String]) throws(ProgramError) -> String? {
        guard let value = values[name] else { return nil }
        guard words.contains(value) else { throw bad(name, value, "one of \(words.joined(separator: ", "))") }
        return value
    }

    public func integer(_ name: String, in range: ClosedRange<Int>) throws(ProgramError) -> Int? {
        guard let value = values[name] else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw bad(name, value, "a whole number of \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// The programs of an engine, by name.
public struct ProgramRegistry: Sendable {
    private let programs: [String: Program]

    public init(_ programs: [Program]) {
        self.programs = Dictionary(programs.map { ($0.description.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The programs shipped with Weir.
    public static let standard = ProgramRegistry([Orders.program, Shaky.program, WordCount.program])

    public var descriptions: [ProgramDescription] { programs.values.map(\.description).sorted { $0.name < $1.name } }

    public func program(_ name: String) throws(ProgramError) -> Program {
        guard let program = programs[name] else { throw .unknownProgram(name, known: programs.keys.sorted()) }
        return program
    }

    /// Throws what a submission of the recipe would be refused for.
    public func check(_ recipe: JobRecipe) throws(ProgramError) { _ = try job(of: recipe) }

    /// Makes a job from a recipe, with its arguments checked.
    func job(of recipe: JobRecipe) throws(ProgramError) -> any StreamJob {
        let program = try program(recipe.program)
        return try program.make(try ProgramArguments(recipe.arguments, of: program.description))
    }
}
