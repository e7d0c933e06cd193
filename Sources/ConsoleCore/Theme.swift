public import CellGrid

/// How meanings look: colours and attributes for each role, the marks that say the same without colour, and the glyphs to use.
public struct Theme: Sendable, Equatable {
    public var name: String
    /// Lines for the operator about what is legal but unwise.
    public var warnings: [String] = []

    /// Attributes only; for every terminal.
    public static let base = Theme(name: "base")

    /// The names of the themes that are compiled in.
    public static var builtinNames: [String] { ["base"] }

    /// The text of a theme that is compiled in.
    public static func builtinSource(_ name: String) -> String? { nil }

    /// Reads a theme. `name` is what messages call the file; `resolving` gives the text of an inherited theme by name (themes
    /// that are compiled in need no help).
    public static func parse(
        toml: String, name: String, resolving: (String) -> String? = Theme.builtinSource
    ) throws(ThemeError) -> Theme { Theme(name: name) }

    /// Reads a theme from a file's bytes; bytes that are not UTF-8 are an error that names the offset.
    public static func parse(
        bytes: [UInt8], name: String, resolving: (String) -> String? = Theme.builtinSource
    ) throws(ThemeError) -> Theme { Theme(name: name) }

    /// The theme for a terminal of this depth.
    public func styleSheet(depth: ColorDepth) -> StyleSheet { .plain }
}

/// Why a theme was kept out.
public struct ThemeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Name of the file.
    public var file: String
    /// 1 is the first line; nil when no line is to blame.
    public var line: Int?
    public var problem: String

    public var description: String { line.map { "\(file):\($0): \(problem)" } ?? "\(file): \(problem)" }
}
