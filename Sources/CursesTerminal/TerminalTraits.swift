internal import CellGrid
internal import Glibc

/// Properties of the terminal from the environment, beside terminfo. Pure: the environment is passed in.
struct TerminalTraits {
    let term: String?
    /// Whether NO_COLOR is set and not empty: attributes only.
    let refusesColor: Bool
    let isRemote: Bool
    let isTmux: Bool
    /// Whether ESCDELAY has a value, which ncurses uses itself.
    let hasOwnEscapeDelay: Bool

    init(_ environment: (String) -> String?) {
        func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
        term = value("TERM")
        refusesColor = value("NO_COLOR") != nil
        isRemote = value("SSH_CONNECTION") != nil || value("SSH_TTY") != nil || value("SSH_CLIENT") != nil
        isTmux = value("TMUX") != nil
        hasOwnEscapeDelay = value("ESCDELAY").flatMap(Int.init).map { $0 >= 0 } ?? false
    }

    /// Milliseconds that a lone Esc waits for the rest of a key's sequence: longer where the line may split it.
    var escapeDelay: Int32 { isRemote ? 80 : 25 }

    /// Terminal types to try, in order.
    func candidates() throws(TerminalError) -> [String] {
        guard let term else { throw .typeUnset }
        if term == "dumb" || term == "unknown" { throw .typeTooSimple(term) }
        return [term, "xterm-256color", "vt100"]
    }

    /// Depth to draw in: as requested, but never more than the terminal has. `colors` is terminfo's number (below 8: none), `isDirect` its RGB
    /// flag.
    func depth(asked: ColorDepth?, colors: Int, isDirect: Bool) -> ColorDepth {
        let available: ColorDepth =
            isDirect ? .direct : colors >= 256 ? .colors256 : colors >= 16 ? .colors16 : colors >= 8 ? .colors8 : .none
        guard let asked else { return refusesColor ? .none : available }
        let order: [ColorDepth] = [.none, .colors8, .colors16, .colors256, .direct]
        let rank = { (depth: ColorDepth) in order.firstIndex(of: depth) ?? 0 }
        return rank(asked) < rank(available) ? asked : available
    }

    /// Characters to draw with. `term` is the type in use, possibly a fallback.
    static func glyphs(term: String, isUTF8: Bool, asksForASCII: Bool) -> GlyphProfile {
        if asksForASCII || !isUTF8 || term.hasPrefix("vt") { return .ascii }
        return term == "linux" || term.hasPrefix("linux-") ? .block : .braille
    }
}

/// The character set of the process.
enum Locale {
    /// Adopts the environment's locale for characters (numbers stay as in C) and returns whether it is UTF-8. A UTF-8 locale that is not installed
    /// here (names travel over SSH) still shows that the terminal uses UTF-8: the C one with UTF-8 replaces it.
    static func adopt(_ environment: (String) -> String?) -> Bool {
        if setlocale(LC_CTYPE, "") == nil {
            let wanted = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
            let isUTF8 = ["utf-8", "utf8"].contains { wanted.lowercased().hasSuffix($0) }
            setlocale(LC_CTYPE, isUTF8 ? "C.UTF-8" : "C")
        }
        guard let codeset = nl_langinfo(Int32(CODESET)) else { return false }
        return String(cString: codeset) == "UTF-8"
    }
}
