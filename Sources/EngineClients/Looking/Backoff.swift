public import StreamModel

/// Pauses between connection attempts: doubling from 0.25 s to 10 s, each drawn from its upper half, so that many consoles do not reconnect at once.
public struct Backoff: Sendable {
    public static let shortest: Milliseconds = 250, longest: Milliseconds = .seconds(10)
    private var ceiling = Backoff.shortest

    public mutating func next(using generator: inout some RandomNumberGenerator) -> Milliseconds {
        let pause = Milliseconds(Int64.random(in: (ceiling.count + 1) / 2...ceiling.count, using: &generator))
        ceiling = Milliseconds(min(ceiling.count * 2, Self.longest.count))
        return pause
    }

    public mutating func reset() { ceiling = Self.shortest }
}
