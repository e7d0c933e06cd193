// Real text for the word count, and what coreutils count in it.

import Glibc
import TestKit

/// Text files in a home: licences and manual pages of this machine, and one file with everything that is odd about text files.
struct TextCorpus {
    let files: [String]
    let lineCount: Int
    /// What coreutils say: a line a word, "word", tab, count, sorted.
    let expected: String

    /// - Parameter pages: how many manual pages to add to the licences.
    init(in home: TestHome, pages: Int) throws {
        let folder = home.folder("text")
        let script = """
            set -eu
            cd "$0"
            for f in /usr/share/common-licenses/*; do [ -L "$f" ] || cp "$f" "licence-${f##*/}"; done
            find /usr/share/man -name '*.[0-9].gz' 2>/dev/null | LC_ALL=C sort | head -n "$1" | while read -r f; do
              b=${f##*/}; zcat "$f" > "page-${b%.gz}" || true
            done
            """
        try Self.shell(home, script, [folder, "\(pages)"])
        home.write("text/odd", Self.odd)
        home.write("text/empty", [])
        files = listDirectory(folder).map { folder + "/" + $0 }
        guard files.count >= 4 else { throw Broken("there is no text to count: /usr/share/common-licenses is empty") }
        lineCount = files.reduce(0) { count, file in count + readFile(file).reduce(0) { $0 + ($1 == 10 ? 1 : 0) } }
        expected = try Self.count(home, files)
    }

    /// Line ends of all kinds, no newline at the end, other alphabets, bytes that are no UTF-8, zeros, a very long line.
    private static let odd: [UInt8] = {
        var bytes = Array("one\r\nTwo\rtwo\n\n  x--Y__z9w\tÄrger straße naïve 言葉\n'don't' it's\n".utf8)
        bytes += [0xff, 0xfe, 0x61, 0x80, 0x62, 0x00, 0x63, 0x0a, 0xc3, 0x28, 0x0a, 0xe2, 0x82, 0x0a, 0x1b, 0x5b, 0x6d, 0x0a]
        for number in 0..<40_000 { bytes += Array((number % 3 == 0 ? "Long" : "liNe\(number)").utf8) + [0x20] }
        return bytes + Array("\nlast".utf8)
    }()

    /// Words are counted file by file: the end of a file ends a word.
    private static func count(_ home: TestHome, _ files: [String]) throws -> String {
        let script = """
            export LC_ALL=C
            for f in "$@"; do tr -cs 'A-Za-z' '\\n' < "$f"; echo; done | tr 'A-Z' 'a-z' | grep -v '^$' | sort | uniq -c |
              awk '{ print $2 "\\t" $1 }' | sort
            """
        return try shell(home, script, ["sh"] + files)
    }

    @discardableResult
    private static func shell(_ home: TestHome, _ script: String, _ arguments: [String]) throws -> String {
        let child = ChildProcess("/bin/sh", ["-c", script] + arguments, environment: home.environment())
        guard try child.finish() == .exited(0) else { throw Broken(child.transcript) }
        return child.output
    }

    /// What a word count has written: its parts together, sorted as the expectation is.
    static func written(to directory: String) -> String {
        let parts = listDirectory(directory).filter { $0.hasPrefix("part-") }
        let lines = parts.flatMap { readFile(directory + "/" + $0).split(separator: 10) }
        return lines.sorted { $0.lexicographicallyPrecedes($1) }.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
    }

    /// What is wrong with an output; nil = it is exact.
    func difference(from directory: String) -> String? {
        let written = Self.written(to: directory)
        guard written != expected else { return nil }
        let have = Set(written.split(separator: "\n")), want = Set(expected.split(separator: "\n"))
        let missing = want.subtracting(have).sorted().prefix(5), extra = have.subtracting(want).sorted().prefix(5)
        let repeated = written.split(separator: "\n").count - have.count
        return "\(directory) is not exact: \(want.subtracting(have).count) lines missing \(missing), \(have.subtracting(want).count) too many \(extra), "
            + "\(repeated) repeated; it holds \(listDirectory(directory))"
    }
}

extension SeededGenerator {
    /// `WEIR_SEED`, else a fresh one.
    static func chosenSeed() -> UInt64 { Binaries.variable("WEIR_SEED").flatMap { UInt64($0) } ?? .random(in: 1...999_999_999) }
}
