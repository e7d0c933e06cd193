/// One cell of the screen: up to 16 bytes of UTF-8 (a base character with its combining marks), its columns and its style. Plain data without
/// references, so that a screen is copied and compared as memory.
///
/// A character of two columns is a cell of width 2 followed by a continuation cell of width 0 and no text.
public struct Cell: Hashable, Sendable {
    /// UTF-8 bytes, first byte lowest, padded with zeros.
    private var low: UInt64
    private var high: UInt64
    public private(set) var width: UInt8
    public var style: StyleID

    public static let blank = Cell(ascii: 0x20, style: .plain)

    init(ascii: UInt8, style: StyleID) {
        (low, high, width) = (UInt64(ascii), 0, 1)
        self.style = style
    }

    /// The cell after a two-column character.
    static func continuation(_ style: StyleID) -> Cell {
        var cell = Cell(ascii: 0, style: style)
        cell.width = 0
        return cell
    }

    init(_ scalar: Unicode.Scalar, width: Int, style: StyleID) {
        (low, high) = (0, 0)
        self.width = UInt8(width)
        self.style = style
        append(scalar)
    }

    /// Adds a combining mark. One that does not fit is dropped.
    mutating func append(_ scalar: Unicode.Scalar) {
        let bytes = UTF8.width(scalar)
        let used = byteCount
        guard used + bytes <= 16, let encoded = UTF8.encode(scalar) else { return }
        var position = used
        for byte in encoded {
            if position < 8 { low |= UInt64(byte) << UInt64(8 * position) } else { high |= UInt64(byte) << UInt64(8 * (position - 8)) }
            position += 1
        }
    }

    public var isContinuation: Bool { width == 0 }

    /// Number of bytes of the text, 0 for a continuation.
    public var byteCount: Int {
        high != 0 ? 16 - high.leadingZeroBitCount / 8 : 8 - low.leadingZeroBitCount / 8
    }

    /// Text of the cell; empty for a continuation.
    public var text: String { String(decoding: (0..<byteCount).map(byte), as: UTF8.self) }

    /// Scalars of the text, base first, then its marks; none for a continuation.
    public var scalars: String.UnicodeScalarView { text.unicodeScalars }

    private func byte(_ position: Int) -> UInt8 {
        let word = position < 8 ? low : high
        return UInt8(truncatingIfNeeded: word >> UInt64(8 * (position & 7)))
    }

    /// The only byte of a text of one ASCII character.
    public var ascii: UInt8? { high == 0 && low < 0x80 && low != 0 ? UInt8(low) : nil }
}

extension UTF8 {
    fileprivate static func width(_ scalar: Unicode.Scalar) -> Int {
        scalar.value < 0x80 ? 1 : scalar.value < 0x800 ? 2 : scalar.value < 0x10000 ? 3 : 4
    }
}
