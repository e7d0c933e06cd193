import FoundationEssentials
import Glibc
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: every line of every file once, from wherever a checkpoint stood. Method: the reader alone, without a job, against lines written
// down by hand; and against a splitter of three lines for random bytes.

@Suite struct TextFileSourceTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(filePath: place(name)))
        return place(name)
    }

    private func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    /// Reads to the end, or `steps` batches.
    private func lines(_ reader: inout TextFileSource.Reader, steps: Int = .max) throws -> [String] {
        var lines: [String] = []
        let out = Emitter<String> { base, count in lines += UnsafeBufferPointer(start: base, count: count) }
        defer { out.release() }
        for _ in 0..<steps {
            let status = try reader.read(into: out, at: EngineInstant(nanoseconds: 0))
            out.flush()
            if case .ended = status { break }
        }
        return lines
    }

    private func lines(_ paths: [String]) throws -> [String] {
        var reader = try TextFileSource(paths: paths).makeReader(subtask: 0, parallelism: 1)
        return try lines(&reader)
    }

    @Test(
        arguments: [
            ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]), ("a\n\nb\n", ["a", "", "b"]),
            ("\r\n", [""]), ("a\rb\n", ["a\rb"]), ("a\r", ["a\r"]), ("é\u{1F600}\n", ["é\u{1F600}"]),
        ] as [(String, [String])])
    func splitsAtLineEnds(text: String, expected: [String]) throws {
        #expect(try lines([write("in", text)]) == expected)
    }

    @Test func bytesThatAreNotUTF8BecomeReplacementCharacters() throws {
        #expect(try lines([write("in", [0x61, 0xFF, 0x62, 0x0A, 0xC3, 0x0A])]) == ["a\u{FFFD}b", "\u{FFFD}"])
    }

    @Test func readsSeveralFilesInOrder() throws {
        let paths = [try write("1", "a\nb"), try write("2", ""), try write("3", "c\n")]
        #expect(try lines(paths) == ["a", "b", "c"])
    }

    @Test func aLineLongerThanTheBufferIsWhole() throws {
        let long = String(repeating: "x", count: 700_000)
        #expect(try lines([write("in", "a\n\(long)\nb")]) == ["a", long, "b"])
    }

    @Test func aLineThatExceedsTheMemoryLimitIsAnError() throws {
        let path = place("in")
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        ftruncate(descriptor, 70 << 20)
        close(descriptor)
        #expect { try lines([path]) } throws: { String(describing: $0).contains("has a line of more than 67108864 bytes at offset 0") }
    }

    @Test(arguments: [1, 7, 2026])
    func everyCheckpointContinuesWithTheNextLine(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<200_000).map { _ in [UInt8](" ab\n\r".utf8)[Int.random(in: 0..<5, using: &random)] }
        let path = try write("in", bytes)
        var expected = bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated().map { _, line in
            String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }
        if bytes.last == 10 { expected.removeLast() } else if bytes.last == 13 { expected[expected.count - 1] += "\r" }
        var found: [String] = []
        var reader = try TextFileSource(paths: [path]).makeReader(subtask: 0, parallelism: 1)
        while true {
            let more = try lines(&reader, steps: Int.random(in: 1...9, using: &random))
            if more.isEmpty { break }
            found += more
            let splits = reader.splits()
            reader = try TextFileSource(paths: [path]).makeReader(subtask: 0, parallelism: 1)
            try reader.restore(splits)
            #expect(reader.position == UInt64(found.count))
        }
        #expect(found == expected, "seed \(seed): \(found.count) lines of \(expected.count)")
        #expect(reader.progress == InputProgress(read: UInt64(bytes.count), total: UInt64(bytes.count)))
    }

    @Test func subtasksShareTheFilesAndARescaleRedistributesThem() throws {
        let paths = try (0..<5).map { try write("\($0)", "file \($0)\n") }
        let source = TextFileSource(paths: paths)
        var all: [String] = []
        for subtask in 0..<3 {
            var reader = try source.makeReader(subtask: subtask, parallelism: 3)
            all += try lines(&reader)
        }
        #expect(all.sorted() == (0..<5).map { "file \($0)" })
    }

    @Test func unreadableFilesAreNamed() throws {
        func problem(_ path: String) -> String {
            do {
                _ = try lines([path])
                return "none"
            } catch { return String(describing: error) }
        }
        #expect(problem(place("nowhere")).contains("cannot read input file \(place("nowhere")): No such file or directory"))
        #expect(problem(place.path).contains("\(place.path) is not a regular file but a directory"))
        // Nobody writes to the pipe: opening it must not wait for ever.
        #expect(mkfifo(place("pipe"), 0o600) == 0)
        #expect(problem(place("pipe")).contains("\(place("pipe")) is not a regular file but a named pipe"))
        // Without an end.
        #expect(problem("/dev/zero").contains("/dev/zero is not a regular file but a character device"))
        #expect(problem("/dev/log-of-nobody").contains("No such file"))
    }

    @Test func aFileThatShrankSinceTheCheckpointIsAnError() throws {
        let path = try write("in", "one\ntwo\nthree\n")
        var reader = try TextFileSource(paths: [path]).makeReader(subtask: 0, parallelism: 1)
        _ = try lines(&reader)
        let splits = reader.splits()
        _ = try write("in", "one\n")
        var restored = try TextFileSource(paths: [path]).makeReader(subtask: 0, parallelism: 1)
        try restored.restore(splits)
        #expect { try lines(&restored) } throws: { String(describing: $0).contains("has 4 bytes, fewer than the 14 that the checkpoint had read") }
    }

    @Test func aDamagedSplitIsAnError() throws {
        var split = FileSplit(path: "/a", offset: 1, lines: 2, records: 1, skipped: 1)
        split.isFinished = true
        let good = split.encoded
        #expect(try FileSplit(encoded: good) == split)
        // What the first version wrote ended behind the lines.
        let old = 4 + 2 + 16
        #expect(try FileSplit(encoded: Array(good.prefix(old))) == FileSplit(path: "/a", offset: 1, lines: 2))
        for length in 0..<good.count where length != old {
            #expect(throws: StateDecodingError.self) { try FileSplit(encoded: Array(good.prefix(length))) }
        }
        #expect(throws: StateDecodingError.self) { try FileSplit(encoded: good + [0]) }
    }
}
