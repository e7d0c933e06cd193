public import FlinkFormats
internal import StreamModel

extension FlinkSnapshot {
    /// How far a look goes.
    public enum Depth: Sendable {
        /// The names of its files.
        case names
        /// Whether they are there.
        case files
        /// Kafka's offsets in them, too.
        case offsets
    }

    /// A `_metadata` longer than this is not read.
    static let metadataMax: Int64 = 1 << 30
    /// State with Kafka offsets is read up to this length.
    static let offsetStateMax: Int64 = 64 << 20

    /// Whether a path leads to a snapshot of Flink or to a place that only Flink uses, by its first bytes.
    public static func isAt(_ path: String) -> Bool {
        guard case .local(let local) = FlinkLocation(path) else { return true }
        switch locate(local) {
        case .found(let file): return hasMagic(file)
        case .job(let directory): return directory.checkpoints.contains { hasMagic($0.path + "/_metadata") }
        case .nothing, .incomplete, .other, .hidden: return false
        }
    }

    private static func hasMagic(_ file: String) -> Bool {
        do throws(LocalFile.Failure) { return FlinkMetadata.hasMagic(try LocalFile.read(file, count: 4, limit: 4)) } catch { return false }
    }

    /// Reads the metadata at a path, looks at every file that it names, and draws the conclusions. Does disk work: for a worker thread.
    /// - Parameters:
    ///   - path: the directory or the `_metadata` file, as a path or a URL.
    ///   - clusterIsHere: the cluster that named it runs on this machine. If it does not, a local path that does not exist proves nothing.
    ///   - remote: the way to object stores and HDFS; nil = what is there cannot be looked at.
    ///   - depth: what is wanted beside the metadata.
    public static func read(_ path: String, clusterIsHere: Bool = true, remote: (any RemoteFiles)? = nil, _ depth: Depth = .offsets) -> FlinkSnapshot {
        let local: String
        switch FlinkLocation(path) {
        case .elsewhere(let reason):
            guard let remote, let directory = RemoteDirectory(path) else {
                return FlinkSnapshot(path: path, verdict: .unreachable, problem: "not reachable from here: \(reason)")
            }
            return read(directory, from: remote, askedFor: path, clusterIsHere, depth)
        case .local(let found): local = LocalFile.absolute(found)
        }
        switch locate(local) {
        case .found(let file): return read(file, askedFor: path, remote, depth)
        case .hidden(let code): return FlinkSnapshot(path: path, verdict: .unreachable, problem: "not reachable from here: \(LocalFile.reason(code))")
        case .nothing where !clusterIsHere:
            return FlinkSnapshot(path: path, verdict: .unreachable, problem: "not reachable from here: the cluster runs on another host")
        case .nothing: return FlinkSnapshot(path: path, verdict: .missing, problem: "\(local): nothing is there")
        case .incomplete:
            return FlinkSnapshot(path: path, verdict: .damaged, problem: "\(local) has no _metadata: it was never completed, or is being deleted")
        case .other: return FlinkSnapshot(path: path, verdict: .foreign, problem: "\(local) is neither a directory nor a file")
        case .job(let directory): return FlinkSnapshot(path: path, verdict: .foreign, problem: directory.words)
        }
    }

    /// The files that a snapshot names, each in one spelling, there or not; nil = its metadata cannot be read from here.
    public static func fileNames(at path: String, clusterIsHere: Bool, remote: (any RemoteFiles)? = nil) -> Set<String>? {
        let snapshot = read(path, clusterIsHere: clusterIsHere, remote: remote, .names)
        guard snapshot.metadata != nil else { return nil }
        var folders: [String: String] = [:]
        return Set(
            snapshot.files.map { file in
                if let remote, case .elsewhere = FlinkLocation(file.location) { return remote.spelling(of: file.location) }
                let parent = LocalFile.parent(file.location)
                let folder = folders[parent] ?? LocalFile.canonical(parent) ?? parent
                folders[parent] = folder
                return "\(folder)/\(LocalFile.name(file.location))"
            })
    }

    // MARK: The metadata

    private enum Place {
        case found(file: String)
        case nothing, incomplete, other
        case hidden(errno: Int32)
        case job(FlinkJobDirectory)
    }

    private static func locate(_ path: String) -> Place {
        switch LocalFile.status(path) {
        case .plain: return .found(file: path)
        case .missing: return .nothing
        case .other: return .other
        case .hidden(let code): return .hidden(errno: code)
        case .directory: break
        }
        let file = path + "/_metadata"
        switch LocalFile.status(file) {
        case .plain: return .found(file: file)
        case .hidden(let code): return .hidden(errno: code)
        case .missing: return FlinkJobDirectory(path).map { .job($0) } ?? .incomplete
        case .directory, .other: return .other
        }
    }

    private static func read(_ file: String, askedFor path: String, _ remote: (any RemoteFiles)?, _ depth: Depth) -> FlinkSnapshot {
        // Relative files stand beside the name, also when it is a link.
        let directory = LocalFile.canonical(LocalFile.parent(file)) ?? LocalFile.parent(file)
        let canonical = (directory == "/" ? "" : directory) + "/" + LocalFile.name(file)
        var snapshot = FlinkSnapshot(path: path, verdict: .ok)
        snapshot.directory = directory
        if case .plain(_, let modified) = LocalFile.status(canonical) { snapshot.writtenAt = modified }
        let bytes: [UInt8]
        do throws(LocalFile.Failure) { bytes = try LocalFile.read(canonical, limit: metadataMax) } catch {
            return snapshot.with(unreadable(error, canonical))
        }
        snapshot.judge(bytes, of: canonical, remote, depth)
        return snapshot
    }

    private static func read(
        _ place: RemoteDirectory, from remote: any RemoteFiles, askedFor path: String, _ clusterIsHere: Bool, _ depth: Depth
    ) -> FlinkSnapshot {
        var snapshot = FlinkSnapshot(path: path, verdict: .ok)
        func unreachable(_ reason: String) -> FlinkSnapshot { snapshot.with((.unreachable, "not reachable from here: \(reason)")) }
        switch remote.look(at: [place.metadata]).first {
        case .file(_, let modified): (snapshot.directory, snapshot.writtenAt) = (place.url, modified)
        case .directory: return snapshot.with((.foreign, "\(place.metadata) is no plain file"))
        case .missing: return snapshot.with(withoutMetadata(place, remote))
        case .unknown(let reason): return unreachable(reason)
        case nil: return unreachable("it was not checked")
        }
        do throws(RemoteFileFailure) {
            let bytes = try remote.read(place.metadata, from: 0, count: nil, limit: metadataMax)
            snapshot.judge(bytes, of: place.metadata, remote, depth, clusterIsHere: clusterIsHere)
            return snapshot
        } catch {
            switch error {
            case .missing: return snapshot.with((.missing, "\(place.metadata) has vanished"))
            case .tooLong: return snapshot.with((.foreign, "\(place.metadata): metadata of more than \(metadataMax) bytes is not read"))
            case .unknown(let reason): return unreachable(reason)
            }
        }
    }

    private static func withoutMetadata(_ place: RemoteDirectory, _ remote: any RemoteFiles) -> (SnapshotInspection.Verdict, String) {
        let names: [String]
        do throws(RemoteFileFailure) { names = try remote.names(in: place.url) } catch {
            // That no metadata is there is certain all the same.
            return (.missing, "\(place.metadata) is not there")
        }
        if let directory = FlinkJobDirectory(place.url, names, read: { FlinkSnapshot.read($0, remote: remote) }) { return (.foreign, directory.words) }
        if names.isEmpty {
            // Another cluster's store may have a bucket of this name: where not even the neighbours are, it is not the store that is meant.
            let hasNeighbours: Bool
            do throws(RemoteFileFailure) { hasNeighbours = try !remote.names(in: LocalFile.parent(place.url)).isEmpty } catch { hasNeighbours = true }
            if hasNeighbours { return (.missing, "\(place.url): nothing is there") }
            return (
                .unreachable, "not reachable from here: nothing at all is in \(LocalFile.parent(place.url)) of the configured store; is it the cluster's?"
            )
        }
        return (.damaged, "\(place.url) has no _metadata: it was never completed, or is being deleted")
    }

    private mutating func judge(_ bytes: [UInt8], of file: String, _ remote: (any RemoteFiles)?, _ depth: Depth, clusterIsHere: Bool = true) {
        guard bytes.isEmpty || FlinkMetadata.hasMagic(bytes) else {
            self = with((.foreign, "\(file) is no metadata of Flink: it does not begin with 0x4960672d"))
            return
        }
        do throws(FlinkFormatError) { metadata = try FlinkMetadata.decode(bytes, file: file) } catch {
            self = with(Self.judgement(error))
            return
        }
        check(remote, depth, clusterIsHere)
    }

    private static func unreadable(_ failure: LocalFile.Failure, _ file: String) -> (SnapshotInspection.Verdict, String) {
        switch failure {
        case .missing: (.missing, "\(file) has vanished")
        case .notPlain: (.foreign, "\(file) is no plain file")
        case .tooLong(let size): (.foreign, "\(file) has \(size.count) bytes; metadata of more than \(metadataMax) is not read")
        case .system(let code): (.unreachable, "\(file) cannot be read: \(LocalFile.reason(code))")
        case .short: (.damaged, "\(file) became shorter while it was read")
        }
    }

    private static func judgement(_ error: FlinkFormatError) -> (SnapshotInspection.Verdict, String) {
        switch error.version {
        case nil: (.damaged, error.description)
        case .later(let version):
            (
                .unchecked,
                "\(error.file) is in version \(version) of Flink's format, a later version, unchecked: only \(FlinkMetadata.versions.lowerBound) to \(FlinkMetadata.versions.upperBound) are read here"
            )
        case .abandoned(let version):
            (.abandoned, "\(error.file) is in version \(version) of Flink's format with state of Flink 1.2 or older: no supported cluster reads it")
        }
    }

    private func with(_ judgement: (SnapshotInspection.Verdict, String)) -> FlinkSnapshot {
        var copy = self
        (copy.verdict, copy.problem) = judgement
        return copy
    }

    // MARK: The files

    private mutating func check(_ remote: (any RemoteFiles)?, _ depth: Depth, _ clusterIsHere: Bool) {
        guard let metadata, let directory else { return }
        files = metadata.files.map { Self.check($0, in: directory) }
        if depth == .names { return }
        if let remote { look(through: remote) }
        // A store's snapshot may name files of the cluster's own disks.
        if !clusterIsHere {
            for index in files.indices where files[index].state == .missing {
                if case .local = FlinkLocation(files[index].location) { files[index].state = .unreachable(reason: "the cluster runs on another host") }
            }
        }
        neighbours = FlinkNeighbours(of: directory).list(files)
        if let first = damaged.first {
            verdict = .damaged
            problem = "\(damaged.count) of \(files.count) files: \(first.complaint)"
        } else if let first = unreachable.first {
            verdict = .unreachable
            problem = "\(unreachable.count) of \(files.count) files: \(first.complaint)"
        }
        if depth == .offsets { for state in metadata.kafkaOffsetStates { readOffsets(of: state, directory, remote) } }
    }

    /// Looks at what is not on this machine, all at once: a store is far away.
    private mutating func look(through remote: any RemoteFiles) {
        let far = files.indices.filter { index in
            guard case .unreachable = files[index].state, case .elsewhere = FlinkLocation(files[index].location) else { return false }
            return RemoteDirectory(files[index].location) != nil
        }
        guard !far.isEmpty else { return }
        for (index, found) in zip(far, remote.look(at: far.map { files[$0].location })) {
            files[index].state = Self.state(of: found, files[index].file.length)
        }
    }

    private static func state(of found: RemoteFile, _ length: FlinkMetadata.File.Length) -> CheckedFile.State {
        switch found {
        case .missing: .missing
        case .directory: .notPlain
        case .unknown(let reason): .unreachable(reason: reason)
        case .file(nil, _): .unreachable(reason: "its store does not tell its length")
        case .file(let size?, _): state(of: size, length)
        }
    }

    private static func check(_ file: FlinkMetadata.File, in directory: String) -> CheckedFile {
        switch place(file.path, isRelative: file.isRelative, in: directory) {
        case .elsewhere(let reason):
            let url = file.isRelative ? "\(directory)/\(file.path)" : file.path
            return CheckedFile(file: file, location: url, state: .unreachable(reason: reason))
        case .local(let path): return CheckedFile(file: file, location: path, state: state(of: path, file.length))
        }
    }

    private static func place(_ path: String, isRelative: Bool, in directory: String) -> FlinkLocation {
        FlinkLocation(isRelative ? "\(directory)/\(path)" : path)
    }

    private static func state(of path: String, _ length: FlinkMetadata.File.Length) -> CheckedFile.State {
        switch LocalFile.status(path) {
        case .missing: return .missing
        case .directory, .other: return .notPlain
        case .hidden(let code): return .unreachable(reason: LocalFile.reason(code))
        case .plain(let size, _): return state(of: size, length)
        }
    }

    private static func state(of size: ByteCount, _ length: FlinkMetadata.File.Length) -> CheckedFile.State {
        switch length {
        case .exactly(let expected): size == expected ? .present(size) : .wrongLength(found: size)
        case .atLeast(let expected): size >= expected ? .present(size) : .wrongLength(found: size)
        case .unknown: .present(size)
        }
    }

    // MARK: Kafka

    private mutating func readOffsets(of state: KafkaOffsetState, _ directory: String, _ remote: (any RemoteFiles)?) {
        do throws(OffsetFailure) {
            let (bytes, name) = try Self.bytes(of: state.stream, directory, remote)
            let offsets: [KafkaOffset]?
            do throws(FlinkFormatError) { offsets = try state.decode(bytes, name: name) } catch { throw OffsetFailure(reason: error.description) }
            for offset in offsets ?? [] {
                kafka.append(KafkaPosition(offset: offset, source: state.source, owner: state.owner, subtask: state.subtask))
            }
        } catch {
            // Many sources keep splits; only the old consumer's state is certain to be Kafka's.
            if state.source == .legacy { notes.append("Kafka offsets of operator \(state.owner) subtask \(state.subtask) were not read: \(error.reason)") }
        }
    }

    private struct OffsetFailure: Error { var reason: String }

    private static func bytes(
        of stream: FlinkMetadata.Stream, _ directory: String, _ remote: (any RemoteFiles)?
    ) throws(OffsetFailure) -> ([UInt8], name: String) {
        switch stream {
        case .bytes(let name, let bytes): return (bytes, name)
        case .file(let path, _): return (try bytes(at: path, from: 0, count: nil, remote), path)
        case .relativeFile(let path, _): return (try bytes(at: "\(directory)/\(path)", from: 0, count: nil, remote), path)
        case .segment(let segment):
            return (try bytes(at: segment.path, from: max(0, segment.start), count: max(0, segment.size), remote), segment.path)
        case .emptySegment: return ([], "an empty segment")
        case .keyGroups: throw OffsetFailure(reason: "they are in a handle of key groups")
        }
    }

    private static func bytes(
        at place: String, from offset: Int64, count: Int64?, _ remote: (any RemoteFiles)?
    ) throws(OffsetFailure) -> [UInt8] {
        guard case .local(let path) = FlinkLocation(place) else {
            guard let remote, RemoteDirectory(place) != nil else { throw OffsetFailure(reason: "the file is not reachable from here") }
            do throws(RemoteFileFailure) { return try remote.read(place, from: offset, count: count, limit: offsetStateMax) } catch {
                throw OffsetFailure(reason: "\(place) \(error.words)")
            }
        }
        do throws(LocalFile.Failure) { return try LocalFile.read(path, from: offset, count: count, limit: offsetStateMax) } catch {
            throw OffsetFailure(reason: unreadable(error, path).1)
        }
    }
}

extension FlinkMetadata.File.Length {
    /// 0 = unknown.
    public var bytes: Int64 {
        switch self {
        case .exactly(let size), .atLeast(let size): size.count
        case .unknown: 0
        }
    }
}

extension FlinkSnapshot.CheckedFile {
    /// What is wrong with it, naming it.
    public var complaint: String {
        switch state {
        case .present: "\(location) is there"
        case .missing: "\(location) is missing"
        case .wrongLength(let found): "\(location) has \(found.count) bytes instead of \(file.length.bytes)"
        case .notPlain: "\(location) is no plain file"
        case .unreachable(let reason): "\(location) is not reachable from here: \(reason)"
        }
    }
}
