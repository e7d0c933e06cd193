/// A mouse action and its position, as far as the console uses a mouse.
public struct MousePress: Hashable, Sendable {
    public enum Kind: String, Sendable {
        /// The first button was pressed.
        case press
        case wheelUp, wheelDown
    }

    public var kind: Kind
    /// Position of the cell, from the upper left corner of the screen.
    public var point: CellPoint

    public init(_ kind: Kind, at point: CellPoint) {
        self.kind = kind
        self.point = point
    }
}
