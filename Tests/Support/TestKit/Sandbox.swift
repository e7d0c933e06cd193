// What the tests of several modules share: a private directory, and waiting for a condition.

internal import FoundationEssentials
internal import Glibc

/// A private directory, removed at the end.
public final class Sandbox: Sendable {
    public let path: String

    public init() {
        var template = Array("/tmp/weirXXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "cannot make a directory in /tmp")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Nothing depends on it: a directory of /tmp that stays is only litter.
        try? FileManager.default.removeItem(atPath: path)
    }

    public subscript(_ name: String) -> String { path + "/" + name }

    public func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: self[name]))
        return self[name]
    }

    public func read(_ name: String) -> String {
        // What is not there reads as empty.
        guard let bytes = try? Data(contentsOf: URL(filePath: self[name])) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Sorted; none where the folder is not there.
    public func names(in folder: String) -> [String] {
        // A folder that is not there holds nothing.
        (try? FileManager.default.contentsOfDirectory(atPath: self[folder]))?.sorted() ?? []
    }
}

/// True once `condition` holds; false after so many seconds.
public func eventually(seconds: Int = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = monotonicNanoseconds() + Int64(seconds) * 1_000_000_000
    while try !condition() {
        if monotonicNanoseconds() >= end { return false }
        poll(nil, 0, 2)
    }
    return true
}

private func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
