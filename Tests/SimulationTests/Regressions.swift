import CheckpointStore
import Foundation

@testable import SimulationKit

/// `regressions.txt` beside this file: a seed a line, and why it is there.
enum Regressions {
    static let seeds: [UInt64] = {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "regressions.txt")
        // A list that cannot be read is an empty one, and the test without arguments says so.
        let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in line.split(separator: " ").first.flatMap { UInt64($0) } }
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
