/// The version of a cluster, as `/config` names it ("1.14.3"); request fields and endpoints are gated by it.
public struct FlinkVersion: Sendable, Hashable, Comparable, CustomStringConvertible, LosslessStringConvertible {
    public var major: Int, minor: Int, patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int = 0) { (self.major, self.minor, self.patch) = (major, minor, patch) }

    /// Reads "1.14.3", "2.3" and "1.20-SNAPSHOT"; nil when there are no two numbers at the start.
    public init?(_ text: String) {
        let core = text.prefix { $0 == "." || ("0"..."9").contains($0) }
        let numbers = core.split(separator: ".", omittingEmptySubsequences: false).prefix(3).map { Int($0) }
        guard numbers.count >= 2, let major = numbers[0], let minor = numbers[1], text.utf8.count <= 64 else { return nil }
        self.init(major, minor, numbers.count > 2 ? numbers[2] ?? 0 : 0)
    }

    public var description: String { "\(major).\(minor).\(patch)" }

    public static func < (left: FlinkVersion, right: FlinkVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }

    /// Something that not every version has. A request that uses what the cluster does not have is answered with 400 or 404 there, so it
    /// is not sent.
    public enum Feature: Sendable, CaseIterable {
        /// `POST /jobs/:id/checkpoints`.
        case checkpointTrigger
        /// `formatType` of savepoints and stops.
        case savepointFormat
        /// `restoreMode` of a run.
        case restoreMode
        /// `claimMode` of a run, the later name of `restoreMode`.
        case claimMode
        /// `checkpointed_size` beside `state_size`.
        case checkpointedSize
        /// A trigger id that the client chooses: the same request again is the same operation.
        case chosenTriggerID
        /// `flinkConfiguration` of a plan.
        case planConfiguration

        /// The first version that has it.
        public var since: FlinkVersion {
            switch self {
            case .checkpointTrigger: FlinkVersion(1, 17)
            case .savepointFormat, .chosenTriggerID, .restoreMode, .checkpointedSize: FlinkVersion(1, 15)
            // Seen in 1.20.5; the minor that began it is not known. Between the two, restoreMode is sent.
            case .claimMode: FlinkVersion(1, 20)
            // Seen in 1.20.5; the minor that began it is not known.
            case .planConfiguration: FlinkVersion(1, 20)
            }
        }
    }

    public func has(_ feature: Feature) -> Bool { self >= feature.since }

    /// The first version whose jobs begin from a version of `_metadata`, as far as it is known: 1.14.3 writes 3, 1.20.5 writes 4, 2.3.0 writes 6.
    private static func reader(ofMetadata version: Int) -> FlinkVersion {
        version <= 3 ? oldest : version == 4 ? FlinkVersion(1, 15) : FlinkVersion(2, 0)
    }

    /// Why its jobs cannot begin from a version of `_metadata`; nil = they can, or it is not known.
    public func problem(ofMetadata version: Int) -> String? {
        let needed = Self.reader(ofMetadata: version)
        guard self >= Self.oldest, self < needed else { return nil }
        return "its format is version \(version), which Flink \(needed.major).\(needed.minor) and later read; this cluster is \(self)"
    }

    /// The oldest minor that is supported.
    public static let oldest = FlinkVersion(1, 14)

    /// - Parameter text: the whole version, as the cluster writes it.
    func warning(as text: String) -> String? {
        if self < Self.oldest { return "Flink \(text) is older than \(Self.oldest.major).\(Self.oldest.minor): what Weir asks and sends may not exist there" }
        let newest = Self.tested.upperBound
        return self > newest ? "Flink \(text) is newer than \(newest.major).\(newest.minor), the newest that Weir is tested with" : nil
    }

    /// The versions that Weir is tested on; others are read as leniently.
    public static let tested = FlinkVersion(1, 14, 3)...FlinkVersion(2, 3, .max)
}
