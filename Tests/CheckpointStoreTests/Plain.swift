import CheckpointStore
import Glibc

/// A directory on the real disk that lives as long as the object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/weir-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp: errno \(errno)") }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { Self.remove(path) }

    static func join(_ directory: String, _ name: String) -> String { directory + "/" + name }

    private static func remove(_ path: String) {
        let filesystem = PosixFilesystem()
        guard let status = try! filesystem.status(path) else { return }
        if status.kind == .directory {
            for name in try! filesystem.list(path) { remove(join(path, name)) }
            try! filesystem.removeDirectory(path)
        } else {
            try! filesystem.unlink(path)
        }
    }
}

/// Plain files, read and written past the store.
enum Plain {
    static func read(_ path: String) -> [UInt8] {
        guard let bytes = try! DurableFile.read(path: path, maximum: 1 << 30) else { fatalError("\(path) is missing") }
        return bytes
    }

    static func write(_ path: String, _ bytes: [UInt8]) { try! DurableFile.replace(path: path, bytes: bytes) }
    static func exists(_ path: String) -> Bool { try! PosixFilesystem().status(path) != nil }
    static func remove(_ path: String) { try! PosixFilesystem().unlink(path) }

    static func link(_ path: String, to target: String) {
        guard symlink(target, path) == 0 else { fatalError("symlink \(path): errno \(errno)") }
    }
}
