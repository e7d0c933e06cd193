public import FlinkREST
public import HostEnvironment
public import Ledger
public import StreamModel

/// The record of commands' actions on engines that keep none themselves, in the console's own file. A record that cannot be written is reported once
/// and stops no action: a command without a ledger is still a command.
public final class CommandLedger: Sendable {
    private let ledger: Ledger?
    public let output: Output
    private let context: String
    public let address: String

    public init(path: String, context: String, address: String, output: Output) {
        (self.context, self.address, self.output) = (context, address, output)
        do throws(LedgerError) { ledger = try Ledger.open(path: path) } catch {
            output.say("actions are not recorded: \(error)")
            ledger = nil
        }
    }

    /// Records an operation that this process carries out, before it is sent.
    public func intend(_ request: OperationRequest) throws(ClientFailure) {
        guard claim(request.id) else { throw ClientFailure(.refused, "\(request.id) is being carried out by another process: nothing was sent") }
        do throws(LedgerError) {
            try ledger?.recordIntent(request, context: context, address: address, at: .now(), carrier: OperatorIdentity.process())
        } catch {
            if case .conflict = error { throw ClientFailure(.refused, "\(error)") }
            output.say("actions are not recorded: \(error)")
        }
    }

    /// Claims an operation for this process; false = another process carries it out.
    public func claim(_ id: OperationID) -> Bool { ledger?.claim(id) ?? true }

    public func release(_ id: OperationID) { ledger?.release(id) }

    public func isCarriedOutElsewhere(_ id: OperationID) -> Bool { ledger?.isCarriedOutElsewhere(id) ?? false }

    /// Records the next step before it is taken.
    public func step(_ report: OperationReport) { quietly { (ledger) throws(LedgerError) in try ledger.recordStep(report) } }

    public func note(_ report: OperationReport) { quietly { (ledger) throws(LedgerError) in try ledger.recordOutcome(report) } }

    public func note(_ verdict: RestartProof.Verdict, of id: OperationID) {
        quietly { (ledger) throws(LedgerError) in try ledger.recordVerdict(verdict, of: id) }
    }

    public func refuse(_ id: OperationID, _ message: String) {
        quietly { (ledger) throws(LedgerError) in try ledger.recordRefusal(id, message: message, at: .now()) }
    }

    public func entry(_ id: OperationID) throws(ClientFailure) -> LedgerEntry? {
        try read { (ledger) throws(LedgerError) in try ledger.entry(id) } ?? nil
    }

    public func recent(limit: Int) throws(ClientFailure) -> [LedgerEntry] {
        try read { (ledger) throws(LedgerError) in try ledger.recent(address: address, limit: limit) } ?? []
    }

    /// The newest checkpoints that are remembered of a job of this cluster, by its name or whole id.
    public func checkpoints(of job: String, listed: Set<JobID>) throws(ClientFailure) -> [RememberedCheckpoint] {
        let record = EngineRecord(context: context, sharedAt: context == FlinkConnection.sharedContext ? address : nil)
        return try read { (ledger) throws(LedgerError) in try record.checkpoints(of: job, in: ledger, listed: listed).own } ?? []
    }

    public func recipe(of job: JobID) throws(ClientFailure) -> JarRecipe? {
        try read { (ledger) throws(LedgerError) in try ledger.recipe(of: job) } ?? nil
    }

    public func launch(of job: JobID) throws(ClientFailure) -> LedgerEntry? {
        try read { (ledger) throws(LedgerError) in try ledger.launch(of: job) } ?? nil
    }

    /// SHA-256 of a jar on this cluster; nil = it was not uploaded through Weir.
    public func content(ofJar id: String) throws(ClientFailure) -> String? {
        try read { (ledger) throws(LedgerError) in try ledger.content(ofJar: id, address: address) } ?? nil
    }

    // MARK: Upgrades

    /// Writes a new upgrade down. Without a record there is none: whoever comes after would not know of it.
    public func begin(_ upgrade: Upgrade) throws(ClientFailure) {
        let other = try write { (ledger) throws(LedgerError) in try ledger.beginUpgrade(upgrade, context: context, address: address) }
        if let other { throw ClientFailure(.refused, "upgrade \(other) of the job has not ended: 'weir upgrades' shows it; nothing was sent") }
    }

    /// - Returns: false = it was aborted meanwhile, and has not ended well.
    public func record(_ upgrade: Upgrade) throws(ClientFailure) -> Bool {
        try write { (ledger) throws(LedgerError) in try ledger.recordUpgrade(upgrade, context: context, address: address) }
    }

    private func write<Value>(_ body: (Ledger) throws(LedgerError) -> Value) throws(ClientFailure) -> Value {
        guard let ledger else { throw ClientFailure(.refused, "an upgrade needs a ledger that can be written: nothing was sent") }
        do throws(LedgerError) { return try body(ledger) } catch { throw ClientFailure(.refused, "\(error)") }
    }

    public func upgrade(_ id: OperationID) throws(ClientFailure) -> Upgrade? {
        try read { (ledger) throws(LedgerError) in try ledger.upgrade(id, address: address) } ?? nil
    }

    public func upgrades(limit: Int) throws(ClientFailure) -> [Upgrade] {
        try read { (ledger) throws(LedgerError) in try ledger.upgrades(address: address, limit: limit) } ?? []
    }

    public func isAborted(_ id: OperationID) -> Bool {
        // ClientFailure: the record cannot be read now. It is read again, and an upgrade that is aborted is not recorded as ended well.
        (try? upgrade(id))?.isAborted == true
    }

    /// False = there is no such upgrade under way.
    public func abort(_ id: OperationID, by operator: String) throws(ClientFailure) -> Bool {
        try read { (ledger) throws(LedgerError) in try ledger.abortUpgrade(id, by: `operator`) } ?? false
    }

    /// The recorded jars of this cluster. Without a usable ledger there are none, and every file is sent.
    public var jars: JarMemory {
        JarMemory(
            ids: { [self] content in
                do throws(ClientFailure) {
                    return try read { (ledger) throws(LedgerError) in try ledger.jars(content: content.description, address: address) } ?? []
                } catch {
                    output.say("the jar is uploaded again: \(error.message ?? "the record cannot be read")")
                    return []
                }
            },
            learn: { [self] id, content in
                quietly { (ledger) throws(LedgerError) in try ledger.rememberJar(id, content: content.description, address: address, at: .now()) }
            })
    }

    private func read<Value>(_ body: (Ledger) throws(LedgerError) -> Value) throws(ClientFailure) -> Value? {
        guard let ledger else { return nil }
        do throws(LedgerError) { return try body(ledger) } catch { throw ClientFailure(.failed, "\(error)") }
    }

    private func quietly(_ body: (Ledger) throws(LedgerError) -> some Any) {
        guard let ledger else { return }
        do throws(LedgerError) { _ = try body(ledger) } catch { output.say("actions are not recorded: \(error)") }
    }
}
