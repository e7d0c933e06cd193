internal import CheckpointStore
internal import StreamModel

/// The output directory of a file sink: who owns it, and which of its files belong to the restored past.
///
///     .weir-sink-<uid>                                   the line of restarts that writes here
///     .weir-lock-<uid>, .weir-owner-<uid>                the job of that line that writes here now, or did last
///     part-<uid>-<subtask>-<checkpoint>[.<number>]-<job> committed output
///     .<uid>-<subtask>-<job>-<attempt>-<number>.pending  output that is not committed yet
///     .superseded/part-...                               committed output of branches that were left
struct FileSinkDirectory {
    private let path: String
    private let filesystem: any Filesystem

    init(_ path: String, filesystem: any Filesystem) {
        self.path = path
        self.filesystem = filesystem
    }

    private var aside: String { path + "/.superseded" }

    /// Makes the directory the job's own. What else is wrong with it is left to `prepare`, and nobody is fenced for it.
    func claim(_ claim: SinkClaim) throws -> OutputOwnership {
        let names = SinkNames(uid: claim.uid)
        try requireUsable(names)
        try makeDirectory(path)
        do {
            let place = try PlaceClaim(directory: path, name: claim.uid, filesystem: filesystem)
            try requireOwnLineage(claim.job, names)
            let owner = try place.begin(job: claim.job.id, lineage: claim.job.lineage, at: claim.host.wall(), token: claim.host.random())
            return OutputOwnership(place, epoch: owner.epoch)
        } catch let error as StoreError { throw JobError.output(error) }
    }

    /// Leaves the parts of the restored past, and nothing else, in sight. Runs before the renames of the restored manifest are finished.
    /// Every step may be repeated after a crash. Returns the timeline that the attempt goes on with.
    func prepare(_ preparation: SinkPreparation) throws -> SinkTimeline {
        let names = SinkNames(uid: preparation.uid)
        let past = try SinkTimeline.past(preparation)
        try requireUsable(names)
        do {
            try makeDirectory(path)
            // What is set aside or deleted below may be another's by now.
            try preparation.ownership.check()
            let present = try filesystem.list(path)
            try mark(for: preparation, names: names, present: present)
            let listed = Set(preparation.uncommitted.compactMap(Self.pendingName))
            for name in present where names.isPending(name) && !listed.contains(name) {
                try filesystem.unlink(path + "/" + name)
            }
            let setAside = try filesystem.status(aside) == nil ? [] : try filesystem.list(aside)
            try layOut(past, present: present.compactMap(names.parse), setAside: setAside.compactMap(names.parse))
            try filesystem.syncDirectory(path)
            let all = (present + setAside).compactMap(names.parse)
            return SinkTimeline(past: past, job: preparation.job.id, next: preparation.nextCheckpoint, known: all)
        } catch let error as FilesystemError {
            throw JobError.sink("cannot prepare the output directory \(path) (\(error.operation.rawValue)): \(error.reason)")
                .because(error.errno, at: path)
        }
    }

    private func requireUsable(_ names: SinkNames) throws(JobError) {
        guard names.isUsable else {
            throw .sink("\"\(names.uid)\" cannot be part of a file name: give the sink a uid without / and of at most 100 bytes")
        }
    }

    /// nil for what is not a file; the commit that follows refuses it.
    private static func pendingName(_ committable: Committable) -> String? {
        do throws(StateDecodingError) { return FilePart.name(of: try FilePart(encoded: committable.payload).pendingPath) } catch { return nil }
    }

    /// The newest checkpoint of the job among the parts in sight. A part that was sealed at a checkpoint which failed has that number,
    /// although a later manifest published it: no snapshot from that number on lacks its records.
    func published(_ inquiry: SinkInquiry) throws(JobError) -> PublishedOutput {
        let names = SinkNames(uid: inquiry.uid)
        do throws(FilesystemError) {
            guard try filesystem.status(path) != nil else { return .none }
            let newest = try filesystem.list(path).compactMap(names.parse).filter { $0.job == inquiry.job.short }.map(\.checkpoint).max()
            return newest.map { .upTo($0) } ?? .none
        } catch {
            throw JobError.unreadable("cannot look for published output in \(path) (\(error.operation.rawValue)): \(errorText(error.errno))")
                .because(error.errno, at: path)
        }
    }

    private func layOut(_ past: [SinkSegment], present: [SinkPart], setAside: [SinkPart]) throws {
        let belongs = { (part: SinkPart) in past.contains { $0.contains(part) } }
        let leaving = present.filter { !belongs($0) && !filesystem.has(.keepsSuperseded) }, returning = setAside.filter(belongs)
        guard !leaving.isEmpty || !returning.isEmpty else { return }
        if try filesystem.status(aside) == nil { try filesystem.makeDirectory(aside) }
        for part in leaving { try filesystem.rename(path + "/" + part.name, to: aside + "/" + part.name, replacing: true) }
        for part in returning { try filesystem.rename(aside + "/" + part.name, to: path + "/" + part.name, replacing: true) }
        try filesystem.syncDirectory(aside)
    }

    private func makeDirectory(_ path: String) throws {
        if let status = try filesystem.status(path), status.kind != .directory, status.kind != .link {
            throw JobError.sink("the output directory \(path) is a file: name a directory")
        }
        do throws(StoreError) { try DurableDirectory.make(path: path, filesystem: filesystem) } catch {
            throw JobError.sink(error.description).because(error.shortage)
        }
    }

    /// false = nobody has written here under this name.
    @discardableResult
    private func requireOwnLineage(_ job: JobIdentity, _ names: SinkNames) throws -> Bool {
        let bytes: [UInt8]?
        do throws(StoreError) { bytes = try DurableFile.read(path: path + "/" + names.marker, maximum: 4096, filesystem: filesystem) } catch {
            throw JobError.sink(error.description)
        }
        guard let owner = bytes.map({ String(decoding: $0, as: UTF8.self) }) else { return false }
        guard owner == job.lineage.description else {
            throw JobError.sink("the output directory \(path) holds the output of job \(owner.prefix(8)): name an empty one, or restart that job")
        }
        return true
    }

    /// A marker names the line of restarts that writes here; parts without one, or another's, are not ours to touch.
    private func mark(for preparation: SinkPreparation, names: SinkNames, present: [String]) throws {
        if try requireOwnLineage(preparation.job, names) { return }
        let markerPath = path + "/" + names.marker
        if let part = present.first(where: { names.parse($0) != nil }) {
            throw JobError.sink("the output directory \(path) holds \(part), which this job did not write: name an empty one")
        }
        try DurableFile.replace(path: markerPath, bytes: Array(preparation.job.lineage.description.utf8), filesystem: filesystem)
    }
}
