internal import CheckpointStore
internal import StreamModel

/// The files as one process sees them: every call takes time, may fail as the seed says, and is a scheduling point before it has its
/// effect. Giving a file up takes no time and never fails, because objects do it when they are freed, at moments that differ between builds.
struct SimulatedFilesystem: DefectiveFilesystem, @unchecked Sendable {
    // Sound: the machine is touched by the holder of the baton only.
    let machine: SimulatedMachine
    let process: SimulatedProcess

    var processID: Int32 { Int32(process.number) }
    var defect: EngineDefect? { machine.canary?.defect }

    // MARK: Calls

    private func call<Value>(
        _ operation: FileOperation, _ path: String, _ body: () throws(FilesystemError) -> Value
    ) throws(FilesystemError) -> Value {
        try enter(operation, path)
        do throws(FilesystemError) {
            let value = try body()
            leave(operation, path, 0)
            return value
        } catch {
            leave(operation, path, error.errno)
            throw error
        }
    }

    private func enter(_ operation: FileOperation, _ path: String) throws(FilesystemError) {
        guard process.isAlive else { throw FilesystemError(operation, errno: 5) }
        machine.scheduler.sleep(latency(of: operation), "\(operation.rawValue) \(path)")
        // It may have died meanwhile.
        guard process.isAlive else { throw FilesystemError(operation, errno: 5) }
        if machine.random.chance(machine.rates.slowDisk) {
            machine.count(.slowDisk)
            machine.slowUntil = machine.scheduler.now + Int64(machine.random.number(50...2_000)) * 1_000_000
        }
    }

    private func leave(_ operation: FileOperation, _ path: String, _ errno: Int32) {
        machine.trace.add(
            3, Trace.number(of: path), operation.rawValue.utf8.count << 8 + Int(errno),
            "\(machine.scheduler.stamp) [\(machine.scheduler.currentName)] \(operation.rawValue) \(path)\(errno == 0 ? "" : ": errno \(errno)")")
        if process.isAlive { machine.operationEnded(of: process) }
    }

    /// Nanoseconds: a cache answers in microseconds, a platter in a millisecond, a slow disk in tens of milliseconds.
    private func latency(of operation: FileOperation) -> Int64 {
        let isSlow = machine.scheduler.now < machine.slowUntil
        switch operation {
        case .sync, .syncDirectory: return Int64(machine.random.number(100_000...2_000_000)) * (isSlow ? 40 : 1)
        default: return Int64(machine.random.number(1_000...30_000)) * (isSlow ? 1_000 : 1)
        }
    }

    /// A full disk stays full for a while.
    private func requireSpace(_ operation: FileOperation) throws(FilesystemError) {
        if machine.random.chance(machine.rates.diskFull) {
            machine.count(.diskFull, operation.rawValue)
            machine.fullUntil = machine.scheduler.now + Int64(machine.random.number(1...200)) * 1_000_000
        }
        if machine.scheduler.now < machine.fullUntil { throw FilesystemError(operation, errno: 28) }
    }

    /// As many files are open as there may be, for a while.
    private func requireDescriptor(_ operation: FileOperation) throws(FilesystemError) {
        if machine.random.chance(machine.rates.tooManyFiles) {
            machine.count(.tooManyFiles, operation.rawValue)
            machine.noFilesUntil = machine.scheduler.now + Int64(machine.random.number(1...200)) * 1_000_000
        }
        if machine.scheduler.now < machine.noFilesUntil { throw FilesystemError(operation, errno: 24) }
    }

    private func fail(_ kind: FaultKind, _ rate: Int, _ operation: FileOperation, errno: Int32 = 5) throws(FilesystemError) {
        guard machine.random.chance(rate) else { return }
        machine.count(kind, operation.rawValue)
        throw FilesystemError(operation, errno: errno)
    }

    private func on<Value>(_ operation: FileOperation, _ body: (inout DiskModel) throws(DiskModel.Failure) -> Value) throws(FilesystemError) -> Value {
        do throws(DiskModel.Failure) { return try body(&machine.disk) } catch {
            switch error {
            case .errno(let number): throw FilesystemError(operation, errno: number)
            }
        }
    }

    /// What files are stamped with, in milliseconds.
    private var time: Int64 { machine.wall }

    // MARK: Files

    private func open(_ node: Int) -> OpenFile {
        defer { machine.nextDescriptor += 1 }
        machine.open[machine.nextDescriptor] = SimulatedMachine.OpenEntry(process: process.number, node: node)
        return OpenFile(descriptor: machine.nextDescriptor)
    }

    private func entry(_ file: OpenFile, _ operation: FileOperation) throws(FilesystemError) -> (node: Int, position: Int) {
        guard process.isAlive else { throw FilesystemError(operation, errno: 5) }
        guard let entry = machine.open[file.descriptor], entry.process == process.number else { throw FilesystemError(operation, errno: 9) }
        return (entry.node, entry.position)
    }

    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.create, path) { () throws(FilesystemError) in
            try requireDescriptor(.create)
            try requireSpace(.create)
            let node = try on(.create) { (disk) throws(DiskModel.Failure) in try disk.create(path, isDirectory: false, at: time) }
            if machine.canary == .manifestFirst, path.hasSuffix(".state") { machine.heldBack.files.insert(node) }
            return open(node)
        }
    }

    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.open, path) { () throws(FilesystemError) in
            try requireDescriptor(.open)
            try fail(.failedRead, machine.rates.failedRead, .open)
            guard let node = try on(.open, { (disk) throws(DiskModel.Failure) in try disk.find(path) }) else { throw FilesystemError(.open, errno: 2) }
            return open(node)
        }
    }

    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile {
        try call(.open, path) { () throws(FilesystemError) in
            try requireDescriptor(.open)
            if let node = try on(.open, { (disk) throws(DiskModel.Failure) in try disk.find(path) }) { return open(node) }
            try requireSpace(.open)
            return open(try on(.open) { (disk) throws(DiskModel.Failure) in try disk.create(path, isDirectory: false, at: time) })
        }
    }

    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool {
        try call(.lock, "\(file.descriptor)") { () throws(FilesystemError) in
            let node = try entry(file, .lock).node
            return machine.locks[node, default: FileLock()].takeExclusive(file.descriptor)
        }
    }

    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool {
        try call(.lock, "\(file.descriptor), shared") { () throws(FilesystemError) in
            let node = try entry(file, .lock).node
            return machine.locks[node, default: FileLock()].takeShared(file.descriptor)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) {
        try call(.write, "\(bytes.count) bytes to \(file.descriptor)") { () throws(FilesystemError) in
            let (node, position) = try entry(file, .write)
            var count = bytes.count, refusal: FilesystemError?
            do throws(FilesystemError) {
                try requireSpace(.write)
                try fail(.failedWrite, machine.rates.failedWrite, .write)
            } catch {
                count = machine.random.number(0...count)
                refusal = error
            }
            if count > 0 { machine.disk.change(node, .write(offset: position, Array(bytes.prefix(count))), at: time) }
            machine.open[file.descriptor]?.position += count
            if let refusal { throw refusal }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        try call(.read, "\(file.descriptor) at \(offset)") { () throws(FilesystemError) in
            let node = machine.disk[try entry(file, .read).node]
            if node.isUnreadable { throw FilesystemError(.read, errno: 5) }
            try fail(.failedRead, machine.rates.failedRead, .read)
            let start = Int(clamping: offset)
            guard start < node.bytes.count else { return 0 }
            let part = node.bytes[start..<min(node.bytes.count, start + buffer.count)]
            buffer.copyBytes(from: part)
            return part.count
        }
    }

    func size(of file: OpenFile) throws(FilesystemError) -> UInt64 {
        try call(.examine, "\(file.descriptor)") { () throws(FilesystemError) in
            let node = machine.disk[try entry(file, .examine).node]
            guard !node.isDirectory else { throw FilesystemError(.read, errno: 21) }
            return UInt64(node.bytes.count)
        }
    }

    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) {
        try call(.truncate, "\(file.descriptor)") { () throws(FilesystemError) in
            machine.disk.change(try entry(file, .truncate).node, .truncate(Int(length)), at: time)
            machine.open[file.descriptor]?.position = Int(length)
        }
    }

    func sync(_ file: OpenFile) throws(FilesystemError) {
        try call(.sync, "\(file.descriptor)") { () throws(FilesystemError) in
            let node = try entry(file, .sync).node
            if !machine.disk[node].pending.isEmpty, machine.random.chance(machine.rates.failedSync) {
                machine.count(.failedSync)
                machine.disk.failSync(node, readsOld: machine.random.coin())
                throw FilesystemError(.sync, errno: 5)
            }
            if machine.random.chance(machine.rates.failedClose) {
                machine.count(.failedClose)
                machine.open[file.descriptor]?.closeFails = true
            }
            switch machine.canary {
            case .fileSync: break
            case .manifestFirst where machine.heldBack.files.contains(node): machine.heldBack.due.append(node)
            default: machine.disk.sync(node)
            }
        }
    }

    func close(_ file: OpenFile) throws(FilesystemError) {
        guard process.isAlive, let entry = machine.open.removeValue(forKey: file.descriptor) else { return }
        machine.locks[entry.node]?.giveUp(file.descriptor)
        if entry.closeFails { throw FilesystemError(.close, errno: 5) }
    }

    // MARK: Names

    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) {
        try call(.rename, "\(old) to \(new)") { () throws(FilesystemError) in
            try fail(.failedRename, machine.rates.failedRename, .rename)
            try on(.rename) { (disk) throws(DiskModel.Failure) in try disk.rename(old, to: new, replacing: replacing, at: time) }
            machine.onRename(old, new)
            if new.hasSuffix("/_metadata") { manifestAppeared() }
        }
    }

    private func manifestAppeared() {
        if let (delay, survival) = machine.crashesAtManifest {
            machine.crashesAtManifest = nil
            machine.armedCrash = SimulatedMachine.ArmedCrash(at: process.operations + 1 + delay, survival: survival)
        }
    }

    func makeDirectory(_ path: String) throws(FilesystemError) {
        try call(.makeDirectory, path) { () throws(FilesystemError) in
            try requireSpace(.makeDirectory)
            _ = try on(.makeDirectory) { (disk) throws(DiskModel.Failure) in try disk.create(path, isDirectory: true, at: time) }
        }
    }

    func list(_ path: String) throws(FilesystemError) -> [String] {
        try call(.list, path) { () throws(FilesystemError) in
            try requireDescriptor(.list)
            try fail(.failedRead, machine.rates.failedRead, .list)
            let node = try on(.list) { (disk) throws(DiskModel.Failure) in try disk.directory(path) }
            var names = machine.disk[node].names.keys.sorted()
            machine.random.shuffle(&names)
            return names
        }
    }

    func unlink(_ path: String) throws(FilesystemError) {
        try call(.remove, path) { () throws(FilesystemError) in
            try requireDescriptor(.remove)
            try on(.remove) { (disk) throws(DiskModel.Failure) in try disk.remove(path, isDirectory: false, at: time) }
            machine.onRemove(path)
        }
    }

    func removeDirectory(_ path: String) throws(FilesystemError) {
        try call(.remove, path) { () throws(FilesystemError) in
            try on(.remove) { (disk) throws(DiskModel.Failure) in try disk.remove(path, isDirectory: true, at: time) }
        }
    }

    func status(_ path: String) throws(FilesystemError) -> FileStatus? {
        try call(.examine, path) { () throws(FilesystemError) in
            guard let number = try on(.examine, { (disk) throws(DiskModel.Failure) in try disk.find(path) }) else { return nil }
            let node = machine.disk[number]
            return FileStatus(
                kind: node.isDirectory ? .directory : .file, size: UInt64(node.bytes.count),
                modifiedAt: WallTime(milliseconds: node.modifiedAt))
        }
    }

    func syncDirectory(_ path: String) throws(FilesystemError) {
        try call(.syncDirectory, path) { () throws(FilesystemError) in
            try requireDescriptor(.open)
            let node = try on(.syncDirectory) { (disk) throws(DiskModel.Failure) in try disk.directory(path) }
            try fail(.failedDirectorySync, machine.rates.failedDirectorySync, .syncDirectory)
            guard machine.canary != .directorySync else { return }
            machine.disk.syncDirectory(node)
            if machine.canary == .manifestFirst { releaseHeldBack(after: node) }
        }
    }

    /// The canary's bytes follow two directory syncs after the manifest is durable: too late.
    private func releaseHeldBack(after directory: Int) {
        if machine.disk[directory].durableNames["_metadata"] != nil { machine.heldBack.countdown = 2 }
        machine.heldBack.countdown -= 1
        guard machine.heldBack.countdown == 0 else { return }
        for node in machine.heldBack.due { machine.disk.sync(node) }
        machine.heldBack.due = []
    }

    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 {
        try call(.measureFreeSpace, path) { () throws(FilesystemError) in machine.scheduler.now < machine.fullUntil ? 0 : 1 << 40 }
    }

    func canonicalPath(_ path: String) throws(FilesystemError) -> String {
        try call(.examine, path) { () throws(FilesystemError) in
            guard try on(.examine, { (disk) throws(DiskModel.Failure) in try disk.find(path) }) != nil else { throw FilesystemError(.examine, errno: 2) }
            return "/" + path.split(separator: "/").joined(separator: "/")
        }
    }
}

/// A model of a disk as it stands, for the oracle: reads only, takes no time, never fails by itself.
struct FrozenFilesystem: Filesystem, @unchecked Sendable {
    // Sound: a value; `opened` is touched by the thread that made it.
    private final class Opened { var nodes: [Int32: Int] = [:] }

    let disk: DiskModel
    /// What the platter holds, without the cache.
    let isDurable: Bool
    private let opened = Opened()
    let processID: Int32 = 0

    init(_ disk: DiskModel, durable: Bool) { (self.disk, isDurable) = (disk, durable) }

    private func find(_ path: String) -> Int? {
        // ENOTDIR: a path through a file leads nowhere.
        try? disk.find(path, durable: isDurable)
    }

    private func bytes(_ node: Int) -> [UInt8] { isDurable ? disk[node].durableBytes : disk[node].bytes }

    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        guard let node = find(path) else { throw FilesystemError(.open, errno: 2) }
        let file = OpenFile(descriptor: Int32(opened.nodes.count))
        opened.nodes[file.descriptor] = node
        return file
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        guard let node = opened.nodes[file.descriptor] else { throw FilesystemError(.read, errno: 9) }
        if disk[node].isUnreadable { throw FilesystemError(.read, errno: 5) }
        let all = bytes(node), start = Int(clamping: offset)
        guard start < all.count else { return 0 }
        let part = all[start..<min(all.count, start + buffer.count)]
        buffer.copyBytes(from: part)
        return part.count
    }

    func size(of file: OpenFile) throws(FilesystemError) -> UInt64 { UInt64(opened.nodes[file.descriptor].map { bytes($0).count } ?? 0) }
    func close(_ file: OpenFile) throws(FilesystemError) {}

    func list(_ path: String) throws(FilesystemError) -> [String] {
        guard let node = find(path) else { throw FilesystemError(.list, errno: 2) }
        return (isDurable ? disk[node].durableNames : disk[node].names).keys.sorted()
    }

    func status(_ path: String) throws(FilesystemError) -> FileStatus? {
        find(path).map { FileStatus(kind: disk[$0].isDirectory ? .directory : .file, size: UInt64(bytes($0).count), modifiedAt: WallTime(milliseconds: 0)) }
    }

    func canonicalPath(_ path: String) throws(FilesystemError) -> String {
        guard find(path) != nil else { throw FilesystemError(.examine, errno: 2) }
        return "/" + path.split(separator: "/").joined(separator: "/")
    }

    // Nothing can be changed.
    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile { throw FilesystemError(.create, errno: 30) }
    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile { throw FilesystemError(.open, errno: 30) }
    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { throw FilesystemError(.lock, errno: 30) }
    /// Nobody else is there to lock out.
    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { true }
    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) { throw FilesystemError(.write, errno: 30) }
    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) { throw FilesystemError(.truncate, errno: 30) }
    func sync(_ file: OpenFile) throws(FilesystemError) { throw FilesystemError(.sync, errno: 30) }
    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) { throw FilesystemError(.rename, errno: 30) }
    func makeDirectory(_ path: String) throws(FilesystemError) { throw FilesystemError(.makeDirectory, errno: 30) }
    func unlink(_ path: String) throws(FilesystemError) { throw FilesystemError(.remove, errno: 30) }
    func removeDirectory(_ path: String) throws(FilesystemError) { throw FilesystemError(.remove, errno: 30) }
    func syncDirectory(_ path: String) throws(FilesystemError) { throw FilesystemError(.syncDirectory, errno: 30) }
    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { 0 }
}
