internal import ConsoleCore
internal import FlinkREST
internal import Ledger
public import StreamModel
internal import Synchronization

// What operators do to a cluster. The engine's thread only looks; whatever acts has a thread of its own and tells how far it has come by `note`.
extension FlinkEngine: OperationLookup, JarRemembering {
    /// Carries an operation out, from the checks before it to its end.
    public func operate(_ operation: OperationRequest) {
        threads.run {
            do throws(FlinkRefusal) {
                _ = try self.runner { self.note($0) }.run(operation)
            } catch {
                self.emit(.refused(operation.id, message: error.message))
            }
        }
    }

    func remember(_ ledger: Ledger, as address: String, onFailure: @escaping @Sendable (LedgerError) -> Void) {
        let memory = JarMemory(
            ids: { content in
                do throws(LedgerError) { return try ledger.jars(content: content.description, address: address) } catch {
                    onFailure(error)
                    return []
                }
            },
            learn: { id, content in
                do throws(LedgerError) { try ledger.rememberJar(id, content: content.description, address: address, at: Surroundings.wallTime()) } catch { onFailure(error) }
            })
        jars.withLock { $0 = memory }
    }

    /// Finds out what became of an operation that an earlier console, or a command, has sent, and follows it to its end.
    func lookUp(_ sent: SentOperation, completion: @escaping @Sendable (OperationReport?) -> Void) {
        threads.run {
            let isTold = Mutex(false)
            @Sendable func tell(_ report: OperationReport) {
                self.note(report)
                if isTold.withLock({ told in defer { told = true }; return !told }) { completion(report) }
            }
            // Without a link it is looked for again when the link is back.
            guard let runner = try? self.runner(tell: tell) else { return }
            guard let end = runner.resume(sent.request, reference: sent.reference, sentAt: sent.sentAt) else { return }
            if !isTold.withLock({ $0 }) { completion(end) }
        }
    }

    /// Asks first what the cluster is: it may have been replaced by another version since.
    private func runner(tell: @escaping @Sendable (OperationReport) -> Void) throws(FlinkRefusal) -> FlinkOperationRunner {
        let cluster: FlinkClusterConfiguration
        var question = FlinkEndpoint<FlinkClusterConfiguration>.configuration
        question.timeout = patience
        do throws(FlinkFailure) { cluster = try client.answer(to: question) } catch {
            throw FlinkRefusal("nothing was sent: \(error.message)")
        }
        return FlinkOperationRunner(
            client: client, cluster: cluster, jars: jars.withLock { $0 }, clock: Surroundings.wallTime, pause: { self.threads.pause($0) }, tell: tell)
    }

    /// Looks at the files on this machine, where it can.
    func inspect(_ path: String) {
        inspector.inspect(path) { [weak self] found in self?.emit(.inspection(found)) }
    }
}
