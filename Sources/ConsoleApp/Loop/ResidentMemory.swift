internal import Glibc

/// What the console does to stay small on a host that has more important work.
enum ResidentMemory {
    /// Each arena of malloc would keep pages of its own, and the console's few threads do not compete: one heap saves memory. Swift does
    /// not see `malloc.h`, so the function is looked up; without it nothing changes.
    static func useOneHeap() {
        let maximumArenas: Int32 = -8  // M_ARENA_MAX
        guard let symbol = dlsym(nil, "mallopt") else { return }
        _ = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)(maximumArenas, 1)
    }

    /// Lets go of the code and constants that only the start needed: loading, linking and the first frame touch most of the program and its
    /// libraries, and the kernel maps sixteen pages for each one touched. What is needed again comes back from the page cache, a page fault at a
    /// time. Only mappings of files that nobody has written to are let go. Where `/proc` is missing nothing changes.
    static func releaseStartUpCode() {
        for mapping in fileMappings() { madvise(UnsafeMutableRawPointer(bitPattern: mapping.start), mapping.length, MADV_DONTNEED) }
    }

    /// The mapped code and constants of files, from the kernel's table: "7f1c-7f2d r-xp 00000000 fe:00 123 /path", and a line for each size. What
    /// was relocated and then made read-only has pages of its own ("Anonymous:", or "Swap:"), which are in no file.
    static func fileMappings(_ table: String = readText("/proc/self/smaps")) -> [(start: UInt, length: Int)] {
        var mappings: [(start: UInt, length: Int)] = []
        var candidate: (start: UInt, length: Int)?
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            if let first = fields.first, first.hasSuffix(":") {
                guard let mapping = candidate, let size = fields.dropFirst().first else { continue }
                switch first {
                case "Anonymous:" where size != "0": candidate = nil
                // It comes after the other one.
                case "Swap:":
                    if size == "0" { mappings.append(mapping) }
                    candidate = nil
                default: break
                }
                continue
            }
            candidate = nil
            guard fields.count == 6, fields[1] == "r-xp" || fields[1] == "r--p", fields[5].drop(while: { $0 == " " }).hasPrefix("/") else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            if bounds.count == 2, bounds[0] < bounds[1] { candidate = (bounds[0], Int(bounds[1] - bounds[0])) }
        }
        return mappings
    }

    /// Empty if it cannot be read.
    private static func readText(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(descriptor, &part, part.count)
            guard count > 0 else { break }
            bytes += part[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
