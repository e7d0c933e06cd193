// The commands of Weir on a cluster, as the tests say them.

import ControlProtocol
import Glibc
import StreamModel
import TestKit
import Testing

/// A home whose commands all go to one cluster.
struct WeirOnFlink {
    let home = TestHome()
    let cluster: FlinkCluster
    /// Where the commands look: the cluster, or a proxy before it.
    let url: String

    init(_ version: FlinkVersionUnderTest) throws {
        cluster = try FlinkCluster.of(version)
        url = cluster.url
        // What an earlier test left would take the slots.
        try cluster.cancelAll()
    }

    init(_ cluster: FlinkCluster, through proxy: LoggingProxy) {
        self.cluster = cluster
        url = proxy.url
    }

    var savepoints: String { "file://\(cluster.folder)/savepoints" }
    var checkpoints: String { "file://\(cluster.folder)/checkpoints" }

    func run(_ words: [String], within seconds: Double = 90) throws -> CommandResult {
        // What belongs to the program comes last.
        let own = words.firstIndex(of: "--") ?? words.endIndex
        return try home.weir(Array(words[..<own]) + ["--flink", url] + words[own...], within: seconds)
    }

    /// A command that must end with 0.
    @discardableResult
    func succeed(_ words: String..., within seconds: Double = 90) throws -> CommandResult {
        let result = try run(words, within: seconds)
        guard result.exitCode == ExitCode.ok else { throw Broken("\(words): \(result.end): \(result.transcript)") }
        return result
    }

    /// A command that must be turned down: its code, and words that its message must hold.
    func expectRefusal(_ words: String..., code: Int32 = ExitCode.refused, says parts: [String], location: SourceLocation = #_sourceLocation) throws {
        let result = try run(words)
        #expect(result.exitCode == code, "\(result.end), not \(code): \(result.transcript)", sourceLocation: location)
        for part in parts {
            #expect((result.errors + result.output).contains(part), "does not say \"\(part)\": \(result.transcript)", sourceLocation: location)
        }
    }

    func operation(_ words: String..., within seconds: Double = 90) throws -> OperationReport {
        let result = try run(words + ["--wait", "--json"], within: seconds)
        guard result.exitCode == ExitCode.ok else { throw Broken("\(words): \(result.end): \(result.transcript)") }
        return try result.record(OperationReport.self)
    }

    /// Launches the test job through Weir, from its file, and waits until it runs.
    func launch(_ name: String, _ arguments: [String]) throws -> JobID {
        let result = try run(
            ["jars", "run", try cluster.jarFile(), "--wait", "--json", "--", "--name", name, "--dir", checkpoints] + arguments)
        guard result.exitCode == ExitCode.ok, let job = try result.record(OperationReport.self).newJob else { throw Broken("\(result.transcript)") }
        return job
    }

    /// A proof as `restart --json` prints it.
    struct Proof: Decodable {
        struct Step: Decodable {
            var step: Int
            var state: String
            var evidence: String
        }
        var verdict: String
        var newJob: JobID?
        var steps: [Step]
        var operation: OperationReport

        func state(_ step: Int) -> String? { steps.first { $0.step == step }?.state }
    }

    func restart(_ words: String..., within seconds: Double = 90) throws -> (proof: Proof, exitCode: Int32?) {
        let result = try run(["restart"] + words + ["--wait", "--json"], within: seconds)
        do { return (try result.record(Proof.self), result.exitCode) } catch { throw Broken("\(words): \(result.end): \(result.transcript)") }
    }

    func job(_ id: JobID) throws -> JobReport {
        let jobs = try succeed("jobs", "--json").record([JobReport].self)
        guard let job = jobs.first(where: { $0.id == id }) else { throw Broken("the cluster has no job \(id)") }
        return job
    }

    /// A `file:` location as a path on this machine.
    func path(_ location: String?) throws -> String { SnapshotPath(try #require(location)).local }

    func exists(_ location: String?) throws -> Bool { access(try path(location) + "/_metadata", F_OK) == 0 }
}

private struct SnapshotPath {
    let local: String

    init(_ location: String) {
        let rest = location.hasPrefix("file:") ? location.dropFirst(5) : location[...]
        local = "/" + rest.drop { $0 == "/" }
    }
}
