/// Decides which files of older checkpoints an incremental checkpoint must rewrite, to bound the chain on disk. The rewritten state goes into the
/// new files; the old files are deleted with the checkpoints that list them.
///
/// A file is rewritten when less than `leastLive` of it is still state, so the files of a checkpoint hold at most twice the state, and a rewrite
/// never copies more than what became garbage. A subtask refers to at most `maximumFiles` files: beyond that, the half with the least state is
/// merged into the new one, so each byte is copied about log2(number of checkpoints) times.
public enum ChainCompaction {
    /// A file written by an older checkpoint.
    public struct File: Hashable, Sendable {
        public var name: String
        /// Length of the whole file, in bytes.
        public var length: UInt64
        /// Bytes that the new checkpoint would refer to.
        public var live: UInt64

        public init(name: String, length: UInt64, live: UInt64) {
            self.name = name
            self.length = length
            self.live = live
        }
    }

    public static let leastLive = 0.5
    public static let maximumFiles = 32

    /// Names of the files to rewrite, among those that one subtask would refer to.
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
