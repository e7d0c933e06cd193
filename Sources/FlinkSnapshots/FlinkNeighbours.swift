internal import FlinkFormats
internal import StreamModel

/// Finds the directories besides its own that a snapshot's files lie in.
struct FlinkNeighbours {
    /// Of the snapshot, and of its job where it stands in one.
    private let own: [String]
    private let job: JobID?
    private var canonical: [String: String] = [:]

    /// - Parameter directory: of the snapshot, absolute and without links.
    init(of directory: String) {
        job = FlinkLocation.job(inPath: directory)
        own = [directory] + (Self.jobDirectory(directory).map { [$0] } ?? [])
    }

    consuming func list(_ files: [FlinkSnapshot.CheckedFile]) -> [FlinkSnapshot.Neighbour] {
        var found: [String: FlinkSnapshot.Neighbour] = [:]
        for file in files where !file.file.isRelative {
            let home = home(of: file.location)
            if own.contains(home) { continue }
            // A changelog has a directory of its own, and each job one in it.
            if file.file.role == .changes, let job, FlinkLocation.job(inPath: home) == job { continue }
            var neighbour = found[home] ?? .init(directory: home, job: FlinkLocation.job(inPath: home), files: 0, bytes: 0)
            neighbour.files += 1
            let (bytes, overflows) = neighbour.bytes.count.addingReportingOverflow(file.file.length.bytes)
            neighbour.bytes = ByteCount(overflows ? .max : bytes)
            found[home] = neighbour
        }
        return found.values.sorted { $0.directory < $1.directory }
    }

    /// The directory that must stay for a file to stay: its job's, else the one it lies in.
    private mutating func home(of location: String) -> String {
        let parent = LocalFile.parent(location)
        if let known = canonical[parent] { return known }
        // A path that is gone, or elsewhere, goes by its name.
        let place = LocalFile.canonical(parent) ?? parent
        let home = Self.jobDirectory(place) ?? place
        canonical[parent] = home
        return home
    }

    /// The part of a path up to the last component that is a job's id.
    private static func jobDirectory(_ path: String) -> String? {
        var rest = Substring(path)
        while let slash = rest.lastIndex(of: "/") {
            if rest.utf8.count - rest.utf8.distance(from: rest.startIndex, to: slash) == 33, JobID(String(rest[rest.index(after: slash)...])) != nil {
                return String(rest)
            }
            rest = rest[..<slash]
        }
        return nil
    }
}
