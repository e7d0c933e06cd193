import CheckpointStore
import StreamModel
import TestKit
import Testing

/// Whatever call fails, and wherever the process dies or the power goes: afterwards every checkpoint that was reported
/// complete is there, whole; one whose commit or removal was under way is there whole or not at all; nothing damaged is
/// presented as valid; no number is used twice; and the engine goes on. Method: a scenario on a filesystem in memory, run
/// once for each of its calls and each kind of fault, then checked on what survives under each kind of loss.
@Suite struct CrashTests {
    /// Full checkpoints, and incremental ones over shared files.
    nonisolated static let flavours = [false, true]

    private static let losses: [FaultyFilesystem.Loss] = [
        .nothing, .allUnsynced, .someUnsynced(seed: 1), .someUnsynced(seed: 2), .someUnsynced(seed: 3),
    ]

    @Test("The scenario succeeds without faults", arguments: flavours)
    func cleanRun(isIncremental: Bool) {
        let scenario = Scenario(FaultyFilesystem(), isIncremental: isIncremental)
        scenario.run()
        #expect(scenario.problems.isEmpty)
        #expect(scenario.certain.values.map(\.rawValue).sorted() == (isIncremental ? [3, 4, 8] : [3, 4, 6]))
        #expect(scenario.certain.values.contains { scenario.reaches(back: $0) } == isIncremental)
        #expect(scenario.possible.isEmpty)
        #expect(scenario.filesystem.calls > 150)
        for loss in Self.losses { #expect(scenario.check(loss) == [], "\(loss)") }
    }

    @Test("The process dies or loses power before every call", arguments: flavours)
    func deaths(isIncremental: Bool) { run(isIncremental) { .die(at: $0) } }

    @Test("Every call fails once or forever, with an input/output error or a full disk", arguments: [5, 28] as [Int32], [false, true])
    func failures(errno: Int32, forever: Bool) {
        for isIncremental in Self.flavours { run(isIncremental) { .fail(at: $0, errno: errno, forever: forever) } }
    }

    private func run(_ isIncremental: Bool, _ fault: (Int) -> FaultyFilesystem.Fault) {
        for call in 1...Self.callCount(isIncremental) {
            let scenario = Scenario(FaultyFilesystem(), isIncremental: isIncremental, fault: fault(call))
            scenario.run()
            // Where little was pending, several losses leave the same.
            var checked: [FaultyFilesystem] = []
            for loss in Self.losses {
                let left = scenario.filesystem.afterRestart(loss)
                guard !checked.contains(where: { $0.holdsTheSame(as: left) }) else { continue }
                checked.append(left)
                #expect(scenario.check(loss) == [], "\(isIncremental ? "incremental, " : "")\(fault(call)), \(loss)")
            }
        }
    }

    private static func callCount(_ isIncremental: Bool) -> Int {
        let scenario = Scenario(FaultyFilesystem(), isIncremental: isIncremental)
        scenario.run()
        return scenario.filesystem.calls
    }

    @Test("The process dies, and dies again during its recovery", arguments: 1...300 as ClosedRange<UInt64>)
    func doubleDeaths(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let isIncremental = seed % 2 == 0
        let first = Int.random(in: 1...Self.callCount(isIncremental), using: &random)
        let scenario = Scenario(FaultyFilesystem(), isIncremental: isIncremental, fault: .die(at: first))
        scenario.run()
        let second = Int.random(in: 1...80, using: &random)
        let losses = (Self.losses.randomElement(using: &random)!, Self.losses.randomElement(using: &random)!)
        let restarted = scenario.filesystem.afterRestart(losses.0)
        restarted.inject(.die(at: second))
        var expectation = scenario.expectation
        _ = scenario.recover(restarted, &expectation)
        #expect(
            scenario.check(restarted.afterRestart(losses.1), expectation) == [],
            "seed \(seed)\(isIncremental ? ", incremental" : ""): death before call \(first), \(losses.0), death before call \(second) of recovery, \(losses.1)"
        )
    }

    // The canaries: if the disk lies, the check must find it out. A check that cannot fail proves nothing.

    @Test("Canary: a disk with an ineffective fsync is detected")
    func lyingSync() { #expect(problems(FaultyFilesystem.Lies(sync: true), .allUnsynced).contains { $0.contains("is not restorable") }) }

    @Test("Canary: a disk with an ineffective fsync of directories is detected")
    func lyingSyncDirectory() {
        #expect(problems(FaultyFilesystem.Lies(syncDirectory: true), .allUnsynced).contains { $0.contains("is not restorable") })
    }

    @Test("Canary: names that become durable before their bytes are detected")
    func reorderedNames() {
        let found = (1...20 as ClosedRange<UInt64>).flatMap { problems(FaultyFilesystem.Lies(sync: true), .someUnsynced(seed: $0)) }
        #expect(found.contains { $0.contains("is damaged") })
    }

    @Test("A lying disk is correct without a power loss")
    func lyingWithoutLoss() { #expect(problems(FaultyFilesystem.Lies(sync: true, syncDirectory: true), .nothing) == []) }

    @Test("Canary: collecting files still listed by a manifest is detected")
    func carelessCollection() {
        let scenario = Scenario(FaultyFilesystem(), isIncremental: true)
        scenario.run()
        for name in try! scenario.filesystem.list(scenario.jobPath + "/shared") where name.hasPrefix("4-") {
            try! scenario.filesystem.unlink(scenario.jobPath + "/shared/" + name)
        }
        #expect(scenario.check(.nothing).contains { $0.contains("is not restorable") })
    }

    private func problems(_ lies: FaultyFilesystem.Lies, _ loss: FaultyFilesystem.Loss) -> [String] {
        Self.flavours.flatMap { isIncremental in
            let scenario = Scenario(FaultyFilesystem(lies: lies), isIncremental: isIncremental)
            scenario.run()
            return scenario.check(loss)
        }
    }
}

/// The engine's own records under the same faults.
@Suite struct RecordCrashTests {
    private static let losses: [FaultyFilesystem.Loss] = [.nothing, .allUnsynced] + (1...6).map { .someUnsynced(seed: $0) }
    private static let faults: [@Sendable (Int) -> FaultyFilesystem.Fault] = [
        { .die(at: $0) }, { .fail(at: $0, errno: 5, forever: false) }, { .fail(at: $0, errno: 28, forever: true) },
        { .fail(at: $0, errno: 28, forever: false) },
    ]

    @Test("A log recovers all acknowledged records in order, and at most the failed one in addition")
    func log() throws {
        for call in 1...40 {
            for fault in Self.faults {
                let filesystem = FaultyFilesystem()
                filesystem.inject(fault(call))
                var sure: [String] = []
                var unsure: Set<String> = []
                do throws(StoreError) {
                    let log = try DurableLog(path: "/log", filesystem: filesystem)
                    for number in 1...8 {
                        do throws(StoreError) {
                            try log.append("record \(number)")
                            sure.append("record \(number)")
                        } catch {
                            unsure.insert("record \(number)")
                        }
                    }
                } catch { /* refused at opening: nothing was acknowledged */  }
                for loss in Self.losses {
                    let found = try DurableLog(path: "/log", filesystem: filesystem.afterRestart(loss)).recovered
                    let place: Comment = "\(fault(call)), \(loss): \(found)"
                    #expect(found.filter { !unsure.contains($0) } == sure, place)
                    #expect(found.count { unsure.contains($0) } <= 1, place)
                    #expect(found == found.sorted(), place)
                }
            }
        }
    }

    @Test("A log accepts no records after a failed fsync")
    func logAfterFailedSync() throws {
        let filesystem = FaultyFilesystem()
        let log = try DurableLog(path: "/log", filesystem: filesystem)
        try log.append("a")
        filesystem.inject(.fail(at: 2, errno: 5, forever: false))
        #expect(throws: StoreError.syncFailed(path: "/log", errno: 5)) { try log.append("b") }
        #expect(throws: StoreError.closed(path: "/log")) { try log.append("c") }
    }

    @Test("A replaced record is the old one or the new one")
    func file() throws {
        for call in 1...12 {
            for fault in Self.faults {
                let filesystem = FaultyFilesystem()
                try DurableFile.replace(path: "/record", bytes: [1, 1, 1], filesystem: filesystem)
                filesystem.inject(fault(call))
                var isReplaced = false
                do throws(StoreError) {
                    try DurableFile.replace(path: "/record", bytes: [2, 2], filesystem: filesystem)
                    isReplaced = true
                } catch { /* then both are right */  }
                for loss in Self.losses {
                    let found = try DurableFile.read(path: "/record", maximum: 10, filesystem: filesystem.afterRestart(loss))
                    #expect(found == [2, 2] || !isReplaced && found == [1, 1, 1], "\(fault(call)), \(loss)")
                }
            }
        }
    }
}

/// A life of one job's directory, with a record of what the store has promised so far.
final class Scenario {
    struct Expectation {
        /// By path: commit returned, and no removal was begun.
        var certain: [String: CheckpointID] = [:]
        /// A commit failed, or a removal was begun: there whole, or not at all.
        var possible: [String: CheckpointID] = [:]
        /// The highest number that `begin` accepted.
        var highest: CheckpointID?
    }

    let filesystem: FaultyFilesystem
    /// Checkpoints over the newest complete one; otherwise each stands for itself.
    let isIncremental: Bool
    /// What the newest complete checkpoint listed.
    private var base: CheckpointManifest?
    /// Who wrote the pages of each incremental checkpoint.
    private var pages: [CheckpointID: Samples.PageWriters] = [:]
    private(set) var expectation = Expectation()
    /// Errors that the scenario met. Expected under faults, and none without.
    private(set) var problems: [String] = []

    private static let root = "/data/checkpoints"
    private static let savepoints = "/data/savepoints"

    init(_ filesystem: FaultyFilesystem, isIncremental: Bool = false, fault: FaultyFilesystem.Fault = .none) {
        self.filesystem = filesystem
        self.isIncremental = isIncremental
        filesystem.inject(fault)
    }

    var jobPath: String { Self.root + "/" + Samples.job.description }

    /// Whether a checkpoint refers to pages that an older one wrote.
    func reaches(back id: CheckpointID) -> Bool { pages[id]?.joined().contains { $0 != id } == true }

    var certain: [String: CheckpointID] { expectation.certain }
    var possible: [String: CheckpointID] { expectation.possible }

    func run() {
        attempt {
            let directory = try JobDirectory(root: Self.root, job: Samples.job, filesystem: filesystem)
            defer { directory.close() }
            checkpoint(1, directory)
            checkpoint(2, directory)
            savepoint(3, directory)
            discard(1, directory)
            checkpoint(4, directory)
            attempt { try abandoned(5, directory) }
            discard(2, directory)
            checkpoint(6, directory)
            if isIncremental { attempt { try overlap(directory) } }
            attempt { _ = try directory.sweep(live: [], olderThan: WallTime(milliseconds: 1), dryRun: false) }
        }
    }

    private func attempt(_ body: () throws -> Void) {
        do { try body() } catch { problems.append("\(error)") }
    }

    private func checkpoint(_ number: UInt64, _ directory: JobDirectory) {
        attempt { try commit(try directory.begin(CheckpointID(number), base: base), .checkpoint, &expectation) }
    }

    /// Two attempts over the same base at once; the base is subsumed when the first of them is complete.
    private func overlap(_ directory: JobDirectory) throws {
        let seven = try directory.begin(CheckpointID(7), base: base), eight = try directory.begin(CheckpointID(8), base: base)
        expectation.highest = CheckpointID(8)
        let older = base.flatMap { pages[$0.checkpoint] }
        attempt { try commit(seven, .checkpoint, &expectation) }
        if expectation.certain[seven.path] != nil { discard(6, directory) }
        attempt { try commit(eight, .checkpoint, &expectation, older: older) }
        if expectation.certain[eight.path] != nil { discard(7, directory) }
    }

    private func savepoint(_ number: UInt64, _ directory: JobDirectory) {
        attempt {
            let attempt = try directory.beginSavepoint(CheckpointID(number), in: Self.savepoints) { 0xABC }
            try commit(attempt, .savepoint, &expectation)
        }
    }

    private func commit(
        _ attempt: CheckpointAttempt, _ kind: CheckpointKind, _ expectation: inout Expectation, older: Samples.PageWriters? = nil
    ) throws {
        expectation.highest = max(expectation.highest ?? attempt.id, attempt.id)
        expectation.possible[attempt.path] = attempt.id
        do {
            if isIncremental, kind == .checkpoint {
                let older = older ?? attempt.base.flatMap { pages[$0.checkpoint] }
                // Who writes which page is known beforehand: the commit may fail and yet be found complete.
                pages[attempt.id] = (0..<2).map { subtask in
                    (0..<2).map { page in
                        if let older, attempt.base != nil, (attempt.id.rawValue + UInt64(page)) % 2 == 0 { older[subtask][page] } else { attempt.id }
                    }
                }
                base = try Samples.writeIncremental(attempt, older: older).0
            } else {
                try Samples.write(attempt, kind: kind)
            }
            expectation.certain[attempt.path] = attempt.id
            expectation.possible[attempt.path] = nil
        } catch {
            try attempt.abandon()
            // Taken back durably: it must not come up again.
            expectation.possible[attempt.path] = nil
            throw error
        }
    }

    private func abandoned(_ number: UInt64, _ directory: JobDirectory) throws {
        let attempt = try directory.begin(CheckpointID(number), base: base)
        expectation.highest = CheckpointID(number)
        _ = try attempt.createStateFile(role: "keyed-state", name: "half", isShared: isIncremental)
        try attempt.abandon()
    }

    private func discard(_ number: UInt64, _ directory: JobDirectory) {
        let path = directory.path + "/chk-\(number)"
        if let id = expectation.certain.removeValue(forKey: path) { expectation.possible[path] = id }
        attempt {
            try directory.discard(CheckpointID(number))
            expectation.possible[path] = nil
            if isIncremental { try directory.collectShared() }
        }
    }

    // MARK: The check

    /// What the next engine finds wrong; empty = all promises are kept.
    func check(_ loss: FaultyFilesystem.Loss) -> [String] { check(filesystem.afterRestart(loss), expectation) }

    func check(_ filesystem: FaultyFilesystem, _ expectation: Expectation) -> [String] {
        var expectation = expectation
        var found = snapshotProblems(filesystem, expectation)
        found += recover(filesystem, &expectation)
        return found + snapshotProblems(filesystem, expectation)
    }

    private func snapshotProblems(_ filesystem: FaultyFilesystem, _ expectation: Expectation) -> [String] {
        var found: [String] = []
        for path in expectation.certain.keys where problem(path, filesystem) != nil { found.append("\(path) is not restorable") }
        for path in snapshotPaths(filesystem) {
            switch problem(path, filesystem) {
            case nil:
                guard let id = expectation.certain[path] ?? expectation.possible[path] else {
                    found.append("\(path) came back")
                    continue
                }
                if let difference = difference(path, id, filesystem) { found.append("\(path): \(difference)") }
            case .noManifest: break
            case let error?: found.append("\(path) is damaged: \(error)")
            }
        }
        return found
    }

    private func snapshotPaths(_ filesystem: FaultyFilesystem) -> [String] {
        [Self.root + "/" + Samples.job.description, Self.savepoints].flatMap { directory in
            // A directory that was never made holds no snapshots.
            ((try? filesystem.list(directory)) ?? []).sorted().map { directory + "/" + $0 }
        }.filter { $0.contains("/chk-") || $0.contains("/savepoint-") }
    }

    private func problem(_ path: String, _ filesystem: FaultyFilesystem) -> StoreError? {
        do throws(StoreError) {
            _ = try Snapshot.load(path: path, filesystem: filesystem)
            return nil
        } catch {
            return error
        }
    }

    private func difference(_ path: String, _ id: CheckpointID, _ filesystem: FaultyFilesystem) -> String? {
        do throws(StoreError) {
            let snapshot = try Snapshot.load(path: path, filesystem: filesystem)
            if let pages = pages[id], !snapshot.manifest.kind.isSavepoint { return try Samples.difference(snapshot, id, pages) }
            return try Samples.difference(snapshot, id)
        } catch {
            return error.description
        }
    }

    /// The next engine: takes the directory over, goes on with the next number, commits, sweeps.
    func recover(_ filesystem: FaultyFilesystem, _ expectation: inout Expectation) -> [String] {
        do {
            let directory = try JobDirectory(root: Self.root, job: Samples.job, filesystem: filesystem)
            let highest = try directory.highestID()
            guard (highest?.rawValue ?? 0) >= (expectation.highest?.rawValue ?? 0) else {
                return ["the highest number is \(highest?.description ?? "none") after \(expectation.highest!)"]
            }
            let valid = try directory.completed().filter { $0.summary != nil }.map(\.path)
            let known = Set(expectation.certain.keys).union(expectation.possible.keys)
            var found = valid.filter { !known.contains($0) }.map { "\($0) is presented as valid" }
            let next = CheckpointID((highest?.rawValue ?? 0) + 1)
            base = nil
            try commit(try directory.begin(next), .checkpoint, &expectation)
            _ = try directory.sweep(live: [], olderThan: WallTime(milliseconds: 1), dryRun: false)
            found += try directory.completed().filter { $0.condition == .incomplete }.map { "\($0.path) was not swept" }
            let listed = try directory.completed().reduce(into: Set<String>()) { names, stored in
                names.formUnion(try Snapshot.load(path: stored.path, filesystem: filesystem).manifest.sharedFiles)
            }
            for name in try filesystem.list(jobPath + "/shared") where !listed.contains("shared/" + name) { found.append("\(name) was not collected") }
            return found
        } catch {
            return ["recovery failed: \(error)"]
        }
    }
}
