internal import StreamModel

extension FlinkMetadata {
    /// What becomes of a snapshot's state in a job whose operators have certain uids.
    public struct UidMatch: Sendable, Equatable {
        /// uids whose operators find their state, with the operator's place in `operators`.
        public var matched: [String: Int] = [:]
        /// uids without state here: their operators start empty.
        public var withoutState: [String] = []
        /// Places of the operators with state that no uid claims: a restore is refused unless unmatched state is allowed.
        public var unclaimed: [Int] = []
    }

    /// Matches as Flink does: by the operator id, which is a hash of the uid, or is given itself as 32 digits (`setUidHash`).
    public func match(uids: [String]) -> UidMatch {
        let places = Dictionary(operators.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        var match = UidMatch()
        for uid in uids {
            if let place = OperatorID(uid).flatMap({ places[$0] }) ?? places[OperatorID(uid: uid)] {
                match.matched[uid] = place
            } else {
                match.withoutState.append(uid)
            }
        }
        let claimed = Set(match.matched.values)
        match.unclaimed = operators.indices.filter { !claimed.contains($0) && operators[$0].hasState }
        return match
    }
}
