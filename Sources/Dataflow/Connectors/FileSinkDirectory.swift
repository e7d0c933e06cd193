internal import CheckpointStore
internal import StreamModel

/// The output directory of a file sink: its owner, and the files of the restored past.
///
///     .weir-sink-<uid>                                   the lineage that writes here
///     .weir-lock-<uid>, .weir-owner-<uid>                the job of the lineage that writes here now, or did last
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

    /// Claims the directory for the job. Other problems are left to `prepare`, and fence nobody.
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

    /// Leaves only the parts of the restored past visible. Runs before the renames of the restored manifest are finished. Every step may be repeated
    /// after a crash. Returns the timeline for the attempt.
    func prepare(_ preparation: SinkPreparation) throws -> SinkTimeline {
        let names = SinkNames(uid: preparation.uid)
        let past = try SinkTimeline.past(preparation)
        try requireUsable(names)
        do {
            try makeDirectory(path)
            // The files set aside or deleted below may have a new owner by now.
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

    /// Name of the pending file; nil for anything but a file, which the following commit refuses.
    private static func pendingName(_ committable: Committable) -> String? {
        do throws(StateDecodingError) { return FilePart.name(of: try FilePart(encoded: committable.payload).pendingPath) } catch { return nil }
    }

    /// The job's newest checkpoint among the visible parts. A part sealed at a failed checkpoint carries that number, although a later manifest
    /// published it: no snapshot from that number on lacks its records.
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

    /// Claims the directory by its marker; false = nobody has written here under this name.
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

    /// Checks or writes the marker, which names the lineage that writes here; parts without one, or with another's, must not be touched.
    private func mark(for preparation: SinkPreparation, names: SinkNames, present: [String]) throws {
        if try requireOwnLineage(preparation.job, names) { return }
        let markerPath = path + "/" + names.marker
        if let part = present.first(where: { names.parse($0) != nil }) {
            throw JobError.sink("the output directory \(path) holds \(part), which this job did not write: name an empty one")
        }
        try DurableFile.replace(path: markerPath, bytes: Array(preparation.job.lineage.description.utf8), filesystem: filesystem)
    }
}
