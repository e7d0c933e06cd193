import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: a trend reads from left to right, the newest sample at the right edge, with its scale, at a price that a slow line can pay. Method: series of
/// known samples, and the runs of cells that differ from one second's frame to the next.
@Suite struct SparklineTests {
    private func row(_ values: [Float], count: Int? = nil, columns: Int = 10, glyphs: GlyphProfile = .braille) -> [String] {
        var canvas = Canvas(size: Size(columns: columns, rows: 1), glyphs: glyphs)
        canvas.sparkline((values, count ?? values.count), columns: columns).draw(column: 0, row: 0, &canvas)
        return canvas.buffer[row: 0].map(\.text)
    }

    @Test func theNewestStandsAtTheRightEdge() {
        var canvas = Canvas(size: Size(columns: 1, rows: 1), glyphs: .braille)
        canvas.sparkline(([8, 8], 2), columns: 1).draw(column: 0, row: 0, &canvas)
        let full = canvas.buffer[row: 0].map(\.text)[0]
        for count in 1...60 {
            // Only the last sample is high.
            let cells = row(Array(repeating: 0, count: count - 1) + [8])
            let low = row(Array(repeating: 0, count: count))
            #expect(cells.last != low.last && cells.dropLast() == low.dropLast(), "\(count)")
        }
        #expect(row(Array(repeating: 8, count: 60)).allSatisfy { $0 == full }, "no gap wanders through a full one")
        let few = row([8, 8, 8, 8])
        #expect(few.suffix(2).allSatisfy { $0 == full } && few.prefix(8).allSatisfy { $0 != full }, "it begins at the right")
    }

    @Test func samplesMoveToTheLeftByWholeCells() {
        let values: [Float] = (0..<40).map { Float($0 % 9) }
        let before = row(values), after = row(values + [3, 4])
        // Of 20 samples shown the scale is the same.
        #expect(Array(before.dropFirst()) == Array(after.dropLast()))
    }

    @Test func theScaleAndTheSpanAreTold() {
        let canvas = Canvas(size: Size(columns: 80, rows: 1), glyphs: .braille)
        let trend = canvas.sparkline((Array(repeating: 9000, count: 100) + Array(repeating: 2100, count: 60), 160), columns: 28)
        #expect(trend.note(columns: 20) { Figures.count($0) } == "max 2.1k in 55s", "of the samples that are seen")
        #expect(trend.note(columns: 9) { Figures.count($0) } == "max 2.1k")
        #expect(trend.note(columns: 5) { Figures.count($0) } == "")
        #expect(canvas.sparkline(([], 0), columns: 28).note(columns: 20) { Figures.count($0) } == "")
        var console = ScriptedConsole()
        for _ in 0..<5 {
            console.report([Sample.running()])
            console.advance(1000)
        }
        #expect(console.screen.contains("max 118.4k"), "\(console.screen)")
        console.press("enter")
        #expect(console.screen(Size(columns: 110, rows: 28)).contains("max 118.4k"), "\(console.screen)")
        #expect(console.screen(Size(columns: 160, rows: 50)).contains("max 118.4k in "))
    }

    /// The bytes of a run: its cells, three bytes each, a move of the cursor, and a change of colour where the role changes.
    private func bytes(_ old: CellBuffer, _ new: CellBuffer) -> Int {
        CellDiff.runs(from: old, to: new).reduce(0) { sum, run in
            let cells = new[row: run.row][run.columns.lowerBound..<run.columns.upperBound]
            let changes = zip(cells, cells.dropFirst()).count { $0.style != $1.style }
            return sum + 8 + changes * 5 + cells.reduce(0) { $0 + $1.text.utf8.count }
        }
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 120, rows: 40), Size(columns: 200, rows: 50)])
    func aLiveJobScreenStaysInItsBudget(_ size: Size) {
        var console = ScriptedConsole(options: ConsoleOptions(size: size))
        var seconds = 0
        func second(_ console: inout ScriptedConsole) {
            seconds += 1
            var job = Sample.running()
            job.throughput.recordsReadPerSecond = 60_000 + Double(seconds * 7919 % 40_000)
            job.throughput.recordsWrittenPerSecond = 60_000 + Double(seconds * 6101 % 40_000)
            console.advance(1000)
            console.report([job])
        }
        second(&console)
        console.press("enter")
        for _ in 0..<250 { second(&console) }
        #expect(CellDiff.runs(from: console.frame(size), to: console.frame(size)).isEmpty)
        var total = 0
        for _ in 0..<60 {
            let before = console.frame(size)
            second(&console)
            total += bytes(before, console.frame(size))
        }
        print("a live job screen of \(size.columns) columns: \(total / 60) bytes/s")
        #expect(total / 60 <= 600)
    }
}
