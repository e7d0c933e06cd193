import CellGrid
import Testing

@testable import ConsoleCore

/// Rows are given out from top to bottom without gaps, and where they are few the part that asks the most for the rest gives way first.
@Suite struct RowStackTests {
    private enum Part: CaseIterable { case head, list, side, line, foot }

    private func stack(_ rows: Int) -> RowStack<Part> {
        RowStack(
            rows: rows,
            [(.head, .fixed(2)), (.list, .rest), (.side, .either(5, or: 3, leaving: 13)), (.line, .either(1, or: 0, leaving: 10)), (.foot, .fixed(3))])
    }

    private func heights(_ rows: Int) -> [Int] { Part.allCases.map { stack(rows)[$0].count } }

    @Test func `the line gives way last, the side first`() {
        #expect(heights(40) == [2, 29, 5, 1, 3])
        #expect(heights(24) == [2, 13, 5, 1, 3])
        #expect(heights(23) == [2, 14, 3, 1, 3])
        #expect(heights(19) == [2, 10, 3, 1, 3])
        #expect(heights(18) == [2, 10, 3, 0, 3])
        #expect(heights(10) == [2, 2, 3, 0, 3])
    }

    @Test func `the parts follow each other and end with the window`() {
        for rows in 0...60 {
            let stack = stack(rows)
            var row = 0
            for part in Part.allCases {
                #expect(stack[part].lowerBound == row, "\(rows) \(part)")
                row = stack[part].upperBound
            }
            #expect(row == max(rows, 0), "\(rows)")
        }
    }

    @Test func `a window that is too small loses the last parts`() {
        #expect(heights(4) == [2, 0, 2, 0, 0])
        #expect(heights(0) == [0, 0, 0, 0, 0])
    }
}
