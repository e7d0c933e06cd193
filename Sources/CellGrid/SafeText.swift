/// One line of text without any effect on a terminal but its own: the only text that a `Canvas` draws. All outside text (job names, exception
/// messages, paths, a theme's marks) passes through it.
///
/// Excluded: control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls, zero-width and other format characters,
/// tags, private use, non-characters and unassigned code points, invisible fillers, variation selectors, a combining mark without a base, and
/// more than `marksMax` combining marks on one base.
///
/// Whole escape sequences are dropped with their payload, so that no "[31m" remains; variation selectors are dropped, because terminals
/// disagree on their effect on the width; everything else of the above becomes `mark`.
public struct SafeText: Hashable, Sendable {
    /// The text.
    public let string: String
    /// Number of columns.
    public let columns: Int

    /// Replacement for characters that cannot be shown.
    public static let mark: Unicode.Scalar = "\u{fffd}"
    /// Combining marks kept on one base; further ones are dropped.
    public static let marksMax = 4
    /// Scalars kept by default. A truncated text ends in "...".
    public static let scalarsMax = 4096

    /// Makes a text safe. Any string is accepted.
    public init(_ untrusted: String, limit: Int = SafeText.scalarsMax) {
        var untrusted = untrusted
        let isPlain = untrusted.withUTF8 { bytes in bytes.count <= limit && bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7f } }
        if isPlain {
            string = untrusted
            columns = untrusted.utf8.count
        } else {
            var filter = Filter(limit: limit)
            for scalar in untrusted.unicodeScalars where !filter.isFull { filter.take(scalar) }
            (string, columns) = filter.finish()
        }
    }

    /// Makes bytes safe: they are read as UTF-8, and invalid bytes become `mark`.
    public init(bytes: some Collection<UInt8>, limit: Int = SafeText.scalarsMax) {
        self.init(String(decoding: bytes, as: UTF8.self), limit: limit)
    }

    private init(safe: String, columns: Int) {
        string = safe
        self.columns = columns
    }

    public static let empty = SafeText(safe: "", columns: 0)
    /// Marks a place where text was cut out. One column, in every character set.
    public static let cut = SafeText(safe: "~", columns: 1)

    public var isEmpty: Bool { string.isEmpty }

    public static func + (left: SafeText, right: SafeText) -> SafeText {
        // A mark at the start of the right side would have become `mark`, so joining cannot accumulate marks.
        SafeText(safe: left.string + right.string, columns: left.columns + right.columns)
    }

    /// The longest prefix of at most `limit` columns; a truncated one ends in `ending` if that fits.
    public func prefix(columns limit: Int, ending: SafeText = "") -> SafeText {
        guard columns > limit else { return self }
        let room = max(0, limit - ending.columns)
        var kept = String.UnicodeScalarView()
        var used = 0
        for scalar in string.unicodeScalars {
            let width = TextWidth.columns(of: scalar)
            guard used + width <= room else { break }
            kept.append(scalar)
            used += width
        }
        let start = SafeText(safe: String(kept), columns: used)
        return ending.columns <= limit ? start + ending : start
    }

    /// At most `limit` columns: the beginning and the end, and `sign` where the middle was cut out. For names, which may differ late.
    public func middle(columns limit: Int, sign: SafeText = .cut) -> SafeText {
        guard columns > limit else { return self }
        let room = limit - sign.columns
        guard room >= 4 else { return prefix(columns: limit, ending: sign) }
        let end = suffix(columns: room / 2)
        return prefix(columns: room - end.columns) + sign + end
    }

    /// The longest suffix of at most `limit` columns; a truncated one begins with `beginning`. For paths, whose end is the more telling part.
    public func suffix(columns limit: Int, beginning: SafeText = "") -> SafeText {
        guard columns > limit else { return self }
        let room = max(0, limit - beginning.columns)
        let scalars = Array(string.unicodeScalars)
        var first = scalars.count
        var used = 0
        var candidate = scalars.count
        while candidate > 0 {
            candidate -= 1
            let width = TextWidth.columns(of: scalars[candidate])
            guard used + width <= room else { break }
            used += width
            if width > 0 { first = candidate }
        }
        var kept = String.UnicodeScalarView()
        kept.append(contentsOf: scalars[first...])
        let end = SafeText(safe: String(kept), columns: used)
        return beginning.columns <= limit ? beginning + end : end
    }

    /// Exactly `width` columns: truncated, or filled with spaces at the right.
    public func padded(_ width: Int) -> SafeText {
        let text = columns > width ? prefix(columns: width) : self
        return text + .spaces(width - text.columns)
    }

    /// Exactly `width` columns: truncated, or filled with spaces at the left.
    public func padded(leading width: Int) -> SafeText {
        let text = columns > width ? prefix(columns: width) : self
        return .spaces(width - text.columns) + text
    }

    public static func spaces(_ count: Int) -> SafeText {
        count <= 0 ? .empty : SafeText(safe: String(repeating: " ", count: count), columns: count)
    }
}

extension SafeText: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    public init(stringLiteral value: String) { self.init(value) }

    /// Makes interpolated values safe with the rest.
    public init(stringInterpolation: DefaultStringInterpolation) { self.init(String(stringInterpolation: stringInterpolation)) }
}

/// Outside text for a message or a terminal: `SafeText` as a string, truncated to `limit` scalars.
public func printable(_ text: String, limit: Int = 200) -> String { SafeText(text, limit: limit).string }

extension SafeText: CustomStringConvertible {
    public var description: String { string }
}

extension SafeText {
    /// Whether a scalar may occur in a `SafeText`, given a base if it is a combining mark.
    static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        let value = scalar.value
        if value < 0x7f { return value >= 0x20 }
        if value < 0xa0 || isFiller(value) { return false }
        if value < 0x300 { return value != 0xad }
        if (0x2500...0x257f).contains(value) || (0x4e00...0x9fff).contains(value) || (0xac00...0xd7a3).contains(value) { return true }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        // The C library that draws the text (glibc 2.36) knows Unicode 14; later scalars have no width there.
        default: return properties.age.map { $0.major <= 14 } ?? false
        }
    }

    /// Whether it is an invisible letter, a mark used only to join or hide, or U+1171E, whose width changed between versions of Unicode.
    private static func isFiller(_ value: UInt32) -> Bool {
        value == 0x34f || value == 0x115f || value == 0x1160 || value == 0x17b4 || value == 0x17b5 || value == 0x3164 || value == 0xffa0
            || value == 0x1171e
            || (0x180b...0x180f).contains(value)
    }

    static func isVariationSelector(_ scalar: Unicode.Scalar) -> Bool {
        (0xfe00...0xfe0f).contains(scalar.value) || (0xe0100...0xe01ef).contains(scalar.value)
    }

    /// Takes scalars one by one and keeps the safe ones.
    ///
    ///     plain --ESC--> escape --[--> csi --final--> plain
    ///                      |----]PX^_--> string --BEL, ST--> plain
    ///                      |----other--> plain
    ///
    /// The C1 forms of the introducers lead to the same states. CAN and SUB end any sequence, ESC starts the next.
    private struct Filter {
        private enum State { case plain, escape, intermediate, csi, string, stringEscape }
        private var state = State.plain
        private var kept = String.UnicodeScalarView()
        private var columns = 0, count = 0, marks = 0
        private var hasBase = false
        private let limit: Int
        private(set) var isFull = false

        init(limit: Int) { self.limit = max(0, limit) }

        mutating func take(_ scalar: Unicode.Scalar) {
            let value = scalar.value
            switch state {
            case .plain: plain(scalar)
            case .escape: escape(scalar)
            case .intermediate:
                if (0x20...0x2f).contains(value) { return }
                state = .plain
                if !(0x30...0x7e).contains(value) { plain(scalar) }
            case .csi:
                if (0x20...0x3f).contains(value) { return }
                state = .plain
                if !(0x40...0x7e).contains(value), value != 0x18, value != 0x1a { plain(scalar) }
            case .string:
                if value == 0x07 || value == 0x9c || value == 0x18 || value == 0x1a { state = .plain }
                if value == 0x1b { state = .stringEscape }
            case .stringEscape:
                if value == 0x5c { state = .plain } else { escape(scalar) }
            }
        }

        private mutating func escape(_ scalar: Unicode.Scalar) {
            switch scalar.value {
            case 0x5b: state = .csi
            case 0x5d, 0x50, 0x58, 0x5e, 0x5f: state = .string
            case 0x20...0x2f: state = .intermediate
            case 0x1b: state = .escape
            case 0x30...0x7e, 0x18, 0x1a: state = .plain
            default:
                state = .plain
                plain(scalar)
            }
        }

        private mutating func plain(_ scalar: Unicode.Scalar) {
            switch scalar.value {
            case 0x1b: state = .escape
            case 0x9b: state = .csi
            case 0x90, 0x98, 0x9d, 0x9e, 0x9f: state = .string
            default: keep(scalar)
            }
        }

        private mutating func keep(_ scalar: Unicode.Scalar) {
            if SafeText.isVariationSelector(scalar) { return }
            guard SafeText.isAllowed(scalar) else { return add(SafeText.mark, width: 1) }
            let width = TextWidth.columns(of: scalar)
            if width > 0 { return add(scalar, width: width) }
            guard hasBase else { return add(SafeText.mark, width: 1) }
            guard marks < SafeText.marksMax else { return }
            marks += 1
            kept.append(scalar)
            count += 1
        }

        private mutating func add(_ scalar: Unicode.Scalar, width: Int) {
            guard count < limit else {
                isFull = true
                return
            }
            kept.append(scalar)
            columns += width
            (count, marks, hasBase) = (count + 1, 0, true)
        }

        func finish() -> (String, Int) {
            isFull ? (String(kept) + "...", columns + 3) : (String(kept), columns)
        }
    }
}
