import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: room is used before text is cut. Method: every golden scene on a large window; rows with nothing but lines of frames are counted, and cuts
/// looked for.
@Suite struct EmptyRowsTests {
    private static let lines: Set<String> = ["│", "─", "┌", "┐", "└", "┘", "├", "┤", "┬", "┴", " "]

    private func canvas(_ scene: Scene, _ size: Size) -> Canvas {
        var console = scene.console(size)
        console.send(.resize(size))
        var canvas = Canvas(size: size, glyphs: .braille)
        render(console.model, into: &canvas)
        return canvas
    }

    private func isEmpty(_ row: Int, _ buffer: CellBuffer) -> Bool { buffer[row: row].allSatisfy { Self.lines.contains($0.text) } }

    /// Rows whose text goes on beyond the edge, or has a mark of a cut between its words. A message has its own key for the whole.
    private func cuts(_ canvas: Canvas) -> [Int] {
        (0..<canvas.size.rows - 1).filter { row in
            let cells = Array(canvas.buffer[row: row])
            let isMarked = cells.indices.dropFirst().contains { index in
                cells[index].text == "~" && cells[index - 1].text.allSatisfy { $0.isLetter || $0.isNumber }
            }
            return canvas.cutRows.contains(row) || isMarked
        }
    }

    @Test(arguments: Scene.all, [Size(columns: 120, rows: 40), Size(columns: 160, rows: 50)])
    func `no screen cuts text while a third of its rows is empty`(_ scene: Scene, _ size: Size) {
        let canvas = canvas(scene, size)
        let empty = (0..<size.rows).count { isEmpty($0, canvas.buffer) }
        let cuts = cuts(canvas)
        #expect(empty * 3 <= size.rows || cuts.isEmpty, "\(empty) empty rows, cut in rows \(cuts)\n\(canvas.buffer.text)")
    }

    @Test(arguments: [Size(columns: 120, rows: 40), Size(columns: 160, rows: 50), Size(columns: 220, rows: 60)])
    func `the overview shows operators, checkpoints and the last failure of the selected job`(_ size: Size) throws {
        let scene = try #require(Scene.all.first { $0.name == "overview" })
        let text = canvas(scene, size).buffer.text
        for part in [
            "operators of fraud-scoring", "revenue -> sink", "newest checkpoints", "4119 ckpt !! failed", "4116 ckpt ok done",
            "failed 2h00m ago: ", "the next counted failure fails the job",
        ] { #expect(text.contains(part), "\(part)\n\(text)") }
    }

    @Test func `a list that fills the window has the rows of the panel`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        console.report((0..<20).map { Sample.running(JobID(high: 1, low: $0 + 1), name: "job-\($0)") })
        #expect(!console.screen.contains("operators of") && console.screen.contains("job-19"), "\(console.screen)")
    }
}
