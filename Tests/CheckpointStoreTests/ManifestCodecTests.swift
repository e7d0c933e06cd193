import CheckpointStore
import Glibc
import StreamModel
import TestKit
import Testing

/// The `_metadata` format: it round-trips, it stays what it is, and nothing but itself is accepted.
@Suite struct ManifestCodecTests {
    private let bytes = ManifestCodec.encode(Samples.incrementalManifest)

    @Test("Encoding and decoding round-trip")
    func roundTrip() throws {
        #expect(try ManifestCodec.decode(bytes, path: "m") == Samples.incrementalManifest)
        #expect(try ManifestCodec.decode(ManifestCodec.encode(Samples.manifest), path: "m") == Samples.manifest)
        let empty = Samples.empty(1)
        #expect(try ManifestCodec.decode(ManifestCodec.encode(empty), path: "m") == empty)
    }

    @Test("State sizes are summed over subtasks and operators")
    func stateSize() {
        #expect(Samples.manifest.stateSize == 36)
        #expect(Samples.manifest.operators.map(\.stateSize) == [30, 6])
        #expect(Samples.manifest.checkpointedSize == 36)
        #expect(Samples.incrementalManifest.stateSize == 28)
        #expect(Samples.incrementalManifest.checkpointedSize == 18, "without the page that checkpoint 40 wrote")
    }

    /// `WEIR_RECORD_GOLDENS=1 swift test --filter goldenBytes` writes the golden anew: a new format version needs one.
    @Test("The bytes equal the golden file")
    func goldenBytes() throws {
        let path = Self.golden("manifest-v2.hex")
        if getenv("WEIR_RECORD_GOLDENS") != nil { Plain.write(path, Array(Self.hexadecimal(bytes).utf8)) }
        #expect(String(decoding: Plain.read(path), as: UTF8.self) == Self.hexadecimal(bytes))
    }

    @Test("A version 1 manifest is still readable")
    func versionOne() throws {
        let text = String(decoding: Plain.read(Self.golden("manifest-v1.hex")), as: UTF8.self)
        let digits = text.filter { $0 != "\n" }.map { UInt8($0.hexDigitValue!) }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
        #expect(bytes[8] == 1)
        #expect(try ManifestCodec.decode(bytes, path: "m") == Samples.manifest)
        for length in 0..<bytes.count {
            #expect(throws: StoreError.self, "prefix of \(length)") { try ManifestCodec.decode(Array(bytes[..<length]), path: "m") }
        }
        // The number of a group had 64 bits: one that does not fit its place in version 2 is refused, not cut.
        for group: UInt64 in [1 << 32, 5 << 32, .max] {
            let old = withUnsafeBytes(of: UInt64(5).littleEndian) { Array($0) } + withUnsafeBytes(of: UInt64(90).littleEndian) { Array($0) }
            let place = try #require(bytes.indices.first { bytes[$0...].starts(with: old) })
            var damaged = bytes
            withUnsafeBytes(of: group.littleEndian) { damaged.replaceSubrange(place..<place + 8, with: $0) }
            #expect(throws: StoreError.self) { try ManifestCodec.decode(Self.sealed(damaged), path: "m") }
        }
    }

    private static func golden(_ name: String) -> String {
        #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Goldens/" + name
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 32).map { start in
            bytes[start..<min(start + 32, bytes.count)].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        }.joined()
    }

    @Test("Every prefix is refused")
    func prefixes() {
        for length in 0..<bytes.count {
            #expect(throws: StoreError.self, "prefix of \(length)") { try ManifestCodec.decode(Array(bytes[..<length]), path: "m") }
        }
        #expect(throws: StoreError.wrongLength(path: "m", expected: UInt64(bytes.count), found: UInt64(bytes.count) + 1)) {
            try ManifestCodec.decode(bytes + [0], path: "m")
        }
    }

    @Test("Every flipped bit is refused")
    func flippedBits() {
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: StoreError.self, "bit \(bit)") { try ManifestCodec.decode(damaged, path: "m") }
        }
    }

    @Test("Changed bytes under a valid checksum give an error or another manifest, never a trap")
    func changedBytes() {
        for seed in UInt64(0)..<4000 {
            var random = SeededGenerator(seed: seed)
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 20..<bytes.count - 4, using: &random)] = [0, 1, 0x7F, 0xFF].randomElement(using: &random)!
            }
            if Bool.random(using: &random) { damaged.removeSubrange(30..<30 + Int.random(in: 1...200, using: &random)) }
            do throws(StoreError) {
                let manifest = try ManifestCodec.decode(Self.sealed(damaged), path: "m")
                #expect(manifest.maxParallelism > 0, "seed \(seed)")
            } catch {
                #expect(error.path == "m", "seed \(seed)")
            }
        }
    }

    /// The same bytes with the length and the checksum set right.
    private static func sealed(_ bytes: [UInt8]) -> [UInt8] {
        var sealed = Array(bytes.dropLast(4))
        withUnsafeBytes(of: UInt64(bytes.count - 24).littleEndian) { sealed.replaceSubrange(12..<20, with: $0) }
        withUnsafeBytes(of: CRC32C.checksum(sealed).littleEndian) { sealed += $0 }
        return sealed
    }

    @Test("Foreign files are recognised")
    func foreign() {
        var newer = bytes
        newer[8] = 3
        #expect(throws: StoreError.unsupportedVersion(path: "m", found: 3, supported: 2)) { try ManifestCodec.decode(newer, path: "m") }
        let flink: [UInt8] = [0x49, 0x60, 0x67, 0x2D, 0, 0, 0, 4, 0, 0]
        #expect(throws: StoreError.foreignFormat(path: "m", looksLike: "a snapshot of Apache Flink")) {
            try ManifestCodec.decode(flink, path: "m")
        }
    }

    @Test(
        "A manifest that contradicts itself is refused although its checksum is right",
        arguments: [
            { $0.maxParallelism = 0 },
            { $0.files[0].name = "../../etc/passwd" },
            { $0.files.append($0.files[0]) },
            { $0.operators.append($0.operators[0]) },
            { $0.operators[0].parallelism = 1 },
            { $0.operators[0].subtasks[0].states[0].location = .file(name: "count-0.state", offset: 180, length: 30) },
            { $0.operators[0].subtasks[0].states[0].location = .file(name: "count-0.state", offset: .max, length: 30) },
            { $0.operators[0].subtasks[0].states[0].location = .file(name: "gone.state", offset: 0, length: 30) },
            { $0.operators[0].subtasks[0].states[0].sections[1].group = 128 },
            { $0.operators[0].subtasks[0].states[0].sections[1].group = 0 },
            { $0.operators[0].subtasks[0].states[0].sections[1].length = .max },
            { $0.operators[0].subtasks[0].states[0].sections[0].offset = 0 },
            { $0.operators[1].subtasks[0].states[0].elements = [1] },
            { $0.operators[1].subtasks[0].states[1].name = "offsets" },
            { $0.committables[0].type = "" },
            { $0.committables[0].uid = "" },
            { $0.committables[0].subtask = -1 },
        ] as [@Sendable (inout CheckpointManifest) -> Void])
    func contradictions(_ spoil: @Sendable (inout CheckpointManifest) -> Void) { refuses(Samples.manifest, spoil) }

    @Test(
        "So is one whose pages or shared files cannot be",
        arguments: [
            { $0.kind = .savepoint },
            { $0.files[0].name = "shared/43-count-0.state" },
            { $0.files[0].name = "shared/040-count-0.state" },
            { $0.files[0].name = "shared/count.state" },
            { $0.files[0].name = "shared/../../40-count.state" },
            { $0.files[0].name = "taskowned/40-count.state" },
            { $0.files.removeLast() },
            { $0.operators[0].subtasks[0].states[0].sections[0].file = 2 },
            { $0.operators[0].subtasks[0].states[0].sections[0].offset = 191 },
            { $0.operators[0].subtasks[0].states[0].sections[2].offset = .max },
            { $0.operators[0].subtasks[0].states[0].sections[2].group = 128 },
            { $0.operators[0].subtasks[0].states[0].sections[0].group = 1 },
            { $0.operators[0].subtasks[0].states[0].kind = .listSplit },
            { $0.operators[0].subtasks[0].states[0].elements = [] },
        ] as [@Sendable (inout CheckpointManifest) -> Void])
    func contradictoryPages(_ spoil: @Sendable (inout CheckpointManifest) -> Void) { refuses(Samples.incrementalManifest, spoil) }

    private func refuses(_ manifest: CheckpointManifest, _ spoil: (inout CheckpointManifest) -> Void) {
        var manifest = manifest
        spoil(&manifest)
        #expect { try ManifestCodec.decode(ManifestCodec.encode(manifest), path: "m") } throws: { error in
            if case .malformed("m", _, _)? = error as? StoreError { true } else { false }
        }
    }
}
