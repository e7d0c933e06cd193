/// Columns and rows of a screen, a buffer or a rectangle, in cells. Never negative.
public struct Size: Hashable, Sendable {
    public let columns, rows: Int

    /// Creates a size; negative numbers become 0.
    public init(columns: Int, rows: Int) {
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }

    public static let zero = Size(columns: 0, rows: 0)
}

/// A position in cells, from the upper left corner, starting at 0. May lie outside of its screen or rectangle.
public struct CellPoint: Hashable, Sendable {
    public var column, row: Int

    public init(column: Int, row: Int) {
        self.column = column
        self.row = row
    }
}

/// A rectangle of cells: a corner and a size. May be empty.
public struct CellRect: Hashable, Sendable {
    public var origin: CellPoint
    public var size: Size

    public init(column: Int, row: Int, columns: Int, rows: Int) {
        origin = CellPoint(column: column, row: row)
        size = Size(columns: columns, rows: rows)
    }

    public init(_ size: Size) { self.init(column: 0, row: 0, columns: size.columns, rows: size.rows) }

    public var columns: Range<Int> { origin.column..<origin.column + size.columns }
    public var rows: Range<Int> { origin.row..<origin.row + size.rows }
    public var isEmpty: Bool { size.columns == 0 || size.rows == 0 }

    /// Intersection of both rectangles; empty when they do not meet.
    public func intersection(_ other: CellRect) -> CellRect {
        let left = max(columns.lowerBound, other.columns.lowerBound)
        let right = min(columns.upperBound, other.columns.upperBound)
        let top = max(rows.lowerBound, other.rows.lowerBound)
        let bottom = min(rows.upperBound, other.rows.upperBound)
        return CellRect(column: left, row: top, columns: right - left, rows: bottom - top)
    }
}
