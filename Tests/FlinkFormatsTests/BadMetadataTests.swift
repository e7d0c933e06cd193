import FlinkFormats
import Foundation
import StreamModel
import Testing

// Goal: bytes of any kind give a value or one error that names file, place and what was expected; never a trap, and never more memory than
// the input justifies. Method: each sample cut at every length and with every byte flipped; what is still read must take as many bytes
// to write again as it was read from, so nothing is made up of a forged length.

@Suite struct BadMetadataTests {
    /// What comes of bytes; checks that an error is a good one.
    private func outcome(_ bytes: [UInt8], _ about: @autoclosure () -> String) -> FlinkMetadata? {
        do throws(FlinkFormatError) {
            return try FlinkMetadata.decode(bytes, file: "some/_metadata")
        } catch {
            let isGood = error.file == "some/_metadata" && (0...bytes.count).contains(error.offset) && !error.expected.isEmpty && !error.found.isEmpty
            if !isGood { Issue.record("\(about()): \(error)") }
            return nil
        }
    }

    /// Instrumented code takes minutes for every byte: the sanitizers' run says how many to leave out between two (`WEIR_BYTE_STRIDE`).
    private static let step = ProcessInfo.processInfo.environment["WEIR_BYTE_STRIDE"].flatMap(Int.init) ?? 1

    @Test(arguments: Sample.all) func cutAnywhereItIsAnError(_ sample: Sample) {
        for length in stride(from: 0, to: sample.bytes.count, by: Self.step) {
            if outcome(Array(sample.bytes[..<length]), "cut at \(length)") != nil { Issue.record("cut at \(length) it is read") }
        }
    }

    @Test(arguments: Sample.all) func withAnyByteFlippedItIsAValueOrAnError(_ sample: Sample) {
        var bytes = sample.bytes
        for index in stride(from: 0, to: bytes.count, by: Self.step) {
            bytes[index] ^= 0xFF
            let metadata = outcome(bytes, "flipped at \(index)")
            // To write all of them again takes too long.
            if sample.version == "2.3.0", sample.bytes.count < 5000, let metadata, MetadataEncoder.encode(metadata).count != bytes.count {
                Issue.record("flipped at \(index): another length when written again")
            }
            bytes[index] ^= 0xFF
        }
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func withAnyBitFlippedItIsAValueOrAnError(_ version: String) throws {
        let sample = try #require(Sample.named(version, "heap"))
        var bytes = sample.bytes
        for index in bytes.indices {
            let mask = UInt8(1) << UInt8(index % 8)
            bytes[index] ^= mask
            _ = outcome(bytes, "bit \(index % 8) flipped at \(index)")
            bytes[index] ^= mask
        }
    }

    @Test(arguments: [3, 4, 5, 6]) func handlesThatNoSampleHasAreReadToo(_ version: Int) throws {
        let metadata = Synthetic.everyHandle(version: version)
        let bytes = MetadataEncoder.encode(metadata)
        #expect(try FlinkMetadata.decode(bytes, file: "f") == metadata)
        for length in 0..<bytes.count where outcome(Array(bytes[..<length]), "cut at \(length)") != nil {
            Issue.record("cut at \(length) it is read")
        }
        var flipped = bytes
        for index in bytes.indices {
            flipped[index] ^= 0xFF
            if let metadata = outcome(flipped, "flipped at \(index)"), MetadataEncoder.encode(metadata).count != bytes.count {
                Issue.record("flipped at \(index): another length when written again")
            }
            flipped[index] ^= 0xFF
        }
    }

    @Test func handlesWithinHandlesEndSomewhere() {
        var keyed = FlinkMetadata.Keyed.changes(FlinkMetadata.InMemoryChanges(range: .init(start: 0, count: 1), from: 0, to: 0, changes: [], handleID: nil))
        for _ in 0..<20 { keyed = .changelog(FlinkMetadata.Changelog(range: .init(start: 0, count: 1), materialized: [keyed], changes: [], identity: nil)) }
        let deep = MetadataEncoder.encode(Synthetic.metadata(version: 3, keyed: keyed))
        #expect(throws: FlinkFormatError.self) { try FlinkMetadata.decode(deep, file: "f") }
        // A million handles of no key groups, one within the other.
        var head = MetadataEncoder.encode(Synthetic.metadata(version: 3, keyed: nil))
        head.removeLast(1 + 1 + 8)
        let endless = head + Array(repeatElement([3, 0, 0, 0, 0, 0, 0, 0, 0] as [UInt8], count: 1_000_000).joined())
        #expect(throws: FlinkFormatError.self) { try FlinkMetadata.decode(endless, file: "f") }
    }

    @Test func otherFilesAreNamedAsSuch() {
        func message(_ bytes: [UInt8]) -> String? {
            do throws(FlinkFormatError) { _ = try FlinkMetadata.decode(bytes, file: "/c/_metadata") } catch { return error.description }
            return nil
        }
        #expect(message([]) == "/c/_metadata: at byte 0: expected the magic number of Flink's metadata of 4 bytes, found 0 bytes and the end")
        #expect(message(Array("WEIR....".utf8)) == "/c/_metadata: at byte 0: expected the magic number 0x4960672d of Flink's metadata, found 0x57454952")
        #expect(message([0x49, 0x60, 0x67, 0x2D, 0, 0, 0, 1]) == "/c/_metadata: at byte 4: expected a version from 2 to 6, found 1")
        #expect(message([0x49, 0x60, 0x67, 0x2D, 0, 0, 0, 7]) == "/c/_metadata: at byte 4: expected a version from 2 to 6, found 7")
    }

    @Test func forgedNumbersAreRefusedBeforeAnythingIsTaken() throws {
        let bytes = MetadataEncoder.encode(Synthetic.everyHandle(version: 6))
        // Every four bytes become the largest number in turn: some of them are lengths.
        for index in 0..<bytes.count - 4 {
            var forged = bytes
            forged.replaceSubrange(index..<index + 4, with: [0x7F, 0xFF, 0xFF, 0xFF])
            if let metadata = outcome(forged, "forged at \(index)") { #expect(MetadataEncoder.encode(metadata).count == bytes.count) }
        }
    }

    @Test func sumsOfForgedSizesStopAtTheLargestNumber() throws {
        let groups = FlinkMetadata.KeyGroups(form: .plain, range: .init(start: 0, count: 0), offsets: [], stream: .file(path: "/f", size: .max))
        var metadata = Synthetic.metadata(version: 4, keyed: .keyGroups(groups))
        metadata.operators.append(metadata.operators[0])
        #expect(metadata.stateSize == ByteCount(.max))
    }
}

/// Metadata made up for the tests.
enum Synthetic {
    static func metadata(version: Int, keyed: FlinkMetadata.Keyed?) -> FlinkMetadata {
        let subtask = FlinkMetadata.Subtask(index: 0, managedKeyedState: keyed)
        let state = FlinkMetadata.Operator(id: OperatorID(uid: "count"), parallelism: 1, maxParallelism: 128, subtasks: [subtask])
        return FlinkMetadata(
            version: version, checkpoint: CheckpointID(7), operators: [state], properties: version >= 4 ? Self.properties : nil)
    }

    /// As a Flink wrote them.
    static let properties = Sample.named("1.20.5", "heap").flatMap { try? $0.decoded().properties }  // its absence fails other tests

    static func everyHandle(version: Int) -> FlinkMetadata {
        typealias M = FlinkMetadata
        let range = M.KeyGroupRange(start: 64, count: 2)
        let segment = M.Stream.segment(M.Segment(start: 10, size: 20, scope: .shared, path: "file:/d/seg", logicalID: "l1"))
        func groups(_ form: M.KeyGroups.Form, _ stream: M.Stream?) -> M.KeyGroups { M.KeyGroups(form: form, range: range, offsets: [1, 2], stream: stream) }
        let nested = M.Stream.keyGroups(groups(.plain, .file(path: "s3://b/x", size: -1)))
        let isEarly = version <= 3
        let keyed: [M.Keyed?] = [
            .keyGroups(groups(.plain, .bytes(name: "n", [1, 2, 3]))), .keyGroups(groups(.canonicalSavepoint, .relativeFile(path: "r", size: 5))),
            .keyGroups(groups(.identified(handleID: "h"), segment)), .keyGroups(groups(.plain, nested)),
            .incremental(
                M.Incremental(
                    checkpoint: 5, backend: "uuid", range: range, meta: .file(path: "/m", size: 9),
                    shared: [M.Incremental.Entry(name: "1.sst", stream: .file(path: "/s", size: 8)), M.Incremental.Entry(name: "2.sst", stream: nil)],
                    exclusive: [M.Incremental.Entry(name: "CURRENT", stream: .emptySegment)], identity: nil)),
            .incremental(
                M.Incremental(
                    checkpoint: 5, backend: "uuid", range: range, meta: nil, shared: [], exclusive: [],
                    identity: M.Incremental.Identity(checkpointedSize: 3, handleID: "h"))),
            .changes(
                M.InMemoryChanges(
                    range: range, from: 1, to: 9,
                    changes: [M.InMemoryChanges.Change(keyGroup: -1, bytes: [7]), M.InMemoryChanges.Change(keyGroup: 64, bytes: [])],
                    handleID: isEarly ? nil : "h")),
            .changeFiles(
                M.ChangeFiles(
                    range: range, parts: [M.ChangeFiles.Part(offset: 4, stream: .file(path: "/c", size: 100))], size: 50,
                    identity: isEarly ? nil : M.ChangeFiles.Identity(checkpointedSize: 50, handleID: "h", storage: nil))),
            .changeFiles(
                M.ChangeFiles(range: range, parts: [], size: 0, identity: M.ChangeFiles.Identity(checkpointedSize: 0, handleID: "h", storage: "filesystem"))),
            .changelog(
                M.Changelog(
                    range: range, materialized: [.keyGroups(groups(.plain, nil)), nil], changes: [],
                    identity: isEarly ? nil : M.Changelog.Identity(checkpointedSize: 1, materialization: 2, checkpoint: nil, handleID: "h"))),
            .changelog(
                M.Changelog(
                    range: range, materialized: [], changes: [nil],
                    identity: M.Changelog.Identity(checkpointedSize: 1, materialization: 2, checkpoint: 3, handleID: "h"))),
        ]
        let lists = M.OperatorState(
            states: [
                M.OperatorState.Named(name: "a", distribution: .split, offsets: [0, 5]), M.OperatorState.Named(name: "b", distribution: .union, offsets: []),
                M.OperatorState.Named(name: "c", distribution: .broadcast, offsets: [9]),
            ], stream: .bytes(name: "file:/x", [UInt8](repeating: 1, count: 12)))
        let merging = M.OperatorState(
            states: [], merging: M.OperatorState.Merging(taskOwnedDirectory: "/t", sharedDirectory: "/s", isEmpty: true), stream: nil)
        let channel = M.Channel.single(subtask: 0, gate: 1, channel: 2, offsets: [3], size: 4, stream: .file(path: "/ch", size: 4))
        let merged = M.Channel.merged(subtask: 0, size: 4, stream: .file(path: "/ch", size: 4), offsets: [1, 2])
        let subtasks = keyed.enumerated().map { index, state in
            M.Subtask(
                index: index, managedOperatorState: index == 0 ? lists : nil, rawOperatorState: index == 1 ? merging : nil, managedKeyedState: state,
                rawKeyedState: index == 2 ? state : nil, inputChannels: index == 3 ? [channel] + (version >= 6 ? [merged] : []) : [],
                resultSubpartitions: index == 4 ? [channel] + (version >= 6 ? [merged] : []) : [])
        }
        let whole = M.Operator(
            id: OperatorID(uid: "all"), name: version >= 5 ? "n\u{0}\u{20AC}" : nil, uid: version >= 5 ? "all" : nil, parallelism: 99, maxParallelism: 128,
            coordinatorState: .bytes(name: "", [1]), subtasks: subtasks + [M.Subtask(index: 98, isFinished: true)])
        let finished = M.Operator(id: OperatorID(uid: "done"), parallelism: 1, maxParallelism: 1, isFullyFinished: true)
        return M(
            version: version, checkpoint: CheckpointID(7), masterStates: [M.MasterState(version: 1, name: "hook", bytes: [1, 2])],
            operators: [whole, finished],
            properties: version >= 4 ? properties : nil)
    }
}
