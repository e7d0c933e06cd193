internal import CheckpointStore
internal import Glibc
internal import StreamModel
internal import Synchronization

/// Chunks of memory already provided and cleared by the kernel, for the tables of a restore. Clearing them takes longer than reading the files (the
/// host of a virtual machine clears them too), and the processors wait for the disk while the files are verified: a separate thread clears memory
/// meanwhile.
///
/// One pool per process, `shared`: a restore takes the available chunks, whoever ordered them, and maps the rest itself.
final class WarmMemory: Sendable {
    static let shared = WarmMemory()

    private struct Pool {
        var chunks: [Address] = []
        /// Bytes still to be cleared.
        var wanted = 0
    }

    /// Sound: a chunk is owned by whoever took it out of the pool.
    private struct Address: @unchecked Sendable { let base: UnsafeMutableRawPointer }

    private let pool = Mutex(Pool())

    /// Minimum size: smaller tables are filled before a thread starts.
    private static let worthwhile = 32 << 20

    /// Orders memory for tables of this many bytes, at most half of the free memory.
    /// - Parameter start: runs the given work on a new thread; false = none is available, and nothing changes.
    func order(bytes: Int, start: (@escaping @Sendable () -> Void) -> Bool) {
        let free = max(0, sysconf(Int32(_SC_AVPHYS_PAGES))).multipliedReportingOverflow(by: max(0, sysconf(Int32(_SC_PAGESIZE))))
        let granted = min(bytes, free.overflow ? bytes : free.partialValue / 2)
        guard granted >= Self.worthwhile else { return }
        pool.withLock { $0.wanted += granted }
        _ = start { self.fill() }
    }

    /// Returns the rest to the system: the tables are filled, or will not be. Another job whose order is dropped maps its own memory.
    func release() {
        let left = pool.withLock { pool -> [Address] in
            pool.wanted = 0
            defer { pool.chunks = [] }
            return pool.chunks
        }
        for chunk in left { munmap(chunk.base, PageArena.chunkBytes) }
    }

    func take() -> UnsafeMutableRawPointer? {
        pool.withLock { pool in
            // Chunks that the taker clears itself from now on need not be cleared for it.
            if pool.chunks.isEmpty { pool.wanted = max(0, pool.wanted - PageArena.chunkBytes) }
            return pool.chunks.popLast()?.base
        }
    }

    var chunkCount: Int { pool.withLock { $0.chunks.count } }

    private func fill() {
        while pool.withLock({ $0.wanted > 0 }) {
            guard let base = PageArena.mapChunk() else { return }
            // Each small page is touched: without huge pages, they come one by one.
            for offset in stride(from: 0, to: PageArena.chunkBytes, by: 4096) { base.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
            let chunk = Address(base: base)
            let isKept = pool.withLock { pool in
                guard pool.wanted > 0 else { return false }
                pool.wanted = max(0, pool.wanted - PageArena.chunkBytes)
                pool.chunks.append(chunk)
                return true
            }
            if !isKept { munmap(base, PageArena.chunkBytes) }
        }
    }
}

extension CheckpointManifest {
    /// Approximate bytes of tables for the restored keyed states: tables are powers of two and at most three quarters full.
    var tableBytes: Int {
        var total = 0.0
        for section in operators.lazy.flatMap(\.subtasks).flatMap(\.states).filter({ $0.kind == .keyed }).flatMap(\.sections) where section.entries > 0 {
            var capacity = 16.0
            while capacity * 0.75 < Double(section.entries) { capacity *= 2 }
            total += capacity * Double(section.length) / Double(section.entries)
        }
        return min(Int(clamping: total), Int.max / 2)
    }
}
