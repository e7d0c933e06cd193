// Goal: frames come out whole and in order however the bytes are split, and memory stays bounded.
// Method: every split of a known stream into two parts, byte-at-a-time feeding, seeded random splits, and limits on both sides.

import ControlProtocol
import TestKit
import Testing

private func frames(_ decoder: inout FrameDecoder) throws -> [String] {
    var found: [String] = []
    while let frame = try decoder.nextFrame() { found.append(String(decoding: frame, as: UTF8.self)) }
    return found
}

@Suite struct FrameDecoderTests {
    private let stream = Array("{\"a\":1}\n\r\n\n[2]\r\n\"drei\u{e4}\"\n".utf8)
    private let expected = ["{\"a\":1}", "[2]", "\"drei\u{e4}\""]

    @Test func everySplitGivesTheSameFrames() throws {
        for cut in 0...stream.count {
            var decoder = FrameDecoder(maximumLength: 64)
            decoder.feed(stream[..<cut])
            var found = try frames(&decoder)
            decoder.feed(stream[cut...])
            found += try frames(&decoder)
            #expect(found == expected, "cut at \(cut)")
            #expect(decoder.pendingCount == 0)
        }
    }

    @Test func everyPrefixGivesItsCompleteFrames() throws {
        for end in 0...stream.count {
            var decoder = FrameDecoder(maximumLength: 64)
            for byte in stream[..<end] { decoder.feed(CollectionOfOne(byte)) }
            let found = try frames(&decoder)
            #expect(found == Array(expected.prefix(found.count)))
            let tail = stream[..<end].split(separator: 10, omittingEmptySubsequences: false).last?.count ?? 0
            #expect(decoder.pendingCount == tail, "prefix of \(end)")
        }
    }

    @Test(arguments: [1, 7, 2024] as [UInt64]) func randomSplits(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let lines = (0..<200).map { index in String(repeating: "x", count: Int(random.next() % 60)) + "\(index)" }
        let bytes = Array(lines.joined(separator: "\n").utf8) + [10]
        var decoder = FrameDecoder(maximumLength: 64)
        var found: [String] = []
        var position = 0
        while position < bytes.count {
            let end = min(bytes.count, position + Int(random.next() % 97))
            decoder.feed(bytes[position..<end])
            found += try frames(&decoder)
            position = end
        }
        #expect(found == lines, "seed \(seed)")
    }

    @Test func theLimitIsExact() throws {
        var decoder = FrameDecoder(maximumLength: 8)
        decoder.feed(Array("12345678\n".utf8))
        #expect(try frames(&decoder) == ["12345678"])
        decoder.feed(Array("123456789\n".utf8))
        #expect(throws: ControlFailure.self) { try frames(&decoder) }
    }

    @Test func anEndlessFrameIsRefusedAtTheLimit() throws {
        var decoder = FrameDecoder(maximumLength: 8)
        decoder.feed(Array("12345678".utf8))
        #expect(try decoder.nextFrame() == nil)
        decoder.feed(Array("9".utf8))
        let failure = #expect(throws: ControlFailure.self) { try decoder.nextFrame() }
        #expect(failure?.kind == .frameTooLong)
        // Spent: what follows is not taken for the start of a frame.
        decoder.feed(Array("\n{}\n".utf8))
        #expect(throws: ControlFailure.self) { try decoder.nextFrame() }
        #expect(decoder.pendingCount == 0)
    }
}
