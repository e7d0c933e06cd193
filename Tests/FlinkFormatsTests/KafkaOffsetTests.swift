import FlinkFormats
import StreamModel
import Testing

// Goal: Kafka offsets are read from both forms of state, and other sources' state is left alone. Method: state that real Flinks wrote around
// elements of the connector's layout; elements as the reference has them; damaged ones.

@Suite struct KafkaOffsetTests {
    private func state(_ source: KafkaOffsetState.Source, offsets: [Int64] = [0]) -> KafkaOffsetState {
        KafkaOffsetState(source: source, owner: OperatorID(uid: "x"), subtask: 0, offsets: offsets, stream: .emptySegment)
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.filter { $0 != " " })
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }

    @Test(arguments: Sample.all) func samplesHaveTheirOffsets(_ sample: Sample) throws {
        var found: [KafkaOffsetState.Source: [KafkaOffset]] = [:]
        for state in try sample.decoded().kafkaOffsetStates {
            // Kryo 5, of 2.x, is not the consumer's, which ended with 1.x.
            if state.source == .legacy, sample.version == "2.3.0" { continue }
            guard let content = try sample.content(of: state.stream) else { continue }
            found[state.source, default: []] += try #require(try state.decode(content, name: sample.description))
        }
        // Of the other samples the state files were not kept.
        guard sample.variant == "heap" || sample.variant == "savepoint" else { return }
        let orders = found[.splits] ?? []
        #expect(Set(orders.map { "\($0.topic)-\($0.partition)" }) == ["orders-0", "orders-1", "orders-2", "orders-3", "payments-0"])
        #expect(orders.contains(KafkaOffset(topic: "payments", partition: 0, position: .earliest)))
        let past = orders.contains { if case .next(let offset) = $0.position { offset > 5_000_000_000 } else { false } }
        #expect(past)
        guard sample.version.hasPrefix("1.") else { return }
        let legacy = found[.legacy] ?? []
        #expect(legacy.count == 4)
        #expect(legacy.contains(KafkaOffset(topic: "clicks", partition: 3, position: .next(123_456_790))))
        #expect(legacy.contains(KafkaOffset(topic: "t", partition: 200, position: .latest)))
    }

    @Test func aSplitIsReadAsTheConnectorWritesIt() throws {
        let split = bytes("0000001f 00000000 00000017 0001 74 00000000 0000000000000005 8000000000000000")
        #expect(try state(.splits).decode(split, name: "s") == [KafkaOffset(topic: "t", partition: 0, position: .next(5))])
    }

    @Test func splitsOfOtherSourcesAreNone() throws {
        // A range of numbers: an id, from, to.
        let numbers = bytes("0000001b 00000001 00000013 0001 30 0000000000000000 00000000000000ff")
        #expect(try state(.splits).decode(numbers, name: "s") == nil)
        let spaced = bytes("0000001f 00000000 00000017 0001 20 00000000 0000000000000005 8000000000000000")
        #expect(try state(.splits).decode(spaced, name: "s") == nil, "no topic has a space")
        #expect(try state(.splits).decode([], name: "s") == nil)
    }

    @Test func theOldConsumersOffsetIsThatOfTheLastRecord() throws {
        let first = bytes("57 01 839998ff08 06 01 6f72646572f3 00000000075bcd15"), second = bytes("57 01 f99598ff08 9003 01 6f72646572f3 0000000000000007")
        let both = try state(.legacy, offsets: [0, Int64(first.count)]).decode(first + second, name: "s")
        #expect(
            both == [
                KafkaOffset(topic: "orders", partition: 3, position: .next(123_456_790)), KafkaOffset(topic: "orders", partition: 200, position: .next(8)),
            ])
        let one = bytes("57 01 00 00 01 8274 0000000000000007")
        #expect(try state(.legacy).decode(one, name: "s") == [KafkaOffset(topic: "t", partition: 0, position: .next(8))])
        let other = bytes("8101 01 00 00 01 8274 ffffff2ad0922891")
        #expect(try state(.legacy).decode(other, name: "s")?.first?.partition == 0)
    }

    @Test func theOldConsumersMarkersAreWords() throws {
        for (marker, position) in [(-915_623_761_775, .earliest), (-915_623_761_774, .latest), (-915_623_761_773, .committed)]
            as [(Int64, KafkaOffset.Position)]
        {
            let element = bytes("57 01 00 00 01 8274") + withUnsafeBytes(of: marker.bigEndian) { Array($0) }
            #expect(try state(.legacy).decode(element, name: "s")?.first?.position == position)
        }
    }

    @Test func damagedElementsAreErrors() {
        let element = bytes("57 01 839998ff08 06 01 6f72646572f3 00000000075bcd15")
        for length in 0..<element.count {
            #expect(throws: FlinkFormatError.self) { try state(.legacy).decode(Array(element[..<length]), name: "s") }
        }
        for index in element.indices {
            for mask in [0xFF, 0x80, 0x40, 0x01] as [UInt8] {
                var flipped = element
                flipped[index] ^= mask
                do throws(FlinkFormatError) { _ = try state(.legacy).decode(flipped, name: "s") } catch { #expect(error.file == "s") }
            }
        }
        #expect(throws: FlinkFormatError.self) { try state(.legacy, offsets: [-1]).decode(element, name: "s") }
        #expect(throws: FlinkFormatError.self) { try state(.legacy, offsets: [1 << 40]).decode(element, name: "s") }
    }
}

@Suite struct FlinkLocationTests {
    @Test(arguments: [
        ("/var/c/chk-1", "/var/c/chk-1"), ("file:/var/c", "/var/c"), ("file:///var/c", "/var/c"), ("file://localhost/var/c", "/var/c"), ("FILE:/a", "/a"),
        ("relative/chk-1", "relative/chk-1"), ("/odd:name", "/odd:name"), ("", ""),
    ]) func localPaths(_ text: String, _ path: String) { #expect(FlinkLocation(text) == .local(path)) }

    @Test(arguments: [
        ("hdfs://nn:8020/c", "it is in hdfs:"), ("s3://bucket/c", "it is in s3:"), ("s3a:/c", "it is in s3a:"), ("file://tm-7/var/c", "it is on the host tm-7"),
    ]) func placesElsewhere(_ text: String, _ reason: String) { #expect(FlinkLocation(text) == .elsewhere(reason: reason)) }

    @Test func namesTellKindAndJob() {
        #expect(FlinkLocation.kind(ofDirectory: "chk-12") == .checkpoint)
        #expect(FlinkLocation.kind(ofDirectory: "savepoint-5f5263-1a3d00f2d0f0") == .savepoint)
        #expect(FlinkLocation.kind(ofDirectory: "chk-") == nil)
        #expect(FlinkLocation.kind(ofDirectory: "chk-x") == nil)
        let job = JobID("00112233445566778899aabbccddeeff")
        #expect(FlinkLocation.job(inPath: "/c/00112233445566778899aabbccddeeff/chk-1") == job)
        #expect(FlinkLocation.job(inPath: "/c/chk-1") == nil)
    }
}
