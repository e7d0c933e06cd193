// Waits of the tests are for conditions, with a deadline. A passed deadline is an error that says what was waited for and what was there.

internal import Glibc

/// What was waited for in vain.
public struct DeadlinePassed: Error, CustomStringConvertible {
    public var what: String
    public var seconds: Double
    /// What was there instead.
    public var evidence: String

    public init(what: String, seconds: Double, evidence: String) { (self.what, self.seconds, self.evidence) = (what, seconds, evidence) }

    public var description: String { "waited \(seconds) s in vain for \(what)\n\(evidence)" }
}

/// A condition of a test that does not hold at a place where the test cannot go on.
public struct Broken: Error, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// Seconds on a clock that never jumps.
public func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Asks `condition` again and again until it has a value.
public func wait<Value>(
    _ seconds: Double = 20, for what: String, evidence: () -> String = { "" }, _ condition: () throws -> Value?
) throws -> Value {
    let end = monotonicSeconds() + seconds
    while true {
        if let value = try condition() { return value }
        guard monotonicSeconds() < end else { throw DeadlinePassed(what: what, seconds: seconds, evidence: evidence()) }
        breathe()
    }
}

/// Asks `condition` again and again until it holds.
public func wait(_ seconds: Double = 20, for what: String, evidence: () -> String = { "" }, until condition: () throws -> Bool) throws {
    let _: Bool = try wait(seconds, for: what, evidence: evidence) { try condition() ? true : nil }
}

/// Whether `condition` came to hold before the deadline.
public func eventually(seconds: Double = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = monotonicSeconds() + seconds
    while try !condition() {
        guard monotonicSeconds() < end else { return false }
        breathe()
    }
    return true
}

/// The gap between two looks at a condition.
public func breathe() {
    var gap = timespec(tv_sec: 0, tv_nsec: 2_000_000)
    nanosleep(&gap, nil)
}
