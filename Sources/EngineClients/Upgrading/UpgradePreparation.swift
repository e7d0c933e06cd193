internal import CellGrid
internal import ConsoleCore
public import ControlProtocol
internal import FlinkFormats
internal import FlinkREST
internal import FlinkSnapshots
internal import HostEnvironment
internal import Ledger
public import StreamModel

/// The program that is to take a job over. What is nil is as the job was launched.
public struct UpgradeTarget: Sendable {
    public var jar: JarRecipe.Jar
    public var entryClass: String?
    public var arguments: [String]?
    public var parallelism: Int?

    public init(jar: JarRecipe.Jar, entryClass: String?, arguments: [String]?, parallelism: Int?) {
        (self.jar, self.entryClass, self.arguments, self.parallelism) = (jar, entryClass, arguments, parallelism)
    }

    func recipe(after old: JarRecipe) -> JarRecipe {
        JarRecipe(
            jar: jar, entryClass: entryClass ?? old.entryClass, arguments: arguments ?? old.arguments, parallelism: parallelism ?? old.parallelism)
    }
}

/// What is known before an upgrade, while the old job runs: both programs, their jars on the cluster, and whether the state fits.
public struct UpgradePreparation: Sendable {
    public var job: JobReport
    /// The way back.
    public var old: JarRecipe
    public var new: JarRecipe
    /// The snapshot whose state was looked at; nil = the job has none.
    public var snapshot: String?
    public var check: UpgradeCheck
}

extension FlinkLink {
    /// Brings the new program's jar to the cluster and checks it against the state of the running job. Nothing is done to the job.
    /// - Parameter old: what the job was launched with; nil = as it is on record.
    public func prepareUpgrade(
        of reference: JobReference, to target: UpgradeTarget, old given: JarRecipe?, allowsUnmatched: Bool
    ) throws(ClientFailure) -> UpgradePreparation {
        let job = try running(reference)
        if let twin = try liveJobs(named: job.name).first(where: { $0 != job.id }) {
            throw ClientFailure(.refused, "another job is called \(printable(job.name)), too (\(twin)): they could not be told apart; nothing was sent")
        }
        let old = try wayBack(of: job, given)
        let new = try asked { () throws(FlinkFailure) in try ledger.jars.placed(target.recipe(after: old), on: client) }
        let (snapshot, states) = try newestState(of: job.id)
        var check: UpgradeCheck
        do throws(FlinkFailure) {
            let plans = try plans(of: new)
            // FlinkFailure: a program that cannot be planned any more says nothing about the new one.
            var oldPlans = try? self.plans(of: old)
            let isOld = oldPlans.map { $0.chained.ids == Set(job.vertices.map(\.id)) } ?? true
            if !isOld { oldPlans = nil }
            check = UpgradeCheck(of: states, new: plans, old: oldPlans, allowsUnmatched: allowsUnmatched)
            if !isOld {
                check.add(.init(.blocks, "way back: the old program's plan has other operators than the running job; name what runs with --old-recipe"))
            }
        } catch {
            guard !error.isOfLink else { throw ClientFailure(.noLink, error.message) }
            check = UpgradeCheck(failure: "the new program makes no job: \(error.message)", isCertain: error.kind == .rejected)
        }
        if job.configuration.interval == nil {
            check.add(.init(.blocks, "checkpoints: the job takes none by itself, so a resume could not be proven; turn checkpointing on first"))
        }
        if snapshot == nil { check.add(.init(.note, "the job has no checkpoint yet: the stop makes its first snapshot")) }
        if old == new { check.add(.init(.note, "the new program is the one that runs: same jar, same arguments")) }
        if let finding = shortage(of: check, job) { check.add(finding) }
        return UpgradePreparation(job: job, old: old, new: new, snapshot: snapshot, check: check)
    }

    private func asked<Value>(_ body: () throws(FlinkFailure) -> Value) throws(ClientFailure) -> Value {
        do throws(FlinkFailure) { return try body() } catch { throw ClientFailure(error.isOfLink ? .noLink : .refused, error.message) }
    }

    private func running(_ reference: JobReference) throws(ClientFailure) -> JobReport {
        let (id, _) = try target(reference)
        guard let job = try nextReport(of: JobReference(id)).jobs.first(where: { $0.id == id }) else {
            throw ClientFailure(.refused, "the cluster does not know '\(printable(reference.text))' any more: there is no job to upgrade")
        }
        guard job.state == .running else {
            throw ClientFailure(.refused, "\(printable(job.name)) is \(printable(job.stateText)): an upgrade begins with a RUNNING job")
        }
        return job
    }

    /// What the job was launched with, with its jar on the cluster: the file of that name may hold another program by now.
    private func wayBack(of job: JobReport, _ given: JarRecipe?) throws(ClientFailure) -> JarRecipe {
        if let given { return try asked { () throws(FlinkFailure) in try ledger.jars.placed(given, on: client) } }
        guard let launch = try ledger.launch(of: job.id), let options = launch.request.kind.launch, var recipe = options.recipe else {
            throw ClientFailure(
                .refused, "there is no way back: how \(printable(job.name)) was launched is not on record; give its jar and arguments with --old-recipe")
        }
        recipe.parallelism = options.parallelism ?? recipe.parallelism
        if let id = launch.jarID { recipe.jar = .uploaded(id) }
        do throws(FlinkFailure) { return try ledger.jars.placed(recipe, on: client) } catch {
            guard !error.isOfLink else { throw ClientFailure(.noLink, error.message) }
            throw ClientFailure(.refused, "there is no way back: \(error.message), with --old-recipe")
        }
    }

    private func plans(of recipe: JarRecipe) throws(FlinkFailure) -> UpgradeCheck.Plans {
        guard case .uploaded(let jar) = recipe.jar else { throw FlinkFailure(.unsupported, "the jar is not on the cluster") }
        let chained = try client.answer(to: .plan(recipe, jar: jar, isChained: true))
        guard picture.cluster?.version.has(.planConfiguration) == true else { return UpgradeCheck.Plans(chained: chained, unchained: nil) }
        // FlinkFailure: then what stands behind the heads of chains is not told, as with earlier versions.
        return UpgradeCheck.Plans(chained: chained, unchained: try? client.answer(to: .plan(recipe, jar: jar, isChained: false)))
    }

    /// The operators of the newest snapshot that can be read from here.
    private func newestState(of job: JobID) throws(ClientFailure) -> (path: String?, states: [UpgradeCheck.State]?) {
        let known = try asked { () throws(FlinkFailure) in try client.answer(to: .checkpoints(job)) }
        let ways = FlinkActionRules.waysBack(in: known), isHere = FlinkAddress.isThisMachine(client.connection.address.host)
        for way in ways {
            guard let metadata = FlinkSnapshot.read(way.path, clusterIsHere: isHere, remote: stored, .names).metadata else { continue }
            return (way.path, metadata.operators.map(UpgradeCheck.State.init))
        }
        return (ways.first?.path, nil)
    }

    private func shortage(of check: UpgradeCheck, _ job: JobReport) -> UpgradeCheck.Finding? {
        guard let free = freeSlots, let needed = check.slots else { return nil }
        let left = free + job.slots
        return needed > left ? .init(.unknown, "slots: the new program needs \(needed), and \(left) are free once the old job has stopped") : nil
    }

    private var freeSlots: Int? {
        // FlinkFailure: how many there are is not known, and nothing is said of them.
        (try? client.answer(to: .overview))?.freeSlots
    }
}

extension JobReport {
    /// Slots that it holds, as long as all of its operators share them.
    fileprivate var slots: Int { vertices.map(\.parallelism).max() ?? 0 }
}

extension UpgradeCheck.State {
    fileprivate init(_ state: FlinkMetadata.Operator) {
        self.init(
            id: state.id, name: state.uid ?? state.name, isUID: state.uid.map { OperatorID(uid: $0) == state.id } ?? false,
            maxParallelism: state.maxParallelism, size: state.stateSize, hasState: state.hasState, isFinished: state.isFullyFinished)
    }
}

/// Looks at the cluster between the steps of an upgrade.
extension FlinkLink {
    /// The state of a job; nil = the cluster does not know it, and has said so often enough to be believed.
    /// - Parameter denials: how often in a row, a second apart: a JobManager that takes over knows no job for seconds.
    func settledState(of job: JobID, denials most: Int = 60, before deadline: Deadline) throws(ClientFailure) -> JobState? {
        var denials = 0, problem = "the cluster does not answer"
        while true {
            do throws(FlinkFailure) {
                let state = try client.answer(to: .job(job)).state
                if let known = state.nearest { return known }
                problem = "the job is \(state.text), a state of a later version"
            } catch {
                denials = error.kind == .notFound ? denials + 1 : 0
                problem = error.message
                if denials >= most { return nil }
            }
            guard !deadline.isOver else { throw ClientFailure(.unproven, problem) }
            pause(milliseconds: Int32(clamping: min(1000, max(1, deadline.left)).count))
        }
    }

    /// Whether a job began from this snapshot, as far as the cluster tells.
    func isRestored(_ job: JobID, from path: String?) throws(ClientFailure) -> Bool {
        guard let path else { return false }
        do throws(FlinkFailure) {
            guard let restored = try client.answer(to: .checkpoints(job)).restored?.path else { return true }
            return SnapshotLocation(restored) == SnapshotLocation(path)
        } catch {
            guard error.kind == .notFound else { throw ClientFailure(.noLink, error.message) }
            return true
        }
    }

    func liveJobs(named name: String) throws(ClientFailure) -> [JobID] {
        try asked { () throws(FlinkFailure) in
            try client.answer(to: .jobs).filter { $0.name == name && $0.state.nearest?.isTerminal != true }.map(\.id)
        }
    }

    /// Whether an operation was refused for a reason that may pass.
    func mayPass(_ operation: OperationID) -> Bool { followed[operation]?.mayPass == true }
}
