internal import CheckpointStore
internal import Dataflow
internal import StreamModel

/// Says whether what the engine did with one line of restarts was right. It looks at the disk itself, with a decoder of its own, at every
/// change of a committed name, after every crash, and at the end.
///
/// Promises that it holds the engine to:
/// - a committed part appears only when a manifest that lists it, with its bytes, would survive a power loss at that moment;
/// - a committed part goes away only when somebody said so: an operator who chose an older snapshot, or a warning that names what was
///   passed over;
/// - nothing of another submission goes away, and no savepoint, unless it was claimed;
/// - after a crash every checkpoint that has a manifest is whole, and the newest that was reported is there, or a newer one; the engine reads
///   each as the oracle does; the record of the highest number and the markers of the sinks are whole;
/// - at the end the parts, in the order of their checkpoints, are exactly what a run without faults writes: no record twice, none lost, the
///   ordinals of a key and split ascending, and after each record the count and the digest that its key then has;
/// - and all of that is still there after one more power loss.
final class Oracle {
    /// The first promise that was broken; what follows from it is not told.
    private(set) var violation: String?
    /// Parts that went away and that nobody has answered for yet.
    private(set) var unexplained: [String] = []
    /// Snapshots of ended submissions that are nobody's to delete.
    private(set) var kept: Set<String> = []

    private let reference: Reference
    let scenario: Scenario
    private let machine: SimulatedMachine
    /// nil = of the first snapshot of `jobName` that appears.
    private(set) var lineage: JobID?
    private let jobName: String?
    /// The snapshots whose manifests list a part, by the part's path; oldest first.
    private var manifestsOfPart: [String: [(path: String, listed: SnapshotReading.Part)]] = [:]
    /// Listed by the newest manifests, and not renamed yet.
    private(set) var uncommitted: Set<String> = []
    /// The highest checkpoint of each job that was reported complete, and all its savepoints.
    private var reported: [JobID: CheckpointID] = [:]
    private var savepoints: Set<String> = []
    private var claims: Set<String> = []

    private var damaged: Set<String> { machine.damage.snapshots }
    private var damagedFiles: Set<Int> { machine.damage.files }

    init(_ scenario: Scenario, _ machine: SimulatedMachine, lineage: JobID? = nil, jobName: String? = nil) {
        self.scenario = scenario
        self.machine = machine
        self.lineage = lineage
        self.jobName = jobName
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
        if isPart(old) { unexplained.append(old) }
        guard isPart(new) else { return }
        uncommitted.remove(new)
        // What comes back from an abandoned branch was covered when it was committed first.
        if old.hasSuffix(".pending") { checkCoverage(of: new) }
    }

    func removed(_ path: String) {
        if isPart(path) { unexplained.append(path) }
        guard path.hasSuffix("/_metadata") else { return }
        let snapshot = String(path.dropLast("/_metadata".count))
        if savepoints.contains(snapshot) { report("the savepoint \(snapshot) was deleted, and nobody had given it away") }
        if kept.contains(snapshot) { report("\(snapshot) is of a submission that has ended, and was deleted") }
    }

    func isClaimed(_ path: String) -> Bool { claims.contains(path) }

    func explain() { unexplained = [] }

    /// Nothing of the line was ever complete, and it begins anew.
    func beginAnew() { lineage = nil }

    /// Whoever claims without naming may have been given any of them.
    func forgetSavepoints() { savepoints = [] }

    func isPart(_ path: String) -> Bool { scenario.place.outputs.contains { path.hasPrefix($0 + "/part-") } }

    private func manifestAppeared(_ path: String) {
        guard let reading = reading(path) else { return }
        if lineage == nil, reading.jobName == jobName { lineage = reading.lineage }
        guard reading.lineage == lineage else { return }
        uncommitted = []
        do {
            for part in try reading.parts() {
                manifestsOfPart[part.path, default: []].append((path, part))
                if (try? machine.disk.find(part.path)) == .some(nil) { uncommitted.insert(part.path) }  // ENOTDIR: then it is not there.
            }
        } catch { report("\(path) lists output that does not read back: \(error)") }
    }

    /// nil for what is not whole: that is judged by the caller.
    private func reading(_ path: String, durable: Bool = false) -> SnapshotReading? {
        (try? SnapshotReading.whole(path, on: machine.disk, durable: durable)) ?? nil  // SnapshotReading.Failure: it is not whole.
    }

    /// Would a power loss now leave the part's claim to exist? What is not renamed yet is listed again by every later checkpoint, and one of
    /// them is enough: the newest may have failed.
    private func checkCoverage(of part: String) {
        guard let claims = manifestsOfPart[part], let newest = claims.last else { return report("\(part) was committed, and no manifest ever listed it") }
        let claim = claims.last { path, listed in
            // SnapshotReading.Failure: a list that does not read back holds nothing.
            damaged.contains(path) || (try? reading(path, durable: true)?.parts())?.contains(listed) == true
        }
        guard let claim else {
            return report("\(part) was committed before a manifest that lists it was durable; the newest is \(newest.path)")
        }
        let node = (try? machine.disk.find(part)) ?? nil  // ENOTDIR: its absence is a violation, too.
        guard let node, machine.disk[node].durableBytes.count == Int(claim.listed.length) else {
            return report("\(part) was committed before its \(claim.listed.length) bytes were durable")
        }
        guard damagedFiles.contains(node) || Castagnoli.sum(machine.disk[node].durableBytes) == claim.listed.checksum else {
            return report("\(part) was committed, and its bytes are not those that the manifest lists")
        }
    }

    // MARK: What was reported

    /// - Parameter rows: the job's own book, oldest first.
    func told(_ rows: [CheckpointReport], by job: JobID) {
        for row in rows where row.status == .completed && !row.discarded {
            if row.kind.isSavepoint {
                if let path = row.path, !claims.contains(path) { savepoints.insert(path) }
            } else {
                reported[job] = max(reported[job] ?? row.id, row.id)
            }
        }
    }

    /// A claimed savepoint belongs to the job, which may delete it.
    func claimed(_ path: String) {
        claims.insert(path)
        savepoints.remove(path)
        kept.remove(path)
    }

    /// The submission has ended, and its retention was applied: what it has left stays.
    func ended(_ job: JobID) {
        for found in restorable(of: job, durable: true) where !claims.contains(found.path) { kept.insert(found.path) }
    }

    // MARK: After a crash

    /// - Parameter isOver: the job had finished, so that its checkpoints are no longer needed.
    func checkAfterCrash(job: JobID, isOver: Bool) {
        let found = snapshots(in: scenario.place.storage) + snapshots(in: scenario.place.savepoints)
        var newest: CheckpointID?
        for path in found {
            guard let reading = check(path) else { continue }
            if reading.job == job { newest = max(newest ?? reading.checkpoint, reading.checkpoint) }
        }
        for path in (savepoints.union(kept)).sorted() where !found.contains(path) && !damaged.contains(path) {
            report("\(path) was reported complete, and is gone after the crash")
        }
        if !isOver, let due = reported[job], newest.map({ $0 < due }) ?? true, damaged.isEmpty {
            report("checkpoint \(due) was reported complete; after the crash the newest is \(newest.map(\.description) ?? "none")")
        }
        checkHighestNumber(of: job, atLeast: newest)
        checkMarkers()
    }

    /// Reads a snapshot, and has the engine read it. nil = it is damaged, as it should be, or of another line.
    private func check(_ path: String) -> SnapshotReading? {
        let theirs = Snapshot.inspect(path: path, filesystem: FrozenFilesystem(machine.disk, durable: false))
        do {
            guard let reading = try SnapshotReading.whole(path, on: machine.disk) else { return nil }
            guard theirs.verdict == .ok else {
                report("the engine takes \(path) for \(theirs.verdict), which is whole: \(theirs.problem ?? "")")
                return nil
            }
            compare(reading, theirs)
            return reading.lineage == lineage ? reading : nil
        } catch {
            if !damaged.contains(path) { report("after the crash \(path) is not whole: \(error)") }
            if theirs.verdict == .ok { report("the engine takes \(path) for whole, and it is not: \(error)") }
            return nil
        }
    }

    private func compare(_ ours: SnapshotReading, _ theirs: SnapshotInspection) {
        let same =
            theirs.job == ours.job && theirs.checkpoint == ours.checkpoint && theirs.kind?.isSavepoint == ours.isSavepoint && theirs.jobName == ours.jobName
            && theirs.operators == ours.operators
        if !same { report("the engine reads \(ours.path) as \(theirs), and it says job \(ours.job), checkpoint \(ours.checkpoint), \(ours.operators)") }
    }

    private func checkHighestNumber(of job: JobID, atLeast newest: CheckpointID?) {
        let path = "\(scenario.place.storage)/\(job)/.highest-checkpoint-id"
        do {
            guard let bytes = try SnapshotReading.contents(path, on: machine.disk, durable: false) else {
                if let newest { report("\(path) is gone, and checkpoint \(newest) is there") }
                return
            }
            let records = try LineReading.records(bytes, path, allowsTornEnd: false)
            guard records.count == 1, let number = UInt64(records[0]) else { return report("\(path) holds \(records)") }
            if let newest, CheckpointID(number) < newest { report("\(path) says \(number), and checkpoint \(newest) is there") }
        } catch {
            if !isDamagedFile(path) { report("after the crash: \(error)") }
        }
    }

    /// A marker is there as a whole, or not at all.
    private func checkMarkers() {
        guard let lineage else { return }
        for directory in scenario.place.outputs {
            for (path, node) in machine.disk.walk(directory) where path.dropFirst(directory.count + 1).hasPrefix(".weir-sink-") && !path.hasSuffix(".tmp") {
                let text = String(decoding: machine.disk[node].bytes, as: UTF8.self)
                if text != lineage.description, !damagedFiles.contains(node) { report("after the crash \(path) says \"\(text)\", the line is \(lineage)") }
            }
        }
    }

    func isDamagedFile(_ path: String) -> Bool { ((try? machine.disk.find(path)) ?? nil).map(damagedFiles.contains) ?? false }  // ENOTDIR: no such path.

    /// Directories with a manifest, below a root and one level of jobs.
    func snapshots(in root: String) -> [String] {
        machine.disk.walk(root).map(\.path).filter { $0.hasSuffix("/_metadata") }.map { String($0.dropLast("/_metadata".count)) }
            .filter { !$0.contains(".damaged") }
    }

    /// What an operator would restart from: whole snapshots of a job, newest first.
    func restorable(of job: JobID, durable: Bool = false) -> [SnapshotReading] {
        (snapshots(in: scenario.place.storage) + snapshots(in: scenario.place.savepoints)).compactMap { path in
            guard let reading = reading(path, durable: durable), reading.job == job, !damaged.contains(path) else { return nil }
            return reading
        }.sorted { ($0.checkpoint, $0.path) > ($1.checkpoint, $1.path) }
    }

    /// The damaged parts that a snapshot lists.
    func damagedParts(listedBy path: String) -> [String] {
        // SnapshotReading.Failure: a list that does not read back holds nothing.
        let parts = (try? SnapshotReading.manifest(path, on: machine.disk)?.parts()) ?? []
        return parts.map(\.path).filter(isDamagedFile)
    }

    // MARK: At the end

    func checkOutput() {
        let found = snapshots(in: scenario.place.storage) + snapshots(in: scenario.place.savepoints)
        for path in savepoints.union(kept).sorted() where !found.contains(path) { report("at the end \(path) is gone") }
        checkOutput(machine.disk, "at the end")
        var random = SimulationRandom(seed: 0)
        checkOutput(machine.disk.afterPowerLoss(.nothing, random: &random), "after a power loss at the end")
    }

    private func checkOutput(_ disk: DiskModel, _ when: String) {
        var seen: [UInt64: KeyTotals] = [:]
        var next: [UInt64: [UInt64]] = [:]
        for (path, bytes) in parts(in: scenario.place.output, disk) {
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
            return
                "key \(record.key), split \(split): ordinal \(record.ordinal) where \(due) is due: \(record.ordinal < due ? "duplicate or reordered" : "lost or reordered")"
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
        for (key, totals, path) in sums(in: scenario.place.summaries, disk, when) {
            guard let due = left.removeValue(forKey: key) else { return report("\(when) \(path): key \(key) is summed up twice, or was never there") }
            guard due == totals else { return report("\(when) \(path): the summary of key \(key) is wrong") }
        }
        if let key = left.keys.min() { report("\(when) key \(key) has no summary") }
    }

    /// All windows of a key, and its late records, are all its records.
    private func checkWindows(_ disk: DiskModel, _ when: String) {
        var seen: [UInt64: KeyTotals] = [:]
        for (key, totals, _) in sums(in: scenario.place.windows, disk, when) {
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
        disk.walk(directory).filter { isPart($0.path) }.compactMap { path, node -> (order: (UInt64, Int, Int), path: String, bytes: [UInt8])? in
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
