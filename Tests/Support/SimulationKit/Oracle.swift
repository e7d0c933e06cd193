internal import CheckpointStore
internal import Dataflow
internal import StreamModel

/// Says whether what the engine did was right. It looks at the disk itself, without the engine's help, at every change of a committed name,
/// after every crash, and at the end.
///
/// Promises that it holds the engine to:
/// - a committed part appears only when a manifest that lists it, with its bytes, would survive a power loss at that moment;
/// - a committed part goes away only when somebody said so: an operator who chose an older snapshot, or a warning that names what was
///   passed over;
/// - after a crash every checkpoint that has a manifest is whole, and the newest that was reported is there, or a newer one;
/// - at the end the parts, in the order of their checkpoints, are exactly what a run without faults writes: no record twice, none lost, the
///   ordinals of a key and split ascending, and after each record the count and the digest that its key then has;
/// - and all of that is still there after one more power loss.
final class Oracle {
    /// The first promise that was broken; what follows from it is not told.
    private(set) var violation: String?
    /// Checkpoints whose files the simulation damaged, by path.
    var damaged: Set<String> = []
    /// Parts that went away and that nobody has answered for yet.
    private(set) var unexplained: [String] = []

    private let reference: Reference
    private let scenario: Scenario
    private let machine: SimulatedMachine
    /// The snapshots whose manifests list a part, by the part's path; oldest first.
    private var manifestsOfPart: [String: [(path: String, listed: Committable)]] = [:]
    /// Listed by the newest manifests, and not renamed yet.
    private(set) var uncommitted: Set<String> = []
    /// The highest checkpoint of each job that was reported complete, and all its savepoints.
    private var reported: [JobID: CheckpointID] = [:]
    private var savepoints: Set<String> = []

    init(_ scenario: Scenario, _ machine: SimulatedMachine) {
        self.scenario = scenario
        self.machine = machine
        reference = Reference(scenario)
    }

    func report(_ what: @autoclosure () -> String) {
        guard violation == nil else { return }
        let text = what()
        violation = text
        machine.note(20, 0, "!!! \(text)")
    }

    // MARK: Names that change

    func renamed(_ old: String, to new: String) {
        if new.hasSuffix("/_metadata") { manifestAppeared(String(new.dropLast("/_metadata".count))) }
        if Self.isPart(old) { unexplained.append(old) }
        guard Self.isPart(new) else { return }
        uncommitted.remove(new)
        // What comes back from an abandoned branch was covered when it was committed first.
        if old.hasSuffix(".pending") { checkCoverage(of: new) }
    }

    func removed(_ path: String) { if Self.isPart(path) { unexplained.append(path) } }

    func explain() { unexplained = [] }

    static func isPart(_ path: String) -> Bool {
        [SimulatedJob.output, SimulatedJob.summaries, SimulatedJob.windows].contains { path.hasPrefix($0 + "/part-") }
    }

    private func manifestAppeared(_ path: String) {
        guard let snapshot = load(path, FrozenFilesystem(machine.disk, durable: false)) else { return }
        uncommitted = []
        for committable in snapshot.manifest.committables {
            guard let listed = ListedPart(committable) else { return report("\(path) lists output that does not read back: \(committable)") }
            manifestsOfPart[listed.path, default: []].append((path, committable))
            if (try? machine.disk.find(listed.path)) == .some(nil) { uncommitted.insert(listed.path) }  // It may be there already.
        }
    }

    /// A file that a manifest lists as output: the oracle's own reading of it.
    private struct ListedPart {
        let path: String
        let length: UInt64

        init?(_ committable: Committable) {
            let result: ListedPart? = committable.payload.withUnsafeBytes { bytes in
                var reader = StateReader(bytes)
                do throws(StateDecodingError) {
                    _ = try String(from: &reader)
                    let path = try String(from: &reader)
                    return ListedPart(path: path, length: try reader.read())
                } catch { return nil }
            }
            guard let result else { return nil }
            self = result
        }

        private init(path: String, length: UInt64) { (self.path, self.length) = (path, length) }
    }

    private func load(_ path: String, _ files: FrozenFilesystem) -> LoadedSnapshot? {
        try? Snapshot.load(path: path, filesystem: files)  // What does not load is judged by the caller.
    }

    /// Would a power loss now leave the part's claim to exist? What is not renamed yet is listed again by every later checkpoint, and one of
    /// them is enough: the newest may have failed.
    private func checkCoverage(of part: String) {
        guard let claims = manifestsOfPart[part], let newest = claims.last else { return report("\(part) was committed, and no manifest ever listed it") }
        let platter = FrozenFilesystem(machine.disk, durable: true)
        let claim = claims.last { path, listed in
            damaged.contains(path) || load(path, platter)?.manifest.committables.contains(listed) == true
        }
        guard let claim, let length = ListedPart(claim.listed)?.length else {
            return report("\(part) was committed before a manifest that lists it was durable; the newest is \(newest.path)")
        }
        let node = (try? machine.disk.find(part)) ?? nil  // Its absence is a violation, too.
        guard let node, machine.disk[node].durableBytes.count == Int(length) else {
            return report("\(part) was committed before its \(length) bytes were durable")
        }
    }

    // MARK: What was reported

    /// - Parameter rows: the job's own book, oldest first.
    func told(_ rows: [CheckpointReport], by job: JobID) {
        for row in rows where row.status == .completed && !row.discarded {
            if row.kind.isSavepoint {
                if let path = row.path { savepoints.insert(path) }
            } else {
                reported[job] = max(reported[job] ?? row.id, row.id)
            }
        }
    }

    /// A claimed savepoint belongs to the job, which may delete it.
    func claimed(_ path: String) { savepoints.remove(path) }

    // MARK: After a crash

    /// - Parameter isOver: the job had finished, so that its checkpoints are no longer needed.
    func checkAfterCrash(job: JobID, isOver: Bool) {
        let files = FrozenFilesystem(machine.disk, durable: false)
        let found = snapshots(in: SimulatedJob.storage, files) + snapshots(in: SimulatedJob.savepoints, files)
        var newest: CheckpointID?
        for path in found where !damaged.contains(path) {
            let inspection = Snapshot.inspect(path: path, filesystem: files)
            guard inspection.verdict == .ok else { return report("after the crash \(path) is \(inspection.verdict): \(inspection.problem ?? "")") }
            if inspection.job == job, let id = inspection.checkpoint { newest = max(newest ?? id, id) }
        }
        for path in savepoints.sorted() where !found.contains(path) && !damaged.contains(path) {
            report("the savepoint \(path) was reported complete, and is gone after the crash")
        }
        if !isOver, let due = reported[job], newest.map({ $0 < due }) ?? true, damaged.isEmpty {
            report("checkpoint \(due) was reported complete; after the crash the newest is \(newest.map(\.description) ?? "none")")
        }
    }

    /// Directories with a manifest, below a root and one level of jobs.
    func snapshots(in root: String, _ files: FrozenFilesystem) -> [String] {
        files.disk.walk(root, durable: files.isDurable).map(\.path).filter { $0.hasSuffix("/_metadata") }.map { String($0.dropLast("/_metadata".count)) }
            .filter { !$0.contains(".damaged") }
    }

    /// What an operator would restart from: whole snapshots of a job, newest first.
    func restorable(of job: JobID) -> [(id: CheckpointID, path: String)] {
        let files = FrozenFilesystem(machine.disk, durable: false)
        let found = snapshots(in: SimulatedJob.storage, files) + snapshots(in: SimulatedJob.savepoints, files)
        return found.compactMap { path in
            let inspection = Snapshot.inspect(path: path, filesystem: files)
            guard inspection.verdict == .ok, inspection.job == job, !damaged.contains(path), let id = inspection.checkpoint else { return nil }
            return (id, path)
        }.sorted { ($0.id, $0.path) > ($1.id, $1.path) }
    }

    // MARK: At the end

    func checkOutput() {
        checkOutput(machine.disk, "at the end")
        var random = SimulationRandom(seed: 0)
        checkOutput(machine.disk.afterPowerLoss(.nothing, random: &random), "after a power loss at the end")
    }

    private func checkOutput(_ disk: DiskModel, _ when: String) {
        var seen: [UInt64: KeyTotals] = [:]
        var next: [UInt64: [UInt64]] = [:]
        for (path, bytes) in parts(in: SimulatedJob.output, disk) {
            guard let records = OutputRecord.decode(bytes) else { return report("\(when) \(path) has \(bytes.count) bytes, not whole records") }
            for record in records {
                if let problem = take(record, &seen, &next) { return report("\(when) \(path): \(problem)") }
            }
        }
        for (key, totals) in reference.totals.sorted(by: { $0.key < $1.key }) where seen[key] != totals {
            return report("\(when) key \(key) has \(seen[key]?.count ?? 0) of \(totals.count) records: lost")
        }
        if scenario.hasSummary { checkSummaries(disk, when) }
        if scenario.windows != nil { checkWindows(disk, when) }
    }

    /// One record of the output against what its key may have next.
    private func take(_ record: OutputRecord, _ seen: inout [UInt64: KeyTotals], _ next: inout [UInt64: [UInt64]]) -> String? {
        guard let counts = reference.counts[record.key], record.split < UInt64(scenario.splits), record.ordinal < counts[Int(record.split)] else {
            return "a record that was never read: \(record)"
        }
        let split = Int(record.split)
        let due = next[record.key, default: counts.map { _ in 0 }][split]
        guard record.ordinal == due else {
            return "key \(record.key), split \(split): ordinal \(record.ordinal) where \(due) is due: \(record.ordinal < due ? "duplicate or reordered" : "lost or reordered")"
        }
        next[record.key, default: counts.map { _ in 0 }][split] = due + 1
        seen[record.key, default: KeyTotals()].add(SimulatedRecord(key: record.key, split: split, ordinal: record.ordinal))
        let totals = seen[record.key, default: KeyTotals()]
        guard record.count == totals.count else { return "key \(record.key): count \(record.count) where \(totals.count) is due" }
        guard record.digest == totals.digest else { return "key \(record.key): the digest of its state is wrong at count \(record.count)" }
        return nil
    }

    private func checkSummaries(_ disk: DiskModel, _ when: String) {
        var left = reference.totals
        for (key, totals, path) in sums(in: SimulatedJob.summaries, disk, when) {
            guard let due = left.removeValue(forKey: key) else { return report("\(when) \(path): key \(key) is summed up twice, or was never there") }
            guard due == totals else { return report("\(when) \(path): the summary of key \(key) is wrong") }
        }
        if let key = left.keys.min() { report("\(when) key \(key) has no summary") }
    }

    /// All windows of a key, and its late records, are all its records.
    private func checkWindows(_ disk: DiskModel, _ when: String) {
        var seen: [UInt64: KeyTotals] = [:]
        for (key, totals, _) in sums(in: SimulatedJob.windows, disk, when) {
            seen[key, default: KeyTotals()].count += totals.count
            seen[key, default: KeyTotals()].digest &+= totals.digest
        }
        for key in Set(seen.keys).union(reference.totals.keys).sorted() where seen[key] != reference.totals[key] {
            return report("\(when) the windows of key \(key) have \(seen[key]?.count ?? 0) records, \(reference.totals[key]?.count ?? 0) are due (or others)")
        }
    }

    private func sums(in directory: String, _ disk: DiskModel, _ when: String) -> [(key: UInt64, totals: KeyTotals, path: String)] {
        parts(in: directory, disk).flatMap { path, bytes -> [(key: UInt64, totals: KeyTotals, path: String)] in
            if bytes.count % 24 != 0 { report("\(when) \(path) has \(bytes.count) bytes, not whole sums") }
            return stride(from: 0, to: bytes.count - bytes.count % 24, by: 24).map { start in
                let words = (0..<3).map { index in
                    bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start + index * 8, as: UInt64.self)) }
                }
                var totals = KeyTotals()
                (totals.count, totals.digest) = (words[1], words[2])
                return (words[0], totals, path)
            }
        }
    }

    /// The visible files of a sink in the order in which they were committed.
    private func parts(in directory: String, _ disk: DiskModel) -> [(path: String, bytes: [UInt8])] {
        disk.walk(directory).filter { Self.isPart($0.path) }.compactMap { path, node -> (order: (UInt64, Int, Int), path: String, bytes: [UInt8])? in
            // part-<uid>-<subtask>-<checkpoint>[.<number>]-<job>
            let fields = path.split(separator: "-")
            let place = fields.count == 5 ? fields[3].split(separator: ".") : []
            guard let checkpoint = place.first.flatMap({ UInt64($0) }), let subtask = Int(fields[2]), let number = place.count == 2 ? Int(place[1]) : 0 else {
                report("\(path) has no name of a part")
                return nil
            }
            return ((checkpoint, subtask, number), path, disk[node].bytes)
        }.sorted { $0.order < $1.order }.map { ($0.path, $0.bytes) }
    }
}
