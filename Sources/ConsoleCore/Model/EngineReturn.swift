import CellGrid
import StreamModel

/// An engine that is another process than before: what it runs now it has restored, and its counters began anew.
///
/// The recovery takes a moment, so it is compared with the last report of the old process until all is back.
struct EngineReturn: Equatable {
    struct Job: Equatable {
        var name: String
        /// What it was restored from; nil = it was not.
        var checkpoint: CheckpointID?
    }

    let processID: Int32
    /// The jobs that ran before.
    let jobs: [Job]

    /// nil = it is the same process, or an engine that does not tell (a cluster).
    init?(from before: EngineReport, to after: EngineReport) {
        let (old, new) = (before.engine, after.engine)
        guard old.processID > 0, new.processID > 0, old.processID != new.processID || old.startedAt != new.startedAt else { return nil }
        processID = new.processID
        jobs = before.jobs.filter { !$0.state.isTerminal }.map { job in
            let now = after.jobs.first { $0.id == job.id }
            return Job(name: job.name, checkpoint: now.flatMap { $0.isRestored(by: new) ? $0.restored?.checkpoint : nil })
        }
    }

    var isComplete: Bool { jobs.allSatisfy { $0.checkpoint != nil } }

    /// Jobs that are named; of more only the number is told.
    private static let namedMax = 3

    var text: SafeText {
        let came: SafeText = "engine came back as pid \(Int(processID))"
        let resumed = jobs.filter { $0.checkpoint != nil }
        guard !jobs.isEmpty else { return came }
        if jobs.count > Self.namedMax {
            return "\(came); \(resumed.count == jobs.count ? "" : "\(resumed.count) of ")\(Figures.plural(jobs.count, "job")) resumed from checkpoints"
        }
        let words = jobs.map { job in
            job.checkpoint.map { SafeText("\(SafeText(job.name)) resumed from #\($0)") } ?? "\(SafeText(job.name)) not resumed from a checkpoint"
        }
        return "\(came); \(SafeText(words.map(\.string).joined(separator: ", ")))"
    }
}

extension JobReport {
    /// Whether this process of its engine restored it. A cluster does not tell when it was started.
    func isRestored(by engine: EngineInfo) -> Bool { engine.processID > 0 && restored.map { $0.at >= engine.startedAt } ?? false }
}

extension ContextState {
    /// The time in which an engine that was started anew should have its jobs back.
    private static let returnPatience = Milliseconds.seconds(5)

    /// Compares the new report, already taken, with the one before. Returns the return of an engine once it is over.
    mutating func noteReturn(after before: EngineReport?, at now: WallTime) -> EngineReturn? {
        guard let report, let start = returning?.before ?? before else { return nil }
        guard let found = EngineReturn(from: start, to: report) else {
            returning = nil
            return nil
        }
        let since = returning?.since ?? now
        guard found.isComplete || now - since >= Self.returnPatience else {
            returning = (start, since)
            return nil
        }
        returning = nil
        return found
    }
}
