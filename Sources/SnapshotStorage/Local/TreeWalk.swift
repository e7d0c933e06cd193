/// Lists a tree of directories page by page, for stores that have directories. Pure, but for the question that it is given.
enum TreeWalk {
    /// A part of a directory, in the order of its names.
    struct Part {
        var entries: [StorageEntry]
        var isLast: Bool
    }

    /// - Parameter look: a part of a directory behind a name.
    static func page(
        _ root: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?,
        _ look: (StorageLocation, String?) throws(StorageFailure) -> Part
    ) throws(StorageFailure) -> StoragePage {
        var cursor = cursor ?? StorageCursor(pending: [root.key])
        guard let key = cursor.pending.last else { return StoragePage([]) }
        let part: Part
        do throws(StorageFailure) { part = try look(root.with(key: key), cursor.position) } catch {
            // A directory below may go while others are being listed; the root may not.
            guard error.kind == .notFound, key != root.key else { throw error }
            part = Part(entries: [], isLast: true)
        }
        if part.isLast {
            cursor.pending.removeLast()
            cursor.position = nil
        } else {
            cursor.position = part.entries.last?.location.name ?? cursor.position
        }
        guard depth == .everything else { return StoragePage(part.entries, next: part.isLast ? nil : cursor) }
        let directories = part.entries.filter { $0.kind == .directory }.map(\.location.key)
        // A directory that goes on stays below those that were found in it.
        if part.isLast { cursor.pending += directories } else { cursor.pending.insert(contentsOf: directories, at: cursor.pending.count - 1) }
        return StoragePage(part.entries.filter { $0.kind != .directory }, next: cursor.pending.isEmpty ? nil : cursor)
    }
}
