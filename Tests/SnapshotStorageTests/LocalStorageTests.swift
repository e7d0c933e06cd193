import Foundation
import StreamModel
import TestKit
import Testing

@testable import SnapshotStorage

// Goal: files of this machine are seen through the same protocol. Method: real files in a sandbox.

@Suite struct LocalStorageTests {
    private let sandbox = Sandbox()
    private let storage = LocalStorage()

    private func at(_ name: String) throws -> StorageLocation { try StorageLocation(sandbox[name]) }

    @Test func `files, directories and what is neither`() throws {
        _ = try sandbox.write("a b+%ü", "0123456789")
        let entry = try storage.status(of: at("a b+%ü"), by: soon())
        #expect(entry.kind == .file && entry.size == 10 && entry.modified != nil)
        #expect(try storage.status(of: StorageLocation(sandbox.path), by: soon()).kind == .directory)
        #expect(mkfifo(sandbox["pipe"], 0o600) == 0)
        #expect(try storage.status(of: at("pipe"), by: soon()).kind == .other)
        #expect(failure { () throws(StorageFailure) in try storage.status(of: StorageLocation(sandbox["none"]), by: soon()) }?.kind == .notFound)
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: StorageLocation(sandbox["pipe"]), limit: 9, by: soon()) }?.kind == .notAFile)
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: StorageLocation(sandbox.path), limit: 9, by: soon()) }?.kind == .notAFile)
    }

    @Test func `ranges are read`() throws {
        _ = try sandbox.write("f", "0123456789")
        func text(_ range: StorageRange) throws -> String { String(decoding: try storage.bytes(of: at("f"), range, limit: 100, by: soon()), as: UTF8.self) }
        #expect(try text(.whole) == "0123456789")
        #expect(try text(StorageRange(from: 3, count: 4)) == "3456")
        #expect(try text(StorageRange(from: 8, count: 100)) == "89")
        #expect(try text(StorageRange(from: 80)) == "")
        #expect(failure { () throws(StorageFailure) in try storage.bytes(of: StorageLocation(sandbox["f"]), limit: 9, by: soon()) }?.kind == .tooLarge)
    }

    @Test func `trees are listed, without following links in a circle`() throws {
        for name in ["x/chk-1", "x/shared/deep"] { try FileManager.default.createDirectory(atPath: sandbox[name], withIntermediateDirectories: true) }
        for name in ["x/a", "x/chk-1/_metadata", "x/shared/deep/f"] { _ = try sandbox.write(name, "1") }
        #expect(symlink("..", sandbox["x/shared/up"]) == 0)
        #expect(symlink("a", sandbox["x/link"]) == 0)
        let root = try at("x")
        let all = try storage.everything(below: root)
        let names = all.map { String($0.key.dropFirst(root.key.count + 1)) }.sorted()
        #expect(names == ["a", "chk-1/_metadata", "link", "shared/deep/f", "shared/up"])
        #expect(all[root.key + "/shared/up"]?.kind == .other)
        #expect(all[root.key + "/link"]?.kind == .file)
        #expect(try storage.everything(below: root, .children).values.filter { $0.kind == .directory }.count == 2)
        #expect(failure { () throws(StorageFailure) in try storage.everything(below: StorageLocation(sandbox["none"])) }?.kind == .notFound)
    }

    @Test func `a large directory comes in pages`() throws {
        for index in 0..<2500 { #expect(FileManager.default.createFile(atPath: sandbox["\(index)"], contents: nil)) }
        var pages: [Int] = [], names: Set<String> = []
        try storage.forEachPage(below: StorageLocation(sandbox.path), .everything, by: soon()) { entries in
            pages.append(entries.count)
            names.formUnion(entries.map(\.location.name))
            return true
        }
        #expect(pages == [1000, 1000, 500])
        #expect(names.count == 2500)
    }

    @Test func `files and empty directories are deleted, full ones are not`() throws {
        try FileManager.default.createDirectory(atPath: sandbox["d"], withIntermediateDirectories: true)
        _ = try sandbox.write("d/f", "1")
        #expect(failure { () throws(StorageFailure) in try storage.delete(StorageLocation(sandbox["d"]), by: soon()) }?.kind == .notAFile)
        try storage.delete(at("d/f"), by: soon())
        try storage.delete(at("d"), by: soon())
        #expect(sandbox.names(in: "") == [])
        #expect(failure { () throws(StorageFailure) in try storage.delete(StorageLocation(sandbox["d"]), by: soon()) }?.kind == .notFound)
    }
}
