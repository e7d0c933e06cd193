public import StreamModel

/// Looks at snapshots where they are kept: on a disk, in an object store, in HDFS.
///
/// Calls block, for worker threads; each ends by its deadline, with an answer or with a failure that says why. Stores differ in two ways
/// that callers see: an object store lists a directory that is not there as an empty one, and deletes what is not there without a word.
public protocol SnapshotStorage: Sendable {
    /// What stands at a location. Throws `.notFound` only where the store said so.
    func status(of location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry

    /// Hands over the bytes of a range in their order, in pieces. A body that is cut is resumed. `take` returns false to stop.
    func read(
        _ location: StorageLocation, _ range: StorageRange, by deadline: EngineInstant, _ take: (ArraySlice<UInt8>) -> Bool
    ) throws(StorageFailure)

    /// One page of what lies below a directory, directory markers left out. A page may be empty and not the last.
    func list(
        _ directory: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?, by deadline: EngineInstant
    ) throws(StorageFailure) -> StoragePage

    /// Deletes a file, or an empty directory of a store that has directories.
    func delete(_ location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure)
}

/// A file or directory as a store describes it. What the store does not tell is nil.
public struct StorageEntry: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case file, directory
        /// Neither: a device, a pipe, a link to a directory.
        case other
    }
    public var location: StorageLocation
    public var kind: Kind
    /// nil for directories.
    public var size: ByteCount?
    public var modified: WallTime?
    /// Without quotes. Changes with the content.
    public var etag: String?

    public init(_ location: StorageLocation, _ kind: Kind, size: ByteCount? = nil, modified: WallTime? = nil, etag: String? = nil) {
        (self.location, self.kind, self.size, self.modified, self.etag) = (location, kind, size, modified, etag)
    }
}

/// The part of a file to read.
public struct StorageRange: Sendable, Equatable {
    public var start: Int64
    /// nil = to the end.
    public var count: Int64?
    /// Read only this content; another one ends with `.changed`.
    public var etag: String?

    public init(from start: Int64 = 0, count: Int64? = nil, etag: String? = nil) {
        (self.start, self.count, self.etag) = (max(0, start), count.map { max(0, $0) }, etag)
    }

    public static let whole = StorageRange()
}

public enum ListingDepth: Sendable, Equatable {
    /// Files and directories directly below.
    case children
    /// All files below, at any depth.
    case everything
}

public struct StoragePage: Sendable, Equatable {
    public var entries: [StorageEntry]
    /// nil = this was the last page.
    public var next: StorageCursor?

    public init(_ entries: [StorageEntry], next: StorageCursor? = nil) { (self.entries, self.next) = (entries, next) }
}

/// Where a listing goes on. Opaque: only the store that made it can read it.
public struct StorageCursor: Sendable, Equatable {
    /// Directories that are still to be looked at; the last one is next.
    var pending: [String] = []
    /// The token of the store, or the last name that was told.
    var position: String?
}

extension SnapshotStorage {
    /// The bytes of a range as a whole; throws `.tooLarge` beyond `limit`.
    public func bytes(of location: StorageLocation, _ range: StorageRange = .whole, limit: Int, by deadline: EngineInstant) throws(StorageFailure) -> [UInt8] {
        if let count = range.count, count > limit { throw .tooLarge(location, limit: limit) }
        var bytes: [UInt8] = []
        var isTooLong = false
        try read(location, range, by: deadline) { piece in
            isTooLong = bytes.count + piece.count > limit
            if !isTooLong { bytes += piece }
            return !isTooLong
        }
        if isTooLong { throw .tooLarge(location, limit: limit) }
        return bytes
    }

    /// Hands over all pages of a listing. `take` returns false to stop.
    public func forEachPage(
        below directory: StorageLocation, _ depth: ListingDepth, by deadline: EngineInstant, _ take: ([StorageEntry]) -> Bool
    ) throws(StorageFailure) {
        var cursor: StorageCursor?
        repeat {
            let page = try list(directory, depth, after: cursor, by: deadline)
            guard take(page.entries) else { return }
            if let next = page.next, next == cursor {
                throw StorageFailure(.malformed, directory, .list, "the store repeats a page", remedy: "the endpoint is at fault: ask who runs it")
            }
            cursor = page.next
        } while cursor != nil
    }
}
