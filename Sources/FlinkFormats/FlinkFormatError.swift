/// Bytes that are not what Flink's format says, or what no checkpoint of Flink can hold.
public struct FlinkFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Why sound bytes are not read: their version is not among those known here.
    public enum Version: Sendable, Equatable {
        /// Newer than all that this reader knows.
        case later(Int)
        /// So old that no cluster from Flink 1.11 on restores it.
        case abandoned(Int)
    }
    /// The file, as the caller named it.
    public var file: String
    /// Where the part begins that is wrong, in bytes from the start of the file.
    public var offset: Int
    public var expected: String
    public var found: String
    /// nil = the bytes are damaged.
    public var version: Version?

    public init(file: String, offset: Int, expected: String, found: String, version: Version? = nil) {
        self.file = file
        self.offset = offset
        self.expected = expected
        self.found = found
        self.version = version
    }

    public var description: String { "\(file): at byte \(offset): expected \(expected), found \(found)" }
}
