import CheckpointCore
import StreamModel
import Testing

// Goal: the choice of the snapshot to recover from is newest first, never silent, never past published outputs (rule 3.5;
// FLINK-10354, FLINK-7783).
@Suite struct RestorePlannerTests {
    /// "c5" checkpoint 5, "s6" savepoint 6; a trailing "!" = damaged, "?" = its read was refused.
    private func candidate(_ text: Substring) -> RestoreCandidate {
        let isUnreadable = text.hasSuffix("?"), isDamaged = text.hasSuffix("!") || isUnreadable
        let id = UInt64(text.dropFirst().prefix(while: \.isNumber)) ?? 0
        return RestoreCandidate(
            id: CheckpointID(id), kind: text.hasPrefix("s") ? .savepoint : .checkpoint, path: "/chk/\(text)",
            problem: isDamaged ? "chk-\(id)/_metadata: checksum" : nil, isUnreadable: isUnreadable)
    }

    private func show(_ plan: RestorePlan) -> String {
        func list(_ skipped: [RestorePlan.Skipped]) -> String { skipped.map { " -\($0.candidate.id)" }.joined() }
        return switch plan {
        case .startEmpty: "empty"
        case .restore(let chosen, let skipped): "\(chosen.id)\(list(skipped))"
        case .refused(.allDamaged(let count), let skipped): "damaged \(count)\(list(skipped))"
        case .refused(.unreadable(let candidate), let skipped): "unreadable \(candidate.id)\(list(skipped))"
        case .refused(.asks(let damaged, let newest), let skipped): "asks \(damaged.id)>\(newest.id)\(list(skipped))"
        case .refused(.olderThanCommitted(let newest, let last), let skipped):
            "older \(newest.map { "\($0.id)" } ?? "none")<\(last)\(list(skipped))"
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let candidates: String
        let last: UInt64?
        let expected: String
        var prefers = false
        var allows = false
        var fallback = RecoveryFallback.newestValid
        var testDescription: String {
            "[\(candidates)] last \(last.map(String.init) ?? "-")\(prefers ? " prefers" : "")\(allows ? " allows" : "")\(fallback == .ask ? " asks" : "")"
        }
    }

    static let cases: [Case] = [
        Case(candidates: "", last: nil, expected: "empty"),
        Case(candidates: "", last: 4, expected: "older none<4"),
        Case(candidates: "c1 c3 c2", last: nil, expected: "3"),
        Case(candidates: "c1 s3 c2", last: nil, expected: "3"),
        Case(candidates: "c1 s3 c2", last: 3, expected: "3"),
        Case(candidates: "c1 c3!", last: nil, expected: "1 -3"),
        Case(candidates: "c1! c3!", last: nil, expected: "damaged 2 -3 -1"),
        Case(candidates: "c1! c3!", last: 3, expected: "older none<3 -3 -1"),
        // The newest one is damaged and its outputs are published: an explicit refusal, with the best that there is.
        Case(candidates: "c1 c2 c3!", last: 3, expected: "older 2<3 -3 -2 -1"),
        Case(candidates: "c1 c2 c3!", last: 3, expected: "2 -3", allows: true),
        // Its outputs are not published: the one before it will do.
        Case(candidates: "c1 c2 c3!", last: 2, expected: "2 -3"),
        Case(candidates: "c1 c2", last: 1, expected: "2"),
        // The preference, without and with a bound.
        Case(candidates: "c1 c2 s3", last: nil, expected: "2", prefers: true),
        Case(candidates: "c1 c2 s3", last: 3, expected: "3 -2 -1", prefers: true),
        Case(candidates: "c1 c2 s3", last: 3, expected: "2", prefers: true, allows: true),
        Case(candidates: "c1 c2 s3", last: 2, expected: "2", prefers: true),
        Case(candidates: "c2! s3", last: nil, expected: "3 -2", prefers: true),
        Case(candidates: "s3 s4", last: nil, expected: "4", prefers: true),
        Case(candidates: "c2 s3!", last: 3, expected: "older 2<3 -2 -3", prefers: true),
        // What could not be read is never passed over, and matters only if its turn comes.
        Case(candidates: "c1 c2 c3?", last: nil, expected: "unreadable 3"),
        Case(candidates: "c1 c2? c3!", last: nil, expected: "unreadable 2 -3"),
        Case(candidates: "c1? c2 c3!", last: nil, expected: "2 -3"),
        Case(candidates: "c1? c2", last: 2, expected: "2"),
        Case(candidates: "s3? c2", last: nil, expected: "2", prefers: true),
        Case(candidates: "c3?", last: 3, expected: "unreadable 3", fallback: .ask),
        // Asking before falling back.
        Case(candidates: "c1 c2 c3!", last: nil, expected: "asks 3>2 -3", fallback: .ask),
        Case(candidates: "c1 c2! c3!", last: nil, expected: "asks 3>1 -3 -2", fallback: .ask),
        Case(candidates: "c1 c2 c3", last: nil, expected: "3", fallback: .ask),
        Case(candidates: "c1! c2!", last: nil, expected: "damaged 2 -2 -1", fallback: .ask),
        Case(candidates: "c1 c2 c3!", last: 3, expected: "older 2<3 -3 -2 -1", fallback: .ask),
        // The savepoint is newer than the preferred checkpoint; neither is damaged, so there is nothing to ask.
        Case(candidates: "c2 s3", last: 3, expected: "3 -2", prefers: true, fallback: .ask),
        Case(candidates: "", last: nil, expected: "empty", fallback: .ask),
    ]

    @Test(arguments: cases) func choice(_ row: Case) {
        let planner = RestorePlanner(prefersCheckpoint: row.prefers, allowsOlderThanCommitted: row.allows, fallback: row.fallback)
        let candidates = row.candidates.split(separator: " ").map(candidate)
        let last = row.last.map { CheckpointID($0) }
        let plan = planner.plan(candidates, lastCommittedEpoch: last)
        #expect(show(plan) == row.expected)
        #expect(planner.plan(candidates.reversed(), lastCommittedEpoch: last) == plan, "the order of the directory is no matter")
    }

    @Test func refusalsNameTheSnapshotAndTheRemedy() {
        let planner = RestorePlanner(CheckpointConfiguration())
        let plan = planner.plan([candidate("c2"), candidate("c3!")], lastCommittedEpoch: CheckpointID(3))
        guard case .refused(let refusal, let skipped) = plan else {
            Issue.record("expected a refusal")
            return
        }
        #expect(refusal.description.contains("/chk/c2"))
        #expect(refusal.description.contains("restart from"))
        #expect(skipped.first?.reason == "chk-3/_metadata: checksum")
    }
}
