// Goal: `weir inspect` tells of Flink's snapshots what a restore would find, in words, in JSON and in its exit code. Method: the real command
// on samples that real Flinks wrote, as they are and damaged.

import Foundation
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct InspectFlinkTests {
        let home = TestHome()
        private static let samples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(
            path: "FlinkFormatsTests/Fixtures/sample-job")

        /// A copy of a sample that stands by itself.
        private func copy(_ name: String) throws -> String {
            let path = home.path + "/" + name.replacing("/", with: "-")
            try FileManager.default.copyItem(at: Self.samples.appending(path: name), to: URL(filePath: path))
            return path
        }

        /// The fields that scripts read.
        private struct Record: Decodable {
            struct Flink: Decodable {
                struct Operator: Decodable { var id: OperatorID, parallelism: Int, stateSize: ByteCount }
                struct File: Decodable { var path: String, state: String }
                struct Kafka: Decodable { var topic: String, partition: Int, nextOffset: Int64?, start: String? }
                struct Uids: Decodable { var matched: [String: OperatorID], withoutState: [String], unclaimedOperators: [OperatorID] }
                var metadataVersion: Int, operators: [Operator], files: [File], kafka: [Kafka], uids: Uids?
            }
            var format: String, verdict: SnapshotInspection.Verdict, problem: String?, checkpoint: CheckpointID?, stateSize: ByteCount?, flink: Flink?
        }

        private func record(_ result: CommandResult) throws -> Record { try JSONDecoder().decode(Record.self, from: Data(result.output.utf8)) }

        @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func `a whole checkpoint of each version`(version: String) throws {
            let path = try copy("\(version)/heap")
            let text = try home.succeed("inspect", path)
            for word in ["ok", "Flink, metadata version", "orders", "payments", "earliest", OperatorID(uid: "count").description, "4 files are there"] {
                #expect(text.output.contains(word), "\(word): \(text.transcript)")
            }
            let found = try record(try home.succeed("inspect", "file:" + path + "/_metadata", "--json"))
            #expect(found.format == "flink" && found.verdict == .ok && found.checkpoint == CheckpointID(4))
            let flink = try #require(found.flink)
            #expect(flink.files.count == 4 && flink.files.allSatisfy { $0.state == "present" })
            #expect(flink.operators.reduce(0) { $0 + $1.stateSize.count } == found.stateSize?.count)
            #expect(flink.kafka.contains { $0.topic == "payments" && $0.start == "earliest" })
            #expect(flink.kafka.contains { $0.topic == "orders" && $0.partition == 3 && $0.nextOffset ?? 0 > 5_000_000_000 })
        }

        @Test func `damage is named and ends with 5`() throws {
            let path = try copy("2.3.0/heap")
            let files = try #require(try record(try home.weir("inspect", path, "--json")).flink).files
            let victim = try #require(files.first).path
            let content = readFile(victim)
            home.write(victim, Array(content.dropLast()))
            let short = try home.weir("inspect", path)
            #expect(short.exitCode == ExitCode.failed && short.output.contains(victim) && short.output.contains("instead of"), "\(short.transcript)")
            unlink(victim)
            let missing = try home.weir("inspect", path, "--json")
            #expect(missing.exitCode == ExitCode.failed)
            #expect(try record(missing).problem?.contains("\(victim) is missing") == true)
            home.write(path + "/_metadata", Array(readFile(path + "/_metadata").prefix(1000)))
            let cut = try home.weir("inspect", path)
            #expect(cut.exitCode == ExitCode.failed && cut.output.contains("at byte"), "\(cut.transcript)")
        }

        @Test func `uids that leave state over end with 3`() throws {
            let path = try copy("1.20.5/savepoint")
            try home.succeed("inspect", path, "--uids", "orders,legacy,count,sink")
            let result = try home.weir("inspect", path, "--uids", "orders,legacy,counts")
            #expect(result.exitCode == ExitCode.refused, "\(result.transcript)")
            #expect(result.output.contains("'counts'") && result.output.contains(OperatorID(uid: "count").description))
            let uids = try #require(try record(try home.weir("inspect", path, "--uids", "orders,legacy,counts", "--json")).flink?.uids)
            #expect(
                uids.unclaimedOperators == [OperatorID(uid: "count")] && uids.withoutState == ["counts"] && uids.matched.keys.sorted() == ["legacy", "orders"])
        }

        @Test func `what is elsewhere is unreachable, not damaged`() throws {
            for path in ["s3://bucket/chk-1", "hdfs://nn:8020/chk-1", "file://another-host/chk-1"] {
                let result = try home.weir("inspect", path, "--json")
                #expect(result.exitCode == ExitCode.unproven, "\(result.transcript)")
                #expect(try record(result).verdict == .unreachable)
            }
        }
    }
}
