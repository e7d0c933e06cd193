internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// Credentials that are fetched when they are first needed, kept while they are fresh, and fetched anew.
final class RenewingSource<Value: Sendable>: Sendable {
    private struct Kept {
        var value: Value
        var freshUntil: WallTime?
    }
    private let kept = Mutex<Kept?>(nil)
    private let now: @Sendable () -> WallTime
    private let fetch: @Sendable (EngineInstant) -> Result<(Value, freshUntil: WallTime?), CredentialProblem>
    private let isFixed: Bool

    /// - Parameter isFixed: Fetching again brings the same.
    init(
        isFixed: Bool = false, now: @escaping @Sendable () -> WallTime = { WallTime.now() },
        fetch: @escaping @Sendable (EngineInstant) -> Result<(Value, freshUntil: WallTime?), CredentialProblem>
    ) { (self.isFixed, self.now, self.fetch) = (isFixed, now, fetch) }

    /// Several threads may fetch at once; the last one's stay.
    func value(by deadline: EngineInstant) throws(CredentialProblem) -> Value {
        let time = now()
        if let fresh = kept.withLock({ kept in kept.flatMap { $0.freshUntil.map { time < $0 } ?? true ? $0.value : nil } }) { return fresh }
        let (value, freshUntil) = try fetch(deadline).get()
        kept.withLock { $0 = Kept(value: value, freshUntil: freshUntil) }
        return value
    }

    /// False = there are no others to be had.
    func forget() -> Bool {
        guard !isFixed else { return false }
        kept.withLock { $0 = nil }
        return true
    }
}
