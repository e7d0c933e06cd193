public import CellGrid

/// The look of meanings: colours and attributes for each role, marks that say the same without colour, and glyphs.
/// Made from a theme file by `parse`; drawing code sees only marks and glyphs, colours are applied at the edge.
public struct Theme: Sendable, Equatable {
    public enum Variant: String, Sendable, CaseIterable {
        case dark, light
        /// Uses the terminal's own colours only.
        case any
    }

    public var name: String
    public var variant: Variant
    /// nil = the best that the terminal can do.
    public var glyphs: GlyphProfile?
    /// Lines for the operator about what is legal but unwise.
    public var warnings: [String]
    /// The eyes that it is made for.
    public var madeFor: [ColorVision] = []
    /// The name or path that was asked for. Loaders of theme files set this and `files`.
    public var origin: String?
    /// The files that it was read from, its own first.
    public var files: [String] = []
    var roles: [StyleRole: RoleStyle]
    /// Its own colours and those it inherits, by name.
    var palette: [String: ThemeColor] = [:]

    /// A theme's entry for one role; nil = inherited.
    struct RoleStyle: Sendable, Equatable {
        var foreground: ThemeColor?
        var background: ThemeColor?
        var attributes: StyleAttributes?
        var mark: SafeText?

        func inheriting(_ parent: RoleStyle) -> RoleStyle {
            RoleStyle(
                foreground: foreground ?? parent.foreground, background: background ?? parent.background,
                attributes: attributes ?? parent.attributes, mark: mark ?? parent.mark)
        }
    }

    /// Attributes only; for every terminal.
    public static let base = builtin("base") ?? Theme(name: "base", variant: .any, glyphs: nil, warnings: [], roles: [:])

    /// A theme that is compiled in.
    public static func builtin(_ name: String) -> Theme? {
        guard let source = builtinSource(name) else { return nil }
        // ThemeError: a built-in theme that does not parse fails the tests; a console goes without it.
        return try? parse(toml: source, name: name)
    }

    /// The text to show with a role, to distinguish it without colour; empty for most.
    public func mark(_ role: StyleRole) -> SafeText { roles[role]?.mark ?? .empty }

    /// Of the steps of a graph a theme need name none, or the lowest and the highest: what is between them is computed, and without them all
    /// look as the line does.
    private func style(of role: StyleRole) -> RoleStyle {
        guard let step = role.graphStep, roles[role] == nil else { return roles[role] ?? RoleStyle() }
        guard let low = roles[.graphScale0], let high = roles[.graphScale9], let from = low.foreground, let to = high.foreground,
            let mixed = from.mixed(with: to, Double(step) / 9)
        else { return roles[.graphLine] ?? RoleStyle() }
        var style = high
        style.foreground = mixed
        return style
    }

    /// The theme for a terminal of this depth.
    public func styleSheet(depth: ColorDepth) -> StyleSheet {
        let plain = Theme.base.roles
        return StyleSheet { role in
            let style = style(of: role)
            let foreground = (style.foreground ?? .terminal).resolved(depth)
            let background = (style.background ?? .terminal).resolved(depth)
            var attributes = style.attributes ?? []
            if foreground.needsBold { attributes.insert(.bold) }
            // A role that has lost its colours at this depth says what it means by attributes, as `base` does.
            if style != RoleStyle(), (style.foreground ?? .terminal) != .terminal, foreground.color == .default, background.color == .default {
                attributes.formUnion(plain[role]?.attributes ?? [])
            }
            // Where the background was the message, reverse video carries it.
            if depth == .none, let color = style.background, color != .terminal { attributes.insert(.reverse) }
            return Style(foreground: foreground.color, background: background.color, attributes: attributes)
        }
    }
}

/// The reason that a theme was not loaded.
public struct ThemeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Name of the file.
    public var file: String
    /// 1 is the first line; nil when no line is to blame.
    public var line: Int?
    public var problem: String

    public init(file: String, line: Int?, problem: String) {
        self.file = file
        self.line = line
        self.problem = problem
    }

    public var description: String { line.map { "\(file):\($0): \(problem)" } ?? "\(file): \(problem)" }
}
