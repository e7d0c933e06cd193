public import CellGrid
internal import StreamModel

/// The findings about a theme, and its distance from the limits: made by `Theme.check`.
public struct ThemeReport: Sendable, Equatable {
    public enum Rule: String, Sendable {
        /// Text is hard to read on the ground that the theme assumes, or on its own background.
        case contrast
        /// Two meanings look alike to some eyes.
        case distance
        /// Meanings that nothing tells apart without colour.
        case mono
        /// A colour that some terminals show as their own background.
        case terminal
        /// Legal, and said by the parser: costs, unknown names.
        case note
    }

    public struct Finding: Sendable, Equatable {
        public var rule: Rule
        /// Of the theme's own file; nil when what is wrong is inherited.
        public var line: Int?
        public var text: String
        /// False = a warning.
        public var isError: Bool
    }

    /// The least contrast of any role, where it is and by what it is needed to be.
    public struct Contrast: Sendable, Equatable {
        public var role: StyleRole
        public var depth: ColorDepth
        public var ratio: Double
        public var needed: Double
    }

    /// The two meanings that look most alike, and to which eyes.
    public struct Pair: Sendable, Equatable {
        public var first, second: StyleRole
        public var vision: ColorVision
        public var depth: ColorDepth
        /// Distance in CIELAB.
        public var distance: Double
    }

    public var name: String
    /// Its name in messages: a path, or the name of a compiled-in theme.
    public var file: String
    public var variant: Theme.Variant
    public var findings: [Finding] = []
    /// Relative to what is needed; nil where all colours are the terminal's own.
    public var leastContrast: Contrast?
    public var nearestPair: Pair?

    public var isGood: Bool { !findings.contains { $0.isError } }
}

extension Theme {
    /// Looks at the theme as a terminal of each depth would show it, and as all eyes would see it. `source` is the text of its file.
    public func check(source: String, file: String) -> ThemeReport {
        var check = ThemeCheck(theme: self, source: ThemeFile(text: source, name: file))
        return check.run()
    }
}

/// One run of the check.
private struct ThemeCheck {
    let theme: Theme
    let source: ThemeFile
    var report: ThemeReport

    init(theme: Theme, source: ThemeFile) {
        self.theme = theme
        self.source = source
        report = ThemeReport(name: theme.name, file: source.name, variant: theme.variant)
    }

    /// Roles that may be faint: they say little that is not said elsewhere.
    private static let faint: Set<StyleRole> = [
        .textDim, .textStale, .border, .borderFocus, .header, .hintLocked, .checkpointGone, .dialogBorder, .graphScale0, .graphScale1, .graphScale2,
        .graphScale3, .graphScale4, .graphScale5, .graphScale6, .graphScale7, .graphScale8, .graphScale9,
    ]
    /// Meanings that must not be taken for each other.
    private static let families: [[StyleRole]] = [
        [.severityOK, .severityWarn, .severityCrit], [.checkpointOK, .checkpointFailed, .checkpointSavepoint], [.linkOK, .linkSlow, .linkDown],
    ]
    /// The least distance of two such meanings to any eyes, and to those that the theme is made for.
    static let leastDistance = 9.0, leastDistanceMadeFor = 25.0

    mutating func run() -> ThemeReport {
        for warning in theme.warnings { add(.note, nil, warning, isError: false) }
        for depth in [ColorDepth.direct, .colors256] {
            checkContrast(depth)
            checkDistances(depth)
        }
        for depth in [ColorDepth.colors16, .colors8] { checkSmall(depth) }
        checkMono()
        return report
    }

    private mutating func add(_ rule: ThemeReport.Rule, _ role: StyleRole?, _ text: String, isError: Bool = true) {
        let line = role.flatMap { role in
            source.line(ofOwn: role.name, in: "roles") ?? envLine(role) ?? paletteLine(role)
        }
        // A role that is wrong at both depths is said once.
        guard !report.findings.contains(where: { $0.rule == rule && $0.text == text }) else { return }
        report.findings.append(ThemeReport.Finding(rule: rule, line: line, text: text, isError: isError))
    }

    private func envLine(_ role: StyleRole) -> Int? {
        role.name.hasPrefix("env.") ? source.line(ofOwn: String(role.name.dropFirst(4)), in: "env") : nil
    }

    private func paletteLine(_ role: StyleRole) -> Int? {
        (theme.roles[role]?.background?.name ?? theme.roles[role]?.foreground?.name).flatMap { source.line(ofOwn: $0, in: "palette") }
    }

    // MARK: Contrast

    /// Backgrounds that terminals of a variant have; a theme must be readable on the worst.
    private var grounds: [ThemeColor.RGB] {
        let dark = ["#000000", "#1e2127", "#282c34"], light = ["#ffffff", "#fafafa"]
        let names =
            switch theme.variant {
            case .dark: dark
            case .light: light
            case .any: dark + light
            }
        return names.compactMap { ThemeColor.RGB($0) }
    }

    private mutating func checkContrast(_ depth: ColorDepth) {
        let sheet = theme.styleSheet(depth: depth)
        for role in StyleRole.allCases {
            checkContrast(sheet[role], role, "\(role.name)", depth)
            // The selected row keeps its meanings: only a selection with colours of its own can hide them.
            let selected = sheet[StyleID(role, under: .select)]
            if sheet[.select].background != .default { checkContrast(selected, role, "\(role.name) on the selected row", depth) }
        }
    }

    private mutating func checkContrast(_ style: Style, _ role: StyleRole, _ what: String, _ depth: ColorDepth) {
        // Reverse video swaps them, which changes no contrast.
        let front = Self.exact(style.foreground), back = Self.exact(style.background)
        // Where neither is known both are the terminal's own, which its owner can read.
        guard front != nil || back != nil else { return }
        let needed = Self.faint.contains(role) ? 3.0 : 4.5
        let fronts = front.map { [$0] } ?? inks
        let backs = back.map { [$0] } ?? grounds
        guard let worst = fronts.flatMap({ front in backs.map { (front, $0, LinearColor(front).contrast(to: LinearColor($0))) } }).min(by: { $0.2 < $1.2 })
        else { return }
        if report.leastContrast.map({ worst.2 / needed < $0.ratio / $0.needed }) ?? true {
            report.leastContrast = ThemeReport.Contrast(role: role, depth: depth, ratio: worst.2, needed: needed)
        }
        if worst.2 < needed {
            add(
                .contrast, role,
                "\(what): \(worst.0) on \(worst.1) has a contrast of \(oneDecimal(worst.2)) (\(depth.label)); at least \(oneDecimal(needed)) is needed")
        }
    }

    /// Text colours that terminals of a variant have.
    private var inks: [ThemeColor.RGB] {
        switch theme.variant {
        case .dark: ["#d0d0d0", "#ffffff"].compactMap { ThemeColor.RGB($0) }
        case .light: ["#000000", "#383a42"].compactMap { ThemeColor.RGB($0) }
        case .any: ["#d0d0d0", "#383a42"].compactMap { ThemeColor.RGB($0) }
        }
    }

    /// The colour, where it does not depend on the terminal.
    private static func exact(_ color: TerminalColor) -> ThemeColor.RGB? {
        switch color {
        case .default, .index16: nil
        case .index256(let index): index < 16 ? nil : XtermPalette.color(index)
        case .rgb(let red, let green, let blue): ThemeColor.RGB(red: red, green: green, blue: blue)
        }
    }

    // MARK: Eyes

    private mutating func checkDistances(_ depth: ColorDepth) {
        let sheet = theme.styleSheet(depth: depth)
        for family in Self.families {
            for (index, first) in family.enumerated() {
                for second in family[(index + 1)...] {
                    for vision in ColorVision.allCases { checkDistance(first, second, vision, sheet, depth) }
                }
            }
        }
    }

    private mutating func checkDistance(_ first: StyleRole, _ second: StyleRole, _ vision: ColorVision, _ sheet: StyleSheet, _ depth: ColorDepth) {
        guard let distance = distance(sheet[first], sheet[second], vision) else { return }
        if report.nearestPair.map({ distance < $0.distance }) ?? true {
            report.nearestPair = ThemeReport.Pair(first: first, second: second, vision: vision, depth: depth, distance: distance)
        }
        let needed = vision != .normal && theme.madeFor.contains(vision) ? Self.leastDistanceMadeFor : Self.leastDistance
        if distance < needed {
            let eyes = vision == .normal ? "" : " with \(vision.rawValue)"
            add(
                .distance, second,
                "\(first.name) and \(second.name) look alike\(eyes): distance \(oneDecimal(distance)) (\(depth.label)); at least \(oneDecimal(needed)) is needed"
            )
        }
    }

    /// The larger one of the distances of their colours and of their backgrounds; nil where the terminal decides.
    private func distance(_ first: Style, _ second: Style, _ vision: ColorVision) -> Double? {
        func between(_ left: TerminalColor, _ right: TerminalColor) -> Double? {
            guard let left = Self.exact(left), let right = Self.exact(right) else { return nil }
            return vision.seen(LinearColor(left)).distance(to: vision.seen(LinearColor(right)))
        }
        let fronts = between(first.foreground, second.foreground)
        // A background of its own against the terminal's.
        let back = [first.background, second.background].compactMap(Self.exact)
        guard back.count == 1,
            let ground = grounds.map({ LinearColor($0) }).min(by: {
                vision.seen(LinearColor(back[0])).distance(to: vision.seen($0)) < vision.seen(LinearColor(back[0])).distance(to: vision.seen($1))
            })
        else { return fronts }
        return max(fronts ?? 0, vision.seen(LinearColor(back[0])).distance(to: vision.seen(ground)))
    }

    // MARK: Sixteen and eight colours

    /// The sixteen are the terminal's own, so only what holds for every terminal is asked for.
    private mutating func checkSmall(_ depth: ColorDepth) {
        let sheet = theme.styleSheet(depth: depth)
        for role in StyleRole.allCases {
            let style = sheet[role]
            guard case .index16(let front) = style.foreground else { continue }
            if case .index16(let back) = style.background {
                checkNamed(front, back, role, depth)
            } else if !style.attributes.contains(.reverse) {
                checkLone(front, role, depth)
            }
        }
        // Roles without any colour are told apart by their marks.
        func isColored(_ style: Style) -> Bool { style.foreground != .default || style.background != .default }
        for family in Self.families {
            for (index, first) in family.enumerated() {
                for second in family[(index + 1)...] where sheet[first] == sheet[second] && isColored(sheet[first]) {
                    add(.distance, second, "\(first.name) and \(second.name) look the same with \(depth.label)")
                }
            }
        }
    }

    /// A named colour without a background of its own: what is the background of some terminals is no colour for text.
    private mutating func checkLone(_ front: UInt8, _ role: StyleRole, _ depth: ColorDepth) {
        let forbidden: [UInt8] =
            switch theme.variant {
            // Bright black is the background of Solarized, and black that of most.
            case .dark: [0, 8]
            case .light: [7, 15]
            case .any: [0, 7, 8, 15]
            }
        guard forbidden.contains(front) else { return }
        add(
            .terminal, role,
            "\(role.name) is \(ThemeColor.Named.names[Int(front)]) with \(depth.label): some terminals use it as their background; use \"default\" or another colour"
        )
    }

    /// Two named colours: readable both where xterm's and where the Linux console's are shown.
    private mutating func checkNamed(_ front: UInt8, _ back: UInt8, _ role: StyleRole, _ depth: ColorDepth) {
        let palettes = [XtermPalette.color, XtermPalette.consoleColor]
        let ratio = palettes.map { LinearColor($0(front)).contrast(to: LinearColor($0(back))) }.min() ?? 0
        guard ratio < 3 else { return }
        let names = ThemeColor.Named.names
        add(
            .terminal, role,
            "\(role.name) is \(names[Int(front & 15)]) on \(names[Int(back & 15)]) with \(depth.label), a contrast of \(oneDecimal(ratio)) on some terminals; at least 3.0 is needed"
        )
    }

    // MARK: No colours

    private mutating func checkMono() {
        let mono = theme.styleSheet(depth: .none)
        for (first, second, why) in [
            (StyleRole.select, StyleRole.text, "the selected row"), (.envProd, .envLab, "production"), (.dialogDanger, .dialog, "a dangerous dialog"),
        ] where mono[first] == mono[second] {
            add(.mono, first, "\(first.name) and \(second.name) look the same without colours: \(why) must stand out")
        }
        for family in ["severity.", "ckpt.", "link."] {
            var seen: [SafeText: StyleRole] = [:]
            for role in StyleRole.allCases where role.name.hasPrefix(family) {
                let mark = theme.mark(role)
                if mark.isEmpty { add(.mono, role, "\(role.name) has no mark: without colours nothing identifies it") }
                if let other = seen.updateValue(role, forKey: mark), !mark.isEmpty {
                    add(.mono, role, "\(other.name) and \(role.name) have the same mark \"\(mark)\"")
                }
            }
        }
    }
}

extension ColorDepth {
    /// For messages.
    var label: String {
        switch self {
        case .none: "no colours"
        case .colors8: "8 colours"
        case .colors16: "16 colours"
        case .colors256: "256 colours"
        case .direct: "direct colour"
        }
    }
}

/// One digit behind the point, cut and not rounded: 4.49 is not 4.5.
func oneDecimal(_ value: Double) -> String {
    let tenths = Int(clamping: min(max(value, 0), 1e6) * 10)
    return "\(tenths / 10).\(tenths % 10)"
}

extension ThemeReport {
    /// For people: a line for the theme, and one for each finding, as compilers write them.
    public var text: String {
        var head = "\(name.padding(24)) \(variant.rawValue.padding(6)) \(isGood ? "ok" : "FAILED")"
        if let leastContrast {
            head += "  contrast \(oneDecimal(leastContrast.ratio)) of \(oneDecimal(leastContrast.needed)) at \(leastContrast.role.name)"
        } else {
            head += "  contrast depends on the terminal"
        }
        if let nearestPair {
            head += ", nearest \(nearestPair.first.name)/\(nearestPair.second.name) \(oneDecimal(nearestPair.distance)) (\(nearestPair.vision.rawValue))"
        }
        return
            ([head]
            + findings.map { finding in
                // The parser's messages name file and line themselves.
                finding.rule == .note
                    ? "  warning: \(finding.text)" : "  \(file)\(finding.line.map { ":\($0)" } ?? ""): \(finding.isError ? "" : "warning: ")\(finding.text)"
            }).joined(separator: "\n")
    }
}

extension String {
    fileprivate func padding(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
