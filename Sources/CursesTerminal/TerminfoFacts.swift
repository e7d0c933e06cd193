@preconcurrency internal import CNcurses
internal import Glibc

/// The terminfo entry of a terminal type, and the usable locale, for reports about a terminal without taking it.
public struct TerminfoFacts: Sendable, Equatable {
    /// Number of colours; 0 = none.
    public var colors: Int
    public var hasDirectColor: Bool
    public var canPlaceCursor: Bool
    public var hasAlternateScreen: Bool
    /// Whether cleared cells take the background colour.
    public var erasesWithBackground: Bool

    public init(colors: Int, hasDirectColor: Bool, canPlaceCursor: Bool, hasAlternateScreen: Bool, erasesWithBackground: Bool) {
        self.colors = colors
        self.hasDirectColor = hasDirectColor
        self.canPlaceCursor = canPlaceCursor
        self.hasAlternateScreen = hasAlternateScreen
        self.erasesWithBackground = erasesWithBackground
    }

    /// Looks up a type; nil = no such entry. Must not be called while a terminal is in use.
    public static func lookUp(_ term: String) -> TerminfoFacts? {
        var result: Int32 = 0
        guard setupterm(term, STDOUT_FILENO, &result) == OK, result == 1 else { return nil }
        return TerminfoFacts(
            colors: Int(max(0, tigetnum("colors"))), hasDirectColor: tigetflag("RGB") > 0, canPlaceCursor: curses_capability("cup") != nil,
            hasAlternateScreen: curses_capability("smcup") != nil, erasesWithBackground: tigetflag("bce") > 0)
    }

    /// Whether characters beyond ASCII can be drawn, by the console's rules. Sets the locale of the process.
    public static func adoptLocale() -> Bool { Locale.adopt { name in getenv(name).map { String(cString: $0) } } }
}
