import CheckpointStore
import StreamModel
import TestKit

/// Fixed values that the tests of this module share.
enum Samples {
    static let job = JobID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
    static let otherJob = JobID(high: 1, low: 2)

    /// A manifest in which every field and every variant occurs. Its bytes are a golden: do not change it.
    static let manifest = CheckpointManifest(
        job: job, jobName: "orders ✓", lineage: JobID(high: 7, low: 8), checkpoint: CheckpointID(42), kind: .synchronousSavepoint,
        triggeredAt: WallTime(milliseconds: 1_700_000_000_000), completedAt: WallTime(milliseconds: 1_700_000_000_250), generation: 3,
        maxParallelism: 128, keyHash: "murmur3-32/1", isFinal: true,
        recipe: JobRecipe(program: "orders", arguments: ["rate": "100", "input": "a.txt"], parallelism: 2),
        operators: [
            OperatorState(
                uid: "count", name: "Count", operatorID: OperatorID(uid: "count"), parallelism: 2,
                subtasks: [
                    SubtaskState(
                        index: 0,
                        states: [
                            StateHandle(
                                name: "count", kind: .keyed, valueType: "UInt64/1",
                                location: .file(name: "count-0.state", offset: 80, length: 30),
                                sections: [
                                    KeyGroupSection(group: 0, offset: 80, length: 10, entries: 1),
                                    KeyGroupSection(group: 5, offset: 90, length: 20, entries: 2),
                                ])
                        ]),
                    SubtaskState(index: 1, isFinished: true),
                ]),
            OperatorState(
                uid: "lines", name: "Lines", operatorID: OperatorID(uid: "lines"), parallelism: 1,
                subtasks: [
                    SubtaskState(
                        index: 0,
                        states: [
                            StateHandle(
                                name: "offsets", kind: .listSplit, valueType: "Offset/2", location: .inline([1, 2, 3]), elements: [1, 2]),
                            StateHandle(name: "union", kind: .listUnion, valueType: "Offset/2", location: .inline([]), elements: []),
                            StateHandle(name: "rules", kind: .broadcast, valueType: "Rule/1", location: .inline([9])),
                            StateHandle(name: "clock", kind: .scalar, valueType: "Int64/1", location: .inline([0xFF, 0])),
                        ])
                ]),
        ],
        files: [StateFileEntry(name: "count-0.state", role: "keyed-state", length: 200, crc32c: 0xDEAD_BEEF)],
        committables: [
            Committable(
                uid: "sink", subtask: 1, type: "file-part-1",
                payload: [22, 0, 0, 0] + Array("/out/part-1-42.pending".utf8) + [14, 0, 0, 0] + Array("/out/part-1-42".utf8)
                    + [0xE8, 3, 0, 0, 0, 0, 0, 0] + [0x78, 0x56, 0x34, 0x12])
        ])

    /// The smallest manifest of a checkpoint, without state.
    static func empty(_ id: UInt64, job: JobID = job, kind: CheckpointKind = .checkpoint) -> CheckpointManifest {
        CheckpointManifest(
            job: job, jobName: "orders", lineage: job, checkpoint: CheckpointID(id), kind: kind, triggeredAt: WallTime(milliseconds: 1),
            completedAt: WallTime(milliseconds: 2), generation: 1, maxParallelism: 128, keyHash: "murmur3-32/1")
    }

    /// The bytes of the state of one subtask in one checkpoint, different from those of any other.
    static func stateBytes(_ id: CheckpointID, subtask: Int, count: Int = 300) -> [UInt8] {
        var random = SeededGenerator(seed: id.rawValue &* 1000 &+ UInt64(subtask))
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// Writes a checkpoint of two subtasks, one state file each, and commits it.
    static func write(_ attempt: CheckpointAttempt, job: JobID = job, kind: CheckpointKind = .checkpoint, count: Int = 300) throws(StoreError) {
        try attempt.commit(try writeStateFiles(attempt, job: job, kind: kind, count: count))
    }

    static func writeStateFiles(
        _ attempt: CheckpointAttempt, job: JobID = job, kind: CheckpointKind = .checkpoint, count: Int = 300
    ) throws(StoreError) -> CheckpointManifest {
        var manifest = empty(attempt.id.rawValue, job: job, kind: kind)
        var subtasks: [SubtaskState] = []
        for subtask in 0..<2 {
            let writer = try attempt.createStateFile(role: "keyed-state", name: "count-\(subtask)")
            let start = writer.offset
            try writer.append(stateBytes(attempt.id, subtask: subtask, count: count))
            let length = writer.offset - start
            manifest.files.append(try writer.finish())
            let handle = StateHandle(
                name: "count", kind: .keyed, valueType: "UInt64/1", location: .file(name: writer.name, offset: start, length: length),
                sections: [KeyGroupSection(group: subtask, offset: start, length: length, entries: 1)])
            subtasks.append(SubtaskState(index: subtask, states: [handle]))
        }
        manifest.operators = [
            OperatorState(uid: "count", name: "Count", operatorID: OperatorID(uid: "count"), parallelism: 2, subtasks: subtasks)
        ]
        return manifest
    }

    /// A manifest with what version 2 added: pages over shared files. Its bytes are a golden: do not change it.
    static let incrementalManifest: CheckpointManifest = {
        var manifest = Samples.manifest
        manifest.kind = .checkpoint
        manifest.files = [
            StateFileEntry(name: "shared/40-count-0.state", role: "keyed-state", length: 200, crc32c: 0xDEAD_BEEF),
            StateFileEntry(name: "shared/42-count-0.state", role: "keyed-state", length: 150, crc32c: 0xFEED_F00D),
        ]
        manifest.operators[0].subtasks[0].states[0].location = .files(["shared/42-count-0.state", "shared/40-count-0.state"])
        manifest.operators[0].subtasks[0].states[0].sections = [
            KeyGroupSection(group: 0, file: 1, offset: 80, length: 10, entries: 1),
            KeyGroupSection(group: 0, file: 0, offset: 80, length: 12, entries: 2),
            KeyGroupSection(group: 5, file: 1, offset: 90, length: 0, entries: 0),
        ]
        return manifest
    }()

    /// Which checkpoint wrote each page, by subtask.
    typealias PageWriters = [[CheckpointID]]

    /// Writes a checkpoint of two subtasks with two pages each into shared files and commits it. Over a base, every other page is taken
    /// over from it.
    /// - Parameter older: who wrote the pages of the base.
    static func writeIncremental(_ attempt: CheckpointAttempt, older: PageWriters?) throws(StoreError) -> (CheckpointManifest, PageWriters) {
        var manifest = empty(attempt.id.rawValue)
        var writers: PageWriters = []
        var subtasks: [SubtaskState] = []
        for subtask in 0..<2 {
            let writer = try attempt.createStateFile(role: "keyed-state", name: "count-\(subtask)", isShared: true)
            var names = [writer.name]
            var sections: [KeyGroupSection] = []
            var own: [CheckpointID] = []
            for page in 0..<2 {
                if let base = attempt.base, let older, (attempt.id.rawValue + UInt64(page)) % 2 == 0 {
                    let handle = base.operators[0].subtasks[subtask].states[0]
                    guard case .files(let baseNames) = handle.location else { continue }
                    var section = handle.sections[page]
                    let name = baseNames[section.file]
                    section.file = names.firstIndex(of: name) ?? names.count
                    if section.file == names.count { names.append(name) }
                    sections.append(section)
                    own.append(older[subtask][page])
                } else {
                    let start = writer.offset
                    try writer.append(stateBytes(attempt.id, subtask: subtask * 10 + page, count: 100))
                    sections.append(KeyGroupSection(group: subtask, offset: start, length: 100, entries: 1))
                    own.append(attempt.id)
                }
            }
            manifest.files.append(try writer.finish())
            for name in names.dropFirst() { manifest.files.append(attempt.base!.files.first { $0.name == name }!) }
            let handle = StateHandle(name: "count", kind: .keyed, valueType: "UInt64/1", location: .files(names), sections: sections)
            subtasks.append(SubtaskState(index: subtask, states: [handle]))
            writers.append(own)
        }
        manifest.operators = [
            OperatorState(uid: "count", name: "Count", operatorID: OperatorID(uid: "count"), parallelism: 2, subtasks: subtasks)
        ]
        try attempt.commit(manifest)
        return (manifest, writers)
    }

    /// nil = the snapshot holds exactly the pages that these checkpoints wrote; else what differs.
    static func difference(_ snapshot: LoadedSnapshot, _ id: CheckpointID, _ writers: PageWriters) throws(StoreError) -> String? {
        guard snapshot.manifest.checkpoint == id else { return "it is checkpoint \(snapshot.manifest.checkpoint)" }
        for (subtask, pages) in writers.enumerated() {
            let expected = pages.enumerated().flatMap { stateBytes($1, subtask: subtask * 10 + $0, count: 100) }
            guard try snapshot.read(snapshot.manifest.operators[0].subtasks[subtask].states[0]) == expected else {
                return "the pages of subtask \(subtask) differ"
            }
        }
        return nil
    }

    /// nil = the snapshot holds exactly what `write` wrote; else what differs.
    static func difference(_ snapshot: LoadedSnapshot, _ id: CheckpointID, count: Int = 300) throws(StoreError) -> String? {
        guard snapshot.manifest.checkpoint == id else { return "it is checkpoint \(snapshot.manifest.checkpoint)" }
        guard snapshot.manifest.operators.count == 1, snapshot.manifest.operators[0].subtasks.count == 2 else { return "operators differ" }
        for subtask in snapshot.manifest.operators[0].subtasks {
            guard try snapshot.read(subtask.states[0]) == stateBytes(id, subtask: subtask.index, count: count) else {
                return "state of subtask \(subtask.index) differs"
            }
        }
        return nil
    }
}
