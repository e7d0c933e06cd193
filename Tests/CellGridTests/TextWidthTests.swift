import Glibc
import Testing

@testable import CellGrid

/// Glibc's module map leaves it out.
@_silgen_name("wcwidth") private func wcwidth(_ character: wchar_t) -> Int32

@Suite struct TextWidthTests {
    static let widths: [(String, Int)] = [
        ("a", 1), ("", 0), ("日本", 4), ("ｆｕｌｌ", 8), ("한국어", 6), ("e\u{301}", 1), ("Ａ\u{301}", 2), ("\u{1f600}", 2), ("\u{2764}", 1),
        ("\u{2764}\u{fe0f}", 2), ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", 2), ("\u{1f1e9}\u{1f1ea}", 2), ("ᄒ\u{1161}\u{11ab}", 2), ("…", 1),
        ("±", 1),
        ("\u{2588}\u{2591}", 2), ("\u{28ff}", 1), ("─│┌", 3), ("\t", 0),
    ]

    @Test(arguments: widths) func takesColumns(_ text: String, _ columns: Int) {
        #expect(TextWidth.columns(of: text) == columns)
    }

    /// The terminal layer moves the cursor by the C library's widths: whatever may be drawn must have the same width here.
    @Test func agreesWithTheCLibraryOnAllSafeText() throws {
        guard setlocale(LC_CTYPE, "C.UTF-8") != nil else { return }
        var different: [String] = []
        for value in UInt32(0x20)...0x10ffff {
            guard let scalar = Unicode.Scalar(value), SafeText.isAllowed(scalar), !SafeText.isVariationSelector(scalar) else { continue }
            let width = Int(wcwidth(wchar_t(bitPattern: value)))
            if width != TextWidth.columns(of: scalar) { different.append("U+\(String(value, radix: 16)): \(width)") }
        }
        let summary = "\(different.count) differ: \(different.prefix(20))"
        #expect(summary == "0 differ: []")
    }
}
