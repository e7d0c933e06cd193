internal import ConsoleCore
internal import FlinkREST
internal import HostEnvironment
public import Ledger
public import StreamModel
internal import Synchronization

// What operators do to a cluster. The engine's thread only looks; whatever acts has a thread of its own and tells how far it has come by `note`.
extension FlinkEngine: OperationLookup, RecordKeeping {
    /// Carries an operation out, from the checks before it to its end.
    public func operate(_ operation: OperationRequest) {
        carryOut(operation.id) { () throws(FlinkRefusal) in
            // The chooser showed its verdict; files can go between that and the key.
            if case .refused(let message) = self.check(nil).find(operation) { throw FlinkRefusal(message) }
            _ = try self.runner { self.note($0) }.run(operation)
        }
    }

    public func goOn(_ sent: SentOperation) {
        carryOut(sent.request.id) { () throws(FlinkRefusal) in _ = try self.runner { self.note($0) }.goOn(sent) }
    }

    private func carryOut(_ id: OperationID, _ body: @escaping @Sendable () throws(FlinkRefusal) -> Void) {
        guard carried.withLock({ $0.insert(id).inserted }) else { return }
        let runs = threads.run {
            do throws(FlinkRefusal) { try body() } catch {
                // When the console ends, what was not sent is found by the next one.
                if !error.isHalted { self.emit(.refused(id, message: error.message)) }
            }
            self.carried.withLock { _ = $0.remove(id) }
            self.record.withLock { $0 }?.ledger.release(id)
        }
        if !runs { carried.withLock { _ = $0.remove(id) } }
    }

    public func keepRecord(in ledger: Ledger, as address: String, onFailure: @escaping @Sendable (LedgerError, LedgerUse) -> Void) {
        record.withLock { $0 = StepRecord(ledger: ledger, onFailure: { onFailure($0, .outcomes) }) }
        let memory = JarMemory(
            ids: { content in
                do throws(LedgerError) { return try ledger.jars(content: content.description, address: address) } catch {
                    onFailure(error, .jars)
                    return []
                }
            },
            learn: { id, content in
                do throws(LedgerError) { try ledger.rememberJar(id, content: content.description, address: address, at: WallTime.now()) } catch {
                    onFailure(error, .jars)
                }
            })
        jars.withLock { $0 = memory }
    }

    /// Looks up an operation sent by an earlier console or a command, and follows it to its end.
    public func lookUp(_ sent: SentOperation, completion: @escaping @Sendable (OperationReport?) -> Void) {
        // Whoever carries it out here tells of it, and has perhaps not sent the last of it yet.
        guard carried.withLock({ $0.insert(sent.request.id).inserted }) else { return }
        let runs = threads.run {
            defer { self.carried.withLock { _ = $0.remove(sent.request.id) } }
            let isTold = Mutex(false)
            @Sendable func tell(_ report: OperationReport) {
                self.note(report)
                if isTold.withLock({ told in
                    defer { told = true }; return !told
                }) {
                    completion(report)
                }
            }
            // FlinkRefusal: there is no link; it is looked up again once there is one.
            guard let runner = try? self.runner(tell: tell) else { return }
            guard let end = runner.resume(sent) else { return }
            if !isTold.withLock({ $0 }) { completion(end) }
        }
        if !runs { carried.withLock { _ = $0.remove(sent.request.id) } }
    }

    /// Asks for the cluster's version first: it may have been replaced since.
    private func runner(tell: @escaping @Sendable (OperationReport) -> Void) throws(FlinkRefusal) -> FlinkOperationRunner {
        let cluster: FlinkClusterConfiguration
        var question = FlinkEndpoint<FlinkClusterConfiguration>.configuration
        question.timeout = patience
        do throws(FlinkFailure) { cluster = try client.answer(to: question) } catch {
            throw FlinkRefusal("nothing was sent: \(error.message)")
        }
        return FlinkOperationRunner(
            client: client, cluster: cluster, jars: jars.withLock { $0 }, snapshots: check(cluster.version).sight,
            clock: WallTime.now, pause: { self.threads.pause($0) },
            record: { report in
                guard self.threads.isRunning else { return false }
                self.record.withLock { $0 }?.write(report)
                return true
            }, tell: tell)
    }

    /// As `inspect`, and asks which jobs' checkpoints name the files.
    func inspectForDeletion(_ path: String, _ version: FlinkVersion?) {
        threads.run {
            let isHere = FlinkAddress.isThisMachine(self.client.connection.address.host)
            var found = FlinkInspector.inspect(path, clusterIsHere: isHere, version, self.stored)
            do throws(FlinkRefusal) {
                guard let version else { throw FlinkRefusal("the cluster did not identify itself") }
                let needs = FlinkSnapshotNeeds(client: self.client, version: version, snapshots: self.check(version).sight)
                found.needs = SnapshotInspection.Needs(jobs: try needs.lines(of: path))
            } catch {
                found.needs = SnapshotInspection.Needs(jobs: [], problem: error.message)
            }
            self.emit(.inspection(found))
        }
    }

    private func check(_ version: FlinkVersion?) -> SnapshotCheck {
        SnapshotCheck(address: client.connection.address, version: version, stored: stored)
    }

    /// Looks at the files, where it can.
    func inspect(_ path: String, _ version: FlinkVersion?) {
        inspector.inspect(path, version) { [weak self] found in self?.emit(.inspection(found)) }
    }
}

/// Where the steps of operations are written down, on the thread that takes them.
public struct StepRecord: Sendable {
    let ledger: Ledger
    let onFailure: @Sendable (LedgerError) -> Void

    /// A failing ledger is reported and stops no operation.
    func write(_ report: OperationReport) {
        do throws(LedgerError) { try ledger.recordStep(report) } catch { onFailure(error) }
    }
}
