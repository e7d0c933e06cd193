/// A colour as a terminal can show it.
public enum TerminalColor: Hashable, Sendable {
    /// The terminal's own foreground or background.
    case `default`
    /// One of the 16 named colours, 0...15; 8...15 are the bright ones. Eight-colour terminals get 0...7 only.
    case index16(UInt8)
    /// One of the 256 colours of the xterm palette.
    case index256(UInt8)
    case rgb(red: UInt8, green: UInt8, blue: UInt8)
}

public struct StyleAttributes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let bold = StyleAttributes(rawValue: 1)
    public static let dim = StyleAttributes(rawValue: 2)
    public static let underline = StyleAttributes(rawValue: 4)
    public static let reverse = StyleAttributes(rawValue: 8)
    public static let italic = StyleAttributes(rawValue: 16)
}

/// Colours and attributes of one cell, resolved for a terminal.
public struct Style: Hashable, Sendable {
    public var foreground: TerminalColor
    public var background: TerminalColor
    public var attributes: StyleAttributes

    public init(foreground: TerminalColor = .default, background: TerminalColor = .default, attributes: StyleAttributes = []) {
        self.foreground = foreground
        self.background = background
        self.attributes = attributes
    }

    /// This style overlaid by `upper`: its colours where it has any, both sets of attributes.
    public func overlaid(by upper: Style) -> Style {
        Style(
            foreground: upper.foreground == .default ? foreground : upper.foreground,
            background: upper.background == .default ? background : upper.background,
            attributes: attributes.union(upper.attributes))
    }
}

/// Number of colours of a terminal.
public enum ColorDepth: String, Sendable, CaseIterable {
    case none
    case colors8 = "8"
    case colors16 = "16"
    case colors256 = "256"
    case direct
}

/// A theme resolved for one colour depth: the style of every role. Made by ConsoleCore, used by the terminal.
public struct StyleSheet: Hashable, Sendable {
    private var styles: [Style]

    /// Creates a sheet, calling `style` once per role.
    public init(_ style: (StyleRole) -> Style) { styles = StyleRole.allCases.map(style) }

    /// A sheet without colours and attributes.
    public static let plain = StyleSheet { _ in Style() }

    public subscript(role: StyleRole) -> Style { styles[role.index] }

    public subscript(id: StyleID) -> Style {
        guard let overlay = id.overlay else { return styles[Int(id.rawValue & 0xff)] }
        return styles[Int(id.rawValue & 0xff)].overlaid(by: self[overlay])
    }
}
