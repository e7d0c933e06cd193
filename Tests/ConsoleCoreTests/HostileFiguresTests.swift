import CellGrid
import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import ConsoleCore

/// A report is bytes of somebody else: whatever numbers stand in it, every screen is drawn.
struct HostileFiguresTests {
    private static let whole = ["1125899906842624", "-1125899906842624", "0", "-1", "1", "2147483648", "1000000000000000"]

    /// The report with every number in it replaced, as often as `chance` in 100.
    private static func spoiled(_ report: some Encodable, chance: Int, _ random: inout SeededGenerator) throws -> [UInt8] {
        var result: [UInt8] = [], number: [UInt8] = []
        var isInText = false, isEscaped = false
        for byte in Array(try JSONEncoder().encode(report)) + [0x20] {
            if !isInText, (0x30...0x39).contains(byte) || [0x2d, 0x2b, 0x2e, 0x45, 0x65].contains(byte) && (!number.isEmpty || byte == 0x2d) {
                number.append(byte)
                continue
            }
            if !number.isEmpty {
                let isReplaced = Int.random(in: 0..<100, using: &random) < chance
                result += isReplaced ? Array(whole[Int.random(in: 0..<whole.count, using: &random)].utf8) : number
                number = []
            }
            if isInText, isEscaped { isEscaped = false } else if isInText, byte == 0x5c { isEscaped = true } else if byte == 0x22 { isInText.toggle() }
            result.append(byte)
        }
        return result
    }

    /// nil = the numbers fit no report: it is refused where it is decoded.
    private static func read<Report: Decodable>(_ type: Report.Type, _ bytes: [UInt8]) -> Report? {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch { return nil }
    }

    @Test(arguments: [1, 2, 3, 4]) func `no number of a report traps a screen`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var drawn = 0
        for round in 0..<60 {
            let chance = [3, 10, 40, 100][round % 4]
            guard var job = Self.read(JobReport.self, try Self.spoiled(Sample.ailing(), chance: chance, &random)),
                let detail = Self.read(CheckpointReport.self, try Self.spoiled(Sample.detail(), chance: chance, &random))
            else { continue }
            job.id = Sample.job
            job.throughput.recordsReadPerSecond = [Double.nan, .infinity, -1, 1e300, 3.7e18][Int.random(in: 0..<5, using: &random)]
            job.throughput.recordsWrittenPerSecond = [Double.nan, -.infinity, -1, 1e300, 3.7e18][Int.random(in: 0..<5, using: &random)]
            job.throughput.inputFraction = [Double.nan, -.infinity, 5, nil][Int.random(in: 0..<4, using: &random)]
            for index in job.vertices.indices {
                job.vertices[index].recordsInPerSecond = [Double.nan, .infinity, -1e300, 3.7e18][Int.random(in: 0..<4, using: &random)]
            }
            var console = ScriptedConsole()
            console.report([Sample.running()])
            console.advance(3000)
            console.report([job])
            console.send(.engine(context: "lab", .checkpoints(Sample.job, [detail])))
            console.send(.engine(context: "lab", .checkpoint(Sample.job, detail)))
            for key in ["1", "2", "3", "enter", "enter", "4", "5", "6", "7", "2", "m", "R", "enter", "enter", "esc", "esc", "esc", "C", "esc", "S", "esc"] {
                console.press(key)
                for size in [Size(columns: 40, rows: 6), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40), Size(columns: 160, rows: 50)] {
                    _ = console.screen(size)
                }
                console.advance(1000)
                console.report([job])
            }
            drawn += 1
        }
        #expect(drawn >= 20)
    }
}
