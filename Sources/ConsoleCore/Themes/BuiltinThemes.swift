// Made from themes/*.toml, so that a binary without its files has its themes. Do not edit: change the files, then run
//     WEIR_RECORD_GOLDENS=1 swift test --filter builtinThemesAreTheFiles

extension Theme {
    /// The names of the themes that are compiled in.
    public static let builtinNames: [String] = [
        "base",
        "base16",
        "console",
        "deuteranopia-dark",
        "deuteranopia-light",
        "high-contrast-dark",
        "high-contrast-light",
        "paper",
        "slate",
        "slate-light",
        "solarized-16",
        "tritanopia-dark",
    ]

    /// The text of a theme that is compiled in.
    public static func builtinSource(_ name: String) -> String? {
        switch name {
        case "base": baseSource
        case "base16": base16Source
        case "console": consoleSource
        case "deuteranopia-dark": deuteranopiaDarkSource
        case "deuteranopia-light": deuteranopiaLightSource
        case "high-contrast-dark": highContrastDarkSource
        case "high-contrast-light": highContrastLightSource
        case "paper": paperSource
        case "slate": slateSource
        case "slate-light": slateLightSource
        case "solarized-16": solarized16Source
        case "tritanopia-dark": tritanopiaDarkSource
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

private let consoleSource = #"""
    # The Linux console: its eight colours (bold makes them bright), no braille.
    schema   = 1
    name     = "console"
    variant  = "dark"
    inherits = "base16"

    [palette]
    plain  = { rgb = "#aaaaaa", x256 = 248, x16 = "default", x8 = "default" }
    lime   = { rgb = "#55ff55", x256 = 83, x16 = "bright-green", x8 = "bright-green" }
    leaf   = { rgb = "#00af00", x256 = 34, x16 = "green", x8 = "green" }
    lemon  = { rgb = "#ffff55", x256 = 227, x16 = "bright-yellow", x8 = "bright-yellow" }
    rose   = { rgb = "#ff7777", x256 = 210, x16 = "bright-red", x8 = "bright-red" }
    wine   = { rgb = "#aa0000", x256 = 124, x16 = "red", x8 = "red" }
    water  = { rgb = "#00aaaa", x256 = 37, x16 = "cyan", x8 = "cyan" }
    sky    = { rgb = "#55ffff", x256 = 87, x16 = "bright-cyan", x8 = "bright-cyan" }
    plum   = { rgb = "#ff55ff", x256 = 207, x16 = "bright-magenta", x8 = "bright-magenta" }
    snow   = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "bright-white" }

    [roles]
    "text.dim"          = { fg = "water", attr = [] }
    "text.strong"       = { fg = "snow", attr = [] }
    "text.stale"        = { fg = "water", attr = [] }
    "link.ok"           = { fg = "leaf" }
    "link.slow"         = { fg = "lemon" }
    "link.stale"        = { fg = "lemon", attr = [] }
    "link.down"         = { fg = "rose" }
    "title.job"         = { fg = "snow" }
    "title.lock"        = { fg = "plum" }
    "border"            = { fg = "water", attr = [] }
    "border.focus"      = { fg = "sky" }
    "header"            = { fg = "water", attr = [] }
    "header.sort"       = { fg = "sky", attr = [] }
    "mark"              = { fg = "sky" }
    "match"             = { fg = "lemon" }
    "hint.key"          = { fg = "sky" }
    "hint.locked"       = { fg = "water", attr = [] }
    "severity.ok"       = { fg = "leaf" }
    "severity.run"      = { fg = "sky" }
    "severity.warn"     = { fg = "lemon" }
    "severity.crit"     = { fg = "snow", bg = "wine", attr = ["bold"] }
    "severity.unknown"  = { fg = "plum", attr = [] }
    "ckpt.ok"           = { fg = "leaf" }
    "ckpt.run"          = { fg = "sky" }
    "ckpt.failed"       = { fg = "rose" }
    "ckpt.savepoint"    = { fg = "plum" }
    "ckpt.gone"         = { fg = "water", attr = [] }
    "phase.delay"       = { fg = "water", attr = [] }
    "phase.align"       = { fg = "lemon" }
    "phase.sync"        = { fg = "rose" }
    "phase.async"       = { fg = "sky" }
    "graph.line"        = { fg = "water" }
    "graph.fill"        = { fg = "water" }
    "dialog.border"     = { fg = "sky" }
    "dialog.danger"     = { fg = "snow", bg = "wine", attr = ["bold"] }
    "toast"             = { fg = "sky" }

    [env]
    prod  = { fg = "snow", bg = "wine", attr = ["bold"] }
    stage = { fg = "lemon", attr = ["reverse"] }
    lab   = { fg = "lime" }
    demo  = { fg = "sky" }

    [glyphs]
    profile = "block"

    """#

private let deuteranopiaDarkSource = #"""
    # Blue is well and orange is not: for eyes that do not tell red from green.
    schema   = 1
    name     = "deuteranopia-dark"
    variant  = "dark"
    inherits = "slate"
    vision   = ["deuteranopia", "protanopia"]

    [palette]
    good   = { rgb = "#5fafff", x256 = 75, x16 = "bright-blue", x8 = "cyan" }
    busy   = { rgb = "#c9d1d9", x256 = 252, x16 = "default", x8 = "default" }
    warn   = { rgb = "#ffffaf", x256 = 229, x16 = "bright-white", x8 = "white" }
    crit   = { rgb = "#ff8700", x256 = 208, x16 = "yellow", x8 = "yellow" }
    save   = { rgb = "#ffafd7", x256 = 218, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#8ecae6", x256 = 116, x16 = "bright-cyan", x8 = "cyan" }
    pitch  = { rgb = "#000000", x256 = 16, x16 = "black", x8 = "black" }

    [roles]
    "severity.crit"     = { fg = "pitch", bg = "crit", attr = ["bold"] }
    "dialog.danger"     = { fg = "pitch", bg = "crit", attr = ["bold"] }

    [env]
    prod  = { fg = "pitch", bg = "crit", attr = ["bold"] }

    """#

private let deuteranopiaLightSource = #"""
    # Blue is well and burnt orange is not, on a light background: for eyes that do not tell red from green.
    schema   = 1
    name     = "deuteranopia-light"
    variant  = "light"
    inherits = "slate-light"
    vision   = ["deuteranopia", "protanopia"]

    [palette]
    good   = { rgb = "#005fd7", x256 = 26, x16 = "blue", x8 = "blue" }
    busy   = { rgb = "#3a3a3a", x256 = 237, x16 = "default", x8 = "default" }
    warn   = { rgb = "#875f00", x256 = 94, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#5f0000", x256 = 52, x16 = "red", x8 = "red" }
    alarm  = { rgb = "#5f0000", x256 = 52, x16 = "red", x8 = "red" }
    save   = { rgb = "#870087", x256 = 90, x16 = "magenta", x8 = "magenta" }
    sea    = { rgb = "#005f87", x256 = 24, x16 = "cyan", x8 = "cyan" }

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
    warn   = { rgb = "#ffff87", x256 = 228, x16 = "bright-yellow", x8 = "yellow" }
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
    good   = { rgb = "#005f5f", x256 = 23, x16 = "green", x8 = "green" }
    busy   = { rgb = "#00008b", x256 = 18, x16 = "blue", x8 = "blue" }
    warn   = { rgb = "#875f00", x256 = 94, x16 = "black", x8 = "black" }
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

private let paperSource = #"""
    # Ink on paper: a light background, black text, and colour for what matters only.
    schema   = 1
    name     = "paper"
    variant  = "light"
    inherits = "slate-light"

    [palette]
    ink    = { rgb = "#1c1c1c", x256 = 234, x16 = "black", x8 = "black" }
    faint  = { rgb = "#626262", x256 = 241, x16 = "default", x8 = "default" }
    line   = { rgb = "#767676", x256 = 243, x16 = "default", x8 = "default" }
    good   = { rgb = "#1c1c1c", x256 = 234, x16 = "black", x8 = "black" }
    busy   = { rgb = "#1f3a93", x256 = 18, x16 = "blue", x8 = "blue" }
    warn   = { rgb = "#875f00", x256 = 94, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#870000", x256 = 88, x16 = "red", x8 = "red" }
    alarm  = { rgb = "#870000", x256 = 88, x16 = "red", x8 = "red" }
    save   = { rgb = "#5f5faf", x256 = 61, x16 = "blue", x8 = "blue" }
    sea    = { rgb = "#3a3a3a", x256 = 237, x16 = "default", x8 = "default" }
    deep   = { rgb = "#808080", x256 = 244, x16 = "default", x8 = "default" }
    crest  = { rgb = "#262626", x256 = 235, x16 = "default", x8 = "default" }

    [roles]
    "text"              = { fg = "ink" }
    "header"            = { fg = "ink", attr = ["underline"] }
    "border.focus"      = { fg = "ink", attr = ["bold"] }
    "hint.key"          = { fg = "ink", attr = ["bold", "underline"] }
    "ckpt.savepoint"    = { fg = "save", attr = ["bold"] }

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
    faint  = { rgb = "#8a94a6", x256 = 246, x16 = "default", x8 = "default" }
    line   = { rgb = "#7b8698", x256 = 244, x16 = "default", x8 = "default" }
    good   = { rgb = "#98c379", x256 = 150, x16 = "green", x8 = "green" }
    busy   = { rgb = "#61afef", x256 = 75, x16 = "bright-blue", x8 = "cyan" }
    warn   = { rgb = "#e6b450", x256 = 179, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#f0858d", x256 = 210, x16 = "bright-red", x8 = "red" }
    alarm  = { rgb = "#a8323c", x256 = 124, x16 = "red", x8 = "red" }
    save   = { rgb = "#c678dd", x256 = 176, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#56b6c2", x256 = 73, x16 = "cyan", x8 = "cyan" }
    deep   = { rgb = "#5f87af", x256 = 67, x16 = "cyan", x8 = "cyan" }
    crest  = { rgb = "#87ffd7", x256 = 122, x16 = "cyan", x8 = "cyan" }
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
    "graph.scale.0"     = { fg = "deep" }
    "graph.scale.9"     = { fg = "crest" }
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
    faint  = { rgb = "#5c6370", x256 = 241, x16 = "default", x8 = "default" }
    line   = { rgb = "#6b7280", x256 = 243, x16 = "default", x8 = "default" }
    good   = { rgb = "#005f00", x256 = 22, x16 = "green", x8 = "green" }
    busy   = { rgb = "#0b5cad", x256 = 25, x16 = "blue", x8 = "blue" }
    warn   = { rgb = "#af5f00", x256 = 130, x16 = "yellow", x8 = "yellow" }
    crit   = { rgb = "#af0000", x256 = 124, x16 = "red", x8 = "red" }
    save   = { rgb = "#870087", x256 = 90, x16 = "magenta", x8 = "magenta" }
    sea    = { rgb = "#0f6674", x256 = 24, x16 = "cyan", x8 = "cyan" }
    crest  = { rgb = "#005f5f", x256 = 23, x16 = "cyan", x8 = "cyan" }
    snow   = { rgb = "#000000", x256 = 16, x16 = "black", x8 = "black" }
    paper  = { rgb = "#ffffff", x256 = 231, x16 = "bright-white", x8 = "white" }

    [roles]
    "severity.crit"     = { fg = "paper", bg = "alarm", attr = ["bold"] }
    "dialog.danger"     = { fg = "paper", bg = "alarm", attr = ["bold"] }

    [env]
    prod  = { fg = "paper", bg = "alarm", attr = ["bold"] }

    """#

private let solarized16Source = #"""
    # For terminals whose sixteen colours are Solarized, dark or light: there the bright ones are greys, and bright black is the background.
    schema   = 1
    name     = "solarized-16"
    variant  = "any"
    inherits = "base16"

    [palette]
    # base00 in the words of Solarized: faint on both of its backgrounds.
    faint  = { x16 = "bright-yellow", x8 = "default" }
    orange = { x16 = "bright-red", x8 = "red" }
    violet = { x16 = "bright-magenta", x8 = "magenta" }

    [roles]
    "text.dim"          = { fg = "faint", attr = [] }
    "text.stale"        = { fg = "faint", attr = [] }
    "link.stale"        = { fg = "faint", attr = [] }
    "title.lock"        = { fg = "violet" }
    "border"            = { fg = "faint", attr = [] }
    "header"            = { fg = "faint" }
    "hint.locked"       = { fg = "faint", attr = [] }
    "severity.run"      = { fg = "blue" }
    "severity.unknown"  = { fg = "violet", attr = [] }
    "ckpt.run"          = { fg = "blue" }
    "ckpt.failed"       = { fg = "orange" }
    "ckpt.savepoint"    = { fg = "violet" }
    "ckpt.gone"         = { fg = "faint", attr = [] }
    "phase.delay"       = { fg = "blue", attr = [] }
    "phase.sync"        = { fg = "orange" }
    "toast"             = { fg = "blue" }

    """#

private let tritanopiaDarkSource = #"""
    # Teal is well and red is not; nothing hangs on blue or yellow: for eyes that do not tell those from green and pink.
    schema   = 1
    name     = "tritanopia-dark"
    variant  = "dark"
    inherits = "slate"
    vision   = ["tritanopia"]

    [palette]
    good   = { rgb = "#5fd7af", x256 = 79, x16 = "cyan", x8 = "cyan" }
    busy   = { rgb = "#c9d1d9", x256 = 252, x16 = "white", x8 = "white" }
    warn   = { rgb = "#ffd7d7", x256 = 224, x16 = "bright-white", x8 = "white" }
    crit   = { rgb = "#ff5f5f", x256 = 203, x16 = "bright-red", x8 = "red" }
    alarm  = { rgb = "#a8323c", x256 = 124, x16 = "red", x8 = "red" }
    save   = { rgb = "#ffafd7", x256 = 218, x16 = "bright-magenta", x8 = "magenta" }
    sea    = { rgb = "#7fe0d5", x256 = 116, x16 = "bright-cyan", x8 = "cyan" }

    """#
