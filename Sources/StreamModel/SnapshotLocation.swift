/// The location of a checkpoint or savepoint in one spelling. Flink writes `file:/a`, operators write `file:///a` or `/a`, and either may name
/// the `_metadata` file in it. Two paths are the same place if their locations are equal.
public struct SnapshotLocation: Sendable, Hashable {
    /// Path without `file:` before a local path, without `_metadata` and trailing slashes.
    public let text: String

    public init(_ path: String) {
        var rest = Substring(path)
        if rest.hasPrefix("file:") {
            rest = rest.dropFirst("file:".count)
            let slashes = rest.prefix { $0 == "/" }
            rest = "/" + rest.dropFirst(slashes.count)
        }
        while rest.hasSuffix("/"), rest.utf8.count > 1 { rest = rest.dropLast() }
        if rest.hasSuffix("/_metadata") { rest = rest.dropLast("/_metadata".count) }
        while rest.hasSuffix("/"), rest.utf8.count > 1 { rest = rest.dropLast() }
        text = String(rest)
    }

    /// Number in a name such as `.../chk-12`; nil for savepoints.
    public var checkpoint: CheckpointID? {
        guard let name = text.split(separator: "/").last, name.hasPrefix("chk-") else { return nil }
        return UInt64(name.dropFirst("chk-".count)).map(CheckpointID.init)
    }
}
