/// The version of a cluster, as `/config` names it ("1.14.3"); request fields are gated by it.
public struct FlinkVersion: Sendable, Equatable, Comparable {
    public var major: Int, minor: Int, patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int = 0) { (self.major, self.minor, self.patch) = (major, minor, patch) }

    public static func < (left: FlinkVersion, right: FlinkVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}
