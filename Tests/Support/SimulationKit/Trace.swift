/// What happened in a run, in order: always as a hash, as text only when asked for. Two runs of one seed have the same hash; the text of a
/// failed seed comes from running it again. Written by whoever holds the baton.
final class Trace {
    private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var events = 0
    /// The newest lines, when they are kept.
    private(set) var lines: [String] = []
    private let keeps: Bool
    private static let limit = 200_000

    init(keepsText: Bool) { keeps = keepsText }

    /// - Parameters:
    ///   - words: what the hash takes in; never an address, never the order of a dictionary.
    ///   - text: one line; made only when lines are kept.
    func add(_ a: Int, _ b: Int = 0, _ c: Int = 0, _ text: @autoclosure () -> String) {
        events += 1
        mix(a)
        mix(b)
        mix(c)
        guard keeps else { return }
        if lines.count == Self.limit { lines.removeFirst(Self.limit / 2) }
        lines.append(text())
    }

    private func mix(_ word: Int) {
        hash = (hash ^ UInt64(bitPattern: Int64(word))) &* 0x0000_0100_0000_01b3
        hash ^= hash >> 29
    }

    /// FNV-1a, for names that go into the hash.
    static func number(of text: String) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var text = text
        text.withUTF8 { for byte in $0 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 } }
        return Int(truncatingIfNeeded: hash)
    }
}
