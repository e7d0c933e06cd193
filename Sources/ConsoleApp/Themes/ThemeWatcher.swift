internal import Glibc

/// Notices that files of the theme in use were written. It watches their folders, since editors write a new file and rename it.
/// Owned by the console's loop. Without inotify (a limit of the system is reached) nothing is noticed, and `:theme NAME` still loads.
struct ThemeWatcher: ~Copyable {
    /// Readable when something happened in a folder; -1 = nothing is watched.
    let descriptor: Int32
    private(set) var files: [String] = []
    /// By watch descriptor, the names that count in that folder.
    private var names: [Int32: Set<String>] = [:]

    init() { descriptor = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Watches these files instead of those before.
    mutating func watch(_ files: [String]) {
        guard descriptor >= 0, files != self.files else { return }
        self.files = files
        var wanted: [Int32: Set<String>] = [:]
        for file in files {
            let slash = file.lastIndex(of: "/")
            let folder = slash.map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
            let watch = inotify_add_watch(descriptor, folder, UInt32(IN_CLOSE_WRITE | IN_MOVED_TO))
            guard watch >= 0 else { continue }
            wanted[watch, default: []].insert(slash.map { String(file[file.index(after: $0)...]) } ?? file)
        }
        for watch in names.keys where wanted[watch] == nil { inotify_rm_watch(descriptor, watch) }
        names = wanted
    }

    /// Takes what happened since the last call; whether one of the files was written.
    func takeChanges() -> Bool {
        guard descriptor >= 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 4096), hit = false
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return hit }
            buffer.withUnsafeBytes { bytes in
                var at = 0
                while at + MemoryLayout<inotify_event>.size <= count {
                    let event = bytes.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                    let start = at + MemoryLayout<inotify_event>.size
                    let end = min(start + Int(event.len), count)
                    let name = String(decoding: bytes[start..<end].prefix { $0 != 0 }, as: UTF8.self)
                    // Events were lost: one of them may have been ours.
                    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 || names[event.wd]?.contains(name) == true { hit = true }
                    at = end
                }
            }
        }
    }
}
