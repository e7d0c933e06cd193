import CellGrid
import StreamModel

/// The jobs of all contexts by how they do. Only a job that runs and has no problem is "ok": one that has ended, whose context is down or of
/// which nothing is known is counted as that.
struct OverviewCounts: Sendable, Equatable {
    private(set) var jobs = 0, fine = 0, bad = 0, down = 0, stale = 0, unknown = 0, busy = 0, ended = 0

    init(_ rows: [OverviewRow]) {
        for row in rows {
            guard row.id.job != nil else { continue }
            jobs += 1
            switch row.condition {
            case .linkDown: down += 1
            case .stale: stale += 1
            case let condition where condition.severity >= .warn: bad += 1
            case _ where row.isEnded: ended += 1
            case .starting, .cancelling, .neverConnected: busy += 1
            case let condition where condition.severity == .unknown: unknown += 1
            default: fine += 1
            }
        }
    }

    /// "jobs 6: 1 ok  2 !!  3 ended".
    func text(_ mark: (StyleRole) -> SafeText) -> SafeText {
        var text: SafeText = "jobs \(jobs): \(fine) \(mark(.severityOK))  \(bad) \(mark(.severityWarn))"
        for (count, word) in [(busy, mark(.severityRun)), (unknown, mark(.severityUnknown)), (stale, mark(.linkStale)), (down, "down"), (ended, "ended")] {
            if count > 0 { text = text + "  \(count) \(word)" }
        }
        return text
    }
}

extension Observations {
    /// Contexts whose link is down.
    var downContexts: Int { contexts.count { if case .down = $0.link { true } else { false } } }
}
