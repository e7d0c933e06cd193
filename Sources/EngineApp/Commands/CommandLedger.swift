internal import FlinkREST
internal import Ledger
internal import StreamModel

/// The record of what commands do to engines that keep none themselves, in the file that the console uses, too. A record that cannot be
/// written is told once and keeps nobody from acting: a command without a ledger is still a command.
final class CommandLedger: Sendable {
    private let ledger: Ledger?
    let output: Output
    private let context: String
    let address: String

    init(path: String, context: String, address: String, output: Output) {
        (self.context, self.address, self.output) = (context, address, output)
        do throws(LedgerError) { ledger = try Ledger.open(path: path) } catch {
            output.say("what is done is not recorded: \(error)")
            ledger = nil
        }
    }

    /// Writes an operation down before it is sent.
    func intend(_ request: OperationRequest) throws(CommandFailure) {
        do throws(LedgerError) { try ledger?.recordIntent(request, context: context, address: address, at: .now()) } catch {
            if case .conflict = error { throw CommandFailure(.refused, "\(error)") }
            output.say("what is done is not recorded: \(error)")
        }
    }

    func note(_ report: OperationReport) { quietly { (ledger) throws(LedgerError) in try ledger.recordOutcome(report) } }

    func refuse(_ id: OperationID, _ message: String) {
        quietly { (ledger) throws(LedgerError) in try ledger.recordRefusal(id, message: message, at: .now()) }
    }

    func entry(_ id: OperationID) throws(CommandFailure) -> LedgerEntry? {
        try read { (ledger) throws(LedgerError) in try ledger.entry(id) } ?? nil
    }

    func recent(limit: Int) throws(CommandFailure) -> [LedgerEntry] {
        try read { (ledger) throws(LedgerError) in try ledger.recent(address: address, limit: limit) } ?? []
    }

    func recipe(of job: JobID) throws(CommandFailure) -> JarRecipe? {
        try read { (ledger) throws(LedgerError) in try ledger.recipe(of: job) } ?? nil
    }

    /// What is on record of the jars of this cluster. Without a usable ledger nothing is, and every file is sent.
    var jars: JarMemory {
        JarMemory(
            ids: { [self] content in
                do throws(CommandFailure) {
                    return try read { (ledger) throws(LedgerError) in try ledger.jars(content: content.description, address: address) } ?? []
                } catch {
                    output.say("the jar is uploaded anew: \(error.message ?? "the record cannot be read")")
                    return []
                }
            },
            learn: { [self] id, content in
                quietly { (ledger) throws(LedgerError) in try ledger.rememberJar(id, content: content.description, address: address, at: .now()) }
            })
    }

    // MARK: Chores

    /// Does something to the cluster itself and keeps what became of it.
    func doing<Result>(
        _ verb: LedgerChore.Verb, _ subject: String, reason: String, by: String, _ work: () throws(CommandFailure) -> Result,
        result: (Result) -> String?
    ) throws(CommandFailure) -> Result {
        let id = OperationID(random: .random(in: .min ... .max))
        let chore = LedgerChore(id: id, verb: verb, subject: subject, reason: reason, by: by, context: context, address: address, sentAt: .now())
        quietly { (ledger) throws(LedgerError) in try ledger.record(chore) }
        do throws(CommandFailure) {
            let done = try work()
            let text = result(done)
            quietly { (ledger) throws(LedgerError) in try ledger.recordOutcome(ofChore: id, .completed, at: .now(), result: text) }
            return done
        } catch {
            let outcome: LedgerEntry.Outcome = error.status == .refused ? .refused : error.status == .unproven ? .unknown : .failed
            let message = error.message
            quietly { (ledger) throws(LedgerError) in try ledger.recordOutcome(ofChore: id, outcome, at: .now(), error: message) }
            throw error
        }
    }

    func chores(limit: Int) throws(CommandFailure) -> [LedgerChore] {
        let all = try read { (ledger) throws(LedgerError) in try ledger.recentChores(limit: limit) } ?? []
        return all.filter { $0.address == address }
    }

    private func read<Value>(_ body: (Ledger) throws(LedgerError) -> Value) throws(CommandFailure) -> Value? {
        guard let ledger else { return nil }
        do throws(LedgerError) { return try body(ledger) } catch { throw CommandFailure(.failed, "\(error)") }
    }

    private func quietly(_ body: (Ledger) throws(LedgerError) -> some Any) {
        guard let ledger else { return }
        do throws(LedgerError) { _ = try body(ledger) } catch { output.say("what is done is not recorded: \(error)") }
    }
}
