// A private directory for a test's files.

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
        // CocoaError: a directory that stays in /tmp is litter and harms no test.
        try? FileManager.default.removeItem(atPath: path)
    }

    public subscript(_ name: String) -> String { path + "/" + name }

    public func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: self[name]))
        return self[name]
    }

    public func read(_ name: String) -> String {
        // ENOENT: a missing file reads as empty.
        guard let bytes = try? Data(contentsOf: URL(filePath: self[name])) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Sorted; none where the folder is not there.
    public func names(in folder: String) -> [String] {
        // ENOENT: a missing folder holds nothing.
        (try? FileManager.default.contentsOfDirectory(atPath: self[folder]))?.sorted() ?? []
    }
}
