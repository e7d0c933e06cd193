/// Two streams of different types processed by one operator, which shares its state. Barriers and watermarks are aligned over both; their
/// records arrive in no particular order.
public struct ConnectedStreams<First: Sendable, Second: Sendable> {
    @usableFromInline let environment: StreamEnvironment
    @usableFromInline let edges: (StreamEdge, StreamEdge)

    @usableFromInline
    init(environment: StreamEnvironment, edges: (StreamEdge, StreamEdge)) {
        self.environment = environment
        self.edges = edges
    }
}

/// Two streams partitioned by the same key: the records of a key from both reach the same subtask.
public struct KeyedConnectedStreams<Key: StreamKey, First: Sendable, Second: Sendable> {
    @usableFromInline let streams: ConnectedStreams<First, Second>
    @usableFromInline let selectors: (@Sendable (First) -> Key, @Sendable (Second) -> Key)

    @usableFromInline
    init(streams: ConnectedStreams<First, Second>, selectors: (@Sendable (First) -> Key, @Sendable (Second) -> Key)) {
        self.streams = streams
        self.selectors = selectors
    }
}

/// A stream partitioned by key, and one whose records reach every subtask.
public struct KeyedBroadcastStreams<Key: StreamKey, First: Sendable, Second: Sendable> {
    @usableFromInline let streams: ConnectedStreams<First, Second>
    @usableFromInline let selector: @Sendable (First) -> Key

    @usableFromInline
    init(streams: ConnectedStreams<First, Second>, selector: @escaping @Sendable (First) -> Key) {
        self.streams = streams
        self.selector = selector
    }
}

extension DataStream {
    /// Connects another stream; each record stays in the subtask of the same index.
    @inlinable
    public func connect<Second>(_ other: DataStream<Second>) -> ConnectedStreams<Element, Second> {
        ConnectedStreams(environment: environment, edges: (forward, other.forward))
    }

    /// Connects a stream whose records all reach every subtask.
    @inlinable
    public func connect<Second>(_ other: BroadcastStream<Second>) -> ConnectedStreams<Element, Second> {
        ConnectedStreams(environment: environment, edges: (forward, other.edge))
    }
}

extension KeyedStream {
    /// Connects another stream that is partitioned by the same key.
    @inlinable
    public func connect<Second>(_ other: KeyedStream<Key, Second>) -> KeyedConnectedStreams<Key, Element, Second> {
        KeyedConnectedStreams(
            streams: ConnectedStreams(environment: environment, edges: (edge, other.edge)), selectors: (selector, other.selector))
    }

    /// Connects a stream whose records all reach every subtask.
    @inlinable
    public func connect<Second>(_ other: BroadcastStream<Second>) -> KeyedBroadcastStreams<Key, Element, Second> {
        KeyedBroadcastStreams(streams: ConnectedStreams(environment: environment, edges: (edge, other.edge)), selector: selector)
    }
}

/// Arbitrary processing of one stream. A value type: each subtask has its own instance.
public protocol ProcessFunction<Input, Output> {
    associatedtype Input: Sendable
    associatedtype Output: Sendable
    /// Obtains the side outputs, before the first record.
    mutating func open(_ context: ProcessContext) throws
    mutating func process(_ record: Input, out: Emitter<Output>) throws
    /// Handles the end of the input.
    mutating func endOfInput(out: Emitter<Output>) throws
}

extension ProcessFunction {
    @inlinable public mutating func open(_ context: ProcessContext) throws {}
    @inlinable public mutating func endOfInput(out: Emitter<Output>) throws {}
}

/// Arbitrary processing of two streams. A value type: each subtask has its own instance.
public protocol TwoInputFunction<First, Second, Output> {
    associatedtype First: Sendable
    associatedtype Second: Sendable
    associatedtype Output: Sendable
    /// Obtains the side outputs, before the first record.
    mutating func open(_ context: ProcessContext) throws
    mutating func processFirst(_ record: First, out: Emitter<Output>) throws
    mutating func processSecond(_ record: Second, out: Emitter<Output>) throws
    /// Handles the end of one input; the other may continue.
    mutating func firstEnded(out: Emitter<Output>) throws
    mutating func secondEnded(out: Emitter<Output>) throws
    /// Handles the end of both inputs.
    mutating func endOfInput(out: Emitter<Output>) throws
}

extension TwoInputFunction {
    @inlinable public mutating func open(_ context: ProcessContext) throws {}
    @inlinable public mutating func firstEnded(out: Emitter<Output>) throws {}
    @inlinable public mutating func secondEnded(out: Emitter<Output>) throws {}
    @inlinable public mutating func endOfInput(out: Emitter<Output>) throws {}
}

/// Arbitrary processing of two streams with the same key, with keyed state and timers. A value type: each subtask has its own instance.
public protocol KeyedTwoInputFunction<Key, First, Second, Output> {
    associatedtype Key: StreamKey
    associatedtype First: Sendable
    associatedtype Second: Sendable
    associatedtype Output: Sendable
    /// Obtains the states, the timers and the side outputs, before the first record.
    mutating func open(_ context: KeyedContext<Key>) throws
    mutating func processFirst(_ record: First, key: Key, out: Emitter<Output>) throws
    mutating func processSecond(_ record: Second, key: Key, out: Emitter<Output>) throws
    /// Handles a due timer, with the states of its key.
    mutating func onTimer(_ timer: Timer, key: Key, out: Emitter<Output>) throws
    /// Handles the end of one input; the other may continue.
    mutating func firstEnded(out: Emitter<Output>) throws
    mutating func secondEnded(out: Emitter<Output>) throws
    /// Handles the end of both inputs.
    mutating func endOfInput(out: Emitter<Output>) throws
}

extension KeyedTwoInputFunction {
    @inlinable public mutating func onTimer(_ timer: Timer, key: Key, out: Emitter<Output>) throws {}
    @inlinable public mutating func firstEnded(out: Emitter<Output>) throws {}
    @inlinable public mutating func secondEnded(out: Emitter<Output>) throws {}
    @inlinable public mutating func endOfInput(out: Emitter<Output>) throws {}
}
