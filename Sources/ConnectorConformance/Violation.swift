/// A broken rule of the contract, with the observation.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
    public enum Rule: String, Sendable, CaseIterable {
        // Sources.
        case readsOnFromEveryPlace = "from every place, exactly the rest is read"
        case restoreIsIdentity = "what was restored is what is snapshot again, before the first record"
        case snapshotsDoNotDisturb = "a snapshot changes nothing"
        case rescaleReadsEverythingOnce = "at another parallelism everything is read once"
        case positionCountsRecords = "the position counts the records, over restarts"
        case staysEnded = "an input that had ended stays ended after a restore"
        case refusesDamagedSplits = "a split that does not read back is an error"
        // Sinks.
        case invisibleBeforeCommit = "nothing is visible before its commit"
        case commitShowsExactlyThat = "a commit makes visible what it lists, nothing else, nothing less"
        case commitIsIdempotent = "a second commit of the same changes nothing"
        case recoversBetweenPhases = "what a durable checkpoint lists is committed after a crash"
        case recoversHalfDoneCommits = "a commit that was cut short is finished after a crash"
        case abortsWhatIsNotListed = "what no checkpoint lists never becomes visible"
        case listedAgainIsCommittedOnce = "output of a failed checkpoint is committed once by a later one"
        case rotatesAtTheBarrier = "records behind a barrier are not part of its checkpoint"
        case unknownIsAnError = "a committable that is unknown, foreign or gone is an error"
        case keepsOrder = "records of a subtask are visible in the order they were written"
        case hasOneOwner = "a second owner of the place is refused, or the first can commit no more"
        case survivesRescale = "another parallelism loses and repeats nothing"
    }

    public let rule: Rule
    public let detail: String

    public var description: String { "\(rule.rawValue): \(detail)" }
}

/// Counts of missing and of unexpected records.
func difference<Record: Hashable>(_ found: [Record], _ expected: [Record]) -> String? {
    var counts: [Record: Int] = [:]
    for record in expected { counts[record, default: 0] += 1 }
    for record in found { counts[record, default: 0] -= 1 }
    let lost = counts.filter { $0.value > 0 }, extra = counts.filter { $0.value < 0 }
    guard !lost.isEmpty || !extra.isEmpty else { return nil }
    func sample(_ records: [Record: Int]) -> String { records.isEmpty ? "" : " (such as \(records.keys.map { "\($0)" }.sorted()[0]))" }
    return "\(lost.values.reduce(0, +)) lost\(sample(lost)), \(-extra.values.reduce(0, +)) too many\(sample(extra)), of \(expected.count)"
}
