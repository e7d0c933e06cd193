internal import JSON
internal import StreamModel
internal import Synchronization

/// HDFS over its REST API.
final class WebHDFSStorage: SnapshotStorage {
    private let dialect: WebHDFSDialect
    private let exchange: Exchange
    /// Hadoop 2.8 and older list a directory as a whole only.
    private let listsWhole = Mutex(false)

    private static let statusMax = 64 << 10
    private static let listingMax = 64 << 20

    init(_ dialect: WebHDFSDialect, _ exchange: Exchange) { (self.dialect, self.exchange) = (dialect, exchange) }

    func status(of location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        let subject = Subject(location: location, verb: .status)
        let json = try json(dialect.request("GET", "GETFILESTATUS", location), subject, limit: Self.statusMax, by: deadline)
        guard let status = json["FileStatus"], let entry = Self.entry(location, status) else { throw Self.malformed(subject) }
        return entry
    }

    func read(
        _ location: StorageLocation, _ range: StorageRange, by deadline: EngineInstant, _ take: (ArraySlice<UInt8>) -> Bool
    ) throws(StorageFailure) {
        let dialect = dialect
        let subject = Subject(location: location, verb: .read)
        // OPEN beyond the end is an error, and a body does not tell the file's length.
        let status = try self.status(of: location, by: deadline)
        guard status.kind == .file, let size = status.size?.count else { throw subject.failure(.notAFile, "no plain file") }
        guard range.start < size else { return }
        let count = min(range.count ?? .max, size - range.start)
        let reading = RangedRead(exchange: exchange, subject: subject, deadline: deadline, namesRangeInQuery: true) { start, count, _ in
            dialect.request(
                "GET", "OPEN", location, query: [QueryItem("offset", String(start))] + (count.map { [QueryItem("length", String($0))] } ?? []))
        }
        try reading.run(StorageRange(from: range.start, count: count), take)
    }

    func list(
        _ directory: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?, by deadline: EngineInstant
    ) throws(StorageFailure) -> StoragePage {
        try TreeWalk.page(directory, depth, after: cursor) { (inner, after) throws(StorageFailure) in
            let part = try self.part(inner, after, by: deadline)
            if part.entries.count == 1, part.entries[0].location.name == "" || part.entries[0].location.key == inner.key {
                throw StorageFailure(.notAFile, inner, .list, "a file, not a directory")
            }
            return part
        }
    }

    private func part(_ directory: StorageLocation, _ after: String?, by deadline: EngineInstant) throws(StorageFailure) -> TreeWalk.Part {
        let subject = Subject(location: directory, verb: .list)
        if !listsWhole.withLock({ $0 }) {
            do throws(StorageFailure) {
                let query = after.map { [QueryItem("startAfter", $0)] } ?? []
                let json = try json(dialect.request("GET", "LISTSTATUS_BATCH", directory, query: query), subject, limit: Self.listingMax, by: deadline)
                guard let listing = json["DirectoryListing"], let left = listing["remainingEntries"]?.integer else { throw Self.malformed(subject) }
                let entries = try Self.entries(listing["partialListing"], directory, subject)
                guard left == 0 || !entries.isEmpty else { throw Self.malformed(subject) }
                return TreeWalk.Part(entries: entries, isLast: left == 0)
            } catch {
                guard error.kind == .unsupported || error.kind == .rejected && error.status == 400 else { throw error }
                listsWhole.withLock { $0 = true }
            }
        }
        let json = try json(dialect.request("GET", "LISTSTATUS", directory), subject, limit: Self.listingMax, by: deadline)
        return TreeWalk.Part(entries: try Self.entries(json, directory, subject), isLast: true)
    }

    func delete(_ location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) {
        let subject = Subject(location: location, verb: .delete)
        let request = dialect.request("DELETE", "DELETE", location, query: [QueryItem("recursive", "false")])
        let json = try json(request, subject, limit: Self.statusMax, by: deadline)
        guard let isDone = json["boolean"]?.flag else { throw Self.malformed(subject) }
        guard isDone else { throw subject.failure(.notFound, "nothing is there") }
    }

    // MARK: Answers

    private static func malformed(_ subject: Subject) -> StorageFailure {
        subject.failure(.malformed, "the answer is none of WebHDFS", remedy: "check the endpoint: http://namenode:9870 or HttpFS")
    }

    private func json(_ request: WireRequest, _ subject: Subject, limit: Int, by deadline: EngineInstant) throws(StorageFailure) -> JSONValue {
        let answer = try exchange.collect(request, subject, limit: limit, by: deadline)
        do throws(JSONSyntaxError) { return try JSONValue.parse(answer.body, maximumDepth: 16) } catch { throw Self.malformed(subject) }
    }

    private static func entries(_ json: JSONValue?, _ directory: StorageLocation, _ subject: Subject) throws(StorageFailure) -> [StorageEntry] {
        guard let items = json?["FileStatuses"]?["FileStatus"]?.items else { throw malformed(subject) }
        var entries: [StorageEntry] = []
        for item in items {
            guard let name = item["pathSuffix"]?.text, !name.contains("/"),
                let entry = entry(name.isEmpty ? directory : directory.appending(name), item)
            else { throw malformed(subject) }
            entries.append(entry)
        }
        return entries
    }

    private static func entry(_ location: StorageLocation, _ status: JSONValue) -> StorageEntry? {
        guard let type = status["type"]?.text, let length = status["length"]?.integer, length >= 0 else { return nil }
        let modified = status["modificationTime"]?.integer.map { WallTime(milliseconds: $0) }
        switch type {
        case "FILE": return StorageEntry(location, .file, size: ByteCount(length), modified: modified)
        case "DIRECTORY": return StorageEntry(location, .directory, modified: modified)
        default: return StorageEntry(location, .other, modified: modified)
        }
    }
}
