// Made from themes/*.toml, so that a binary without its files has its themes. Do not edit: change the files, then run
//     WEIR_RECORD_GOLDENS=1 swift test --filter builtinThemesAreTheFiles

extension Theme {
    /// The names of the themes that are compiled in.
    public static let builtinNames: [String] = [
        "base",
        "base16",
        "deuteranopia-dark",
        "high-contrast-dark",
        "high-contrast-light",
        "slate",
        "slate-light",
    ]

    /// The text of a theme that is compiled in.
    public static func builtinSource(_ name: String) -> String? {
        switch name {
        case "base": baseSource
        case "base16": base16Source
        case "deuteranopia-dark": deuteranopiaDarkSource
        case "high-contrast-dark": highContrastDarkSource
        case "high-contrast-light": highContrastLightSource
        case "slate": slateSource
        case "slate-light": slateLightSource
        default: nil
        }
    }
}

private let baseSource = #"""
    # Attributes only: for terminals without colours, for NO_COLOR, and the ground that every other theme stands on.
    schema  = 1
    name    = "base"
    variant = "any"

    # fg, bg: a colour; attr: bold, dim, underline, reverse, italic; mark: at most 2 ASCII characters that say the same without colour.
    [roles]
    "text"              = { }
    "text.dim"          = { attr = ["dim"] }
    "text.strong"       = { attr = ["bold"] }
    "text.stale"        = { attr = ["dim"] }
    "link.ok"           = { mark = "ok" }
    "link.slow"         = { attr = ["bold"], mark = "sl" }
    "link.stale"        = { attr = ["dim"], mark = "~~" }
    "link.down"         = { attr = ["bold"], mark = "XX" }
    "title"             = { }
    "title.job"         = { attr = ["bold"] }
    "title.lock"        = { attr = ["bold"] }
    "env.prod"          = { attr = ["reverse", "bold"] }
    "env.stage"         = { attr = ["reverse"] }
    "env.lab"           = { attr = ["bold"] }
    "env.demo"          = { attr = ["bold"] }
    "border"            = { attr = ["dim"] }
    "border.focus"      = { attr = ["bold"] }
    "header"            = { attr = ["underline"] }
    "header.sort"       = { attr = ["underline", "bold"] }
    "select"            = { attr = ["reverse"] }
    "select.unfocused"  = { attr = ["bold"] }
    "mark"              = { attr = ["bold"] }
    "match"             = { attr = ["underline"] }
    "hint.key"          = { attr = ["bold"] }
    "hint.text"         = { }
    "hint.locked"       = { attr = ["dim"] }
    "input"             = { attr = ["underline"] }
    "input.cursor"      = { attr = ["reverse"] }
    "severity.ok"       = { mark = "ok" }
    "severity.run"      = { mark = ".." }
    "severity.warn"     = { attr = ["bold"], mark = "!!" }
    "severity.crit"     = { attr = ["bold", "reverse"], mark = "XX" }
    "severity.unknown"  = { attr = ["dim"], mark = "??" }
    "ckpt.ok"           = { mark = "ok" }
    "ckpt.run"          = { mark = ".." }
    "ckpt.failed"       = { attr = ["bold"], mark = "!!" }
    "ckpt.savepoint"    = { attr = ["bold"], mark = "SP" }
    "ckpt.gone"         = { attr = ["dim"], mark = "--" }
    "phase.delay"       = { attr = ["dim"] }
    "phase.align"       = { attr = ["bold"] }
    "phase.sync"        = { attr = ["underline"] }
    "phase.async"       = { }
    "graph.line"        = { }
    "graph.fill"        = { }
    "dialog"            = { }
    "dialog.border"     = { attr = ["bold"] }
    "dialog.danger"     = { attr = ["bold", "reverse"] }
    "toast"             = { attr = ["bold"] }

    [glyphs]
    profile = "auto"

    """#

private let base16Source = #"""
    # The terminal's own sixteen colours: readable wherever the terminal's palette is, light or dark.
    schema   = 1
    name     = "base16"
    variant  = "any"
    inherits = "base"

    [roles]
    "link.ok"           = { fg = "green" }
    "link.slow"         = { fg = "yellow" }
    "link.stale"        = { fg = "yellow" }
    "link.down"         = { fg = "red" }
    "title.job"         = { fg = "cyan" }
    "title.lock"        = { fg = "magenta" }
    "env.prod"          = { fg = "red" }
    "env.stage"         = { fg = "yellow" }
    "env.lab"           = { fg = "green" }
    "env.demo"          = { fg = "cyan" }
    "border.focus"      = { fg = "cyan" }
    "mark"              = { fg = "cyan" }
    "match"             = { fg = "yellow" }
    "hint.key"          = { fg = "cyan" }
    "severity.ok"       = { fg = "green" }
    "severity.run"      = { fg = "cyan" }
    "severity.warn"     = { fg = "yellow" }
    "severity.crit"     = { fg = "red" }
    "severity.unknown"  = { fg = "magenta" }
    "ckpt.ok"           = { fg = "green" }
    "ckpt.run"          = { fg = "cyan" }
    "ckpt.failed"       = { fg = "red" }
    "ckpt.savepoint"    = { fg = "magenta" }
    "phase.delay"       = { fg = "blue" }
    "phase.align"       = { fg = "yellow" }
    "phase.sync"        = { fg = "red" }
    "phase.async"       = { fg = "cyan" }
    "graph.line"        = { fg = "cyan" }
    "graph.fill"        = { fg = "cyan" }
    "dialog.border"     = { fg = "cyan" }
    "dialog.danger"     = { fg = "red" }
    "toast"             = { fg = "cyan" }

    """#

private let deuteranopiaDarkSource = #"""
    # Blue is well and orange is not: for eyes that do not tell red from green.
    schema   = 1
    name     = "deuteranopia-dark"
    variant  = "dark"
    inherits = "slate"

    [palette]
    good   = { rgb = "#6cb4ff", x256 = 75, x16 = "bright-blue", x8 = "blue" }
    busy   = { rgb = "#c9d1d9", x256 = 252, x16 = "white", x8 = "white" }
    warn   = { rgb = "#ffd166", x256 = 221, x16 = "bright-yellow", x8 = "yellow" }
    crit   = { rgb = "#ff9e3d", x256 = 215, x16 = "yellow", x8 = "yellow" }
    alarm  = { rgb = "#8a4b00", x256 = 94, x16 = "yellow", x8 = "yellow" }
    save   = { rgb = "#e0b0ff", x256 = 183, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#8ecae6", x256 = 116, x16 = "bright-cyan", x8 = "cyan" }

    """#

private let highContrastDarkSource = #"""
    # As much contrast as a dark terminal can give.
    schema   = 1
    name     = "high-contrast-dark"
    variant  = "dark"
    inherits = "slate"

    [palette]
    ink    = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }
    faint  = { rgb = "#c6c6c6", x256 = 251, x16 = "white", x8 = "white" }
    line   = { rgb = "#c6c6c6", x256 = 251, x16 = "white", x8 = "white" }
    good   = { rgb = "#5fff5f", x256 = 83, x16 = "bright-green", x8 = "green" }
    busy   = { rgb = "#87d7ff", x256 = 117, x16 = "bright-cyan", x8 = "cyan" }
    warn   = { rgb = "#ffff5f", x256 = 227, x16 = "bright-yellow", x8 = "yellow" }
    crit   = { rgb = "#ffafaf", x256 = 217, x16 = "bright-red", x8 = "red" }
    alarm  = { rgb = "#870000", x256 = 88, x16 = "red", x8 = "red" }
    save   = { rgb = "#ffafff", x256 = 219, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#5fffff", x256 = 87, x16 = "bright-cyan", x8 = "cyan" }
    snow   = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }

    [roles]
    "text"              = { fg = "ink" }
    "text.dim"          = { fg = "faint", attr = [] }
    "text.stale"        = { fg = "faint", attr = [] }
    "hint.locked"       = { fg = "faint", attr = [] }
    "border"            = { fg = "line", attr = [] }
    "severity.warn"     = { fg = "warn", attr = ["bold", "underline"] }
    "ckpt.failed"       = { fg = "crit", attr = ["bold", "underline"] }

    """#

private let highContrastLightSource = #"""
    # As much contrast as a light terminal can give.
    schema   = 1
    name     = "high-contrast-light"
    variant  = "light"
    inherits = "slate-light"

    [palette]
    ink    = { rgb = "#000000", x256 = 16, x16 = "black", x8 = "black" }
    faint  = { rgb = "#3a3a3a", x256 = 237, x16 = "black", x8 = "black" }
    line   = { rgb = "#3a3a3a", x256 = 237, x16 = "black", x8 = "black" }
    good   = { rgb = "#005f00", x256 = 22, x16 = "green", x8 = "green" }
    busy   = { rgb = "#00008b", x256 = 18, x16 = "blue", x8 = "blue" }
    warn   = { rgb = "#5f3700", x256 = 58, x16 = "black", x8 = "black" }
    crit   = { rgb = "#870000", x256 = 88, x16 = "red", x8 = "red" }
    alarm  = { rgb = "#870000", x256 = 88, x16 = "red", x8 = "red" }
    save   = { rgb = "#5f005f", x256 = 53, x16 = "magenta", x8 = "magenta" }
    sea    = { rgb = "#004b5f", x256 = 23, x16 = "blue", x8 = "blue" }
    snow   = { rgb = "#000000", x256 = 16, x16 = "black", x8 = "black" }
    paper  = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }

    [roles]
    "text"              = { fg = "ink" }
    "text.dim"          = { fg = "faint", attr = [] }
    "text.stale"        = { fg = "faint", attr = [] }
    "hint.locked"       = { fg = "faint", attr = [] }
    "border"            = { fg = "line", attr = [] }
    "severity.warn"     = { fg = "warn", attr = ["bold", "underline"] }
    "ckpt.failed"       = { fg = "crit", attr = ["bold", "underline"] }

    """#

private let slateSource = #"""
    # Muted colours on the terminal's own dark background.
    schema   = 1
    name     = "slate"
    variant  = "dark"
    inherits = "base16"

    # A colour is an rgb value, with what to use instead on smaller terminals; what is missing is computed.
    [palette]
    ink    = { rgb = "#d8dee9", x256 = 254, x16 = "white", x8 = "white" }
    faint  = { rgb = "#8a94a6", x256 = 246, x16 = "bright-black", x8 = "default" }
    line   = { rgb = "#7b8698", x256 = 244, x16 = "bright-black", x8 = "default" }
    good   = { rgb = "#98c379", x256 = 114, x16 = "green", x8 = "green" }
    busy   = { rgb = "#61afef", x256 = 75, x16 = "bright-blue", x8 = "cyan" }
    warn   = { rgb = "#e6b450", x256 = 179, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#f0858d", x256 = 210, x16 = "bright-red", x8 = "red" }
    alarm  = { rgb = "#a8323c", x256 = 124, x16 = "red", x8 = "red" }
    save   = { rgb = "#c678dd", x256 = 176, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#56b6c2", x256 = 73, x16 = "cyan", x8 = "cyan" }
    snow   = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }

    [roles]
    "text.dim"          = { fg = "faint", attr = [] }
    "text.strong"       = { fg = "snow" }
    "text.stale"        = { fg = "faint", attr = [] }
    "link.ok"           = { fg = "good" }
    "link.slow"         = { fg = "warn" }
    "link.stale"        = { fg = "warn", attr = [] }
    "link.down"         = { fg = "crit" }
    "title.job"         = { fg = "snow" }
    "title.lock"        = { fg = "save" }
    "border"            = { fg = "line", attr = [] }
    "border.focus"      = { fg = "sea" }
    "header"            = { fg = "faint" }
    "mark"              = { fg = "sea" }
    "match"             = { fg = "warn" }
    "hint.key"          = { fg = "sea" }
    "hint.text"         = { fg = "ink" }
    "hint.locked"       = { fg = "faint", attr = [] }
    "severity.ok"       = { fg = "good" }
    "severity.run"      = { fg = "busy" }
    "severity.warn"     = { fg = "warn" }
    "severity.crit"     = { fg = "snow", bg = "alarm", attr = ["bold"] }
    "severity.unknown"  = { fg = "save", attr = [] }
    "ckpt.ok"           = { fg = "good" }
    "ckpt.run"          = { fg = "busy" }
    "ckpt.failed"       = { fg = "crit" }
    "ckpt.savepoint"    = { fg = "save" }
    "ckpt.gone"         = { fg = "faint", attr = [] }
    "phase.delay"       = { fg = "busy", attr = [] }
    "phase.align"       = { fg = "warn" }
    "phase.sync"        = { fg = "crit" }
    "phase.async"       = { fg = "sea" }
    "graph.line"        = { fg = "sea" }
    "graph.fill"        = { fg = "sea" }
    "dialog.border"     = { fg = "sea" }
    "dialog.danger"     = { fg = "snow", bg = "alarm", attr = ["bold"] }
    "toast"             = { fg = "busy" }

    [env]
    prod  = { fg = "snow", bg = "alarm", attr = ["bold"] }
    stage = { fg = "warn", attr = ["reverse"] }
    lab   = { fg = "good", attr = ["bold"] }
    demo  = { fg = "busy", attr = ["bold"] }

    """#

private let slateLightSource = #"""
    # The same meanings for a light background.
    schema   = 1
    name     = "slate-light"
    variant  = "light"
    inherits = "slate"

    [palette]
    ink    = { rgb = "#2e3440", x256 = 236, x16 = "black", x8 = "black" }
    faint  = { rgb = "#5c6370", x256 = 241, x16 = "bright-black", x8 = "default" }
    line   = { rgb = "#6b7280", x256 = 243, x16 = "bright-black", x8 = "default" }
    good   = { rgb = "#2e6b1f", x256 = 22, x16 = "green", x8 = "green" }
    busy   = { rgb = "#0b5cad", x256 = 25, x16 = "blue", x8 = "blue" }
    warn   = { rgb = "#8a5a00", x256 = 94, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#b3261e", x256 = 124, x16 = "red", x8 = "red" }
    save   = { rgb = "#7b2d8e", x256 = 90, x16 = "magenta", x8 = "magenta" }
    sea    = { rgb = "#0f6674", x256 = 24, x16 = "cyan", x8 = "cyan" }
    snow   = { rgb = "#000000", x256 = 16, x16 = "black", x8 = "black" }
    paper  = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }

    [roles]
    "severity.crit"     = { fg = "paper", bg = "alarm", attr = ["bold"] }
    "dialog.danger"     = { fg = "paper", bg = "alarm", attr = ["bold"] }

    [env]
    prod  = { fg = "paper", bg = "alarm", attr = ["bold"] }

    """#
