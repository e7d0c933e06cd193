import CellGrid
import StreamModel

/// A colour of a theme: what to use at each depth, as far as the theme says. What it does not say is computed from the next
/// better value.
struct ThemeColor: Sendable, Equatable {
    struct RGB: Sendable, Equatable, CustomStringConvertible {
        var red, green, blue: UInt8

        var description: String {
            "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }

        /// "#rrggbb".
        init?(_ text: String) {
            guard text.utf8.count == 7, text.hasPrefix("#"), let value = UInt32(text.dropFirst(), radix: 16) else { return nil }
            self.init(red: UInt8(value >> 16), green: UInt8(value >> 8 & 0xff), blue: UInt8(value & 0xff))
        }

        init(red: UInt8, green: UInt8, blue: UInt8) { (self.red, self.green, self.blue) = (red, green, blue) }

        /// Squared distance, weighted as eyes are ("redmean").
        func distance(to other: RGB) -> Int {
            let mean = (Int(red) + Int(other.red)) / 2
            let r = Int(red) - Int(other.red)
            let g = Int(green) - Int(other.green)
            let b = Int(blue) - Int(other.blue)
            return ((512 + mean) * r * r) / 256 + 4 * g * g + ((767 - mean) * b * b) / 256
        }
    }

    /// A named colour, or the terminal's own.
    enum Named: Sendable, Equatable {
        case terminal
        case index(UInt8)

        init?(_ name: String) {
            if name == "default" {
                self = .terminal
            } else if let index = Self.names.firstIndex(of: name) {
                self = .index(UInt8(index))
            } else {
                return nil
            }
        }

        static let names = [
            "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bright-black", "bright-red", "bright-green",
            "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan", "bright-white",
        ]
    }

    /// Its name in the palette, so that an heir that redefines the name repaints what uses it.
    var name: String?
    var rgb: RGB?
    var x256: UInt8?
    var x16: Named?
    var x8: Named?

    static let terminal = ThemeColor(x16: .terminal, x8: .terminal)

    /// A colour between two; terminals with few colours have only the other one of them. nil where one is the terminal's own.
    func mixed(with other: ThemeColor, _ part: Double) -> ThemeColor? {
        guard let from = rgb, let to = other.rgb else { return nil }
        func between(_ left: UInt8, _ right: UInt8) -> UInt8 { UInt8(clamping: (Double(left) + (Double(right) - Double(left)) * part).rounded()) }
        return ThemeColor(
            rgb: RGB(red: between(from.red, to.red), green: between(from.green, to.green), blue: between(from.blue, to.blue)), x16: other.x16,
            x8: other.x8)
    }

    /// The colour at a depth, and whether bold has to stand in for brightness.
    func resolved(_ depth: ColorDepth) -> (color: TerminalColor, needsBold: Bool) {
        switch depth {
        case .none: return (.default, false)
        case .direct:
            if let exact = rgb ?? x256.flatMap({ $0 < 16 ? nil : XtermPalette.color($0) }) {
                return (.rgb(red: exact.red, green: exact.green, blue: exact.blue), false)
            }
            // Terminals with direct colour know the first eight by their numbers too.
            return resolved(.colors8)
        case .colors256:
            if let x256 { return (x256 < 16 ? .index16(x256) : .index256(x256), false) }
            if let rgb { return (.index256(XtermPalette.nearest(rgb, among: 16..<256)), false) }
            return resolved(.colors16)
        case .colors16: return (sixteen.map { .index16($0) } ?? .default, false)
        case .colors8:
            if let x8 {
                guard case .index(let index) = x8 else { return (.default, false) }
                return (.index16(index & 7), index > 7)
            }
            return (sixteen.map { .index16($0 & 7) } ?? .default, (sixteen ?? 0) > 7)
        }
    }

    /// Index among the sixteen; nil = the terminal's own colour.
    private var sixteen: UInt8? {
        switch x16 {
        case .index(let index): return index
        case .terminal: return nil
        case nil: break
        }
        guard let exact = rgb ?? x256.map({ XtermPalette.color($0) }) else { return nil }
        return XtermPalette.nearest(exact, among: 0..<16)
    }
}

/// The colours that xterm gives to the 256 indices; the first sixteen differ between terminals and are xterm's defaults here.
enum XtermPalette {
    static func color(_ index: UInt8) -> ThemeColor.RGB {
        if index < 16 { return sixteen[Int(index)] }
        if index >= 232 {
            let grey = 8 + 10 * (index - 232)
            return ThemeColor.RGB(red: grey, green: grey, blue: grey)
        }
        let cube = index - 16
        func level(_ step: UInt8) -> UInt8 { step == 0 ? 0 : 55 + 40 * step }
        return ThemeColor.RGB(red: level(cube / 36), green: level(cube / 6 % 6), blue: level(cube % 6))
    }

    /// The sixteen colours of the Linux console (and of VGA).
    static func consoleColor(_ index: UInt8) -> ThemeColor.RGB {
        let level: UInt8 = index & 8 == 0 ? 0 : 85
        func part(_ bit: UInt8) -> UInt8 { (index & bit == 0 ? 0 : 170) + level }
        // Its yellow is brown.
        return ThemeColor.RGB(red: part(1), green: index & 15 == 3 ? 85 : part(2), blue: part(4))
    }

    static func nearest(_ color: ThemeColor.RGB, among indices: Range<Int>) -> UInt8 {
        UInt8(indices.min { color.distance(to: self.color(UInt8($0))) < color.distance(to: self.color(UInt8($1))) } ?? 0)
    }

    private static let sixteen: [ThemeColor.RGB] = [
        (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229), (127, 127, 127),
        (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
    ].map { ThemeColor.RGB(red: $0.0, green: $0.1, blue: $0.2) }
}
