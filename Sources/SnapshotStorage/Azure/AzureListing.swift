internal import StreamModel

/// A page of List Blobs. Pure.
struct AzureListing: Equatable {
    var entries: [StorageEntry]
    var marker: String?

    struct Problem: Error, Equatable { var what: String }

    static func read(_ body: [UInt8], below directory: StorageLocation) throws(Problem) -> AzureListing {
        let root: XMLElement
        do throws(XMLError) { root = try XMLElement.parse(body) } catch { throw Problem(what: "its listing \(error.what.rawValue) (byte \(error.offset))") }
        guard root.name == "EnumerationResults" else { throw Problem(what: "it answered a listing with <\(root.name.prefix(40))>") }
        var entries: [StorageEntry] = []
        for item in root["Blobs"]?.children ?? [] {
            guard let key = item.text("Name"), key.hasPrefix(directory.directoryKey) else {
                throw Problem(what: "its listing has keys that were not asked for")
            }
            if item.name == "BlobPrefix" {
                entries.append(StorageEntry(directory.with(key: key.hasSuffix("/") ? String(key.dropLast()) : key), .directory))
                continue
            }
            let properties = item["Properties"]
            guard let size = properties?.text("Content-Length").flatMap({ Int64($0) }), size >= 0 else {
                throw Problem(what: "its listing has a file without a size")
            }
            // Accounts with a hierarchy show directories as files without content.
            let isFolder = properties?.text("ResourceType") == "directory" || item["Metadata"]?.text("hdi_isfolder") == "true"
            guard !isFolder, !DirectoryMarker.isMarker(key: key, size: size, below: directory) else { continue }
            entries.append(
                StorageEntry(
                    directory.with(key: key), .file, size: ByteCount(size), modified: properties?.text("Last-Modified").flatMap { WallTime(http: $0) },
                    etag: properties?.text("Etag").map(ETag.plain)))
        }
        // With a delimiter a directory is told twice: as a prefix, and as its marker.
        return AzureListing(entries: entries, marker: root.text("NextMarker"))
    }
}
