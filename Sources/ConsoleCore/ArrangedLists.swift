import StreamModel

/// The rows of the long lists as they were last put in order, so that a key costs as much with a thousand rows as with ten. What they are made
/// of takes them back when it changes; the end of an update, or the frame after it, makes those anew that the screen shows. nil = to be made from what is known.
struct ArrangedLists: Sendable {
    var overview: [OverviewRow]?
    var checkpoints: [CheckpointReport]?
    var history: [RememberedCheckpoint]?
    /// How often one was put in order.
    private(set) var count = 0

    mutating func forgetLive() { (overview, checkpoints) = (nil, nil) }
    mutating func forgetPast() { (checkpoints, history) = (nil, nil) }
    mutating func forgetAll() { (overview, checkpoints, history) = (nil, nil, nil) }

    mutating func keep<Row>(_ list: WritableKeyPath<ArrangedLists, [Row]?>, _ rows: [Row]) {
        self[keyPath: list] = rows
        count += 1
    }
}

extension ConsoleModel {
    /// Puts the list of the screen in order, if it is not. To be done before a frame is rendered: without it the frame makes the list for itself alone.
    public mutating func arrange() {
        switch screen {
        case .overview: if lists.overview == nil { lists.keep(\.overview, arrangedOverview) }
        case .job, .checkpoints, .checkpoint, .subtasks: if lists.checkpoints == nil { lists.keep(\.checkpoints, arrangedCheckpoints) }
        case .history: if lists.history == nil { lists.keep(\.history, arrangedHistory) }
        default: break
        }
    }
}
