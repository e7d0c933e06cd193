// A real cluster as a test sees it: started once, asked over REST past the code under test, ended with the test process.

import Foundation
import Synchronization
import TestKit
import Testing

/// The versions that the tests run on: the oldest and the newest that are supported, and the last of 1.x.
enum FlinkVersionUnderTest: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case oldest = "1.14.3"
    case last1 = "1.20.5"
    case newest = "2.3.0"

    var testDescription: String { rawValue }

    /// POST /jobs/:id/checkpoints is there from 1.17 on.
    var canCheckpointNow: Bool { self != .oldest }
}

/// One JobManager and one TaskManager of one version, with their files in a private directory. `flink_cluster.py` owns the processes and obeys
/// orders on its standard input; it ends with this process, since the kernel closes the pipe.
final class FlinkCluster: Sendable {
    let version: FlinkVersionUnderTest
    /// "http://127.0.0.1:40123".
    let url: String
    /// Absolute; `checkpoints` and `savepoints` are in it.
    let folder: String
    private let supervisor: Mutex<Supervisor>

    /// The cluster of a version, brought up when it is first asked for, and kept for all tests of this process.
    static func of(_ version: FlinkVersionUnderTest) throws -> FlinkCluster {
        try clusters.withLock { clusters in
            if let cluster = clusters[version] { return cluster }
            let cluster = try FlinkCluster(version, arguments: [])
            clusters[version] = cluster
            return cluster
        }
    }

    private static let clusters = Mutex<[FlinkVersionUnderTest: FlinkCluster]>([:])

    /// A cluster of a test's own, with Flink's own delays, which ends with the test.
    convenience init(_ version: FlinkVersionUnderTest, slots: Int) throws { try self.init(version, arguments: ["\(slots)"]) }

    private init(_ version: FlinkVersionUnderTest, arguments: [String]) throws {
        self.version = version
        var template = Array("/tmp/weir-flink-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Broken("no temporary directory: \(String(cString: strerror(errno)))") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var supervisor = try Supervisor([FlinkPackages.script, "run", version.rawValue, folder] + arguments, errors: folder + "/supervisor.log")
        let greeting = try supervisor.line(within: 150)
        guard greeting.hasPrefix("ready ") else {
            throw Broken("Flink \(version.rawValue) did not come up: \(greeting) \(String(decoding: readFile(folder + "/supervisor.log"), as: UTF8.self))")
        }
        url = String(greeting.dropFirst("ready ".count))
        self.supervisor = Mutex(supervisor)
    }

    deinit { supervisor.withLock { $0.end() } }

    // MARK: Orders

    /// An order of `flink_cluster.py`: "kill jobmanager". Returns what follows "done ".
    @discardableResult
    func order(_ order: String, within seconds: Double = 150) throws -> String {
        let answer = try supervisor.withLock { supervisor in
            try supervisor.write(order + "\n")
            return try supervisor.line(within: seconds)
        }
        guard answer.hasPrefix("done ") else { throw Broken("\(order): \(answer)") }
        return String(answer.dropFirst("done ".count))
    }

    // MARK: REST, past the code under test

    struct Answer {
        var status: Int
        var text: String

        var json: Any? { try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) }

        subscript(_ path: String) -> Any? {
            path.split(separator: ".").reduce(json) { value, key in
                if let index = Int(key) { return (value as? [Any]).flatMap { $0.indices.contains(index) ? $0[index] : nil } }
                return (value as? [String: Any])?[String(key)]
            }
        }
        func text(_ path: String) -> String? { self[path] as? String }
        func number(_ path: String) -> Int? { (self[path] as? NSNumber)?.intValue }
    }

    /// Any request; `body` is JSON.
    func ask(_ method: String, _ path: String, _ body: String = "") throws -> Answer {
        let answer = try order("ask \(method) \(path) \(body)")
        let parts = answer.split(separator: " ", maxSplits: 1)
        guard let status = parts.first.flatMap({ Int($0) }) else { throw Broken("\(method) \(path): \(answer)") }
        return Answer(status: status, text: parts.count > 1 ? String(parts[1]) : "")
    }

    func get(_ path: String) throws -> Answer {
        let answer = try ask("GET", path)
        guard answer.status == 200 else { throw Broken("GET \(path): \(answer.status) \(answer.text.prefix(500))") }
        return answer
    }

    /// The jar of the test job on the cluster, uploaded when it is first asked for.
    func jar() throws -> String { try order("jar") }

    /// The jar of the test job as a file.
    func jarFile() throws -> String { try order("jar-file") }

    /// The jar of another release of it, which has other content.
    func jarFile(release: String) throws -> String { try order("jar-file \(release)") }

    /// Starts the test job; see `CountJob.java` for the arguments.
    func run(_ arguments: [String], from path: String? = nil) throws -> String {
        var body: [String: Any] = ["programArgsList": ["--dir", "file://\(folder)/checkpoints"] + arguments]
        if let path { body["savepointPath"] = path }
        let json = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
        let answer = try ask("POST", "/jars/\(try jar())/run", json)
        guard answer.status == 200, let job = answer.text("jobid") else { throw Broken("the job did not start: \(answer.status) \(answer.text.prefix(2000))") }
        return job
    }

    func state(_ job: String) throws -> String { try get("/jobs/\(job)").text("state") ?? "?" }

    func waitForState(_ state: String, of job: String, within seconds: Double = 60) throws {
        var last = ""
        try wait(seconds, for: "job \(job) to be \(state)", evidence: { "it is \(last)" }) {
            last = try self.state(job)
            return last == state
        }
    }

    func checkpoints(_ job: String) throws -> Answer { try get("/jobs/\(job)/checkpoints") }

    @discardableResult
    func waitForCompleted(_ count: Int, of job: String, within seconds: Double = 60) throws -> Answer {
        try wait(seconds, for: "\(count) completed checkpoints of \(job)", evidence: { (try? checkpoints(job).text) ?? "" }) {
            let answer = try checkpoints(job)
            return (answer.number("counts.completed") ?? 0) >= count ? answer : nil
        }
    }

    /// Cancels what a test left running.
    func cancel(_ job: String) throws {
        _ = try ask("PATCH", "/jobs/\(job)?mode=cancel")
        try wait(30, for: "the end of \(job)") { ["CANCELED", "FINISHED", "FAILED"].contains(try state(job)) }
    }

    /// Frees the slots for the next test.
    func cancelAll() throws {
        let jobs = try get("/jobs")["jobs"] as? [[String: Any]] ?? []
        for job in jobs {
            guard let id = job["id"] as? String, let status = job["status"] as? String, !["CANCELED", "FINISHED", "FAILED"].contains(status) else { continue }
            try cancel(id)
        }
    }
}

/// The files that make a test job misbehave while they exist.
struct Switches {
    let folder: String

    init(_ cluster: FlinkCluster) throws {
        folder = cluster.folder + "/switches-\(UInt32.random(in: 0 ... .max))"
        guard mkdir(folder, 0o700) == 0 else { throw Broken("no folder \(folder)") }
    }

    /// `name`: async-fail, sync-fail, slow (milliseconds in it), crash.
    func on(_ name: String, _ value: String = "") throws {
        // By a rename, so that nobody reads half of it.
        try value.write(toFile: folder + "/\(name).new", atomically: false, encoding: .utf8)
        guard rename(folder + "/\(name).new", folder + "/\(name)") == 0 else { throw Broken("cannot switch \(name) on") }
    }

    func off(_ name: String) { unlink(folder + "/" + name) }
}

/// What comes from PyPI.
enum FlinkPackages {
    static let script = program("flink_cluster.py")

    /// A program beside this file.
    static func program(_ name: String) -> String { "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/" + name }

    /// Why there are no clusters here; nil = there are. Fetches what is not in the cache yet: minutes, the first time. Said once.
    static let gap: String? = {
        guard let python = Binaries.tool("python3") else { return say("python3 is not installed") }
        for version in FlinkVersionUnderTest.allCases {
            let child = ChildProcess(python, [script, "install", version.rawValue], environment: ProcessInfo.processInfo.environment)
            guard let end = child.end(within: 600) else { return say("fetching Flink \(version.rawValue) took more than ten minutes") }
            if end != .exited(0) { return say(child.errors.split(separator: "\n").last.map(String.init) ?? "\(end)") }
        }
        return nil
    }()

    private static func say(_ reason: String) -> String {
        print("SKIPPED: the tests on real Flink clusters: \(reason)")
        return reason
    }
}

/// A Python program that serves until its standard input ends: the one that owns a cluster, with its orders and its answers.
struct Supervisor {
    private let orders: Int32
    private let answers: Int32
    private var buffer: [UInt8] = []

    init(_ arguments: [String], errors: String) throws {
        guard let python = Binaries.tool("python3") else { throw Broken("python3 is not installed") }
        var input: [Int32] = [0, 0], output: [Int32] = [0, 0]
        guard pipe(&input) == 0, pipe(&output) == 0 else { throw Broken("no pipe: \(String(cString: strerror(errno)))") }
        // Whoever inherited the pipe of the orders would keep the cluster alive.
        for end in input + output { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        _ = spawn(python, arguments, ProcessInfo.processInfo.environment, &actions, inNewSession: false)
        close(input[0])
        close(output[1])
        (orders, answers) = (input[1], output[0])
    }

    func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Foundation.write(orders, bytes, bytes.count) == bytes.count else { throw Broken("the supervisor of the cluster is gone") }
    }

    /// Ends the program and what it owns.
    func end() {
        close(orders)
        close(answers)
    }

    mutating func line(within seconds: Double) throws -> String {
        let deadline = monotonicSeconds() + seconds
        while true {
            if let end = buffer.firstIndex(of: 10) {
                defer { buffer.removeFirst(end + 1) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            var poller = pollfd(fd: answers, events: Int16(POLLIN), revents: 0)
            let left = deadline - monotonicSeconds()
            guard left > 0, poll(&poller, 1, Int32(left * 1000)) > 0 else {
                throw DeadlinePassed(what: "an answer of the cluster's supervisor", seconds: seconds, evidence: "")
            }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(answers, &chunk, chunk.count)
            guard count > 0 else { throw Broken("the supervisor of the cluster is gone") }
            buffer += chunk.prefix(count)
        }
    }
}
