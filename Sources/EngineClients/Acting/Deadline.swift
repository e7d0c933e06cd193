public import StreamModel
internal import HostEnvironment

/// The deadline of a command, shared by everything that it does.
public struct Deadline: Sendable {
    public let end: EngineInstant
    /// As the caller gave it.
    public let limit: Milliseconds

    public init(after limit: Milliseconds) {
        self.limit = limit
        end = .now() + limit
    }

    public var left: Milliseconds { max(0, end - .now()) }
    public var isOver: Bool { left <= 0 }
}
