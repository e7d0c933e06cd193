import CheckpointStore
import Glibc
import TestKit

extension Sandbox {
    static func join(_ directory: String, _ name: String) -> String { directory + "/" + name }
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
