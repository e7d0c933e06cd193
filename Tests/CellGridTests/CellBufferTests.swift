import TestKit
import Testing

@testable import CellGrid

@Suite struct CellBufferTests {
    private func canvas(_ columns: Int, _ rows: Int = 1, _ glyphs: GlyphProfile = .braille) -> Canvas {
        Canvas(size: Size(columns: columns, rows: rows), glyphs: glyphs)
    }

    private func text(_ canvas: Canvas, row: Int = 0) -> String { canvas.buffer[row: row].map(\.text).joined() }

    @Test func textIsClippedAtEveryEdge() {
        var canvas = canvas(5, 2)
        #expect(canvas.put("abcdefgh", column: 3, row: 0) == 2)
        #expect(text(canvas) == "   ab")
        canvas.put("xyz", column: -2, row: 1)
        #expect(text(canvas, row: 1) == "z    ")
        canvas.put("no", column: 0, row: 2)
        canvas.put("no", column: 0, row: -1)
        canvas.put("no", column: 9, row: 0)
        #expect(text(canvas) == "   ab")
    }

    @Test func columnLimitHolds() {
        var canvas = canvas(10)
        #expect(canvas.put("abcdef", column: 1, row: 0, role: .text, columns: 3) == 3)
        #expect(text(canvas) == " abc      ")
        #expect(canvas.put("日本", column: 5, row: 0, role: .text, columns: 3) == 3)
        #expect(text(canvas) == " abc 日   ")
    }

    @Test func wideCharacterAtTheEdgeBecomesASpace() {
        var canvas = canvas(4)
        canvas.put("abc日", column: 0, row: 0)
        #expect(text(canvas) == "abc ")
        var left = self.canvas(4)
        left.put("日x", column: -1, row: 0)
        #expect(text(left) == " x  ")
    }

    @Test func halvesOfOverwrittenWideCharactersBecomeSpaces() {
        var canvas = canvas(6)
        canvas.put("日本語", column: 0, row: 0)
        canvas.put("x", column: 1, row: 0)
        #expect(text(canvas) == " x本語")
        canvas.put("y", column: 2, row: 0)
        #expect(text(canvas) == " xy 語")
        canvas.put("界", column: 3, row: 0)
        #expect(text(canvas) == " xy界 ")
        #expect(canvas.buffer[row: 0, column: 4].isContinuation)
    }

    @Test func combiningMarksShareACell() {
        var canvas = canvas(4)
        #expect(canvas.put("e\u{301}\u{302}x", column: 0, row: 0) == 2)
        #expect(canvas.buffer[row: 0, column: 0].text.unicodeScalars.count == 3)
        #expect(canvas.buffer[row: 0, column: 1].text == "x")
    }

    @Test func asciiProfileDrawsOneQuestionMarkPerColumn() {
        var canvas = canvas(8, 3, .ascii)
        canvas.put("a日e\u{301}ü", column: 0, row: 0)
        #expect(text(canvas) == "a??e?   ")
        canvas.box(CellRect(column: 0, row: 0, columns: 8, rows: 3))
        #expect(text(canvas) == "+------+")
    }

    @Test func insideIsClippedToTheOuterRectangle() {
        var canvas = canvas(6, 3)
        canvas.inside(CellRect(column: 2, row: 1, columns: 10, rows: 10)) { inner in
            #expect(inner.size == Size(columns: 4, rows: 2))
            inner.put("abcdef", column: 0, row: 0)
            inner.put("up", column: 0, row: -1)
        }
        #expect(text(canvas, row: 0) == "      ")
        #expect(text(canvas, row: 1) == "  abcd")
        #expect(canvas.size == Size(columns: 6, rows: 3))
    }

    @Test func overlayKeepsTheRoleBelow() {
        var canvas = canvas(3)
        canvas.put("abc", column: 0, row: 0, role: .severityCrit)
        canvas.overlay(CellRect(column: 1, row: 0, columns: 9, rows: 1), role: .select)
        #expect(canvas.buffer[row: 0, column: 0].style.overlay == nil)
        #expect(canvas.buffer[row: 0, column: 1].style == StyleID(.severityCrit, under: .select))
    }

    @Test func randomDrawingKeepsTheInvariant() {
        var random = SeededGenerator(seed: 0xce11)
        for _ in 0..<2000 {
            var canvas = canvas(Int.random(in: 0...9, using: &random), Int.random(in: 0...4, using: &random))
            for _ in 0..<6 {
                var scalars = String.UnicodeScalarView()
                for _ in 0..<Int.random(in: 0...8, using: &random) { scalars.append(random.hostileScalar()) }
                canvas.put(
                    SafeText(String(scalars)), column: Int.random(in: -4...9, using: &random), row: Int.random(in: -1...4, using: &random),
                    role: .text,
                    columns: Bool.random(using: &random) ? .max : Int.random(in: -2...6, using: &random))
            }
            for row in 0..<canvas.size.rows {
                for column in 0..<canvas.size.columns {
                    let cell = canvas.buffer[row: row, column: column]
                    let next = canvas.buffer[row: row, column: column + 1]
                    #expect(cell.isContinuation ? column > 0 : !cell.text.isEmpty)
                    #expect((cell.width == 2) == (next.isContinuation && column + 1 < canvas.size.columns))
                }
            }
        }
    }

    @Test func hugeLimitsAndPositionsDoNotTrap() {
        var canvas = canvas(3, 3)
        canvas.put("abc", column: .max / 2, row: .max, role: .text, columns: .min)
        canvas.clear(CellRect(column: -5, row: -5, columns: 100, rows: 100))
        canvas.box(CellRect(column: -1, row: -1, columns: 5, rows: 5))
        canvas.box(CellRect(column: 0, row: 0, columns: 1, rows: 1))
        #expect(text(canvas) == "   ")
    }
}

@Suite struct CellDiffTests {
    private func frame(_ text: SafeText, role: StyleRole = .text) -> CellBuffer {
        var canvas = Canvas(size: Size(columns: 30, rows: 1))
        canvas.put(text, column: 0, row: 0, role: role)
        return canvas.buffer
    }

    @Test func sameFramesHaveNoRuns() { #expect(CellDiff.runs(from: frame("abc"), to: frame("abc")).isEmpty) }

    @Test func nearChangesAreOneRun() {
        #expect(CellDiff.runs(from: frame("a1234b"), to: frame("x1234y")) == [CellRun(row: 0, columns: 0..<6)])
        #expect(CellDiff.runs(from: frame("a12345b"), to: frame("x12345y")) == [CellRun(row: 0, columns: 0..<1), CellRun(row: 0, columns: 6..<7)])
    }

    @Test func runsKeepWideCharactersWhole() {
        #expect(CellDiff.runs(from: frame("ab日"), to: frame("ab月")) == [CellRun(row: 0, columns: 2..<4)])
        #expect(CellDiff.runs(from: frame("日"), to: frame("ab")) == [CellRun(row: 0, columns: 0..<2)])
    }

    @Test func stylesAreCompared() { #expect(!CellDiff.runs(from: frame("a"), to: frame("a", role: .title)).isEmpty) }

    @Test func otherSizesDifferEverywhere() {
        let runs = CellDiff.runs(from: CellBuffer(size: Size(columns: 2, rows: 2)), to: CellBuffer(size: Size(columns: 3, rows: 2)))
        #expect(runs == [CellRun(row: 0, columns: 0..<3), CellRun(row: 1, columns: 0..<3)])
    }
}
