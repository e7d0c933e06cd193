internal import ConsoleCore
internal import HostEnvironment
internal import Ledger
internal import StreamModel
internal import Synchronization

// Operations that other processes carry out, and those whose end nobody saw. All of it runs on the queue of the ledger.
extension ActionGate {
    // MARK: Operations of other processes

    /// Interval of checks whether another process has written to the ledger.
    private static let ledgerPeriod: Milliseconds = .seconds(3)
    /// The same while every engine reports everybody's operations itself: a context that does not may be added.
    private static let idleLedgerPeriod: Milliseconds = .seconds(30)
    /// Operations shown for a cluster.
    private static let recordedMax = 50

    /// On the worker: reports new records of other processes, until the gate is finished.
    func watch(_ ledger: Ledger, since last: Int64?) {
        guard !book.withLock({ $0.isFinished }) else { return }
        let recorded = sessions.withLock { $0.values.filter { $0.acting?.keeper != nil } }
        var version = last
        do throws(LedgerError) {
            if !recorded.isEmpty {
                let now = try ledger.versionOfOthers()
                if now != last { for session in recorded { try tell(of: ledger, session.looking) } }
                for session in recorded { try tellUpgrades(of: ledger, session.looking, isChanged: now != last) }
                version = now
            }
        } catch {
            queue.complain(error, of: .openActions)
        }
        let pause = recorded.isEmpty ? Self.idleLedgerPeriod : Self.ledgerPeriod
        queue.run(after: pause) { [weak self, version] in self?.watch(ledger, since: version) }
    }

    private func tell(of ledger: Ledger, _ session: LookingSession) throws(LedgerError) {
        let entries = try ledger.recent(address: session.context.address.text, limit: Self.recordedMax)
        let (mine, isLinked) = book.withLock { (Set($0.open.keys), $0.linked.contains(session.context.name) && !$0.unseen.contains(session.context.name)) }
        var reports: [OperationReport] = []
        for entry in entries where !mine.contains(entry.request.id) {
            var report = OperationReport(entry)
            if !entry.outcome.isTerminal {
                guard ledger.isCarriedOutElsewhere(entry.request.id) else {
                    // Its process has ended since.
                    if isLinked, entry.carrier != nil, entry.outcome != .interrupted, let lookup = session.lookup {
                        lookAfter(entry, ledger, session, lookup)
                    }
                    continue
                }
                report.activity = carriedOut(entry)
            }
            reports.append(report)
        }
        if !reports.isEmpty { deliver(.recorded(reports, context: session.context.name)) }
    }

    /// Tells of upgrades that have not ended well, when one has changed, or the process has ended that carried it out.
    private func tellUpgrades(of ledger: Ledger, _ session: LookingSession, isChanged: Bool) throws(LedgerError) {
        let context = session.context.name
        let known = book.withLock { $0.upgrades[context] }
        guard isChanged || known != [] else { return }
        let reports = try ledger.upgrades(address: session.context.address.text, limit: Self.recordedMax)
            .filter { !$0.stage.isFinal || $0.stage == .stranded }
            .map { UpgradeReport($0, isCarriedOut: ledger.isCarriedOutElsewhere($0.id)) }
        book.withLock { $0.upgrades[context] = reports }
        guard reports != known ?? [] else { return }
        deliver(.upgrades(reports, context: context))
    }

    private func carriedOut(_ entry: LedgerEntry) -> String { "being carried out by \(entry.carrier ?? "another process")" }

    // MARK: Operations whose end nobody saw

    func reattach(_ context: String) {
        guard let session = looking(context), let lookup = session.lookup else { return }
        guard let ledger = queue.ledger else {
            if queue.isAwaited { book.withLock { _ = $0.owed.insert(context) } }
            return
        }
        let entries: [LedgerEntry]
        do throws(LedgerError) { entries = try ledger.unfinished(address: session.context.address.text) } catch {
            return queue.complain(error, of: .openActions)
        }
        for entry in entries { lookAfter(entry, ledger, session, lookup) }
        remind(session, ledger)
    }

    /// On the worker: reports the jobs that the cluster had live; it may have forgotten them.
    private func remind(_ session: LookingSession, _ ledger: Ledger) {
        guard case .flink = session.context.address else { return }
        do throws(LedgerError) {
            let jobs = try ledger.liveJobs(address: session.context.address.text, at: WallTime.now())
            if !jobs.isEmpty { deliver(.remembered(jobs, context: session.context.name)) }
        } catch { queue.complain(error, of: .checkpoints) }
    }

    /// Interval of looks at the record of an operation that another process carries out.
    private static let elsewherePeriod: Milliseconds = .seconds(2)

    /// On the worker: follows an operation by the records of its process, or looks it up if that process is gone.
    private func lookAfter(_ entry: LedgerEntry, _ ledger: Ledger, _ session: LookingSession, _ lookup: any OperationLookup) {
        let id = entry.request.id
        guard ledger.isCarriedOutElsewhere(id) else {
            book.withLock { book in
                if book.open[id] == nil { book.open[id] = OperationProgress() }
            }
            lookup.lookUp(entry.sent) { [weak self] report in self?.found(report, for: entry, session, lookup) }
            return
        }
        var report = OperationReport(entry)
        report.activity = carriedOut(entry)
        deliver(.reattached([report], context: session.context.name))
        queue.run(after: Self.elsewherePeriod) { [weak self] in
            guard let self else { return }
            do throws(LedgerError) {
                guard let next = try ledger.entry(id) else { return }
                guard next.outcome.isTerminal else { return lookAfter(next, ledger, session, lookup) }
                deliver(.reattached([OperationReport(next)], context: session.context.name))
            } catch {
                queue.complain(error, of: .openActions)
            }
        }
    }

    private func found(_ report: OperationReport?, for entry: LedgerEntry, _ session: LookingSession, _ lookup: any OperationLookup) {
        let context = session.context.name, age = WallTime.now() - entry.sentAt
        if let report, report.state != .unknown || age >= settlingTime {
            deliver(.reattached([report], context: context))
            return learn(report)
        }
        guard age >= settlingTime else { return lookAgain(at: entry, session, lookup, after: min(settlingTime, settlingTime - age)) }
        let now = WallTime.now()
        let message = "the engine does not know it: it never arrived, or the engine's records are gone"
        book.withLock { $0.open[entry.request.id] = nil }
        queue.write(.outcomes) { ledger throws(LedgerError) in try ledger.recordUnknown(entry.request.id, message: message, at: now) }
        deliver(
            .reattached(
                [
                    OperationReport(
                        request: entry.request, jobName: "", state: .unknown, acceptedAt: entry.sentAt, endedAt: now, error: message)
                ], context: context))
    }

    /// Looks again later, unless the operation's end has been reported by then.
    private func lookAgain(at entry: LedgerEntry, _ session: LookingSession, _ lookup: any OperationLookup, after pause: Milliseconds) {
        queue.run(after: pause) { [weak self] in
            guard let self, book.withLock({ !$0.isFinished && $0.open[entry.request.id] != nil }) else { return }
            lookup.lookUp(entry.sent) { [weak self] report in self?.found(report, for: entry, session, lookup) }
        }
    }
}
