public import StreamModel
internal import HostEnvironment

/// The moment until which a caller waits, from the beginning of a command to its end: whatever it does on the way shares it.
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
