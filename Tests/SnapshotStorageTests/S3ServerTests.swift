import EngineClients
import FlinkFormats
import FlinkSnapshots
import Foundation
import StreamModel
import TestKit
import Testing

@testable import SnapshotStorage

// Goal: real S3 servers are read rightly, and refuse with one clear failure. Method: rclone 1.75 (signatures checked, ranges answered with 200) and
// moto 5 (permissions checked; it refuses right signatures of keys with encoded characters, so those go to rclone), both from PyPI.

@Suite(.serialized, .enabled(if: S3Packages.gap == nil, "the S3 servers cannot be had here")) struct S3ServerTests {
    private let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    // MARK: rclone

    @Test(arguments: ["plain", "a b", "100%", "a+b", "ü/日本", "~tilde-._", "k=v&x?y#z", "quote'\"<>", "%41"])
    func `any key is found, read and listed`(_ name: String) throws {
        let server = try S3Server.rclone.get()
        let folder = "bkt/keys/\(name.utf8.map { String($0) }.joined(separator: "-"))"
        try server.write("\(folder)/\(name)", bytes)
        let storages = server.storages("any")
        let file = try StorageLocation("s3a://\(folder)/\(name)")
        let storage = try storages.storage(for: file)
        let entry = try storage.status(of: file, by: soon())
        #expect(entry.kind == .file && entry.size == ByteCount(Int64(bytes.count)) && entry.etag != nil && entry.modified != nil)
        #expect(try storage.bytes(of: file, limit: 1 << 20, by: soon()) == bytes)
        #expect(try storage.bytes(of: file, StorageRange(from: 1000, count: 70_000), limit: 1 << 20, by: soon()) == Array(bytes[1000..<71_000]))
        #expect(try storage.bytes(of: file, StorageRange(from: 299_990, count: 100), limit: 1 << 20, by: soon()) == Array(bytes[299_990...]))
        #expect(try storage.bytes(of: file, StorageRange(from: 400_000, count: 100), limit: 1 << 20, by: soon()) == [])
        let listed = try storage.everything(below: try StorageLocation("s3://\(folder)"))
        #expect(listed.map(\.key) == [file.key])
        #expect(listed[file.key]?.size == entry.size && listed[file.key]?.etag == entry.etag)
        #expect(try storage.status(of: file.parent, by: soon()).kind == .directory)
        try storage.delete(file, by: soon())
        #expect(failure { () throws(StorageFailure) in try storage.status(of: file, by: soon()) }?.kind == .notFound)
    }

    @Test func `pages follow each other`() throws {
        let server = try S3Server.rclone.get()
        for index in 0..<1100 { try server.write("pages/jobs/\(index % 3)/f\(index)", [1]) }
        let directory = try StorageLocation("s3://pages/jobs")
        let storage = try server.storages("any").storage(for: directory)
        #expect(try storage.everything(below: directory).count == 1100)
        let children = try storage.everything(below: directory, .children)
        #expect(children.keys.sorted() == ["jobs/0", "jobs/1", "jobs/2"])
        #expect(children.values.allSatisfy { $0.kind == .directory })
    }

    @Test func `wrong secrets, unknown keys and missing buckets are told apart`() throws {
        let server = try S3Server.rclone.get()
        try server.write("bkt/f", [1])
        let file = try StorageLocation("s3://bkt/f")
        let wrong = try #require(
            failure { () throws(StorageFailure) in try server.storages("any", secret: "WRONG").storage(for: file).status(of: file, by: soon()) })
        #expect(wrong.kind == .unauthenticated && wrong.status == 403)
        #expect(wrong.problem.contains("secret does not belong to the key"))
        let unknown = server.storages("any", variables: ["AWS_ACCESS_KEY_ID": "OTHER"])
        #expect(failure { () throws(StorageFailure) in try unknown.storage(for: file).bytes(of: file, limit: 9, by: soon()) }?.kind == .unauthenticated)
        let missing = try StorageLocation("s3://nobucket/f")
        let storages = server.storages("any")
        for kind in [
            failure { () throws(StorageFailure) in try storages.storage(for: missing).status(of: missing, by: soon()) }?.kind,
            failure { () throws(StorageFailure) in try storages.storage(for: missing).bytes(of: missing, limit: 9, by: soon()) }?.kind,
            failure { () throws(StorageFailure) in try storages.storage(for: missing).list(missing.parent, .everything, after: nil, by: soon()) }?.kind,
        ] { #expect(kind == .noContainer) }
        let nothing = try StorageLocation("s3://bkt/nothing")
        #expect(failure { () throws(StorageFailure) in try storages.storage(for: nothing).status(of: nothing, by: soon()) }?.kind == .notFound)
    }

    // A real snapshot of Flink, its files beside its metadata: four of them, so that their directory is listed.
    @Test(arguments: ["1.14.3", "2.3.0"]) func `a snapshot of Flink is judged where it lies`(version: String) throws {
        let server = try S3Server.rclone.get()
        let sample = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "FlinkFormatsTests/Fixtures/sample-job/\(version)/heap")
        let place = "bkt/snapshots/\(version)/chk-4", url = "s3a://\(place)"
        let names = try FileManager.default.contentsOfDirectory(atPath: sample.path)
        for name in names { try server.write("\(place)/\(name)", Array(try Data(contentsOf: sample.appending(path: name)))) }
        let stored = StoredFiles(server.storages("any"))
        let whole = FlinkSnapshot.read(url, remote: stored)
        #expect(whole.verdict == .ok && whole.files.count == 4 && whole.writtenAt != nil, "\(whole.verdict) \(whole.problem ?? "")")
        #expect(whole.kafka.contains { $0.offset.topic == "orders" }, "the offsets are read from the store")
        let victim = try #require(whole.files.first).location
        let location = try StorageLocation(victim)
        try server.storages("any").storage(for: location).delete(location, by: soon())
        let damaged = FlinkSnapshot.read(url, remote: stored)
        #expect(damaged.verdict == .damaged && damaged.problem?.contains("\(victim) is missing") == true, "\(damaged.problem ?? "")")
        let unknown = FlinkSnapshot.read(url, remote: StoredFiles(server.storages("any", secret: "WRONG")))
        #expect(unknown.verdict == .unreachable && unknown.problem?.contains("secret does not belong to the key") == true, "\(unknown.problem ?? "")")
        #expect(FlinkSnapshot.read("s3://bkt/snapshots/\(version)", remote: stored).verdict == .foreign, "its job's directory")
        #expect(FlinkSnapshot.read("s3://bkt/snapshots/\(version)/chk-9", remote: stored).verdict == .missing)
        // Where not even a neighbour is, it may be another store that is meant.
        #expect(FlinkSnapshot.read("s3://bkt/nothing/chk-1", remote: stored).verdict == .unreachable)
    }

    @Test func `a server that is gone is said to be gone, in time`() throws {
        let environment = ["AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"]
        let storages = Storages(environment: CredentialEnvironment(variable: { environment[$0] }, file: { _ in .missing }))
        let file = try StorageLocation("s3://bkt/f")
        let found = failure { () throws(StorageFailure) in try storages.storage(for: file).status(of: file, by: soon()) }
        #expect(found?.kind == .unreachable)
        #expect(found?.description.contains("127.0.0.1:1") == true)
    }

    // MARK: moto

    @Test func `markers of S3A are no files`() throws {
        let server = try S3Server.moto.get()
        let directory = try StorageLocation("s3a://bkt/jobs")
        let storage = try server.storages("admin").storage(for: directory)
        #expect(try storage.everything(below: directory).keys.sorted() == ["jobs/chk-6/_metadata", "jobs/shared/a"])
        let children = try storage.everything(below: directory, .children)
        #expect(children.keys.sorted() == ["jobs/chk-6", "jobs/shared"])
        #expect(children.values.allSatisfy { $0.kind == .directory })
        #expect(try storage.status(of: directory.appending("chk-6"), by: soon()).kind == .directory)
        #expect(try storage.status(of: try StorageLocation("s3a://bkt"), by: soon()).kind == .directory)
        let metadata = directory.appending("chk-6/_metadata")
        #expect(try storage.bytes(of: metadata, StorageRange(from: 256, count: 3), limit: 9, by: soon()) == [0, 1, 2])
    }

    @Test func `who may read and not list, and who may list and not read`() throws {
        let server = try S3Server.moto.get()
        let file = try StorageLocation("s3://bkt/jobs/shared/a")
        let reader = try server.storages("reader").storage(for: file), lister = try server.storages("lister").storage(for: file)
        #expect(try reader.status(of: file, by: soon()).size == 5)
        #expect(try reader.bytes(of: file, limit: 9, by: soon()) == Array("state".utf8))
        let list = try #require(failure { () throws(StorageFailure) in try reader.list(file.parent, .everything, after: nil, by: soon()) })
        #expect(list.kind == .denied && list.verb == .list && list.status == 403)
        #expect(list.remedy == "it needs s3:ListBucket on bkt")
        #expect(try lister.everything(below: file.parent).keys.sorted() == ["jobs/shared/a"])
        for found in [
            failure { () throws(StorageFailure) in try lister.bytes(of: file, limit: 9, by: soon()) },
            failure { () throws(StorageFailure) in _ = try lister.status(of: file, by: soon()) },
            failure { () throws(StorageFailure) in try lister.delete(file, by: soon()) },
        ] {
            #expect(found?.kind == .denied)
            #expect(found?.remedy?.hasPrefix("it needs s3:") == true)
        }
    }

    @Test func `what a delete marker hides is not found`() throws {
        let server = try S3Server.moto.get()
        let file = try StorageLocation("s3://versioned/gone")
        let storage = try server.storages("admin").storage(for: file)
        let found = try #require(failure { () throws(StorageFailure) in try storage.status(of: file, by: soon()) })
        #expect(found.kind == .notFound)
        #expect(try storage.everything(below: file.parent).isEmpty)
    }

    @Test func `moto refuses a wrong secret, too`() throws {
        let server = try S3Server.moto.get()
        let file = try StorageLocation("s3://bkt/jobs/shared/a")
        let storage = try server.storages("admin", secret: "WRONG").storage(for: file)
        #expect(failure { () throws(StorageFailure) in try storage.status(of: file, by: soon()) }?.kind == .unauthenticated)
    }
}
