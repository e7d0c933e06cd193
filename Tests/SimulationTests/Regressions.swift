import CheckpointStore
import Foundation
import Testing

@testable import SimulationKit

/// `regressions.txt` beside this file: a seed a line, and why it is there; before the seed `service` where whole engines are simulated.
enum Regressions {
    struct Seed: Sendable, CustomTestStringConvertible {
        let mode: SimulationMode
        let seed: UInt64
        var testDescription: String { "\(mode.rawValue) \(seed)" }
    }

    static let all: [Seed] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "regressions.txt")
        // A list that cannot be read is an empty one, and the test without arguments says so.
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " "), mode = words.first == "service" ? SimulationMode.service : .job
            return words.dropFirst(mode == .service ? 1 : 0).first.flatMap { UInt64($0) }.map { Seed(mode: mode, seed: $0) }
        }
    }()
}

enum DamageProbe {
    static var pattern: [UInt8] { Decay.unseenPattern }

    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = CRC32C()
        bytes.withUnsafeBytes { sum.update($0) }
        return sum.value
    }
}
