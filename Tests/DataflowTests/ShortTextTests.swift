import Testing

@testable import Dataflow

@Suite struct ShortTextTests {
    @Test func textsOfEveryLengthRoundTrip() throws {
        for length in 0...31 {
            let text = String(repeating: "x", count: max(0, length - 2)) + (length >= 2 ? "é" : String(repeating: "y", count: length))
            let short = try #require(ShortText(text))
            #expect(short.count == length)
            #expect(short.description == text)
            var writer = StateWriter()
            defer { writer.release() }
            short.encode(into: &writer)
            var reader = StateReader(writer.bytes)
            #expect(try ShortText(from: &reader) == short)
            #expect(reader.isAtEnd)
        }
    }

    @Test func aLongerTextIsRefused() {
        #expect(ShortText(String(repeating: "x", count: 32)) == nil)
        #expect(ShortText(String(repeating: "é", count: 16)) == nil)
    }

    @Test func lengthAndEveryByteDecideEqualityHashAndOrder() throws {
        let zero = try #require(ShortText("a")), longer = try #require(ShortText("a\0"))
        #expect(zero != longer)
        #expect(zero.stableHash != longer.stableHash)
        #expect(zero < longer)
        let texts = try ["", "a", "b", "ab", "abcdefgh", "abcdefgi", "abcdefghabcdefghabcdefghabcdefg", "abcdefghabcdefghabcdefghabcdefh", "é", "z"]
            .map { try #require(ShortText($0)) }
        for (left, leftText) in zip(texts, texts.map(\.description)) {
            for (right, rightText) in zip(texts, texts.map(\.description)) {
                #expect((left == right) == (leftText == rightText))
                #expect((left < right) == (Array(leftText.utf8).lexicographicallyPrecedes(Array(rightText.utf8))))
            }
        }
        #expect(Set(texts.map(\.stableHash)).count == texts.count)
    }

    /// The hash decides where keys live in every checkpoint that was ever written.
    @Test func theHashNeverChanges() throws {
        #expect(try #require(ShortText("customer-000000123456")).stableHash == 0x9fa6_7c1b_2f92_2a80)
    }

    @Test func damagedBytesAreErrors() {
        for bytes in [[], [5], [5, 1, 2], [32] + [UInt8](repeating: 1, count: 32), [255] + [UInt8](repeating: 1, count: 255)] as [[UInt8]] {
            #expect(throws: StateDecodingError.self) {
                let result: Result<ShortText, StateDecodingError> = bytes.withUnsafeBytes { buffer in
                    var reader = StateReader(buffer)
                    do throws(StateDecodingError) { return .success(try ShortText(from: &reader)) } catch { return .failure(error) }
                }
                _ = try result.get()
            }
        }
    }

    /// Keys that differ in few bits must not share places.
    @Test func hashesSpreadOverGroupsAndSlots() throws {
        var groups = [Int](repeating: 0, count: 128), slots = [Int](repeating: 0, count: 1024)
        for number in 0..<131_072 {
            let hash = try #require(ShortText("customer-\(number)")).stableHash
            groups[KeyGroups.group(ofHash: hash, maxParallelism: 128)] += 1
            slots[Int(hash & 1023)] += 1
        }
        #expect(groups.allSatisfy { (850...1200).contains($0) })
        #expect(slots.allSatisfy { (70...190).contains($0) })
    }
}
