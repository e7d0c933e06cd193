internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// Writes the keyed state of one subtask into one checkpoint: whole tables by key group or, if the checkpoint shares its files with later ones, by
/// page, and then only the pages missing from its base. Used on the file worker.
final class KeyedStateWriter {
    /// A table of an operator in its snapshot part.
    struct Source {
        let uid: String
        let name: String
        let type: String
        let table: TableSnapshot
        /// Epochs of the table that ended with earlier checkpoints.
        let epochs: [CheckpointID: UInt64]
    }

    private let attempt: CheckpointAttempt
    private let subtask: SubtaskID
    private let fileName: String
    private var file: StateFileWriter?
    private var buffer = StateWriter(capacity: 1 << 20)
    /// Tables of the base, by operator and state.
    private let bases: [StateKey: BasePages]
    /// Files of the base whose pages are rewritten.
    private let rewritten: Set<String>
    private var referred: Set<String> = []

    private struct StateKey: Hashable {
        var uid: String
        var name: String
    }

    init(_ sources: [Source], attempt: CheckpointAttempt, subtask: SubtaskID) {
        self.attempt = attempt
        self.subtask = subtask
        fileName = "task-\(subtask.vertex)-\(subtask.index)"
        var bases: [StateKey: BasePages] = [:]
        if let manifest = attempt.base {
            for source in sources { bases[StateKey(uid: source.uid, name: source.name)] = BasePages(of: source, subtask.index, in: manifest) }
        }
        self.bases = bases
        rewritten = Self.filesToRewrite(sources, bases, attempt.base)
    }

    deinit {
        file?.abandon()
        buffer.release()
    }

    private static func filesToRewrite(_ sources: [Source], _ bases: [StateKey: BasePages], _ manifest: CheckpointManifest?) -> Set<String> {
        guard let manifest else { return [] }
        var live: [String: UInt64] = [:]
        for source in sources {
            guard let base = bases[StateKey(uid: source.uid, name: source.name)] else { continue }
            base.forEachUsable(in: source.table) { live[base.names[$0.file], default: 0] += $0.length }
        }
        return ChainCompaction.rewritten(
            manifest.files.compactMap { file in live[file.name].map { ChainCompaction.File(name: file.name, length: file.length, live: $0) } })
    }

    /// - Returns: location of the state, and number of bytes written now.
    func write(_ source: Source) throws -> (handle: StateHandle, written: UInt64) {
        attempt.sharesFiles ? try writePages(source) : try writeGroups(source)
    }

    /// Makes the file durable.
    /// - Returns: files named by the handles.
    func finish() throws -> [StateFileEntry] {
        var entries = attempt.base?.files.filter { referred.contains($0.name) } ?? []
        if let file { entries.append(try file.finish()) }
        file = nil
        return entries
    }

    private func openFile() throws -> StateFileWriter {
        if let file { return file }
        let made = try attempt.createStateFile(role: "keyed-state", name: fileName, isShared: attempt.sharesFiles)
        file = made
        return made
    }

    private func writeGroups(_ source: Source) throws -> (handle: StateHandle, written: UInt64) {
        let file = try openFile(), table = source.table
        let start = file.offset
        var sections: [KeyGroupSection] = []
        for index in 0..<table.groupCount {
            let group = table.firstGroup + index, offset = file.offset
            var entries = 0
            // By page, so that the buffer stays small.
            for page in 0..<table.pageCount(groupAt: index) { entries += try append(page, index, of: table, to: file) }
            guard entries > 0 else { continue }
            sections.append(KeyGroupSection(group: group, offset: offset, length: file.offset - offset, entries: UInt64(entries)))
        }
        let length = file.offset - start
        let location = StateHandle.Location.file(name: file.name, offset: start, length: length)
        return (StateHandle(name: source.name, kind: .keyed, valueType: source.type, location: location, sections: sections), length)
    }

    private func writePages(_ source: Source) throws -> (handle: StateHandle, written: UInt64) {
        let table = source.table, base = bases[StateKey(uid: source.uid, name: source.name)]
        var names: [String] = [], numbers: [String: Int] = [:]
        func number(of name: String) -> Int {
            if let known = numbers[name] { return known }
            numbers[name] = names.count
            names.append(name)
            return names.count - 1
        }
        var sections: [KeyGroupSection] = []
        var written: UInt64 = 0
        for index in 0..<table.groupCount {
            for page in 0..<table.pageCount(groupAt: index) {
                if let base, var section = base.section(ofPage: page, groupAt: index, in: table), !rewritten.contains(base.names[section.file]) {
                    let name = base.names[section.file]
                    referred.insert(name)
                    section.file = number(of: name)
                    sections.append(section)
                } else {
                    let file = try openFile(), offset = file.offset
                    let entries = try append(page, index, of: table, to: file)
                    sections.append(
                        KeyGroupSection(
                            group: table.firstGroup + index, file: number(of: file.name), offset: offset, length: file.offset - offset,
                            entries: UInt64(entries)))
                    written += file.offset - offset
                }
            }
        }
        return (StateHandle(name: source.name, kind: .keyed, valueType: source.type, location: .files(names), sections: sections), written)
    }

    private func append(_ page: Int, _ group: Int, of table: TableSnapshot, to file: StateFileWriter) throws -> Int {
        buffer.removeAll()
        let entries = table.encode(page: page, groupAt: group, into: &buffer)
        try file.append(buffer.bytes)
        return entries
    }
}

/// Pages of one table in the base of a checkpoint.
struct BasePages {
    /// Names indexed by the `file` of a section.
    let names: [String]
    private let sections: [KeyGroupSection]
    /// Range of the sections of each key group.
    private let ranges: [Int: Range<Int>]
    /// Epoch of the table that ended with the base.
    private let epoch: UInt64

    /// Pages that the table can refer to; nil when the base is of another table (before a restore) or another shape.
    init?(of source: KeyedStateWriter.Source, _ subtask: Int, in manifest: CheckpointManifest) {
        guard let epoch = source.epochs[manifest.checkpoint],
            let handle = manifest.operators.first(where: { $0.uid == source.uid })?.subtasks.first(where: { $0.index == subtask })?
                .states.first(where: { $0.name == source.name && $0.valueType == source.type }),
            case .files(let names) = handle.location
        else { return nil }
        self.names = names
        self.epoch = epoch
        sections = handle.sections
        var ranges: [Int: Range<Int>] = [:]
        var start = 0
        while start < sections.count {
            let group = sections[start].group
            let end = sections[start...].firstIndex { $0.group != group } ?? sections.count
            ranges[group] = start..<end
            start = end
        }
        self.ranges = ranges
    }

    /// Location of a page not written since; nil = it must be written.
    func section(ofPage page: Int, groupAt index: Int, in table: TableSnapshot) -> KeyGroupSection? {
        guard !table.isDirty(page: page, groupAt: index, since: epoch), let range = ranges[table.firstGroup + index], page < range.count else {
            return nil
        }
        return sections[range.lowerBound + page]
    }

    func forEachUsable(in table: TableSnapshot, _ body: (KeyGroupSection) -> Void) {
        for index in 0..<table.groupCount {
            for page in 0..<table.pageCount(groupAt: index) {
                if let section = section(ofPage: page, groupAt: index, in: table) { body(section) }
            }
        }
    }
}
