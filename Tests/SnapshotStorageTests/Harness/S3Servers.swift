// Real S3 servers as a test sees them: started once, ended with the test process.

import Foundation
import HostEnvironment
import StreamModel
import Synchronization
import TestKit

@testable import SnapshotStorage

/// rclone's S3 over a folder, or moto with IAM. `s3_servers.py` owns the process; it ends with this one, since the kernel closes the pipe.
final class S3Server: Sendable {
    let url: String
    /// Access key and secret by user.
    let users: [String: [String]]
    private let sandbox: Sandbox?
    private let input: FileHandle

    /// The folder whose folders are rclone's buckets.
    var folder: String { sandbox?.path ?? "" }

    static let rclone = Result { () throws in
        let sandbox = Sandbox()
        return try S3Server(["rclone", sandbox.path], sandbox)
    }
    static let moto = Result { () throws in try S3Server(["moto"], nil) }

    private init(_ arguments: [String], _ sandbox: Sandbox?) throws {
        self.sandbox = sandbox
        let process = Process(), input = Pipe(), output = Pipe()
        process.executableURL = URL(filePath: S3Packages.python ?? "/usr/bin/python3")
        process.arguments = [S3Packages.script] + arguments
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        self.input = input.fileHandleForWriting
        var line: [UInt8] = []
        let reader = output.fileHandleForReading.fileDescriptor
        line = try wait(90, for: "the S3 server") { () -> [UInt8]? in
            var poller = pollfd(fd: reader, events: Int16(POLLIN), revents: 0), byte: UInt8 = 0
            guard poll(&poller, 1, 10) > 0 else { return nil }
            guard read(reader, &byte, 1) == 1 else { throw Broken("the S3 server did not come up: \(arguments)") }
            if byte == 10 { return line }
            line.append(byte)
            return nil
        }
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("ready "), let greeting = try JSONSerialization.jsonObject(with: Data(text.dropFirst(6).utf8)) as? [String: Any],
            let url = greeting["url"] as? String
        else { throw Broken("the S3 server said: \(text)") }
        self.url = url
        users = greeting["users"] as? [String: [String]] ?? [:]
    }

    /// A store of this server; keys as `user`, or as given.
    func storages(_ user: String, secret: String? = nil, variables: [String: String] = [:]) -> Storages {
        let keys = users[user] ?? ["KEY", "SECRET"]
        let environment = [
            "AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": secret ?? keys[1], "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "HOME": "/nowhere",
        ].merging(variables) { $1 }
        return Storages(environment: CredentialEnvironment(variable: { environment[$0] }, file: { _ in .missing }))
    }

    /// As `rclone` has it.
    func write(_ key: String, _ bytes: [UInt8]) throws {
        let file = URL(filePath: folder + "/" + key)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
        // rclone may have listed the folder just before; it believes a listing for 1 ms.
        HostEnvironment.pause(milliseconds: 5)
    }
}

/// What comes from PyPI.
enum S3Packages {
    static let script: String = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/s3_servers.py"
    static let python = Binaries.tool("python3")

    /// Why there are no servers here; nil = there are. Said once.
    static let gap: String? = {
        guard let python else { return say("python3 is not installed") }
        let child = ChildProcess(python, [script, "install"], environment: ProcessInfo.processInfo.environment)
        guard let end = child.end(within: 300) else { return say("fetching rclone and moto took more than five minutes") }
        return end == .exited(0) ? nil : say(child.errors.split(separator: "\n").last.map(String.init) ?? "\(end)")
    }()

    private static func say(_ reason: String) -> String {
        print("SKIPPED: the tests on real S3 servers: \(reason)")
        return reason
    }
}

/// So long a request of a test may take.
func soon(_ seconds: Int64 = 20) -> EngineInstant { EngineInstant.now() + .seconds(seconds) }

/// The failure that something ends with.
func failure<Value>(_ body: () throws(StorageFailure) -> Value) -> StorageFailure? {
    do throws(StorageFailure) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

extension SnapshotStorage {
    /// Everything below a directory, by key.
    func everything(below directory: StorageLocation, _ depth: ListingDepth = .everything) throws(StorageFailure) -> [String: StorageEntry] {
        var found: [String: StorageEntry] = [:]
        try forEachPage(below: directory, depth, by: soon()) { entries in
            for entry in entries { found[entry.location.key] = entry }
            return true
        }
        return found
    }
}
