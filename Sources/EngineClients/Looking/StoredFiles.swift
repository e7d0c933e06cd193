internal import Dispatch
public import FlinkSnapshots
internal import HostEnvironment
public import SnapshotStorage
public import StreamModel
internal import Synchronization

/// The files of Flink's snapshots in object stores and HDFS. `[storage]`, the environment and the clouds' own files say how a store is reached. Sends
/// nothing before the first question.
public final class StoredFiles: RemoteFiles {
    private let storages: Storages
    private let limit: Milliseconds
    /// Stores that gave no answer, each with the time until which it is not asked again: a restart waits for each of them once.
    private let silent = Mutex<[String: (until: EngineInstant, failure: StorageFailure)]>([:])
    private static let silenceLasts = Milliseconds.seconds(60)
    /// A few files are known soon, or not at all.
    private static let shortLimit = Milliseconds.seconds(10)

    public static let lookLimit = Milliseconds.seconds(30)
    /// Few files are checked one by one; for more in one directory, its listing is read.
    private static let loneMax = 3
    /// Concurrent checks, as many as the stores accept.
    private static let lanes = 8

    /// - Parameter limit: longest time for one check, or for reading one file.
    public convenience init(_ settings: StorageSettings = StorageSettings(), limit: Milliseconds = StoredFiles.lookLimit) {
        self.init(Storages(settings), limit: limit)
    }

    public init(_ storages: Storages, limit: Milliseconds = StoredFiles.lookLimit) { (self.storages, self.limit) = (storages, limit) }

    deinit { storages.close() }

    // MARK: RemoteFiles

    public func look(at urls: [String]) -> [RemoteFile] {
        let deadline = EngineInstant.now() + (urls.count > Self.loneMax ? limit : min(limit, Self.shortLimit))
        var found = [RemoteFile](repeating: .unknown(reason: "it was not checked"), count: urls.count)
        var homes: [String: (parent: StorageLocation, files: [(index: Int, location: StorageLocation)])] = [:]
        for (index, url) in urls.enumerated() {
            do throws(StorageFailure) {
                let location = try StorageLocation(url), parent = location.parent
                homes[parent.canonical, default: (parent, [])].files.append((index, location))
            } catch { found[index] = .unknown(reason: Self.reason(error)) }
        }
        for home in homes.values {
            for (index, file) in look(at: home.files, in: home.parent, by: deadline) { found[index] = file }
        }
        return found
    }

    public func read(_ url: String, from offset: Int64, count: Int64?, limit: Int64) throws(RemoteFileFailure) -> [UInt8] {
        do throws(StorageFailure) {
            let location = try StorageLocation(url)
            let range = StorageRange(from: offset, count: count)
            return try asked(location) { (storage) throws(StorageFailure) in
                try storage.bytes(of: location, range, limit: Int(clamping: limit), by: .now() + self.limit)
            }
        } catch { throw Self.failure(error) }
    }

    public func names(in url: String) throws(RemoteFileFailure) -> [String] {
        do throws(StorageFailure) {
            let directory = try StorageLocation(url)
            var names: [String] = []
            try asked(directory) { (storage) throws(StorageFailure) in
                try storage.forEachPage(below: directory, .children, by: .now() + min(limit, Self.shortLimit)) { entries in
                    names += entries.map(\.location.name)
                    return names.count < 10_000
                }
            }
            return names
        } catch {
            if error.kind == .notFound { return [] }
            throw Self.failure(error)
        }
    }

    public func spelling(of url: String) -> String {
        do throws(StorageFailure) { return try StorageLocation(url).canonical } catch { return url }
    }

    /// Asks the store of a location, unless it was silent a moment ago.
    private func asked<Answer>(
        _ location: StorageLocation, _ body: (any SnapshotStorage) throws(StorageFailure) -> Answer
    ) throws(StorageFailure) -> Answer {
        let place = location.with(key: "").canonical
        if let known = silent.withLock({ $0[place] }), known.until > .now() { throw known.failure }
        do throws(StorageFailure) { return try body(try storages.storage(for: location)) } catch {
            if [.unreachable, .timedOut, .insecure, .noCredentials].contains(error.kind) {
                silent.withLock { $0[place] = (.now() + Self.silenceLasts, error) }
            }
            throw error
        }
    }

    // MARK: Looking

    private typealias Wanted = (index: Int, location: StorageLocation)

    private func look(at files: [Wanted], in directory: StorageLocation, by deadline: EngineInstant) -> [(Int, RemoteFile)] {
        guard files.count > Self.loneMax else { return look(oneByOne: files, by: deadline) }
        // A key stands for the file whatever its directory's spelling is.
        let wanted = Dictionary(grouping: files) { $0.location.key }
        var found: [(Int, RemoteFile)] = [], pages = 0, isWhole = true
        do throws(StorageFailure) {
            try asked(directory) { (storage) throws(StorageFailure) in
                try storage.forEachPage(below: directory, .children, by: deadline) { entries in
                    for entry in entries { for file in wanted[entry.location.key] ?? [] { found.append((file.index, Self.file(entry))) } }
                    pages += 1
                    // A directory of a million files is dearer to list than a few of them are to look at.
                    isWhole = pages <= files.count / 4 + 10
                    return found.count < files.count && isWhole
                }
            }
        } catch {
            // Who may not list may still read; whatever else is wrong would be wrong file by file.
            guard error.kind == .denied || error.kind == .notFound else {
                let reason = Self.reason(error), known = Set(found.map(\.0))
                return found + files.filter { !known.contains($0.index) }.map { ($0.index, .unknown(reason: reason)) }
            }
            isWhole = false
        }
        let known = Set(found.map(\.0)), rest = files.filter { !known.contains($0.index) }
        return found + (isWhole ? rest.map { ($0.index, .missing) } : look(oneByOne: rest, by: deadline))
    }

    private func look(oneByOne files: [Wanted], by deadline: EngineInstant) -> [(Int, RemoteFile)] {
        guard files.count > 1 else { return files.map { ($0.index, look(at: $0.location, by: deadline)) } }
        let found = Mutex<[(Int, RemoteFile)]>([])
        let lanes = min(Self.lanes, files.count)
        DispatchQueue.concurrentPerform(iterations: lanes) { lane in
            for position in stride(from: lane, to: files.count, by: lanes) {
                let file = look(at: files[position].location, by: deadline)
                found.withLock { $0.append((files[position].index, file)) }
            }
        }
        return found.withLock { $0 }
    }

    private func look(at location: StorageLocation, by deadline: EngineInstant) -> RemoteFile {
        do throws(StorageFailure) {
            return Self.file(try asked(location) { (storage) throws(StorageFailure) in try storage.status(of: location, by: deadline) })
        } catch {
            return error.kind == .notFound ? .missing : .unknown(reason: Self.reason(error))
        }
    }

    private static func file(_ entry: StorageEntry) -> RemoteFile {
        switch entry.kind {
        case .file: .file(entry.size, modified: entry.modified)
        case .directory, .other: .directory
        }
    }

    private static func failure(_ failure: StorageFailure) -> RemoteFileFailure {
        switch failure.kind {
        case .notFound: .missing
        case .tooLarge: .tooLong
        default: .unknown(reason: reason(failure))
        }
    }

    private static func reason(_ failure: StorageFailure) -> String {
        "\(failure.problem)\(failure.status.map { " (\($0))" } ?? "")\(failure.remedy.map { "; \($0)" } ?? "")"
    }
}
