internal import CheckpointStore
internal import Glibc
internal import StreamModel
internal import Synchronization

/// Chunks of memory that the kernel has handed over and cleared already, for the tables of a restore. Clearing what the tables need takes
/// longer than reading the files (on a virtual machine the host clears it, too), and while the files are verified the processors wait for
/// the disk: so a thread of its own does the one during the other.
///
/// One pool for the process, `shared`: a restore takes what is there, whoever ordered it, and maps the rest itself.
final class WarmMemory: Sendable {
    static let shared = WarmMemory()

    private struct Pool {
        var chunks: [Address] = []
        /// Bytes that are still to be cleared.
        var wanted = 0
    }

    /// Sound: a chunk is owned by whoever took it out of the pool.
    private struct Address: @unchecked Sendable { let base: UnsafeMutableRawPointer }

    private let pool = Mutex(Pool())

    /// Smaller tables are filled faster than a thread begins.
    private static let worthwhile = 32 << 20

    /// Orders memory for tables of this many bytes, at most half of what is free now.
    /// - Parameter start: runs the given work on a thread of its own; false = there is none to be had, and nothing changes.
    func order(bytes: Int, start: (@escaping @Sendable () -> Void) -> Bool) {
        let free = max(0, sysconf(Int32(_SC_AVPHYS_PAGES))).multipliedReportingOverflow(by: max(0, sysconf(Int32(_SC_PAGESIZE))))
        let granted = min(bytes, free.overflow ? bytes : free.partialValue / 2)
        guard granted >= Self.worthwhile else { return }
        pool.withLock { $0.wanted += granted }
        _ = start { self.fill() }
    }

    /// The tables are filled, or will not be: what is left goes back to the system. Whatever another job has ordered meanwhile it gets by
    /// itself.
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
            // What the taker clears by itself from now on need not be cleared for it.
            if pool.chunks.isEmpty { pool.wanted = max(0, pool.wanted - PageArena.chunkBytes) }
            return pool.chunks.popLast()?.base
        }
    }

    var chunkCount: Int { pool.withLock { $0.chunks.count } }

    private func fill() {
        while pool.withLock({ $0.wanted > 0 }) {
            guard let base = PageArena.mapChunk() else { return }
            // Each small page is touched: where huge pages are off, they come one by one.
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
    /// About how many bytes of table the keyed states take when a job restores them: tables are powers of two and at most three quarters full.
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
