import CheckpointStore
import FoundationEssentials
import Glibc
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: every record of every file once, from wherever a checkpoint stood, at whatever parallelism; and files that are not what they should be
// end in one clear error. Method: readers alone for places and errors, whole jobs for directories.

/// Gzip data, made by hand.
private enum Gzip {
    /// One member whose data is not compressed.
    static func stored(_ bytes: [UInt8]) -> [UInt8] {
        var member: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
        let blocks = stride(from: 0, to: max(bytes.count, 1), by: 65535).map { Array(bytes[$0..<min($0 + 65535, bytes.count)]) }
        for (index, block) in blocks.enumerated() {
            let count = UInt16(block.count)
            member += [index == blocks.count - 1 ? 1 : 0, UInt8(count & 0xFF), UInt8(count >> 8), UInt8(~count & 0xFF), UInt8(~count >> 8)] + block
        }
        return member + little(crc32(bytes)) + little(UInt32(bytes.count))
    }

    private static func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
        }
    }

    /// The output of gzip for `compressedText`.
    static let compressed = [UInt8](
        Data(
            base64Encoded: "H4sIAAAAAAAC/43dy40ttxmF0bmj6BAOyf8ZjmBcwQLakuArwOnbjsBrXqPe0ONbp4r8/u33H1+frz9+/frl69ffvn98/fWPX/76+vsf//zzXz9+/vzx8+vf"
                + "P76///b9v6cOPXXpqUdPBT2V9FTRU01PDT219lfFP7799Y/9+Y/9/Y8NcGyBYxMc2+DYCMdWuLbCxX8GbIVrK1xb4doK11a4tsK1Fa6t8GyFZys8/FeRrfBs"
                + "hWcrPFvh2QrPVni2QtgKYSuErRD4XwRbIWyFsBXCVghbIWyFtBXSVkhbIW2FxP8w2wppK6StkLZC2gplK5StULZC2QplKxT+/5GtULZC2QplK7St0LZC2wpt"
                + "K7St0LZC4/+m2gptK7StMLbC2ApjK4ytMLbC2ApjKwzWgq0wtsLaCmsrrK2wtsLaCmsrrK2wtsJitGm1YbZ9sNs+GG4fLLcPptsH2+2D8fbBevtgvn1wD85o"
                + "3ENDWktaU1pbWmNaa1pzGnv6YFCfq66Be2BTH4zqg1V9MKsPdvXBsD5Y1gfT+mBbn6fQhHtgXh/s64OBfbCwDyb2wcY+GNkHK/tgZp9Q+cM9sLQPpvbB1j4Y"
                + "2wdr+2BuH+ztg8F9sLhPKsXiHhjdB6v7YHYf7O6D4X2wvA+m98H2Phjfp9TGcQ/s74MBfrDADyb4wQY/GOEHK/xghh/s8NP6YwXugSl+sMUPxvjBGj+Y4wd7"
                + "/GCQHyzyg0l+Rn89wj2wyg9m+cEuPxjmB8v8YJofbPODcX6wzs/qz3n6ex7+oId9frHPL/b5xT6/2OcX+/xin1/s84t9fo/+wIp7YJ9f7POLfX6xzy/2+cU+"
                + "v9jnV3/v1h+8+Rdv3EN/89YfvfVXb/3ZW3/31h++sc8v9vnFPr9PX0HAPbDPL/b5xT6/2OcX+/xin1/s84t9frHPb+g7IbgH9vnFPr/Y5xf7/GKfX+zzi31+"
                + "sc8v9vlNfUkH98A+v9jnF/v8Yp9f7POLfX6xzy/2+cU+v6VvTeEe2OcX+/xin1/s84t9frHPL/b5xT6/2Oe39TU23AP7/GKfX+zzi31+sc8v9vnFPr/Y5xf7"
                + "/I6+V4h7YJ9f7POLfX6xzy/2+cU+v9jnF/v8Yp/f1Rc99U1PfNUT+/xhnz/s84d9/rDPH/b5wz5/2OcP+/wdffUW98A+f9jnD/v8YZ8/7POHff6wzx/2+cM+"
                + "f1ffhcY9sM8f9vnDPn/Y5w/7/GGfP30zXV9N13fT+eV03ENfT9f30/UFdX1DXV9Rxz5/2OcP+/xhn7/QrwVwD+zzh33+sM8f9vnDPn/Y5w/7/GGfP+zzl/r5"
                + "Bu6Bff6wzx/2+cM+f9jnD/v8YZ8/7POHff5Kv6fBPbDPH/b5wz5/2OcP+/xhnz/s84d9/rDPX+sHTrgH9vnDPn/Y5w/7/GGfP+zzh33+sM8f9vkb/eIM98A+"
                + "f9jnD/v8YZ8/7POHff6wzx/2+cM+f6ufAOo3gPgRIPZ5YJ8H9nlgnwf2eWCfB/Z5YJ8H9nkc/SgT98A+D+zzwD4P7PPAPg/s88A+D+zzwD6Pq1/J4h7Y54F9"
                + "HtjngX0e2OeBfR7Y54F9Htjn8fSzZdwD+zywzwP7PLDPA/s89Bty/YhcvyLXz8j5O3LcQ78k10/J9Vty/Zgc+zywzwP7PLDPA/s8Uj/sxz2wzwP7PLDPA/s8"
                + "sM8D+zywzwP7PLDPo/SkBdwD+zywzwP7PLDPA/s8sM8D+zywzwP7PFqPvsA9sM8D+zywzwP7PLDPA/s8sM8D+zywz2P0LBLcA/s8sM8D+zywzwP7PLDPA/s8"
                + "sM8D+zxWD4fR02HweBjs88Q+T+zzxD5P7PPEPk/s88Q+T+zzPHpcD+6BfZ7Y54l9ntjniX2e2OeJfZ7Y54l9nlfPT8I9sM8T+zyxzxP7PLHPE/s8sc8T+zyx"
                + "z/PpgVa4B/Z5Yp8n9nlinyf2eWKfJ/Z5Yp8n9nmGnjCGe2CfJ/Z5Yp8n9nnqaW963Jue96YHvumJb3zkG+6hh77pqW967Bv2eWKfJ/Z5Yp8n9nlin2fpGXy4"
                + "B/Z5Yp8n9nlinyf2eWKfJ/Z5Yp8n9nm2HoqIe2CfJ/Z5Yp8n9nlinyf2eWKfJ/Z5Yp/n6CmVuAf2eWKfJ/Z5Yp8n9nlinyf2eWKfJ/Z5rh4bqueG4sGh2OeF"
                + "fV7Y54V9XtjnhX1e2OeFfV7Y53X0IFfcA/u8sM8L+7ywzwv7vLDPC/u8sM8L+7yunqyLe2CfF/Z5YZ8X9nlhnxf2eWGfF/Z5YZ/X06OOcQ/s88I+L+zzwj4v"
                + "7PPCPi/s88I+L+zzCj17GvfAPi/s88I+L+zzwj4v7PPCPi/s88I+r9TDwHEP7PPCPi/s89Jz2fVgdj2ZXY9m17PZ9XB2Pp0d99Dz2fWAduzzwj4v7PPCPi/s"
                + "88I+L+zzaj0uH/fAPi/s88I+L+zzwj4v7PPCPi/s88I+r9H7C3AP7PPCPi/s88I+L+zzwj4v7PPCPi/s81q9UEJvlMArJbDPG/u8sc8b+7yxzxv7vLHPG/u8"
                + "sc/76BUfuAf2eWOfN/Z5Y5839nljnzf2eWOfN/Z5X71zBffAPm/s88Y+b+zzxj5v7PPGPm/s88Y+76eX4OAe2OeNfd7Y54193tjnjX3e2OeNfd7Y5x16KxHu"
                + "gX3e2OeNfd7Y54193tjnjX3e2OeNfd6p10ThHtjnjX3e2OeNfd7Y54193tjnjX3e2Oddem8X7oF93tjnrTeo6RVqeoeaXqKmt6jpNWp6jxpfpIZ76FVq2OeN"
                + "fd7Y54193tjnjX3e2OeNfd6jN9vhHtjnjX3e2OeNfd7Y54193tjnjX3e2Oe9etWg3jWIlw1inw/2+WCfD/b5YJ8P9vlgnw/2+WCfz9HLH3EP7PPBPh/s88E+"
                + "H+zzwT4f7PPBPh/s87l6GyfugX0+2OeDfT7Y54N9Ptjng30+2OeDfT5Pr0fFPbDPB/t8sM8H+3ywzwf7fLDPB/t8sM8n9L5a3AP7fLDPB/t8sM8H+3ywzwf7"
                + "fLDPB/t8Ui8Qxj2wzwf7fLDPB/t8sM8H+3ywzwf7fLDPp/RGZ9wD+3ywzwf7fLDPB/t8sM8H+3ywzwf7fFqv2MY9sM9H7zrXy871tnO97lzvO9cLz/XGc73y"
                + "nO88xz2wzwf7fLDPB/t8sM8H+3ywzwf7fLDPZ/USer2FHq+hxz5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s"
                + "88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s"
                + "88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s88U+X+zzxT5f7PPFPl/s"
                + "88U+X+zzxT5f7PPFPj8fDPT/Pnj0wasPPn0w9MHUB0sfbH1w9EFd5ugyR5c5uszRZY4uc3SZo8scXeboMkeXubrM1WWuLnN1mavLXF3m6jJXl7m6zNVlni7z"
                + "dJmnyzxd5ukyT5d5uszTZZ4u83SZ0GVClwldJnSZ0GVClwldJnSZ0GVCl0ldJnWZ1GVSl0ldJnWZ1GVSl0ldJnWZ0mVKlyldpnSZ0mVKlyldpnSZ0mVKl2ld"
                + "pnWZ1mVal2ldpnWZ1mVal2ldpnWZ0WVGlxldZnSZ0WVGlxldZnSZ0WVGl1ldZnWZ1WVWl1ldZnWZ1WVWl1ldRg3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEc"
                + "NYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDU"
                + "AI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFED"
                + "OGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAI4awFEDOGoARw3gqAEcNYCjBnDUAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3g"
                + "qgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCr"
                + "BnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4a"
                + "wFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqgFcNYCrBnDVAK4awFUDuGoAVw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoA"
                + "Tw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8"
                + "NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDU"
                + "AJ4awFMDeGoATw3gqQE8NYCnBvDUAJ4awFMDeGoATw3gqQE8NYCnBvDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEIN"
                + "INQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEIN"
                + "INQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEININQAQg0g1ABCDSDUAEIN"
                + "INQAQg0g1ABCDSDUAEININQAQg0g1ABSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFIN"
                + "INUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFIN"
                + "INUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFININUAUg0g1QBSDSDVAFIN"
                + "INUASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoN"
                + "oNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoN"
                + "oNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAEoNoNQASg2g1ABKDaDUAFoNoNUAWg2g1QBaDaDVAFoN"
                + "oNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoN"
                + "oNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoN"
                + "oNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBaDaDVAFoNoNUAWg2g1QBGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYN"
                + "YNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYN"
                + "YNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYN"
                + "YNQARg1g1ABGDWDUAEYNYNQARg1g1ABGDWDUAEYNYNQAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYN"
                + "YNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYN"
                + "YNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYNYNUAVg1g1QBWDWDVAFYN"
                + "YNUAVg1g1QBWDWD/vwH8B5du+xb6OwEA")!)
    static let compressedLines = (0..<2000).map { "line \($0) of a file that compresses well" }
}

@Suite struct FileSourceTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(filePath: place(name)))
        return place(name)
    }

    private func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

    private func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: place(name), withIntermediateDirectories: true)
        return place(name)
    }

    /// Reads until the end, until it waits, or for `steps` steps.
    private func read<Format: RecordFormat>(
        _ reader: inout FileSource<Format>.Reader, steps: Int = .max, at now: EngineInstant = EngineInstant(nanoseconds: 0)
    ) throws -> [Format.Record] {
        var records: [Format.Record] = []
        let out = Emitter<Format.Record> { base, count in records += UnsafeBufferPointer(start: base, count: count) }
        defer { out.release() }
        for _ in 0..<steps {
            let status = try reader.read(into: out, at: now)
            out.flush()
            guard case .more = status else { break }
        }
        return records
    }

    private func begin<Format: RecordFormat>(
        _ source: FileSource<Format>, subtask: Int = 0, of parallelism: Int = 1, from splits: [[UInt8]]? = nil
    ) throws -> FileSource<Format>.Reader {
        var reader = try source.makeReader(subtask: subtask, parallelism: parallelism)
        if let splits { try reader.restore(splits) }
        try reader.start(at: EngineInstant(nanoseconds: 0))
        return reader
    }

    private func all<Format: RecordFormat>(_ source: FileSource<Format>) throws -> [Format.Record] {
        var reader = try begin(source)
        return try read(&reader)
    }

    private func problem(_ body: () throws -> some Any) -> String {
        do { return "none: \(try body())" } catch { return String(describing: error) }
    }

    // MARK: Gzip

    @Test func decompressesByNameAndByFirstBytes() throws {
        for name in ["a.gz", "a"] { #expect(try all(TextFileSource(paths: [write(name, Gzip.compressed)])) == Gzip.compressedLines) }
        #expect(try all(TextFileSource(paths: [write("s.gz", Gzip.stored(Array("a\nb".utf8)))])) == ["a", "b"])
        #expect(try all(TextFileSource(paths: [write("e.gz", Gzip.stored([]))])) == [])
    }

    @Test func readsSeveralMembersAndTrailingZeros() throws {
        let bytes = Gzip.stored(Array("one\ntw".utf8)) + Gzip.stored([]) + Gzip.stored(Array("o\n".utf8)) + Gzip.compressed + [UInt8](repeating: 0, count: 700)
        #expect(try all(TextFileSource(paths: [write("m.gz", bytes)])) == ["one", "two"] + Gzip.compressedLines)
    }

    @Test func aCompressedFileResumesAtEveryOffset() throws {
        let path = try write("big.gz", (0..<5).flatMap { _ in Gzip.compressed } + Gzip.stored(Array("last".utf8)))
        let source = TextFileSource(paths: [path])
        let expected = (0..<5).flatMap { _ in Gzip.compressedLines } + ["last"]
        var found: [String] = []
        var reader = try begin(source)
        while true {
            let more = try read(&reader, steps: 3)
            if more.isEmpty { break }
            found += more
            reader = try begin(source, from: reader.splits())
            #expect(reader.position == UInt64(found.count))
        }
        #expect(found == expected)
        let size = UInt64(try Data(contentsOf: URL(filePath: path)).count)
        #expect(reader.progress == InputProgress(read: size, total: size))
        var ended = try begin(source, from: reader.splits())
        #expect(try read(&ended) == [])
    }

    @Test func everyTruncationOfACompressedFileIsAnError() throws {
        let whole = Gzip.stored(Array("abc\n".utf8))
        for length in 0..<whole.count {
            let path = try write("cut.gz", Array(whole.prefix(length)))
            let problem = problem { try all(TextFileSource(paths: [path])) }
            #expect(problem.contains("\(path) is cut off: its compressed data ends at byte \(length), in the middle"), "\(length): \(problem)")
        }
    }

    @Test func everyDamagedByteOfACompressedFileIsDetectedOrHarmless() throws {
        let harmless: Set = [4, 5, 6, 7, 8, 9]  // Time, flags and system of the header say nothing about the data.
        for index in Gzip.compressed.indices where index < 40 || index % 37 == 0 || index >= Gzip.compressed.count - 8 {
            var damaged = Gzip.compressed
            damaged[index] ^= 0x40
            let path = try write("bad.gz", damaged)
            let problem = problem { try all(TextFileSource(paths: [path])) == Gzip.compressedLines }
            if harmless.contains(index) {
                #expect(problem == "none: true", "byte \(index): \(problem)")
            } else {
                #expect(problem.contains("input file \(path) ") && (problem.contains(" at byte ")), "byte \(index): \(problem)")
            }
        }
        #expect(
            problem { try all(TextFileSource(paths: [write("x.gz", "plain text")])) }.contains(
                "cannot be decompressed at byte 0 (byte 0 uncompressed): it is not gzip data"))
        #expect(problem { try all(TextFileSource(paths: [write("y.gz", Gzip.stored([97]) + [1])])) }.contains("data that is not gzip follows its end"))
        #expect(problem { try all(TextFileSource(paths: [write("z.gz", Gzip.stored([97]) + [0, 1])])) }.contains("follows the zeros at its end"))
    }

    @Test func aShrunkenCompressedFileIsAnError() throws {
        let path = try write("s.gz", Gzip.stored(Array("one\ntwo\nthree\n".utf8)))
        var reader = try begin(TextFileSource(paths: [path], rate: 2))
        _ = try read(&reader, steps: 2, at: EngineInstant(nanoseconds: 0))
        #expect(try read(&reader, steps: 1, at: EngineInstant(nanoseconds: 1_000_000_000)) == ["one", "two"])
        _ = try write("s.gz", Gzip.stored(Array("one\n".utf8)))
        let splits = reader.splits()
        let problem = problem {
            var restored = try begin(TextFileSource(paths: [path]), from: splits)
            return try read(&restored)
        }
        #expect(problem.contains("has 4 bytes of uncompressed data, fewer than the 8 that the checkpoint had read"), "\(problem)")
    }

    // MARK: CSV and JSON

    private static let numbers = CSVFormat { header in
        let number = try header.column("n", Int.self), text = try header.column("text", String.self)
        return { row in "\(try row[number]) \(try row[text])" }
    }

    @Test func aCSVFileResumesAtEveryOffset() throws {
        var random = SeededGenerator(seed: 11)
        var expected: [String] = [], text = "n,text\r\n"
        for number in 0..<4000 {
            let value = ["plain", "with,comma", "two\nlines", "quote\"d"][Int.random(in: 0..<4, using: &random)]
            expected.append("\(number) \(value)")
            text += "\(number),\"\(value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\"\r\n"
        }
        for bytes in [Array(text.utf8), Gzip.stored(Array(text.utf8))] {
            let source = FileSource(.files([try write("in.csv", bytes)]), format: Self.numbers)
            var found: [String] = []
            var reader = try begin(source)
            while true {
                let more = try read(&reader, steps: Int.random(in: 1...3, using: &random))
                if more.isEmpty { break }
                found += more
                reader = try begin(source, from: reader.splits())
                #expect(reader.position == UInt64(found.count))
            }
            #expect(found == expected)
        }
    }

    @Test func aBadRecordFailsTheJobOrIsSkippedAndCounted() throws {
        let path = try write("bad.csv", "n,text\n1,a\nx,b\n3,c\n4\n5,e\n")
        #expect(
            problem { try all(FileSource(.files([path]), format: Self.numbers)) }
                == "input file \(path), line 3, column 1 (n): is \"x\", expected a whole number of \(Int.min) to \(Int.max)")
        let log = BadRecordLog(limit: 1)
        let source = FileSource(.files([path]), format: Self.numbers, badRecords: .skip(log))
        var reader = try begin(source)
        #expect(try read(&reader) == ["1 a", "3 c", "5 e"])
        #expect(log.count == 2 && log.first.count == 1 && log.first[0].contains("line 3, column 1 (n)"))
        #expect(reader.position == 3 && reader.skipped == 2)
        // The count is a part of the checkpoint.
        let restored = try begin(source, from: reader.splits())
        #expect(restored.skipped == 2 && log.count == 2)
        #expect(
            problem { try all(FileSource(.files([write("h.csv", "n,other\n1,a\n")]), format: Self.numbers)) }.contains("its header: has no column \"text\""))
    }

    @Test func aJSONLineNamesFileLineAndField() throws {
        struct Point: Decodable, Sendable { var x: Int }
        let path = try write("in.jsonl", "{\"x\":1}\n{\"y\":2}\n")
        let problem = problem { try all(FileSource(.files([path]), format: JSONLinesFormat<Point>())) }
        #expect(problem == "input file \(path), line 2, field x: is missing")
    }

    @Test func aFileTruncatedDuringAReadIsAnError() throws {
        let path = try write("in", String(repeating: "line\n", count: 100_000))
        var reader = try begin(TextFileSource(paths: [path]))
        _ = try read(&reader, steps: 2)
        #expect(truncate(path, 1000) == 0)
        let problem = problem { try read(&reader) }
        #expect(problem.contains("has 1000 bytes, fewer than the") && problem.contains("it was cut while it was read"), "\(problem)")
    }

    // MARK: Directories

    @Test func takesCompleteFilesOfADirectoryInOrder() throws {
        let folder = try makeFolder("in")
        for name in ["b", "a", ".hidden", "c.tmp", "_temporary", "d.part", "e~", "f.gz"] {
            _ = try write("in/\(name)", name == "f.gz" ? Gzip.stored(Array("gz".utf8)) : Array("\(name)\n".utf8))
        }
        _ = try makeFolder("in/sub")
        #expect(try all(TextFileSource.lines(.paths([folder]))) == ["a", "b", "gz"])
        let file = try write("single", "s\n")
        #expect(try all(TextFileSource.lines(.paths([file, folder]))) == ["s", "a", "b", "gz"])
        #expect(try all(FileSource(.paths([folder]), format: LineFormat(), includes: { $0 == ".hidden" })) == [".hidden"])
        #expect(problem { try all(TextFileSource.lines(.paths([place("nowhere")]))) }.contains("cannot list input directory \(place("nowhere")): No such file"))
        #expect(problem { try all(TextFileSource.lines(.directory(file, every: 10))) }.contains("is not a directory"))
    }

    @Test func discoversLaterFiles() throws {
        let folder = try makeFolder("in")
        let source = TextFileSource.lines(.directory(folder, every: 100))
        var reader = try begin(source)
        #expect(try read(&reader) == [])
        _ = try write("in/2", "second\n")
        #expect(try read(&reader, at: EngineInstant(nanoseconds: 99_000_000)) == [], "not looked at yet")
        #expect(try read(&reader, at: EngineInstant(nanoseconds: 100_000_000)) == ["second"])
        _ = try write("in/1", "first\n")
        reader = try begin(source, from: reader.splits())
        #expect(try read(&reader) == ["first"], "found at the start; what was read stays read")
        // Read files may be taken away; they stay known.
        #expect(unlink(folder + "/2") == 0)
        reader = try begin(source, from: reader.splits())
        _ = try write("in/2", "again\n")
        #expect(try read(&reader, at: EngineInstant(nanoseconds: 1_000_000_000)) == [])
        #expect(reader.progress == nil && reader.position == 2)
    }

    @Test func aFileThatDisappearedBeforeAReadIsAnError() throws {
        let folder = try makeFolder("in")
        _ = try write("in/1", "first\n")
        let reader = try begin(TextFileSource.lines(.directory(folder, every: 100)))
        let splits = reader.splits()
        #expect(unlink(folder + "/1") == 0)
        var restored = try begin(TextFileSource.lines(.directory(folder, every: 100)), from: splits)
        #expect(problem { try read(&restored) }.contains("cannot read input file \(folder)/1: No such file"))
    }

    // Any chain of parallelisms, files that come in between: every line once.
    @Test(arguments: [UInt64(1), 2, 3])
    func aRescaleReadsNoFileTwiceAndLosesNone(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try makeFolder("in")
        let source = TextFileSource.lines(.directory(folder, every: 1))
        var written: [String] = [], found: [String] = [], splits: [[UInt8]]?
        for round in 0..<8 {
            for file in 0..<Int.random(in: 0...5, using: &random) {
                let lines = (0..<Int.random(in: 0...1500, using: &random)).map { "\(round)-\(file)-\($0)" }
                written += lines
                _ = try write("in/\(round)-\(file)", lines.map { $0 + "\n" }.joined())
            }
            let parallelism = Int.random(in: 1...5, using: &random)
            var next: [[UInt8]] = []
            for subtask in 0..<parallelism {
                var reader = try begin(source, subtask: subtask, of: parallelism, from: splits)
                found += try read(&reader, steps: round == 7 ? .max : Int.random(in: 0...4, using: &random))
                next += reader.splits()
            }
            splits = next
        }
        #expect(found.sorted() == written.sorted(), "seed \(seed)")
    }

    private struct DirectoryJob: StreamJob {
        var name = "directory"
        var place: Sandbox
        var parallelism: Int?

        func build(_ environment: StreamEnvironment) throws {
            environment.checkpoints.interval = 20
            environment.checkpoints.storageDirectory = place("checkpoints")
            environment.checkpoints.retention = .retainOnCancellation
            environment.checkpoints.tolerableFailures = 1000
            environment.restartStrategy = .fixedDelay(attempts: 20, delay: 10)
            environment.allowsFaults = true
            environment.read(TextFileSource.lines(.directory(place("in"), every: 10), rate: 20_000), name: "lines").uid("lines")
                .write(to: .lines(directory: place("out")) { $0 }).uid("sink")
        }

        func launch(_ parallelism: Int, from restore: String? = nil, lineage: JobID? = nil) -> JobLaunch {
            var launch = JobLaunch(
                id: .random, lineage: lineage, job: self, parallelism: parallelism, storageRoot: place("checkpoints"), submittedAt: WallTime(milliseconds: 0))
            launch.restore = restore.map { RestoreRequest(path: $0) }
            return launch
        }
    }

    @Test func aDirectoryJobIsExactAcrossCrashesAndRescales() throws {
        _ = try makeFolder("in")
        let job = DirectoryJob(place: place)
        var expected: [String] = []
        func add(_ name: String) throws {
            let lines = (0..<2000).map { "\(name)-\($0)" }
            expected += lines
            // As a good neighbour does: under another name first.
            let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
            _ = try write("in/\(name).tmp", name == "b" ? Gzip.stored(bytes) : bytes)
            #expect(rename(place("in/\(name).tmp"), place("in/\(name)")) == 0)
        }
        func written() -> Int { (try? place.lines("out").count) ?? 0 }
        try add("a")
        let first = try JobProbe(job.launch(2))
        try first.wait("checkpoints") { $0.state == .running && $0.counts.completed >= 2 }
        try add("b")
        try first.job.fault("crash")
        try first.wait("a restart") {
            $0.restarts == 1 && $0.state == .running && $0.counts.completed >= 4 && $0.vertices.allSatisfy { $0.runningSubtasks == $0.parallelism }
        }
        try add("c")
        let savepoint = try first.stop(drain: false)
        let second = try JobProbe(job.launch(3, from: savepoint.path, lineage: first.job.id))
        try add("d")
        try second.wait("all lines") { _ in written() >= expected.count }
        try second.cancel()
        #expect(try place.lines("out") == expected.sorted())
    }
}
