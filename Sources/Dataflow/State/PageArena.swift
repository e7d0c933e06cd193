internal import Glibc

/// Memory for the full-size pages of one table, in chunks of 2 MiB backed by huge pages if possible. A table of many megabytes touches a new 4 KiB
/// page of memory for almost every record, and on a virtual machine the page walk costs more than the access; with huge pages the whole table fits
/// the translation buffer.
///
/// Owned by the table's subtask. All empty chunks but one are returned to the system.
@usableFromInline
final class PageArena {
    private struct Chunk {
        var base: UnsafeMutableRawPointer
        var free: [Int32]
    }

    static let chunkBytes = 2 << 20

    private let pageBytes: Int
    private let pagesPerChunk: Int
    /// Chunks, ascending by address.
    private var chunks: [Chunk] = []
    /// Chunks with a possibly free page, searched from the end.
    private var open: [UnsafeMutableRawPointer] = []
    private var emptyChunks = 0

    /// - Parameter pageBytes: size of an allocation; at most a quarter of a chunk.
    @usableFromInline
    init(pageBytes: Int) {
        self.pageBytes = (pageBytes + 63) / 64 * 64
        pagesPerChunk = Self.chunkBytes / self.pageBytes
        precondition(pagesPerChunk >= 4, "a page of \(pageBytes) bytes is too large for an arena")
    }

    deinit {
        for chunk in chunks { munmap(chunk.base, Self.chunkBytes) }
    }

    var chunkCount: Int { chunks.count }

    /// Allocates a page aligned to 64 bytes; its content is undefined.
    @usableFromInline
    func allocate() -> UnsafeMutableRawPointer {
        while let base = open.last {
            if let index = chunkIndex(of: base), let slot = chunks[index].free.popLast() {
                if chunks[index].free.count == pagesPerChunk - 1 { emptyChunks -= 1 }
                return base + Int(slot) * pageBytes
            }
            open.removeLast()
        }
        addChunk()
        return allocate()
    }

    @usableFromInline
    func free(_ page: UnsafeMutableRawPointer) {
        guard let index = chunkIndex(of: page) else { preconditionFailure("a page that is not of this arena") }
        let base = chunks[index].base
        if chunks[index].free.isEmpty { open.append(base) }
        chunks[index].free.append(Int32((page - base) / pageBytes))
        guard chunks[index].free.count == pagesPerChunk else { return }
        emptyChunks += 1
        guard emptyChunks > 1 else { return }
        emptyChunks -= 1
        chunks.remove(at: index)
        open.removeAll { $0 == base }
        munmap(base, Self.chunkBytes)
    }

    /// Index of the chunk with the address.
    private func chunkIndex(of address: UnsafeMutableRawPointer) -> Int? {
        var low = 0, high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].base <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < chunks[low - 1].base + Self.chunkBytes else { return nil }
        return low - 1
    }

    private func addChunk() {
        let base = WarmMemory.shared.take() ?? Self.map()
        let index = chunks.firstIndex { $0.base > base } ?? chunks.count
        chunks.insert(Chunk(base: base, free: (0..<Int32(pagesPerChunk)).reversed()), at: index)
        open.append(base)
        emptyChunks += 1
    }

    private static func map() -> UnsafeMutableRawPointer {
        guard let chunk = mapChunk() else {
            fatalError("cannot allocate memory for keyed state (\(errorText(errno))): give the engine more memory, or keep less state")
        }
        return chunk
    }

    /// Maps a chunk aligned to its size, so that one huge page can hold it; nil = out of memory.
    static func mapChunk() -> UnsafeMutableRawPointer? {
        let size = chunkBytes * 2
        guard let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), mapped != MAP_FAILED else { return nil }
        let start = UInt(bitPattern: mapped)
        let aligned = (start + UInt(chunkBytes) - 1) & ~(UInt(chunkBytes) - 1)
        let head = Int(aligned - start), tail = size - head - chunkBytes
        if head > 0 { munmap(mapped, head) }
        if tail > 0 { munmap(mapped + head + chunkBytes, tail) }
        // Only a hint: without huge pages, small ones serve.
        madvise(mapped + head, chunkBytes, MADV_HUGEPAGE)
        return mapped + head
    }
}
