/// SplitMix64: the same numbers from the same seed, whose whole state is one word. Everything that a simulation decides comes from such a
/// stream; each concern has its own, so that drawing more for one does not move the others.
public struct SimulationRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// A stream of its own for a named concern.
    public init(seed: UInt64, stream: UInt64) {
        var mixer = SimulationRandom(seed: seed &+ stream &* 0xd6e8_feb8_6659_fd93)
        self.init(seed: mixer.next())
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// 0 ..< bound; `bound` at least 1.
    public mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// Both ends included.
    public mutating func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    /// True in so many of a million cases.
    public mutating func chance(_ perMillion: Int) -> Bool { perMillion > 0 && below(1_000_000) < perMillion }

    public mutating func coin() -> Bool { next() & (1 << 40) == 0 }

    /// `choices` must not be empty.
    public mutating func pick<Value>(_ choices: [Value]) -> Value { choices[below(choices.count)] }

    /// Fisher and Yates.
    public mutating func shuffle<Value>(_ values: inout [Value]) {
        guard values.count > 1 else { return }
        for last in (1..<values.count).reversed() { values.swapAt(last, below(last + 1)) }
    }
}
