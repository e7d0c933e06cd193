import CellGrid
import StreamModel
import TestKit
import Testing

@testable import ConsoleCore

@Suite struct FiguresTests {
    static let counts: [(Double, String)] = [
        (0, "0"), (0.4, "0.4"), (7, "7"), (999, "999"), (999.6, "1.0k"), (1200, "1.2k"), (118_400, "118.4k"), (999_960, "1.0M"), (1_920_000, "1.9M"),
        (.nan, "-"), (.infinity, "-"), (-1, "-"), (1e30, ">999P"),
    ]

    @Test(arguments: counts) func countReads(_ value: Double, _ text: String) { #expect(Figures.count(value).string == text) }

    static let sizes: [(Int64, String)] = [
        (0, "0 B"), (999, "999 B"), (1024, "1.00 KiB"), (1_524_713_390, "1.42 GiB"), (10_485_760, "10.0 MiB"), (-5, "-"), (.max, ">999 PiB"),
    ]

    @Test(arguments: sizes) func sizeReads(_ value: Int64, _ text: String) { #expect(Figures.bytes(ByteCount(value)).string == text) }

    static let durations: [(Int64, String)] = [
        (0, "0ms"), (-3, "0ms"), (812, "812ms"), (18_400, "18.4s"), (99_949, "99.9s"), (99_950, "100s"), (600_000, "600s"), (1_700_000, "28m"),
        (10_440_000, "2h54m"), (273_600_000, "3d04h"), (.max, "9999d"),
    ]

    @Test(arguments: durations) func durationReads(_ value: Int64, _ text: String) { #expect(Figures.duration(Milliseconds(value)).string == text) }

    static let ages: [(Int64, String)] = [(0, "0s"), (43_000_000, "11h"), (9999, "9s"), (14_000, "10s"), (59_000, "55s"), (60_000, "1m"), (-1, "0s")]

    @Test(arguments: ages) func ageReads(_ value: Int64, _ text: String) { #expect(Figures.age(Milliseconds(value)).string == text) }

    static let elapsed: [(Int64, String)] = [(0, "0s"), (14_000, "14s"), (59_999, "59s"), (60_000, "1m"), (10_440_000, "2h54m"), (-1, "0s")]

    @Test(arguments: elapsed) func `two ages below a minute can be told apart`(_ value: Int64, _ text: String) {
        #expect(Figures.elapsed(Milliseconds(value)).string == text)
    }

    @Test func everyFigureKeepsItsColumns() {
        var random = SeededGenerator(seed: 0xf1f)
        for _ in 0..<20_000 {
            let value = Int64(bitPattern: random.next() >> UInt64.random(in: 0..<64, using: &random))
            #expect(Figures.count(Double(max(value, 0))).columns <= 6)
            #expect(Figures.bytes(ByteCount(value)).columns <= 8)
            #expect(Figures.duration(Milliseconds(value)).columns <= 6)
            #expect(Figures.age(Milliseconds(value)).columns <= 5)
        }
    }

    static let clocks: [(Int64, Int, String)] = [
        (0, 0, "00:00:00"), (-1, 0, "23:59:59"), (1_772_366_671_000, 0, "12:04:31"), (1_772_366_671_000, 3600, "13:04:31"),
        (1_772_366_671_000, -50_000, "22:11:11"),
    ]

    @Test(arguments: clocks) func clockReads(_ time: Int64, _ offset: Int, _ text: String) {
        #expect(Figures.clock(WallTime(milliseconds: time), offset: offset).string == text)
    }
}
