/// Bounds what incremental checkpoints keep on disk: decides which files of older checkpoints a new one must not refer to any more. The
/// state that still lies in those is written again, and the files go with the checkpoints that list them.
///
/// A file is rewritten when less than `leastLive` of it is still state, so the files of a checkpoint hold at most twice the state; what is
/// copied for that is never more than what became garbage. And no subtask refers to more than `maximumFiles` files: when it would, the half
/// with the least state is put together into the new one, so that a byte is copied about log2(number of checkpoints) times for it.
public enum ChainCompaction {
    /// One file that an older checkpoint wrote.
    public struct File: Hashable, Sendable {
        public var name: String
        /// The whole file, in bytes.
        public var length: UInt64
        /// Bytes of it that the new checkpoint would refer to.
        public var live: UInt64

        public init(name: String, length: UInt64, live: UInt64) {
            self.name = name
            self.length = length
            self.live = live
        }
    }

    public static let leastLive = 0.5
    public static let maximumFiles = 32

    /// Names of the files to be rewritten, of those that one subtask would refer to.
    public static func rewritten(_ files: [File]) -> Set<String> {
        let sparse = files.filter { $0.live > 0 && Double($0.live) < Double($0.length) * leastLive }
        var names = Set(sparse.map(\.name))
        let rest = files.filter { $0.live > 0 && !names.contains($0.name) }
        // The new file is one more.
        guard rest.count >= maximumFiles else { return names }
        names.formUnion(rest.sorted { ($0.live, $0.name) < ($1.live, $1.name) }.prefix(rest.count - maximumFiles / 2).map(\.name))
        return names
    }
}
