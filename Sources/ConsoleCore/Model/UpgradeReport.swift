import CellGrid
public import StreamModel

/// An upgrade that is under way, was broken off, or left a job down, as the record has it.
public struct UpgradeReport: Sendable, Equatable {
    public var upgrade: Upgrade
    /// Whether a live process carries it out.
    public var isCarriedOut: Bool

    public init(_ upgrade: Upgrade, isCarriedOut: Bool) { (self.upgrade, self.isCarriedOut) = (upgrade, isCarriedOut) }

    /// The job that it is about at its stage.
    var job: JobID { upgrade.returned ?? upgrade.newJob ?? upgrade.job }

    /// Whether it is about this job. A launch that was sent has brought a job of that name that is on no record yet.
    func isAbout(_ job: JobReport) -> Bool {
        job.id == self.job || upgrade.stage == .launching && job.name == upgrade.jobName && job.id != upgrade.job && !job.state.isTerminal
    }

    var severity: Severity {
        switch upgrade.stage {
        case .stranded: .crit
        case _ where isCarriedOut: .run
        case .launching, .returning: .crit
        case .stopping, .proving, .watching, .provingReturn, .upgraded, .rolledBack, .kept, .superseded: .warn
        }
    }

    var text: SafeText {
        let name: SafeText = "upgrade \(upgrade.id.short) by \(upgrade.by)"
        if upgrade.stage == .stranded { return "UPGRADE \(upgrade.id.short) LEFT THE JOB DOWN: \(upgrade.cause ?? "no cause was recorded")" }
        if isCarriedOut { return "\(name): \(words)" }
        return "\(name) was broken off: \(words); \(step)"
    }

    /// With the digits of jobs that screens show.
    private var words: String {
        [upgrade.newJob, upgrade.returned].compactMap { $0 }.reduce(upgrade.words) { $0.replacing($1.description, with: $1.short) }
    }

    /// What goes on with one that was broken off.
    var step: SafeText { "'weir resume \(upgrade.id)' goes on with it" }
}

extension ContextState {
    /// The upgrade that a job is in the middle of, or was left down by; nil = there is none, or the job runs by other means.
    func upgrade(of job: JobReport) -> UpgradeReport? {
        guard let found = upgrades.first(where: { $0.isAbout(job) }) else { return nil }
        guard job.state.isTerminal else { return found.upgrade.stage == .stranded ? nil : found }
        return report?.jobs.liveRun(named: job.name, besides: [job.id]) == nil ? found : nil
    }

    /// Upgrades that need an operator, of jobs that are in no list any more.
    var upgradesWithoutJob: [UpgradeReport] {
        guard let jobs = report?.jobs else { return [] }
        return upgrades.filter { upgrade in
            upgrade.severity >= .warn && !jobs.contains { upgrade.isAbout($0) } && jobs.liveRun(named: upgrade.upgrade.jobName) == nil
        }
    }
}
