internal import StreamModel

/// What the simulation has damaged, and how to repair it.
struct Damage {
    private struct Wound {
        let node: Int
        /// The bits that were turned; empty = the file cannot be read.
        var pattern: [UInt8] = []
        var offset = 0
        var snapshots: Set<String> = []
    }

    private var wounds: [Wound] = []
    /// Snapshots that are not whole, by path.
    private(set) var snapshots: Set<String> = []
    /// Parts of the output and small records, by node.
    private(set) var files: Set<Int> = []
    var isEmpty: Bool { wounds.isEmpty }

    /// - Parameter snapshots: those that need the file.
    mutating func makeUnreadable(_ node: Int, of snapshots: Set<String>, on disk: inout DiskModel) {
        disk[node].isUnreadable = true
        note(Wound(node: node, snapshots: snapshots))
    }

    /// - Parameter snapshots: those that need the file; empty = it is none of a snapshot's.
    mutating func turn(_ pattern: [UInt8], at offset: Int, of node: Int, of snapshots: Set<String>, on disk: inout DiskModel) {
        disk.damage(node, at: offset, xor: pattern)
        note(Wound(node: node, pattern: pattern, offset: offset, snapshots: snapshots))
    }

    private mutating func note(_ wound: Wound) {
        wounds.append(wound)
        snapshots.formUnion(wound.snapshots)
        if wound.snapshots.isEmpty { files.insert(wound.node) }
    }

    mutating func repair(_ disk: inout DiskModel) {
        for wound in wounds.reversed() {
            disk[wound.node].isUnreadable = false
            disk.damage(wound.node, at: wound.offset, xor: wound.pattern)
        }
        self = Damage()
    }
}

/// Bit rot and bad sectors, while no process runs.
struct Decay {
    let machine: SimulatedMachine
    let oracle: Oracle

    /// In the newest checkpoint.
    func damageNewest(of job: JobID, _ random: inout SimulationRandom) {
        guard let newest = oracle.restorable(of: job).first else { return }
        let files = machine.disk.walk(newest.path).filter { !machine.disk[$0.node].bytes.isEmpty }
        guard !files.isEmpty else { return }
        let (path, node) = files[machine.random.below(files.count)]
        if random.coin() {
            machine.count(.unreadableFile, path)
            machine.damage.makeUnreadable(node, of: [newest.path], on: &machine.disk)
        } else {
            flip(path, node, .flippedBit, of: [newest.path], &random)
        }
    }

    private func flip(_ path: String, _ node: Int, _ kind: FaultKind, of snapshots: Set<String>, _ random: inout SimulationRandom) {
        let offset = random.below(machine.disk[node].bytes.count), bit: [UInt8] = [1 << UInt8(random.below(8))]
        machine.count(kind, "\(path) at \(offset)")
        machine.damage.turn(bit, at: offset, of: node, of: snapshots, on: &machine.disk)
    }

    /// Somewhere else: an older checkpoint or a shared file, a part of the output, a small record.
    func rot(of job: JobID, _ random: inout SimulationRandom) {
        switch random.below(3) {
        case 0: rotOlder(of: job, &random)
        case 1: rotFile(.rottenPart, &random) { path in oracle.isPart(path) }
        default:
            rotFile(.rottenRecord, &random) { path in
                path == "\(oracle.scenario.place.storage)/\(job)/.highest-checkpoint-id" || path.split(separator: "/").last?.hasPrefix(".weir-sink-") == true
            }
        }
    }

    private func rotOlder(of job: JobID, _ random: inout SimulationRandom) {
        let found = oracle.restorable(of: job)
        var owners: [String: Set<String>] = [:]
        for reading in found { for file in reading.files { owners[reading.path(of: file), default: []].insert(reading.path) } }
        for reading in found { owners[reading.path + "/_metadata"] = [reading.path] }
        let isShared = { (path: String) in path.contains("/shared/") }
        let own = found.first.map { $0.path + "/" } ?? "-"
        let files = owners.keys.sorted().filter { isShared($0) || !$0.hasPrefix(own) }
        guard !files.isEmpty else { return }
        let path = files[random.below(files.count)]
        // No ENOENT comes: it was read just now.
        guard let node = (try? machine.disk.find(path)) ?? nil, !machine.disk[node].bytes.isEmpty else { return }
        flip(path, node, .rottenOlder, of: owners[path] ?? [], &random)
    }

    private func rotFile(_ kind: FaultKind, _ random: inout SimulationRandom, _ isWanted: (String) -> Bool) {
        let files = machine.disk.walk().filter { !machine.disk[$0.node].isDirectory && !machine.disk[$0.node].bytes.isEmpty && isWanted($0.path) }
        guard !files.isEmpty else { return }
        let (path, node) = files[random.below(files.count)]
        flip(path, node, kind, of: [], &random)
    }

    /// The generator polynomial of CRC32C, laid over the bytes somewhere: the one damage that the checksum cannot see.
    static let unseenPattern: [UInt8] = [0xf1, 0x76, 0xec, 0x05, 0x01]

    func damageUnseen(of job: JobID, _ random: inout SimulationRandom) {
        guard machine.damage.isEmpty, let newest = oracle.restorable(of: job).first else { return }
        let files = machine.disk.walk(newest.path).filter { $0.path.hasSuffix(".state") && machine.disk[$0.node].bytes.count > 80 }
        guard let (path, node) = files.first else { return }
        // In the last entry: what stands before the trailer of 24 bytes.
        let offset = machine.disk[node].bytes.count - 24 - Self.unseenPattern.count - random.below(8)
        machine.note(34, offset, "unseen damage of \(path) at \(offset)")
        machine.damage.turn(Self.unseenPattern, at: offset, of: node, of: [path], on: &machine.disk)
    }
}
