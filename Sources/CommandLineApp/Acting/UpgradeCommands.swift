internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
public import EngineClients
internal import FlinkREST
internal import HostEnvironment
public import StreamModel

/// What an upgrade is told on the command line.
public struct UpgradeOptions {
    public var target: UpgradeTarget
    /// What the job was launched with; nil = as it is on record.
    public var old: JarRecipe?
    public var directory: String?
    public var allowsUnmatched: Bool
    public var watch: Upgrade.Watch
    public var patience: Milliseconds
    public var checksOnly: Bool
    /// What the check says does not keep from the upgrade.
    public var ignoresCheck: Bool

    public init(
        target: UpgradeTarget, old: JarRecipe?, directory: String?, allowsUnmatched: Bool, watch: Upgrade.Watch, patience: Milliseconds, checksOnly: Bool,
        ignoresCheck: Bool
    ) {
        (self.target, self.old, self.directory, self.allowsUnmatched) = (target, old, directory, allowsUnmatched)
        (self.watch, self.patience, self.checksOnly, self.ignoresCheck) = (watch, patience, checksOnly, ignoresCheck)
    }
}

/// Replaces a job's program on a Flink cluster, and tells what became of it.
public enum UpgradeCommands {
    public static func upgrade(_ options: CommandOptions, _ action: ActionOptions, _ asked: UpgradeOptions) -> Int32 {
        FlinkCommands.run(options, action.limit) { (link, deadline) throws(ClientFailure) in
            // The same id again is the same upgrade.
            if let id = action.operation, let known = try link.ledger.upgrade(id) {
                guard isMeant(known, by: action.job) else {
                    throw ClientFailure(.refused, "\(id) is the id of an upgrade of \(printable(known.jobName)): use a new one")
                }
                return try carryOut(known, link, options, before: deadline)
            }
            let prepared = try link.prepareUpgrade(
                of: JobReference(action.job), to: asked.target, old: asked.old, allowsUnmatched: asked.allowsUnmatched)
            try tell(prepared, options, isAll: asked.checksOnly)
            if asked.checksOnly { return status(of: prepared.check) }
            guard prepared.check.weight != .blocks || asked.ignoresCheck else {
                throw ClientFailure(.refused, "\(printable(prepared.job.name)) was not stopped: the new program would be refused")
            }
            // A first checkpoint comes an interval after the launch, and may take as long as it likes to be useful.
            let interval = prepared.job.configuration.interval ?? 0
            let patience = max(asked.patience, interval + interval + .minutes(1))
            let upgrade = Upgrade(
                id: action.operation ?? OperationID(random: .random(in: .min ... .max)), job: prepared.job.id, jobName: prepared.job.name,
                by: OperatorIdentity.current(), reason: action.reason, startedAt: .now(), old: prepared.old, new: prepared.new,
                directory: asked.directory.map(StandardPaths.location), allowsUnmatched: asked.allowsUnmatched, watch: asked.watch,
                patience: patience)
            try link.ledger.begin(upgrade)
            options.output.say("upgrade \(upgrade.id) of \(printable(upgrade.jobName)); way back: \(printable(prepared.old.line, limit: 1000))")
            return try carryOut(upgrade, link, options, before: deadline)
        }
    }

    /// Goes on with an upgrade whose process ended before it; nil = there is none of this id.
    static func resume(_ id: OperationID, _ link: FlinkLink, _ options: CommandOptions, before deadline: Deadline) throws(ClientFailure) -> ExitStatus? {
        guard let upgrade = try link.ledger.upgrade(id) else { return nil }
        return try carryOut(upgrade, link, options, before: deadline)
    }

    private static func carryOut(
        _ upgrade: Upgrade, _ link: FlinkLink, _ options: CommandOptions, before deadline: Deadline
    ) throws(ClientFailure) -> ExitStatus {
        var run = UpgradeRun(upgrade, on: link) { options.output.say(printable($0, limit: 4096)) }
        try run.carryOut(before: deadline)
        try show(run.upgrade, options)
        return status(of: run.upgrade)
    }

    /// Has the old program back: by the process that carries the upgrade out, or, where there is none, by this one.
    public static func abort(_ options: CommandOptions, _ action: ActionOptions) -> Int32 {
        FlinkCommands.run(options, action.limit) { (link, deadline) throws(ClientFailure) in
            let open = try link.ledger.upgrades(limit: 100).filter { !$0.stage.isFinal && isMeant($0, by: action.job) }
            guard let upgrade = open.first else { throw ClientFailure(.refused, "no upgrade of '\(printable(action.job))' is under way") }
            guard open.count == 1 else {
                throw ClientFailure(.refused, "several upgrades are meant: name one of \(open.map(\.id.description).joined(separator: ", "))")
            }
            guard upgrade.stage.canAbort, try link.ledger.abort(upgrade.id, by: OperatorIdentity.current()) else {
                throw ClientFailure(.refused, "upgrade \(upgrade.id) cannot be aborted any more, or not yet: \(upgrade.words)")
            }
            guard !link.ledger.isCarriedOutElsewhere(upgrade.id) else {
                options.output.say("the process that carries upgrade \(upgrade.id) out was told: 'weir upgrades' shows what it does")
                return .ok
            }
            return try carryOut(upgrade, link, options, before: deadline)
        }
    }

    private static func isMeant(_ upgrade: Upgrade, by text: String) -> Bool {
        let ids = [upgrade.id.description] + [upgrade.job, upgrade.newJob, upgrade.returned].compactMap { $0?.description }
        return upgrade.jobName == text || text.utf8.count >= 4 && ids.contains { $0.hasPrefix(text) }
    }

    private static func status(of check: UpgradeCheck) -> ExitStatus {
        switch check.weight {
        case .note: .ok
        case .unknown: .unproven
        case .blocks: .refused
        }
    }

    private static func status(of upgrade: Upgrade) -> ExitStatus {
        switch upgrade.stage {
        case .upgraded: .ok
        case .kept: .refused
        case .rolledBack, .stranded, .superseded: .failed
        case .stopping, .launching, .proving, .watching, .returning, .provingReturn: .unproven
        }
    }

    // MARK: What is printed

    private struct CheckRecord: Encodable {
        var job: JobID
        var snapshot: String?
        var verdict: UpgradeCheck.Weight
        var findings: [UpgradeCheck.Finding]
        var oldRecipe, newRecipe: String
    }

    /// - Parameter isAll: the findings are what was asked for; otherwise they go along with what follows.
    private static func tell(_ prepared: UpgradePreparation, _ options: CommandOptions, isAll: Bool) throws(ClientFailure) {
        if isAll, options.printsJSON {
            let record = CheckRecord(
                job: prepared.job.id, snapshot: prepared.snapshot, verdict: prepared.check.weight, findings: prepared.check.findings,
                oldRecipe: prepared.old.line, newRecipe: prepared.new.line)
            try EngineCommands.print(record, options)
            return
        }
        var lines = prepared.check.findings.map { "\(mark($0.weight)) \($0.text)" }
        lines.append(conclusion(prepared))
        for line in lines {
            if isAll { options.output.data(printable(line, limit: 4096)) } else { options.output.say(printable(line, limit: 4096)) }
        }
    }

    private static func conclusion(_ prepared: UpgradePreparation) -> String {
        switch prepared.check.weight {
        case .note: "FITS as far as plans tell, with the state of \(prepared.snapshot ?? "the job"); types of state and maximum parallelism show at the launch"
        case .unknown: "CANNOT BE TOLD before the launch: its proof tells, and the way back is kept"
        case .blocks: "DOES NOT FIT: nothing was stopped"
        }
    }

    private static func mark(_ weight: UpgradeCheck.Weight) -> String {
        switch weight {
        case .note: "[--]"
        case .unknown: "[??]"
        case .blocks: "[XX]"
        }
    }

    private static func show(_ upgrade: Upgrade, _ options: CommandOptions) throws(ClientFailure) {
        if options.printsJSON {
            try EngineCommands.print(upgrade, options)
            return
        }
        options.output.data("\(upgrade.id)  upgrade of \(printable(upgrade.jobName)): \(printable(upgrade.words, limit: 4096))")
    }

    // MARK: The record

    public static func upgrades(_ options: CommandOptions, limit: Int?) -> Int32 {
        FlinkCommands.run(options, nil) { (link, _) throws(ClientFailure) in
            let upgrades = try link.ledger.upgrades(limit: limit ?? 20)
            if options.printsJSON {
                try EngineCommands.print(upgrades, options)
                return .ok
            }
            var table = TextTable(["WHEN", "AGE", "UPGRADE", "JOB", "STAGE", "BY", "REASON", "HOW IT STANDS"], numeric: [0, 1])
            for upgrade in upgrades {
                let isLeft = !upgrade.stage.isFinal && !link.ledger.isCarriedOutElsewhere(upgrade.id)
                let words = isLeft ? "\(upgrade.words); nobody carries it out: 'weir resume \(upgrade.id)' goes on" : upgrade.words
                table.add([
                    options.times.when(upgrade.startedAt), options.times.age(upgrade.startedAt), upgrade.id.description, upgrade.jobName,
                    upgrade.stage.rawValue, upgrade.by, upgrade.reason, words,
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    private struct VersionRecord: Encodable {
        var job: JobID
        var launchedAt: WallTime
        var jar, sha256, recipe, from: String?
        var by, reason: String
        var verdict: RestartProof.Verdict?
        var upgrade: OperationID?
        var isRollback: Bool

        init(_ version: JobVersion) {
            (job, launchedAt, jar, sha256) = (version.job, version.launchedAt, version.jar, version.content)
            (recipe, from, by, reason) = (version.recipe?.line, version.path, version.by, version.reason)
            (verdict, upgrade, isRollback) = (version.verdict, version.upgrade?.id, version.upgrade?.isBack == true)
        }
    }

    public static func versions(_ options: CommandOptions, job: String) -> Int32 {
        FlinkCommands.run(options, nil) { (link, _) throws(ClientFailure) in
            let versions = try link.versions(of: JobReference(job)).map(VersionRecord.init)
            if options.printsJSON {
                try EngineCommands.print(versions, options)
                return .ok
            }
            if versions.isEmpty { options.output.say("no launch of '\(printable(job))' is on record: it was not launched through Weir") }
            var table = TextTable(["WHEN", "AGE", "JOB", "JAR", "SHA-256", "FROM", "VERDICT", "BY", "REASON", "BY UPGRADE"], numeric: [0, 1])
            for version in versions {
                let upgrade = version.upgrade.map { "\($0)\(version.isRollback ? ", rolled back" : "")" } ?? "-"
                table.add([
                    options.times.when(version.launchedAt), options.times.age(version.launchedAt), version.job.short, version.jar ?? "-",
                    version.sha256.map { String($0.prefix(12)) } ?? "-", version.from ?? "no state", version.verdict?.rawValue ?? "-", version.by,
                    version.reason, upgrade,
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }
}
