/// The characters that a terminal can draw.
public enum GlyphProfile: String, Sendable, CaseIterable {
    /// Unicode with box drawing, block elements and braille.
    case braille
    /// Unicode with box drawing and block elements (fonts of the Linux console have no braille).
    case block
    /// ASCII only; every other character of a text is drawn as "?", one per column.
    case ascii

    public enum Line: Sendable, CaseIterable {
        case horizontal, vertical, topLeft, topRight, bottomLeft, bottomRight, teeLeft, teeRight, teeTop, teeBottom, cross
    }

    public func line(_ line: Line) -> Unicode.Scalar {
        if self == .ascii {
            switch line {
            case .horizontal: return "-"
            case .vertical: return "|"
            default: return "+"
            }
        }
        switch line {
        case .horizontal: return "\u{2500}"
        case .vertical: return "\u{2502}"
        case .topLeft: return "\u{250c}"
        case .topRight: return "\u{2510}"
        case .bottomLeft: return "\u{2514}"
        case .bottomRight: return "\u{2518}"
        case .teeLeft: return "\u{251c}"
        case .teeRight: return "\u{2524}"
        case .teeTop: return "\u{252c}"
        case .teeBottom: return "\u{2534}"
        case .cross: return "\u{253c}"
        }
    }

    /// Filled and empty parts of a bar.
    public var bar: (full: Unicode.Scalar, empty: Unicode.Scalar) { self == .ascii ? ("#", "-") : ("\u{2588}", "\u{2591}") }

    /// Number of samples per cell of a sparkline.
    public var samplesPerCell: Int { self == .braille ? 2 : 1 }

    /// Number of heights of a sample in a sparkline, above zero.
    public var sparkLevels: Int {
        switch self {
        case .braille: 4
        case .block: 8
        case .ascii: Self.asciiSpark.count - 1
        }
    }

    /// One cell of a sparkline from the heights (0...sparkLevels) of its samples, oldest first. nil heights are gaps.
    public func spark(_ left: Int?, _ right: Int?) -> Unicode.Scalar {
        let limit = sparkLevels
        func clamp(_ height: Int?) -> Int? { height.map { min(max($0, 0), limit) } }
        switch self {
        case .ascii: return clamp(left).map { Self.asciiSpark[$0] } ?? " "
        case .block:
            guard let height = clamp(left) else { return " " }
            return height == 0 ? "\u{2581}" : Unicode.Scalar(0x2580 + UInt32(height)) ?? " "
        case .braille:
            // Dots of a column from the bottom up; a sample of height 0 still shows its lowest dot.
            let leftDots: [UInt32] = [0x40, 0x44, 0x46, 0x47, 0x47]
            let rightDots: [UInt32] = [0x80, 0xa0, 0xb0, 0xb8, 0xb8]
            let bits = (clamp(left).map { leftDots[max($0 - 1, 0)] } ?? 0) | (clamp(right).map { rightDots[max($0 - 1, 0)] } ?? 0)
            return bits == 0 ? " " : Unicode.Scalar(0x2800 + bits) ?? " "
        }
    }

    private static let asciiSpark: [Unicode.Scalar] = ["_", ".", ",", ":", ";", "+", "*", "#"]

    /// The scalar itself if it can be drawn, otherwise "?".
    func drawable(_ scalar: Unicode.Scalar) -> Unicode.Scalar { self == .ascii && scalar.value > 0x7e ? "?" : scalar }
}
