public import ConsoleCore
internal import Ledger
public import StreamModel

// What screens ask the record for. Each answer is delivered as an event.
extension ActionGate {
    /// Reads the record of actions and delivers it as `.audit`. An unreadable one is reported.
    public func loadAudit() {
        queue.run {
            guard let ledger = self.queue.ledger else { return self.deliver(.audit([])) }
            do throws(LedgerError) {
                self.deliver(.audit(try AuditRecord.newest(of: ledger)))
            } catch {
                self.queue.complain(error, of: .audit)
            }
        }
    }

    /// Looks up a job's launch recipe and delivers it as `.recipe`; nil = nobody launched the job through Weir.
    public func loadRecipe(of job: JobID, in context: String) {
        queue.run {
            guard let ledger = self.queue.ledger else { return self.deliver(.recipe(context: context, job, nil)) }
            do throws(LedgerError) {
                self.deliver(.recipe(context: context, job, try ledger.recipe(of: job)))
            } catch {
                self.queue.complain(error, of: .recipe)
                self.deliver(.recipe(context: context, job, nil))
            }
        }
    }

    /// Reads remembered checkpoints and delivers them as `.history`: none if nothing is remembered.
    public func loadHistory(_ question: HistoryQuestion) {
        queue.run {
            guard self.recorder != nil, let ledger = self.queue.ledger else { return self.deliver(.history(question, [], total: 0)) }
            let query = CheckpointQuery(question)
            do throws(LedgerError) {
                self.deliver(
                    .history(question, try ledger.checkpoints(query), total: try ledger.countCheckpoints(CheckpointQuery(HistoryQuestion(question.scope)))))
            } catch {
                self.queue.complain(error, of: .history)
                self.deliver(.history(question, [], total: 0))
            }
        }
    }
}
