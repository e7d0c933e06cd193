internal import StreamModel

/// Buckets of S3 and of everything that speaks it.
struct S3Storage: SnapshotStorage {
    let dialect: S3Dialect
    let exchange: Exchange

    func status(of location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        let subject = Subject(location: location, verb: .status)
        // The root, and what ends with a slash, can only be directories.
        guard !location.key.isEmpty, !location.key.hasSuffix("/") else { return try directory(location, subject, by: deadline) }
        do throws(StorageFailure) {
            let answer = try exchange.collect(dialect.request("HEAD", location, key: location.key), subject, limit: 0, by: deadline)
            return Self.entry(location, answer.header, length: answer.header("Content-Length").flatMap { Int64($0) })
        } catch {
            switch error.status {
            case 404 where !error.problem.contains("delete marker"): return try directory(location, subject, by: deadline, otherwise: error)
            // HEAD has no body that says why.
            case 400, 401, 403: return try explained(location, subject, by: deadline)
            default: throw error
            }
        }
    }

    private func explained(_ location: StorageLocation, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        var request = dialect.request("GET", location, key: location.key)
        request.set("Range", "bytes=0-0")
        var failures = 0
        let flight = try exchange.open(request, subject, accepting: { [200, 206, 416].contains($0) }, by: deadline, failures: &failures)
        defer { flight.end() }
        let answer = flight.answer
        let total =
            answer.status == 416 ? 0 : RangeAnswer.contentRange(answer.header("Content-Range"))?.total ?? (answer.status == 200 ? answer.contentLength : nil)
        return Self.entry(location, { answer.header($0) }, length: total)
    }

    private static func entry(_ location: StorageLocation, _ header: (String) -> String?, length: Int64?) -> StorageEntry {
        StorageEntry(
            location, .file, size: length.flatMap { $0 >= 0 ? ByteCount($0) : nil }, modified: header("Last-Modified").flatMap { WallTime(http: $0) },
            etag: header("ETag").map(ETag.plain))
    }

    /// A directory is there as long as something is below it.
    private func directory(
        _ location: StorageLocation, _ subject: Subject, by deadline: EngineInstant, otherwise missing: StorageFailure? = nil
    ) throws(StorageFailure) -> StorageEntry {
        let answer: CollectedAnswer
        do throws(StorageFailure) {
            let query = listQuery(location.directoryKey, [QueryItem("max-keys", "1")])
            answer = try exchange.collect(dialect.request("GET", location, key: "", query: query), subject, limit: S3Listing.bytesMax, by: deadline)
        } catch {
            // That no such object is there is certain; that no directory is, cannot be told.
            if error.kind == .denied, var missing {
                missing.remedy = "it may be a directory: that cannot be told without the right to list"
                throw missing
            }
            throw error
        }
        // XMLError: an answer that is none has no keys, and is refused below.
        guard let root = try? XMLElement.parse(answer.body), root.name == "ListBucketResult" else {
            throw subject.failure(.malformed, status: answer.status, "the store answered a listing with something else", remedy: "check the endpoint")
        }
        guard root["Contents"] != nil || root["CommonPrefixes"] != nil || location.key.isEmpty else {
            throw missing ?? subject.failure(.notFound, status: 404, "nothing is there")
        }
        return StorageEntry(location, .directory)
    }

    private func listQuery(_ prefix: String, _ more: [QueryItem]) -> [QueryItem] {
        // Keys with characters that XML cannot carry come encoded.
        [QueryItem("list-type", "2"), QueryItem("prefix", prefix)] + (dialect.settings.isGoogle ? [] : [QueryItem("encoding-type", "url")]) + more
    }

    func read(
        _ location: StorageLocation, _ range: StorageRange, by deadline: EngineInstant, _ take: (ArraySlice<UInt8>) -> Bool
    ) throws(StorageFailure) {
        let plain = dialect.request("GET", location, key: location.key)
        try RangedRead.byHeaders(plain, exchange, Subject(location: location, verb: .read), by: deadline).run(range, take)
    }

    func list(
        _ directory: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?, by deadline: EngineInstant
    ) throws(StorageFailure) -> StoragePage {
        let subject = Subject(location: directory, verb: .list)
        var more = [QueryItem("max-keys", "1000")]
        if depth == .children { more.append(QueryItem("delimiter", "/")) }
        if let token = cursor?.position { more.append(QueryItem("continuation-token", token)) }
        let request = dialect.request("GET", directory, key: "", query: listQuery(directory.directoryKey, more))
        let answer = try exchange.collect(request, subject, limit: S3Listing.bytesMax, by: deadline)
        do throws(S3Listing.Problem) {
            let listing = try S3Listing.read(answer.body, below: directory)
            return StoragePage(listing.entries, next: listing.token.map { StorageCursor(position: $0) })
        } catch {
            throw subject.failure(.malformed, status: answer.status, error.what, remedy: "check the endpoint: it has to speak S3's ListObjectsV2")
        }
    }

    func delete(_ location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) {
        _ = try exchange.collect(
            dialect.request("DELETE", location, key: location.key), Subject(location: location, verb: .delete), limit: Exchange.errorBodyMax, by: deadline)
    }
}
