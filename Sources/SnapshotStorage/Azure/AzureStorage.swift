internal import StreamModel

/// Containers of Azure's Blob service and Data Lake.
struct AzureStorage: SnapshotStorage {
    let dialect: AzureDialect
    let exchange: Exchange

    private static let listingMax = 16 << 20

    func status(of location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        let subject = Subject(location: location, verb: .status)
        guard !location.key.isEmpty, !location.key.hasSuffix("/") else { return try directory(location, subject, by: deadline) }
        do throws(StorageFailure) {
            let answer = try exchange.collect(try dialect.request("HEAD", subject, key: location.key), subject, limit: 0, by: deadline)
            return Self.entry(location, answer.header, length: answer.header("Content-Length").flatMap { Int64($0) })
        } catch {
            switch error.kind {
            case .notFound: return try directory(location, subject, by: deadline, otherwise: error)
            // HEAD has no body that says why.
            case .unauthenticated, .rejected: return try explained(location, subject, by: deadline)
            default: throw error
            }
        }
    }

    private func explained(_ location: StorageLocation, _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        var request = try dialect.request("GET", subject, key: location.key)
        request.set("Range", "bytes=0-0")
        var failures = 0
        let flight = try exchange.open(request, subject, accepting: { [200, 206, 416].contains($0) }, by: deadline, failures: &failures)
        defer { flight.end() }
        let answer = flight.answer
        let total = answer.status == 416 ? 0 : RangeAnswer.contentRange(answer.header("Content-Range"))?.total ?? answer.contentLength
        return Self.entry(location, { answer.header($0) }, length: total)
    }

    private static func entry(_ location: StorageLocation, _ header: (String) -> String?, length: Int64?) -> StorageEntry {
        let modified = header("Last-Modified").flatMap { WallTime(http: $0) }
        if header("x-ms-meta-hdi_isfolder") == "true" || header("x-ms-resource-type") == "directory" {
            return StorageEntry(location, .directory, modified: modified)
        }
        return StorageEntry(location, .file, size: length.flatMap { $0 >= 0 ? ByteCount($0) : nil }, modified: modified, etag: header("ETag").map(ETag.plain))
    }

    private func directory(
        _ location: StorageLocation, _ subject: Subject, by deadline: EngineInstant, otherwise missing: StorageFailure? = nil
    ) throws(StorageFailure) -> StorageEntry {
        do throws(StorageFailure) {
            let page = try page(location, [QueryItem("maxresults", "1")], subject, by: deadline)
            guard location.key.isEmpty || !page.entries.isEmpty || page.next != nil else {
                throw missing ?? subject.failure(.notFound, status: 404, "nothing is there")
            }
            return StorageEntry(location, .directory)
        } catch {
            if error.kind == .denied, var missing {
                missing.remedy = "it may be a directory: that cannot be told without the right to list"
                throw missing
            }
            throw error
        }
    }

    func read(
        _ location: StorageLocation, _ range: StorageRange, by deadline: EngineInstant, _ take: (ArraySlice<UInt8>) -> Bool
    ) throws(StorageFailure) {
        let subject = Subject(location: location, verb: .read)
        let plain = try dialect.request("GET", subject, key: location.key)
        try RangedRead.byHeaders(plain, exchange, subject, by: deadline).run(range, take)
    }

    func list(
        _ directory: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?, by deadline: EngineInstant
    ) throws(StorageFailure) -> StoragePage {
        var query = [QueryItem("maxresults", "1000"), QueryItem("include", "metadata")]
        if depth == .children { query.append(QueryItem("delimiter", "/")) }
        if let marker = cursor?.position { query.append(QueryItem("marker", marker)) }
        return try page(directory, query, Subject(location: directory, verb: .list), by: deadline)
    }

    private func page(_ directory: StorageLocation, _ more: [QueryItem], _ subject: Subject, by deadline: EngineInstant) throws(StorageFailure) -> StoragePage {
        let query = [QueryItem("restype", "container"), QueryItem("comp", "list"), QueryItem("prefix", directory.directoryKey)] + more
        let answer = try exchange.collect(try dialect.request("GET", subject, key: "", query: query), subject, limit: Self.listingMax, by: deadline)
        do throws(AzureListing.Problem) {
            let listing = try AzureListing.read(answer.body, below: directory)
            return StoragePage(listing.entries, next: listing.marker.map { StorageCursor(position: $0) })
        } catch {
            throw subject.failure(.malformed, status: answer.status, error.what, remedy: "check the endpoint: it has to be a Blob service")
        }
    }

    func delete(_ location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) {
        let subject = Subject(location: location, verb: .delete)
        _ = try exchange.collect(try dialect.request("DELETE", subject, key: location.key), subject, limit: Exchange.errorBodyMax, by: deadline)
    }
}
