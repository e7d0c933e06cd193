/// Bytes that are not what Flink's format says, or what no checkpoint of Flink can hold.
public struct FlinkFormatError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, as the caller named it.
    public var file: String
    /// Where the part begins that is wrong, in bytes from the start of the file.
    public var offset: Int
    public var expected: String
    public var found: String

    public init(file: String, offset: Int, expected: String, found: String) {
        self.file = file
        self.offset = offset
        self.expected = expected
        self.found = found
    }

    public var description: String { "\(file): at byte \(offset): expected \(expected), found \(found)" }
}
