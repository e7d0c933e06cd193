/// A grid of cells: one frame of the screen. A value with one owner.
///
/// Invariant: a cell of width 2 is followed by a continuation in the same row, and a continuation has such a cell before it.
public struct CellBuffer: Hashable, Sendable {
    public let size: Size
    private var cells: ContiguousArray<Cell>

    /// Creates a blank buffer.
    public init(size: Size) {
        self.size = size
        cells = ContiguousArray(repeating: .blank, count: size.columns * size.rows)
    }

    /// The cell at a position; a blank outside of the buffer.
    public subscript(row row: Int, column column: Int) -> Cell {
        guard (0..<size.rows).contains(row), (0..<size.columns).contains(column) else { return .blank }
        return cells[row * size.columns + column]
    }

    /// The cells of one row; empty for a row outside.
    public subscript(row row: Int) -> ArraySlice<Cell> {
        guard (0..<size.rows).contains(row) else { return [] }
        return ArraySlice(cells[row * size.columns..<(row + 1) * size.columns])
    }

    /// Sets one cell. Ignores positions outside; overwriting one half of a wide character leaves a space in the other; a wide character at the last
    /// column becomes a space.
    mutating func put(_ cell: Cell, row: Int, column: Int) {
        guard (0..<size.rows).contains(row), (0..<size.columns).contains(column), !cell.isContinuation else { return }
        if cell.width == 2 {
            guard column + 1 < size.columns else {
                put(Cell(ascii: 0x20, style: cell.style), row: row, column: column)
                return
            }
            clearHalves(row: row, column: column)
            clearHalves(row: row, column: column + 1)
            cells[row * size.columns + column] = cell
            cells[row * size.columns + column + 1] = .continuation(cell.style)
        } else {
            clearHalves(row: row, column: column)
            cells[row * size.columns + column] = cell
        }
    }

    /// Changes the style of a cell. A wide character changes as a whole.
    mutating func restyle(row: Int, column: Int, _ change: (StyleID) -> StyleID) {
        guard (0..<size.rows).contains(row), (0..<size.columns).contains(column) else { return }
        let index = row * size.columns + column
        cells[index].style = change(cells[index].style)
    }

    /// Prepares the cell for overwriting: turns the other half of a wide character into a space.
    private mutating func clearHalves(row: Int, column: Int) {
        let index = row * size.columns + column
        if cells[index].isContinuation {
            cells[index - 1] = Cell(ascii: 0x20, style: cells[index - 1].style)
            cells[index] = Cell(ascii: 0x20, style: cells[index].style)
        } else if cells[index].width == 2 {
            cells[index + 1] = Cell(ascii: 0x20, style: cells[index + 1].style)
            cells[index] = Cell(ascii: 0x20, style: cells[index].style)
        }
    }

    /// Calls `body` with the storage, rows one after the other.
    func withCells<Result>(_ body: (UnsafeBufferPointer<Cell>) -> Result) -> Result { cells.withUnsafeBufferPointer(body) }
}
