import CellGrid
import TOMLKit

extension Theme {
    /// Bytes that a theme file may have.
    public static let bytesMax = 256 << 10

    /// Reads a theme. `name` is what messages call the file. `resolving` gives the text of an inherited theme by name; themes that
    /// are compiled in need no help.
    public static func parse(
        toml: String, name: String, resolving: (String) -> String? = { _ in nil }
    ) throws(ThemeError) -> Theme {
        try parse(toml: toml, name: name, resolving: resolving, heirs: [])
    }

    /// Reads a theme from a file's bytes.
    public static func parse(
        bytes: [UInt8], name: String, resolving: (String) -> String? = { _ in nil }
    ) throws(ThemeError) -> Theme {
        guard bytes.count <= bytesMax else {
            throw ThemeError(file: name, line: nil, problem: "is \(bytes.count) bytes long; a theme has at most \(bytesMax)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let offset = firstInvalidOffset(bytes)
            let line = 1 + bytes[..<offset].count { $0 == 0x0a }
            throw ThemeError(file: name, line: line, problem: "is not UTF-8 (byte \(offset)); save it as UTF-8")
        }
        return try parse(toml: text, name: name, resolving: resolving)
    }

    /// The theme `toml`, that the themes `heirs` (files) inherit from, the nearest last.
    private static func parse(
        toml: String, name: String, resolving: (String) -> String?, heirs: [String]
    ) throws(ThemeError) -> Theme {
        let file = ThemeFile(text: toml, name: name)
        let table = try file.table()
        var parent: Theme?
        if let ancestor = try file.inherited(table) {
            let chain = heirs + [name]
            guard !chain.contains(ancestor), chain.count <= 8 else {
                throw file.error("inherits", in: "", "themes inherit in a circle: \((chain + [ancestor]).joined(separator: " > "))")
            }
            guard let source = resolving(ancestor) ?? builtinSource(ancestor) else {
                throw file.error("inherits", in: "", "inherits \"\(ancestor)\", which is not a theme; known: \(builtinNames.joined(separator: ", "))")
            }
            parent = try parse(toml: source, name: ancestor, resolving: resolving, heirs: chain)
        } else if name != "base", let source = builtinSource("base"), source != toml {
            parent = try parse(toml: source, name: "base", resolving: { _ in nil }, heirs: heirs + [name])
        }
        return try file.theme(table, parent: parent)
    }

    private static func firstInvalidOffset(_ bytes: [UInt8]) -> Int {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while true {
            switch decoder.decode(&iterator) {
            case .scalarValue(let scalar): offset += String(scalar).utf8.count
            case .emptyInput, .error: return min(offset, bytes.count)
            }
        }
    }
}

/// One theme file while it is being read: finds the lines that errors name.
struct ThemeFile {
    let text: String
    let name: String
    private let lines: [Substring]

    init(text: String, name: String) {
        self.text = text
        self.name = name
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    func table() throws(ThemeError) -> TOMLTable {
        if let row = lines.firstIndex(where: { $0.unicodeScalars.contains("\0") }) {
            throw ThemeError(file: name, line: row + 1, problem: "contains a NUL character")
        }
        do {
            return try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw ThemeError(file: name, line: error.source.begin.line, problem: "is not TOML: \(SafeText(error.description, limit: 200))")
        } catch {
            throw ThemeError(file: name, line: nil, problem: "is not TOML: \(SafeText("\(error)", limit: 200))")
        }
    }

    func error(_ key: String, in section: String, _ problem: String) -> ThemeError {
        ThemeError(file: name, line: line(of: key, in: section), problem: problem)
    }

    /// The line where a section gives a key; nil where it does not.
    func line(ofOwn key: String, in section: String) -> Int? {
        let found = line(of: key, in: section)
        return found == line(of: "", in: section) ? nil : found
    }

    /// The line where a section gives a key, or where the section begins.
    func line(of key: String, in section: String) -> Int? {
        var current = ""
        var header: Int?
        for (row, line) in lines.enumerated() {
            let content = line.drop { $0 == " " || $0 == "\t" }
            if content.hasPrefix("[") {
                current = content.dropFirst().prefix { $0 != "]" }.filter { $0 != " " && $0 != "\"" }
                if current == section || current == "\(section).\(key)" { header = row + 1 }
                if current == "\(section).\(key)" || section.isEmpty && current == key { return row + 1 }
                continue
            }
            let left = content.prefix { $0 != "=" }.filter { $0 != " " && $0 != "\"" && $0 != "'" && $0 != "\t" }
            let whole = current.isEmpty ? String(left) : "\(current).\(left)"
            let wanted = section.isEmpty ? key : "\(section).\(key)"
            if content.contains("="), whole == wanted || whole.hasPrefix(wanted + ".") { return row + 1 }
        }
        return header
    }

    func inherited(_ table: TOMLTable) throws(ThemeError) -> String? {
        guard let value = table["inherits"] else { return nil }
        guard let ancestor = value.string else { throw error("inherits", in: "", "inherits must be the name of a theme in quotes") }
        return ancestor
    }

    func theme(_ table: TOMLTable, parent: Theme?) throws(ThemeError) -> Theme {
        let known = ["schema", "name", "variant", "inherits", "solid", "vision", "palette", "roles", "glyphs", "env"]
        for key in table.keys.sorted() where !known.contains(key) {
            throw error(key, in: "", "unknown key \"\(SafeText(key))\"; a theme has \(known.joined(separator: ", "))")
        }
        guard let schema = table["schema"]?.int else { throw error("schema", in: "", "says no schema; write schema = 1") }
        guard schema == 1 else { throw error("schema", in: "", "is of schema \(schema); this version knows schema 1") }
        let title = SafeText(table["name"]?.string ?? name, limit: 40).string
        var variant = parent?.variant ?? .any
        if let value = table["variant"] {
            guard let parsed = value.string.flatMap({ Theme.Variant(rawValue: $0) }) else {
                throw error("variant", in: "", "variant must be \"dark\", \"light\" or \"any\"")
            }
            variant = parsed
        }
        let palette = try palette(table["palette"], parent: parent)
        var theme = Theme(name: title, variant: variant, glyphs: parent?.glyphs, warnings: [], roles: parent?.roles ?? [:])
        theme.palette = palette
        theme.madeFor = try vision(table["vision"]) ?? parent?.madeFor ?? []
        // An heir that changes a colour of its parent's palette changes the roles that use it.
        for (role, style) in theme.roles { theme.roles[role] = style.repainted(in: palette) }
        let isSolid = table["solid"]?.bool ?? false
        try readRoles(table["roles"], "roles", { StyleRole(name: $0) }, into: &theme, isSolid: isSolid)
        try readRoles(table["env"], "env", { StyleRole(name: "env.\($0)") }, into: &theme, isSolid: isSolid)
        try readGlyphs(table["glyphs"], into: &theme)
        try checkMarks(theme)
        if isSolid { theme.warnings.append("solid backgrounds cost about twice the bytes for a full paint inside tmux and screen") }
        return theme
    }

    private func section(_ value: (any TOMLValueConvertible)?, _ section: String) throws(ThemeError) -> TOMLTable? {
        guard let value else { return nil }
        guard let table = value.table else { throw error(section, in: "", "\(section) must be a table: [\(section)]") }
        return table
    }

    private func vision(_ value: (any TOMLValueConvertible)?) throws(ThemeError) -> [ColorVision]? {
        guard let value else { return nil }
        let names = ColorVision.allCases.dropFirst().map(\.rawValue).joined(separator: "\", \"")
        let error = error("vision", in: "", "vision must be a list of \"\(names)\"")
        guard let list = value.array else { throw error }
        var eyes: [ColorVision] = []
        for index in 0..<list.count {
            guard let eye = list[index].string.flatMap({ ColorVision(rawValue: $0) }), eye != .normal else { throw error }
            eyes.append(eye)
        }
        return eyes
    }

    // MARK: Palette

    private func palette(_ value: (any TOMLValueConvertible)?, parent: Theme?) throws(ThemeError) -> [String: ThemeColor] {
        var palette = parent?.palette ?? [:]
        guard let table = try section(value, "palette") else { return palette }
        for key in table.keys.sorted() {
            guard ThemeColor.Named(key) == nil else {
                throw error(key, in: "palette", "\"\(SafeText(key))\" is the name of a terminal colour; give the palette another one")
            }
            var entry = try color(table[key], key)
            entry.name = key
            palette[key] = entry
        }
        return palette
    }

    private func color(_ value: (any TOMLValueConvertible)?, _ key: String) throws(ThemeError) -> ThemeColor {
        if let text = value?.string, let rgb = ThemeColor.RGB(text) { return ThemeColor(rgb: rgb) }
        guard let table = value?.table else {
            throw error(key, in: "palette", "colour \"\(SafeText(key))\" must be \"#rrggbb\" or { rgb, x256, x16, x8 }")
        }
        var color = ThemeColor()
        for part in table.keys.sorted() {
            let item = table[part]
            switch part {
            case "rgb":
                guard let rgb = item?.string.flatMap({ ThemeColor.RGB($0) }) else {
                    throw error(key, in: "palette", "rgb of \"\(SafeText(key))\" must be \"#rrggbb\"")
                }
                color.rgb = rgb
            case "x256":
                guard let index = item?.int.flatMap({ UInt8(exactly: $0) }) else {
                    throw error(key, in: "palette", "x256 of \"\(SafeText(key))\" must be a number from 0 to 255")
                }
                color.x256 = index
            case "x16", "x8":
                guard let named = item?.string.flatMap({ ThemeColor.Named($0) }) else {
                    throw error(
                        key, in: "palette",
                        "\(part) of \"\(SafeText(key))\" must be default or one of \(ThemeColor.Named.names.joined(separator: ", "))")
                }
                if part == "x16" { color.x16 = named } else { color.x8 = named }
            default:
                throw error(key, in: "palette", "unknown key \"\(SafeText(part))\" in colour \"\(SafeText(key))\"; known: rgb, x256, x16, x8")
            }
        }
        guard color != ThemeColor() else { throw error(key, in: "palette", "colour \"\(SafeText(key))\" says nothing") }
        return color
    }

    // MARK: Roles

    private func readRoles(
        _ value: (any TOMLValueConvertible)?, _ sectionName: String, _ role: (String) -> StyleRole?, into theme: inout Theme, isSolid: Bool
    ) throws(ThemeError) {
        guard let table = try section(value, sectionName) else { return }
        for key in table.keys.sorted() {
            guard let role = role(key) else {
                // A theme for a later version has more roles: what is known of it can be used.
                theme.warnings.append(error(key, in: sectionName, unknownRole(key, sectionName)).description)
                continue
            }
            let style = try roleStyle(table[key], key, sectionName, theme.palette)
            if let background = style.background, background != .terminal, !isSolid, !Self.mayHaveBackground(role) {
                throw error(
                    key, in: sectionName,
                    "\"\(key)\" has a background; that is for select, env, dialog, input, match and severity.crit, or set solid = true")
            }
            theme.roles[role] = style.inheriting(theme.roles[role] ?? Theme.RoleStyle())
        }
    }

    private static func mayHaveBackground(_ role: StyleRole) -> Bool {
        role == .severityCrit || ["select", "env.", "dialog", "input", "match"].contains { role.name.hasPrefix($0) }
    }

    private func unknownRole(_ key: String, _ section: String) -> String {
        if section == "env" { return "unknown class \"\(SafeText(key))\" in [env]; known: prod, stage, lab, demo" }
        let family = key.prefix { $0 != "." }
        let near = StyleRole.allCases.map(\.name).filter { $0.hasPrefix(family) }
        return "unknown role \"\(SafeText(key))\"" + (near.isEmpty ? "" : "; known: \(near.joined(separator: ", "))")
    }

    private func roleStyle(
        _ value: (any TOMLValueConvertible)?, _ key: String, _ section: String, _ palette: [String: ThemeColor]
    ) throws(ThemeError) -> Theme.RoleStyle {
        guard let table = value?.table else { throw error(key, in: section, "\"\(key)\" must be a table: { fg, bg, attr, mark }") }
        var style = Theme.RoleStyle()
        for part in table.keys.sorted() {
            let item = table[part]
            switch part {
            case "fg", "bg":
                guard let name = item?.string, let color = reference(name, palette) else {
                    throw error(key, in: section, "\(part) of \"\(key)\" must be a colour of the palette, a terminal colour or \"#rrggbb\"")
                }
                if part == "fg" { style.foreground = color } else { style.background = color }
            case "attr": style.attributes = try attributes(item, key, section)
            case "mark":
                guard let mark = item?.string, mark.utf8.count <= 2, mark.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                    throw error(key, in: section, "mark of \"\(key)\" must be at most 2 ASCII characters")
                }
                style.mark = SafeText(mark)
            default: throw error(key, in: section, "unknown key \"\(SafeText(part))\" in \"\(key)\"; known: fg, bg, attr, mark")
            }
        }
        return style
    }

    private func reference(_ name: String, _ palette: [String: ThemeColor]) -> ThemeColor? {
        if let color = palette[name] { return color }
        if let named = ThemeColor.Named(name) { return ThemeColor(x16: named) == ThemeColor(x16: .terminal) ? .terminal : ThemeColor(x16: named) }
        return ThemeColor.RGB(name).map { ThemeColor(rgb: $0) }
    }

    private func attributes(_ value: (any TOMLValueConvertible)?, _ key: String, _ section: String) throws(ThemeError) -> StyleAttributes {
        let names: [String: StyleAttributes] = [
            "bold": .bold, "dim": .dim, "underline": .underline, "reverse": .reverse, "italic": .italic,
        ]
        guard let list = value?.array else { throw error(key, in: section, "attr of \"\(key)\" must be a list: [\"bold\"]") }
        var attributes: StyleAttributes = []
        for index in 0..<list.count {
            guard let name = list[index].string, let attribute = names[name] else {
                throw error(key, in: section, "unknown attribute in \"\(key)\"; known: \(names.keys.sorted().joined(separator: ", "))")
            }
            attributes.insert(attribute)
        }
        return attributes
    }

    private func readGlyphs(_ value: (any TOMLValueConvertible)?, into theme: inout Theme) throws(ThemeError) {
        guard let table = try section(value, "glyphs") else { return }
        for key in table.keys.sorted() {
            guard key == "profile" else { throw error(key, in: "glyphs", "unknown key \"\(SafeText(key))\" in [glyphs]; known: profile") }
            guard let name = table[key]?.string, name == "auto" || GlyphProfile(rawValue: name) != nil else {
                throw error(key, in: "glyphs", "profile must be \"auto\", \"braille\", \"block\" or \"ascii\"")
            }
            theme.glyphs = GlyphProfile(rawValue: name)
        }
    }

    /// Without colour, only the marks tell one severity, checkpoint status or link state from another.
    private func checkMarks(_ theme: Theme) throws(ThemeError) {
        for family in ["severity.", "ckpt.", "link."] {
            var seen: [SafeText: StyleRole] = [:]
            for role in StyleRole.allCases where role.name.hasPrefix(family) {
                let mark = theme.mark(role)
                guard !mark.isEmpty else { throw error(role.name, in: "roles", "\"\(role.name)\" has no mark") }
                if let other = seen.updateValue(role, forKey: mark) {
                    throw error(role.name, in: "roles", "\"\(role.name)\" and \"\(other.name)\" have the same mark \"\(mark)\"")
                }
            }
        }
    }
}

extension Theme.RoleStyle {
    /// This style with its colours taken from another palette, by name.
    fileprivate func repainted(in palette: [String: ThemeColor]) -> Theme.RoleStyle {
        func exchange(_ color: ThemeColor?) -> ThemeColor? {
            guard let color, let name = color.name else { return color }
            return palette[name] ?? color
        }
        var style = self
        style.foreground = exchange(foreground)
        style.background = exchange(background)
        return style
    }
}
