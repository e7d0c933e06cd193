import CellGrid

/// Colours of contexts: each may have its own, so that two windows side by side differ at a glance.
extension Theme {
    /// The sixteen names of accents; "#rrggbb" is allowed too.
    public static var colorNames: [String] { ThemeColor.Named.names }

    public static func isColor(_ text: String) -> Bool { accentColor(text) != nil }

    private static func accentColor(_ text: String) -> ThemeColor? {
        if let rgb = ThemeColor.RGB(text) { return ThemeColor(rgb: rgb) }
        guard let named = ThemeColor.Named(text), named != .terminal else { return nil }
        return ThemeColor(x16: named)
    }

    /// This theme with the title and the focused border in a context's colour. Text and marks stay: an accent never says how bad
    /// something is.
    func accented(_ accent: String?) -> Theme {
        guard let accent, let color = Self.accentColor(accent) else { return self }
        var theme = self
        for role in [StyleRole.title, .titleJob, .borderFocus] {
            var style = theme.roles[role] ?? RoleStyle()
            style.foreground = color
            theme.roles[role] = style
        }
        return theme
    }
}
