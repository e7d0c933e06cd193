import CheckpointStore
import StreamModel
import Synchronization
import TestKit

/// A filesystem in memory that keeps apart what a process sees and what would survive a power loss, and that refuses or
/// dies at a chosen call. File bytes become durable by `sync`, names by `syncDirectory`, as POSIX promises and no more; a
/// failed `sync` loses the bytes although a later one succeeds, as on Linux. Absolute paths, no links.
final class FaultyFilesystem: Filesystem {
    /// What goes wrong. Calls count from 1.
    enum Fault: Sendable, CustomStringConvertible {
        case none
        /// Call `at` fails; with `forever` all later ones do too. A failing write writes half.
        case fail(at: Int, errno: Int32, forever: Bool)
        /// The process dies before call `at`: it and all later ones do nothing. A dying write writes half.
        case die(at: Int)

        var description: String {
            switch self {
            case .none: "no fault"
            case .fail(let at, let errno, let forever): "errno \(errno) at call \(at)\(forever ? " and after" : "")"
            case .die(let at): "death before call \(at)"
            }
        }
    }

    /// What survives the end of the process.
    enum Loss: Sendable, CustomStringConvertible {
        /// kill -9: all that was written.
        case nothing
        /// Power loss: only what was synced.
        case allUnsynced
        /// Power loss after the kernel wrote some of the rest back, in any order.
        case someUnsynced(seed: UInt64)

        var description: String {
            switch self {
            case .nothing: "nothing lost"
            case .allUnsynced: "all unsynced lost"
            case .someUnsynced(let seed): "some unsynced lost, seed \(seed)"
            }
        }
    }

    /// Calls that succeed and do nothing, for the canaries.
    struct Lies: Sendable {
        var sync = false
        var syncDirectory = false
    }

    fileprivate struct Node: Equatable {
        var isDirectory: Bool
        // A file: what is seen, what is durable.
        var bytes: [UInt8] = []
        var durableBytes: [UInt8] = []
        var isPoisoned = false
        // A directory: what is seen, what is durable, and the changes between them; those of one group happen together.
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var pending: [[Change]] = []

        struct Change: Equatable {
            var name: String
            var node: Int?
        }
    }

    fileprivate struct State {
        var nodes: [Node] = [Node(isDirectory: true)]
        var open: [Int32: (node: Int, position: Int)] = [:]
        var locks: [Int: Int32] = [:]
        var sharedLocks: [Int: Set<Int32>] = [:]
        var nextDescriptor: Int32 = 3
        var calls = 0
        var fault = Fault.none
        var lies = Lies()
    }

    private let state: Mutex<State>
    let processID: Int32 = 4711

    init(lies: Lies = Lies()) { state = Mutex(State(lies: lies)) }
    private init(_ state: sending State) { self.state = Mutex(state) }

    var calls: Int { state.withLock { $0.calls } }

    /// Counts calls from 0 again.
    func inject(_ fault: Fault) {
        state.withLock { state in
            state.fault = fault
            state.calls = 0
        }
    }

    /// The filesystem as the next process finds it.
    func afterRestart(_ loss: Loss) -> FaultyFilesystem {
        var nodes = state.withLock { $0.nodes }
        for index in nodes.indices { nodes[index].settle(loss, salt: UInt64(index)) }
        return FaultyFilesystem(State(nodes: nodes))
    }

    /// Whether a process would find the same on both.
    func holdsTheSame(as other: FaultyFilesystem) -> Bool {
        let nodes = state.withLock { $0.nodes }
        return other.state.withLock { $0.nodes == nodes }
    }

    // MARK: Faults

    /// Counts a call. Throws if it fails.
    private static func enter(_ state: inout State, _ operation: FileOperation) throws(FilesystemError) {
        state.calls += 1
        if let errno = refusal(state) { throw FilesystemError(operation, errno: errno) }
    }

    private static func refusal(_ state: State) -> Int32? {
        switch state.fault {
        case .none: nil
        case .fail(let at, let errno, let forever): state.calls == at || forever && state.calls > at ? errno : nil
        case .die(let at): state.calls >= at ? 5 : nil
        }
    }

    /// Whether the process was alive when this call began: after its death a call does nothing at all.
    private static func isDead(_ state: State) -> Bool {
        if case .die(let at) = state.fault { state.calls > at } else { false }
    }

    private func call<Value: Sendable>(
        _ operation: FileOperation, _ body: (inout State) throws(FilesystemError) -> Value
    ) throws(FilesystemError) -> Value {
        try state.withLock { (state) throws(FilesystemError) in
            try Self.enter(&state, operation)
            return try body(&state)
        }
    }

    // MARK: Files

    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.create) { (state) throws(FilesystemError) in
            let (parent, name) = try state.parent(of: path, .create)
            guard state.nodes[parent].names[name] == nil else { throw FilesystemError(.create, errno: 17) }
            return state.openNode(state.add(Node(isDirectory: false), name, in: parent))
        }
    }

    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.open) { (state) throws(FilesystemError) in
            guard let node = try state.find(path) else { throw FilesystemError(.open, errno: 2) }
            return state.openNode(node)
        }
    }

    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.open) { (state) throws(FilesystemError) in
            if let node = try state.find(path) { return state.openNode(node) }
            let (parent, name) = try state.parent(of: path, .open)
            return state.openNode(state.add(Node(isDirectory: false), name, in: parent))
        }
    }

    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool {
        try call(.lock) { (state) throws(FilesystemError) in
            let node = try state.entry(file, .lock).node
            let others = state.sharedLocks[node, default: []].subtracting([file.descriptor])
            guard others.isEmpty, state.locks[node, default: file.descriptor] == file.descriptor else { return false }
            state.sharedLocks[node] = nil
            state.locks[node] = file.descriptor
            return true
        }
    }

    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool {
        try call(.lock) { (state) throws(FilesystemError) in
            let node = try state.entry(file, .lock).node
            guard state.locks[node, default: file.descriptor] == file.descriptor else { return false }
            state.locks[node] = nil
            state.sharedLocks[node, default: []].insert(file.descriptor)
            return true
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) {
        let copy = Array(bytes)
        try state.withLock { (state) throws(FilesystemError) in
            state.calls += 1
            let refusal = Self.refusal(state)
            if !Self.isDead(state) { try state.write(refusal == nil ? copy : Array(copy.prefix(copy.count / 2)), to: file) }
            if let refusal { throw FilesystemError(.write, errno: refusal) }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        let length = buffer.count
        let bytes = try call(.read) { (state) throws(FilesystemError) in
            let node = state.nodes[try state.entry(file, .read).node]
            return Array(node.bytes.dropFirst(Int(clamping: offset)).prefix(length))
        }
        buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func size(of file: OpenFile) throws(FilesystemError) -> UInt64 {
        try call(.examine) { (state) throws(FilesystemError) in
            let node = state.nodes[try state.entry(file, .examine).node]
            guard !node.isDirectory else { throw FilesystemError(.read, errno: 21) }
            return UInt64(node.bytes.count)
        }
    }

    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) {
        try call(.truncate) { (state) throws(FilesystemError) in
            let node = try state.entry(file, .truncate).node
            let count = Int(length)
            let bytes = state.nodes[node].bytes
            state.nodes[node].bytes = Array(bytes.prefix(count)) + [UInt8](repeating: 0, count: max(0, count - bytes.count))
            state.open[file.descriptor]?.position = count
        }
    }

    func sync(_ file: OpenFile) throws(FilesystemError) {
        try state.withLock { (state) throws(FilesystemError) in
            let node = try state.entry(file, .sync).node
            do throws(FilesystemError) { try Self.enter(&state, .sync) } catch {
                if case .fail = state.fault { state.nodes[node].isPoisoned = true }
                throw error
            }
            if !state.lies.sync, !state.nodes[node].isPoisoned { state.nodes[node].durableBytes = state.nodes[node].bytes }
        }
    }

    /// Also when it fails, and also after the death of the process: its descriptors are gone.
    func close(_ file: OpenFile) throws(FilesystemError) {
        try state.withLock { (state) throws(FilesystemError) in
            if let entry = state.open.removeValue(forKey: file.descriptor) {
                if state.locks[entry.node] == file.descriptor { state.locks[entry.node] = nil }
                state.sharedLocks[entry.node]?.remove(file.descriptor)
            }
            try Self.enter(&state, .close)
        }
    }

    // MARK: Names

    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) {
        try call(.rename) { (state) throws(FilesystemError) in
            let (parent, oldName) = try state.parent(of: old, .rename)
            let (newParent, newName) = try state.parent(of: new, .rename)
            guard parent == newParent else { throw FilesystemError(.rename, errno: 18) }
            guard let node = state.nodes[parent].names[oldName] else { throw FilesystemError(.rename, errno: 2) }
            guard replacing || state.nodes[parent].names[newName] == nil else { throw FilesystemError(.rename, errno: 17) }
            // Without replacing it is a link and an unlink on the real disk: two changes that may be torn apart.
            let changes = [Node.Change(name: newName, node: node), Node.Change(name: oldName, node: nil)]
            for group in replacing ? [changes] : changes.map({ [$0] }) { state.change(parent, group) }
        }
    }

    func makeDirectory(_ path: String) throws(FilesystemError) {
        try call(.makeDirectory) { (state) throws(FilesystemError) in
            let (parent, name) = try state.parent(of: path, .makeDirectory)
            guard state.nodes[parent].names[name] == nil else { throw FilesystemError(.makeDirectory, errno: 17) }
            _ = state.add(Node(isDirectory: true), name, in: parent)
        }
    }

    func list(_ path: String) throws(FilesystemError) -> [String] {
        try call(.list) { (state) throws(FilesystemError) in Array(state.nodes[try state.directory(path, .list)].names.keys) }
    }

    func unlink(_ path: String) throws(FilesystemError) {
        try call(.remove) { (state) throws(FilesystemError) in
            let (parent, name) = try state.parent(of: path, .remove)
            guard let node = state.nodes[parent].names[name] else { throw FilesystemError(.remove, errno: 2) }
            guard !state.nodes[node].isDirectory else { throw FilesystemError(.remove, errno: 21) }
            state.change(parent, [.init(name: name, node: nil)])
        }
    }

    func removeDirectory(_ path: String) throws(FilesystemError) {
        try call(.remove) { (state) throws(FilesystemError) in
            let (parent, name) = try state.parent(of: path, .remove)
            let node = try state.directory(path, .remove)
            guard state.nodes[node].names.isEmpty else { throw FilesystemError(.remove, errno: 39) }
            state.change(parent, [.init(name: name, node: nil)])
        }
    }

    func status(_ path: String) throws(FilesystemError) -> FileStatus? {
        try call(.examine) { (state) throws(FilesystemError) in
            guard let node = try state.find(path).map({ state.nodes[$0] }) else { return nil }
            let kind: FileStatus.Kind = node.isDirectory ? .directory : .file
            return FileStatus(kind: kind, size: UInt64(node.bytes.count), modifiedAt: WallTime(milliseconds: 0))
        }
    }

    func syncDirectory(_ path: String) throws(FilesystemError) {
        try call(.syncDirectory) { (state) throws(FilesystemError) in
            let node = try state.directory(path, .open)
            guard !state.lies.syncDirectory else { return }
            state.nodes[node].durableNames = state.nodes[node].names
            state.nodes[node].pending = []
        }
    }

    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { try call(.measureFreeSpace) { _ in 1 << 40 } }

    func canonicalPath(_ path: String) throws(FilesystemError) -> String {
        try call(.examine) { (state) throws(FilesystemError) in
            guard try state.find(path) != nil else { throw FilesystemError(.examine, errno: 2) }
            return "/" + path.split(separator: "/").joined(separator: "/")
        }
    }
}

extension FaultyFilesystem.State {
    /// nil = nothing of this name.
    fileprivate func find(_ path: String) throws(FilesystemError) -> Int? {
        var node = 0
        for name in path.utf8.split(separator: UInt8(ascii: "/")) {
            guard nodes[node].isDirectory else { throw FilesystemError(.examine, errno: 20) }
            guard let next = nodes[node].names[String(Substring(name))] else { return nil }
            node = next
        }
        return node
    }

    fileprivate func directory(_ path: String, _ operation: FileOperation) throws(FilesystemError) -> Int {
        guard let node = try find(path) else { throw FilesystemError(operation, errno: 2) }
        guard nodes[node].isDirectory else { throw FilesystemError(operation, errno: 20) }
        return node
    }

    fileprivate func parent(of path: String, _ operation: FileOperation) throws(FilesystemError) -> (Int, String) {
        let parts = path.split(separator: "/")
        guard let name = parts.last else { throw FilesystemError(operation, errno: 17) }
        return (try directory("/" + parts.dropLast().joined(separator: "/"), operation), String(name))
    }

    fileprivate func entry(_ file: OpenFile, _ operation: FileOperation) throws(FilesystemError) -> (node: Int, position: Int) {
        guard let entry = open[file.descriptor] else { throw FilesystemError(operation, errno: 9) }
        return entry
    }

    fileprivate mutating func add(_ node: FaultyFilesystem.Node, _ name: String, in parent: Int) -> Int {
        nodes.append(node)
        change(parent, [.init(name: name, node: nodes.count - 1)])
        return nodes.count - 1
    }

    fileprivate mutating func change(_ directory: Int, _ group: [FaultyFilesystem.Node.Change]) {
        for change in group { nodes[directory].names[change.name] = change.node }
        nodes[directory].pending.append(group)
    }

    fileprivate mutating func openNode(_ node: Int) -> OpenFile {
        defer { nextDescriptor += 1 }
        open[nextDescriptor] = (node, 0)
        return OpenFile(descriptor: nextDescriptor)
    }

    fileprivate mutating func write(_ bytes: [UInt8], to file: OpenFile) throws(FilesystemError) {
        let (node, position) = try entry(file, .write)
        var content = nodes[node].bytes
        content += [UInt8](repeating: 0, count: max(0, position + bytes.count - content.count))
        content.replaceSubrange(position..<position + bytes.count, with: bytes)
        nodes[node].bytes = content
        open[file.descriptor]?.position = position + bytes.count
    }
}

extension FaultyFilesystem.Node {
    /// Makes what survives the only truth.
    fileprivate mutating func settle(_ loss: FaultyFilesystem.Loss, salt: UInt64) {
        switch loss {
        case .nothing: break
        case .allUnsynced:
            bytes = durableBytes
            names = durableNames
        case .someUnsynced(let seed):
            var random = SeededGenerator(seed: seed &* 1_000_003 &+ salt)
            bytes = survivingBytes(&random)
            names = durableNames
            for group in pending where Bool.random(using: &random) {
                for change in group { names[change.name] = change.node }
            }
        }
        durableBytes = bytes
        durableNames = names
        pending = []
        isPoisoned = false
    }

    /// Old bytes, new ones, a part of the new ones, or the new length without the bytes.
    private func survivingBytes(_ random: inout SeededGenerator) -> [UInt8] {
        guard bytes != durableBytes else { return bytes }
        let candidates = isPoisoned ? 0...0 : 0...3
        switch Int.random(in: candidates, using: &random) {
        case 1: return bytes
        case 2:
            let unchanged = zip(bytes, durableBytes).prefix { $0 == $1 }.count
            return Array(bytes.prefix(Int.random(in: unchanged...bytes.count, using: &random)))
        case 3: return Array(durableBytes.prefix(bytes.count)) + [UInt8](repeating: 0, count: max(0, bytes.count - durableBytes.count))
        default: return durableBytes
        }
    }
}
