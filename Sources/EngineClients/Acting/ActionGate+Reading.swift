public import ConsoleCore
internal import Ledger
public import StreamModel

// What screens ask the record for. Each answer is delivered as an event.
extension ActionGate {
    /// Reads the record of actions; it is delivered as `.audit`. An unreadable one has been complained about.
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

    /// Looks in the record for what a job was launched with; it is delivered as `.recipe`, none when nobody launched it through Weir.
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

    /// Reads remembered checkpoints; they are delivered as `.history`. Where nothing is remembered there are none.
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
