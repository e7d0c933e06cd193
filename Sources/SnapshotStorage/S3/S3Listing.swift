internal import StreamModel

/// A page of ListObjectsV2. Pure.
struct S3Listing: Equatable {
    var entries: [StorageEntry]
    var token: String?

    /// Of one page; the store is asked for 1,000 keys.
    static let bytesMax = 16 << 20

    struct Problem: Error, Equatable { var what: String }

    /// - Parameter directory: what was asked for; keys that are not below it are an error of the store.
    static func read(_ body: [UInt8], below directory: StorageLocation) throws(Problem) -> S3Listing {
        let root: XMLElement
        do throws(XMLError) { root = try XMLElement.parse(body) } catch { throw Problem(what: "its listing \(error.what.rawValue) (byte \(error.offset))") }
        guard root.name == "ListBucketResult" else { throw Problem(what: "it answered a listing with <\(root.name.prefix(40))>") }
        let isEncoded = root.text("EncodingType") == "url"
        func decoded(_ text: String?) throws(Problem) -> String {
            let plain = isEncoded ? text.flatMap { PercentEncoding.decoded($0, plusIsSpace: true) } : text
            guard let plain, !plain.isEmpty else { throw Problem(what: "its listing has an entry without a key") }
            guard plain.hasPrefix(directory.directoryKey) else { throw Problem(what: "its listing has keys that were not asked for") }
            return plain
        }
        var entries: [StorageEntry] = []
        for item in root.all("Contents") {
            let key = try decoded(item.text("Key"))
            guard let size = item.text("Size").flatMap({ Int64($0) }), size >= 0 else { throw Problem(what: "its listing has a file without a size") }
            guard !DirectoryMarker.isMarker(key: key, size: size, below: directory) else { continue }
            entries.append(
                StorageEntry(
                    directory.with(key: key), .file, size: ByteCount(size), modified: item.text("LastModified").flatMap { WallTime(iso: $0) },
                    etag: item.text("ETag").map(ETag.plain)))
        }
        for item in root.all("CommonPrefixes") {
            let key = try decoded(item.text("Prefix"))
            entries.append(StorageEntry(directory.with(key: key.hasSuffix("/") ? String(key.dropLast()) : key), .directory))
        }
        let token = root.text("NextContinuationToken")
        if root.text("IsTruncated") == "true", token == nil { throw Problem(what: "its listing is cut and does not say how to go on") }
        return S3Listing(entries: entries, token: root.text("IsTruncated") == "true" ? token : nil)
    }
}

/// Objects without content that stand for directories. Pure.
enum DirectoryMarker {
    /// S3A writes `chk-6/`, S3N `chk-6_$folder$`, and a directory is not below itself.
    static func isMarker(key: String, size: Int64, below directory: StorageLocation) -> Bool {
        size == 0 && (key.hasSuffix("/") || key.hasSuffix("_$folder$")) || key == directory.directoryKey
    }
}
