import FlinkFormats
import StreamModel
import Testing

// Goal: what Flink wrote is read in full, in every version and with every kind of handle. Method: samples of real Flinks; a decoder that
// keeps everything gives the same bytes when an encoder of its own writes them again; sizes are those of the files that stood there.

@Suite struct MetadataTests {
    @Test func everyVersionHasItsSamples() {
        #expect(Sample.all.map(\.description).count >= 20)
        for variant in ["heap", "savepoint", "incremental", "unaligned", "finished"] {
            for version in ["1.14.3", "1.20.5", "2.3.0"] { #expect(Sample.named(version, variant) != nil, "\(version) \(variant)") }
        }
        for variant in ["changelog", "merged", "savepoint-native"] {
            for version in ["1.20.5", "2.3.0"] { #expect(Sample.named(version, variant) != nil, "\(version) \(variant)") }
        }
    }

    @Test(arguments: Sample.all) func nothingIsLost(_ sample: Sample) throws {
        let metadata = try sample.decoded()
        #expect(MetadataEncoder.encode(metadata) == sample.bytes)
        #expect(metadata.trailing.isEmpty)
        #expect(metadata.version == ["1.14.3": 3, "1.20.5": 4, "2.3.0": 6][sample.version])
    }

    @Test(arguments: Sample.all) func theFilesAreThoseThatStoodThere(_ sample: Sample) throws {
        let metadata = try sample.decoded()
        var named: Set<String> = []
        for file in metadata.files {
            let path = file.isRelative ? "\(sample.directory)/\(file.path)" : file.path
            guard case .local(let local) = FlinkLocation(path) else {
                Issue.record("\(path) is not local")
                continue
            }
            named.insert(local)
            let size = try #require(sample.files[local], "\(local) did not stand there")
            switch file.length {
            case .exactly(let length): #expect(length.count == size, "\(local)")
            case .atLeast(let length): #expect(length.count <= size && length.count > 0, "\(local)")
            case .unknown: Issue.record("\(local) has no length")
            }
        }
        // All that stood in the snapshot's own directory is named, but for the metadata itself.
        for path in sample.files.keys where path.hasPrefix(sample.directory + "/") && !path.hasSuffix("/_metadata") {
            #expect(named.contains(path), "\(path)")
        }
    }

    @Test(arguments: Sample.all) func operatorsAreFoundByTheirUid(_ sample: Sample) throws {
        let metadata = try sample.decoded()
        for uid in ["orders", "legacy", "count"] {
            let state = try #require(metadata.operators.first { $0.id == OperatorID(uid: uid) }, "\(uid)")
            #expect(state.parallelism == 2 && state.maxParallelism == 128)
            #expect(state.subtasks.map(\.index).sorted() == [0, 1])
            #expect(state.hasState)
            #expect(state.uid == (metadata.version >= 5 ? uid : nil))
            if uid == "count" { #expect(state.name == (metadata.version >= 5 ? "count \u{e4}\u{1F600}" : nil)) }
        }
        #expect(metadata.maxParallelism == 128)
        #expect(metadata.masterStates.map(\.name) == ["sample-hook"])
        #expect(metadata.masterStates.map { String(decoding: $0.bytes, as: UTF8.self) } == ["m\(metadata.checkpoint)"])
        #expect(metadata.masterStates.map(\.version) == [7])
    }

    @Test(arguments: Sample.all) func thePropertiesSayWhatItIs(_ sample: Sample) throws {
        let properties = try sample.decoded().properties
        guard sample.version != "1.14.3" else {
            #expect(properties == nil)
            return
        }
        let known = try #require(properties)
        switch sample.variant {
        case "savepoint": #expect(known.kind == .savepoint(format: "CANONICAL", action: "SUSPEND"))
        case "savepoint-native": #expect(known.kind == .savepoint(format: "NATIVE", action: "SUSPEND"))
        default:
            #expect(known.kind == .checkpoint && known.name == "Checkpoint")
            var retained = FlinkCheckpointProperties.Discards()
            (retained.whenSubsumed, retained.whenFinished) = (true, true)
            #expect(known.discards == retained, "kept on cancellation")
        }
        #expect(!known.isUnclaimed)
    }

    @Test(arguments: Sample.all) func everyKeyGroupIsThere(_ sample: Sample) throws {
        let metadata = try sample.decoded()
        let count = try #require(metadata.operators.first { $0.id == OperatorID(uid: "count") })
        let ranges = count.subtasks.compactMap { $0.managedKeyedState?.range }
        #expect(ranges.map(\.start).sorted() == [0, 64] && ranges.map(\.count) == [64, 64])
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func handlesOfEachKindAreRead(_ version: String) throws {
        func states(_ variant: String) throws -> [FlinkMetadata.Subtask] {
            try #require(Sample.named(version, variant)).decoded().operators.flatMap(\.subtasks)
        }
        let incremental = try states("incremental").compactMap { if case .incremental(let state) = $0.managedKeyedState { state } else { nil } }
        #expect(incremental.count == 2 && incremental.allSatisfy { !$0.shared.isEmpty && !$0.exclusive.isEmpty })
        #expect(incremental.allSatisfy { ($0.identity != nil) == (version != "1.14.3") })
        let channels = try states("unaligned").flatMap { $0.inputChannels + $0.resultSubpartitions }
        #expect(!channels.isEmpty && channels.contains { $0.size.count > 0 })
        #expect(try states("finished").contains { $0.isFinished } || sample(version, "finished").operators.contains { $0.isFullyFinished })
        let canonical = try states("savepoint").contains {
            if case .keyGroups(let groups) = $0.managedKeyedState { groups.form == .canonicalSavepoint } else { false }
        }
        #expect(canonical)
        guard version != "1.14.3" else { return }
        let changelogs = try states("changelog").compactMap { if case .changelog(let state) = $0.managedKeyedState { state } else { nil } }
        #expect(changelogs.count == 2 && changelogs.contains { !$0.materialized.isEmpty } && changelogs.contains { !$0.changes.isEmpty })
        let merged = try sample(version, "merged").files
        #expect(merged.contains { if case .atLeast = $0.length { true } else { false } })
    }

    private func sample(_ version: String, _ variant: String) throws -> FlinkMetadata { try #require(Sample.named(version, variant)).decoded() }

    @Test(arguments: Sample.all) func sizesAddUp(_ sample: Sample) throws {
        let metadata = try sample.decoded()
        #expect(metadata.stateSize.count > 0)
        #expect(metadata.stateSize.count == metadata.operators.reduce(0) { $0 + $1.stateSize.count })
        if sample.variant == "incremental" {
            #expect((metadata.checkpointedSize == nil) == (sample.version == "1.14.3"))
            if let written = metadata.checkpointedSize { #expect(written.count <= metadata.stateSize.count && written.count > 0) }
        }
        if sample.variant == "heap" { #expect(metadata.checkpointedSize == metadata.stateSize) }
    }
}

extension FlinkMetadata.Keyed {
    var range: FlinkMetadata.KeyGroupRange {
        switch self {
        case .keyGroups(let state): state.range
        case .incremental(let state): state.range
        case .changelog(let state): state.range
        case .changes(let state): state.range
        case .changeFiles(let state): state.range
        }
    }
}
