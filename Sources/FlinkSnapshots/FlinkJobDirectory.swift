internal import FlinkFormats
internal import StreamModel

/// A job's directory: it holds checkpoints, and is none itself.
struct FlinkJobDirectory {
    let path: String
    /// The newest first; each may be whole, damaged or never completed.
    let checkpoints: [(number: UInt64, path: String)]

    /// More are not looked at for a whole one: Flink keeps a few.
    private static let looksMax = 50

    private let read: (String) -> FlinkSnapshot

    /// nil = no directory of a job.
    init?(_ path: String) { self.init(path, LocalFile.names(in: path, limit: 10_000)) { FlinkSnapshot.read($0) } }

    /// - Parameter names: of what is directly in it.
    init?(_ path: String, _ names: [String], read: @escaping (String) -> FlinkSnapshot) {
        self.read = read
        checkpoints = names.compactMap { name in
            guard FlinkLocation.kind(ofDirectory: name) == .checkpoint, let number = UInt64(name.dropFirst(4)) else { return nil }
            return (number, (path == "/" ? "" : path) + "/" + name)
        }.sorted { $0.number > $1.number }
        self.path = path
        let isNamedSo = JobID(String(LocalFile.name(path))) != nil && names.contains("shared") && names.contains("taskowned")
        guard isNamedSo || !checkpoints.isEmpty else { return nil }
    }

    var words: String {
        let start = "\(path) is the directory of a job, not a snapshot: "
        guard !checkpoints.isEmpty else { return start + "no checkpoint is in it" }
        for (number, path) in checkpoints.prefix(Self.looksMax) {
            let found = read(path)
            if found.verdict.allowsRestore { return start + "its newest whole one is chk-\(number), \(path)" }
        }
        return start + "none of its \(checkpoints.count) checkpoints is whole"
    }
}
