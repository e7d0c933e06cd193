/// A disk as a value: what a running system reads and what the platter holds.
///
/// Bytes: a write goes to the cache and stays pending until the file is synced; a name that is made, moved or removed stays pending until
/// its directory is synced. `afterPowerLoss` decides for everything that is pending whether it is kept, dropped or torn. Nothing is durable
/// that was not asked for: neither does fsync of a file make its name durable, nor does a rename flush the bytes behind it.
struct DiskModel {
    typealias NodeNumber = Int

    enum FileChange {
        case write(offset: Int, [UInt8])
        case truncate(Int)
    }

    struct Node {
        let isDirectory: Bool
        var modifiedAt: Int64 = 0
        // Files.
        var bytes: [UInt8] = []
        var durableBytes: [UInt8] = []
        var pending: [FileChange] = []
        /// Reads fail until somebody repairs the disk.
        var isUnreadable = false
        // Directories.
        var names: [String: NodeNumber] = [:]
        var durableNames: [String: NodeNumber] = [:]
    }

    /// Changes of names that become durable together or not at all.
    struct NameGroup {
        var changes: [(directory: NodeNumber, name: String, node: NodeNumber?)]
        /// The node that loses a name by it.
        var removes: NodeNumber?
        func touches(_ directories: Set<NodeNumber>) -> Bool { changes.contains { directories.contains($0.directory) } }
    }

    /// What a power loss leaves of what was not synced.
    enum Survival: Int, CaseIterable {
        /// Nothing.
        case nothing
        /// Everything, as if the power had been lost a little later.
        case everything
        /// Names as a journal keeps them: all up to some moment. Bytes by chance.
        case journal
        /// Any names and any bytes. A name is only removed if the name that the same rename gave is there.
        case anything
    }

    /// What a path has at its end.
    enum Failure: Error { case errno(Int32) }

    static let sector = 512

    private(set) var nodes = [Node(isDirectory: true)]
    private var pendingNames: [NameGroup] = []

    // MARK: Looking

    subscript(node: NodeNumber) -> Node {
        get { nodes[node] }
        set { nodes[node] = newValue }
    }

    /// nil = nothing of this name. - Parameter durable: as the platter has it.
    func find(_ path: String, durable: Bool = false) throws(Failure) -> NodeNumber? {
        var node = 0
        for name in path.split(separator: "/") {
            guard nodes[node].isDirectory else { throw .errno(20) }
            guard let next = durable ? nodes[node].durableNames[String(name)] : nodes[node].names[String(name)] else { return nil }
            node = next
        }
        return node
    }

    func directory(_ path: String, durable: Bool = false) throws(Failure) -> NodeNumber {
        guard let node = try find(path, durable: durable) else { throw .errno(2) }
        guard nodes[node].isDirectory else { throw .errno(20) }
        return node
    }

    /// The directory that a path's last name stands in, and that name.
    func place(_ path: String) throws(Failure) -> (directory: NodeNumber, name: String) {
        let parts = path.split(separator: "/")
        guard let name = parts.last else { throw .errno(17) }
        return (try directory(parts.dropLast().joined(separator: "/")), String(name))
    }

    /// All files and directories below a path, by path, as the cache or the platter has them.
    func walk(_ path: String = "", durable: Bool = false) -> [(path: String, node: NodeNumber)] {
        guard let start = try? find(path, durable: durable) else { return [] }  // ENOTDIR: a path through a file leads nowhere.
        var found: [(String, NodeNumber)] = []
        var open = [(path, start)]
        while let (prefix, node) = open.popLast() {
            let names = durable ? nodes[node].durableNames : nodes[node].names
            for (name, child) in names.sorted(by: { $0.key < $1.key }) {
                found.append(("\(prefix)/\(name)", child))
                if nodes[child].isDirectory { open.append(("\(prefix)/\(name)", child)) }
            }
        }
        return found
    }

    // MARK: Names

    mutating func create(_ path: String, isDirectory: Bool, at time: Int64) throws(Failure) -> NodeNumber {
        let (parent, name) = try place(path)
        guard nodes[parent].names[name] == nil else { throw .errno(17) }
        nodes.append(Node(isDirectory: isDirectory, modifiedAt: time))
        change(NameGroup(changes: [(parent, name, nodes.count - 1)]), at: time)
        return nodes.count - 1
    }

    mutating func rename(_ old: String, to new: String, replacing: Bool, at time: Int64) throws(Failure) {
        let (from, oldName) = try place(old), (to, newName) = try place(new)
        guard let node = nodes[from].names[oldName] else { throw .errno(2) }
        if replacing {
            change(NameGroup(changes: [(from, oldName, nil), (to, newName, node)]), at: time)
        } else {
            // A link and the removal of the old name: two steps, as the real filesystem class makes them.
            guard nodes[to].names[newName] == nil else { throw .errno(17) }
            change(NameGroup(changes: [(to, newName, node)]), at: time)
            change(NameGroup(changes: [(from, oldName, nil)], removes: node), at: time)
        }
    }

    mutating func remove(_ path: String, isDirectory: Bool, at time: Int64) throws(Failure) {
        let (parent, name) = try place(path)
        guard let node = nodes[parent].names[name] else { throw .errno(2) }
        guard nodes[node].isDirectory == isDirectory else { throw .errno(isDirectory ? 20 : 21) }
        guard !isDirectory || nodes[node].names.isEmpty else { throw .errno(39) }
        change(NameGroup(changes: [(parent, name, nil)], removes: node), at: time)
    }

    private mutating func change(_ group: NameGroup, at time: Int64) {
        for change in group.changes {
            nodes[change.directory].names[change.name] = change.node
            nodes[change.directory].modifiedAt = time
        }
        pendingNames.append(group)
    }

    /// Makes the names in a directory durable; with them what they depend on: a move between directories as a whole, and earlier changes
    /// of the directories that it touches.
    mutating func syncDirectory(_ node: NodeNumber) {
        var directories: Set = [node]
        var due: [Int] = []
        for index in pendingNames.indices.reversed() where pendingNames[index].touches(directories) {
            due.append(index)
            for change in pendingNames[index].changes { directories.insert(change.directory) }
        }
        for index in due.reversed() { persist(pendingNames[index]) }
        for index in due { pendingNames.remove(at: index) }
    }

    private mutating func persist(_ group: NameGroup) {
        for change in group.changes { nodes[change.directory].durableNames[change.name] = change.node }
    }

    // MARK: Bytes

    mutating func change(_ node: NodeNumber, _ change: FileChange, at time: Int64) {
        Self.apply(change, to: &nodes[node].bytes)
        nodes[node].pending.append(change)
        nodes[node].modifiedAt = time
    }

    mutating func sync(_ node: NodeNumber) {
        for change in nodes[node].pending { Self.apply(change, to: &nodes[node].durableBytes) }
        nodes[node].pending = []
    }

    /// A failed fsync: the kernel has marked the pages clean, so what was pending is lost, and the next fsync says that all is well. What a
    /// read shows afterwards differs by filesystem.
    mutating func failSync(_ node: NodeNumber, readsOld: Bool) {
        nodes[node].pending = []
        if readsOld { nodes[node].bytes = nodes[node].durableBytes }
    }

    /// Changes bytes on the platter and in the cache, without a trace.
    mutating func damage(_ node: NodeNumber, at offset: Int, xor pattern: [UInt8]) {
        for (index, byte) in pattern.enumerated() {
            if offset + index < nodes[node].bytes.count { nodes[node].bytes[offset + index] ^= byte }
            if offset + index < nodes[node].durableBytes.count { nodes[node].durableBytes[offset + index] ^= byte }
        }
    }

    private static func apply(_ change: FileChange, to bytes: inout [UInt8]) {
        switch change {
        case .truncate(let length):
            if length <= bytes.count { bytes.removeLast(bytes.count - length) } else { bytes += [UInt8](repeating: 0, count: length - bytes.count) }
        case .write(let offset, let new):
            if offset == bytes.count { return bytes += new }
            if offset + new.count > bytes.count { bytes += [UInt8](repeating: 0, count: offset + new.count - bytes.count) }
            bytes.replaceSubrange(offset..<offset + new.count, with: new)
        }
    }

    // MARK: Power loss

    /// The disk as the next boot finds it.
    func afterPowerLoss(_ survival: Survival, random: inout SimulationRandom) -> DiskModel {
        var disk = self
        for group in survivingNames(survival, &random) { disk.persist(group) }
        for index in nodes.indices {
            if nodes[index].isDirectory {
                disk.nodes[index].names = disk.nodes[index].durableNames
            } else {
                if !nodes[index].pending.isEmpty { disk.nodes[index].durableBytes = survivingBytes(nodes[index], survival, &random) }
                disk.nodes[index].bytes = disk.nodes[index].durableBytes
                disk.nodes[index].pending = []
            }
        }
        disk.pendingNames = []
        return disk
    }

    private func survivingNames(_ survival: Survival, _ random: inout SimulationRandom) -> [NameGroup] {
        switch survival {
        case .nothing: return []
        case .everything: return pendingNames
        case .journal: return Array(pendingNames.prefix(random.number(0...pendingNames.count)))
        case .anything:
            /// Nodes whose newest name was dropped.
            var nameless: Set<NodeNumber> = []
            return pendingNames.filter { group in
                let depends = group.removes.map(nameless.contains) ?? false
                let isKept = random.coin() && !depends
                for case let node? in group.changes.map(\.node) {
                    if isKept { nameless.remove(node) } else { nameless.insert(node) }
                }
                return isKept
            }
        }
    }

    private func survivingBytes(_ node: Node, _ survival: Survival, _ random: inout SimulationRandom) -> [UInt8] {
        switch survival {
        case .nothing: return node.durableBytes
        case .everything: return node.bytes
        case .journal, .anything:
            var bytes = node.durableBytes
            // Files differ: for some the kernel had written everything back, for some nothing.
            let share = random.pick([0, 1, 2, 3])
            for change in node.pending {
                switch share {
                case 0: break
                case 1: Self.apply(change, to: &bytes)
                default: Self.tear(change, &bytes, &random)
                }
            }
            return bytes
        }
    }

    /// Each sector of a write reaches the platter or does not; the length of the file may be ahead of its bytes.
    private static func tear(_ change: FileChange, _ bytes: inout [UInt8], _ random: inout SimulationRandom) {
        guard case .write(let offset, let new) = change else {
            if random.coin() { apply(change, to: &bytes) }
            return
        }
        if random.coin(), bytes.count < offset + new.count { apply(.truncate(offset + new.count), to: &bytes) }
        var start = 0
        while start < new.count {
            let end = min(new.count, ((offset + start) / sector + 1) * sector - offset)
            if random.coin() { apply(.write(offset: offset + start, Array(new[start..<end])), to: &bytes) }
            start = end
        }
    }
}
