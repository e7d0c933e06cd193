/// What was done with the mouse, and where: as much of a mouse as the console can use.
public struct MousePress: Hashable, Sendable {
    public enum Kind: String, Sendable {
        /// The first button went down.
        case press
        case wheelUp, wheelDown
    }

    public var kind: Kind
    /// The cell, from the upper left corner of the screen.
    public var point: CellPoint

    public init(_ kind: Kind, at point: CellPoint) {
        self.kind = kind
        self.point = point
    }
}
