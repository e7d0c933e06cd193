/// What a `_metadata` file of Flink says: versions 3 (1.8) to 6 (2.x).
public struct FlinkMetadata: Sendable, Equatable {
    /// The version in the file's header: 3...6.
    public var version: Int

    public init(version: Int) { self.version = version }
}
