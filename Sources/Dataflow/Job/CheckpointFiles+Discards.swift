internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// What became of an attempt to delete a completed checkpoint.
enum DiscardOutcome: Sendable {
    case gone
    /// Somebody reads it.
    case inUse
    /// The disk refused.
    case failed
}

/// A completed checkpoint that the job needs no more, until it is gone. It counts as there for as long as it is.
struct PendingDiscard {
    /// nil = it has no row: only its number is known.
    let path: String?
    let since: EngineInstant
    var isUnderWay = true
    /// The first attempt is counted as a cleanup, which the coordinator waits for.
    var isFirst = true
    var outcome = DiscardOutcome.failed
    /// The job has gone back to it meanwhile.
    var isWanted = false
}

/// How completed checkpoints are deleted: at once, or when those who read them have ended.
extension JobMaster {
    /// So long a reader keeps a checkpoint from being deleted.
    static let longestPin = Milliseconds.minutes(10)

    var isDiscarding: Bool { discards.values.contains(where: \.isUnderWay) }

    func discardCompleted(_ id: CheckpointID) {
        retryDiscards(of: [.inUse, .failed])
        guard discards[id] == nil else { return feed(.cleanupFinished(id)) }
        let start = blueprint.start
        let path = record.report(id)?.path ?? (start?.manifest.checkpoint == id ? start?.state.snapshot.path : nil)
        discards[id] = PendingDiscard(path: path, since: host.now())
        cleanups[id, default: 0] += 1
        discard(id)
    }

    /// Tries those again whose last attempt came to this.
    func retryDiscards(of outcomes: Set<DiscardOutcome>) {
        for (id, pending) in discards.sorted(by: { $0.key < $1.key }) where !pending.isUnderWay && outcomes.contains(pending.outcome) {
            discards[id]?.isUnderWay = true
            discard(id)
        }
    }

    private func discard(_ id: CheckpointID) {
        guard let pending = discards[id] else { return }
        let isOverdue = host.now() >= pending.since + Self.longestPin
        files.perform { [directory = blueprint.directory, filesystem = host.filesystem, weak self] in
            var outcome = DiscardOutcome.gone
            do throws(StoreError) {
                if let path = pending.path, !path.hasPrefix(directory.path + "/") {
                    try Snapshot.remove(path: path, evenIfInUse: isOverdue, filesystem: filesystem)
                } else {
                    try directory.discard(id, evenIfInUse: isOverdue)
                    try directory.collectShared()
                }
            } catch {
                // A checkpoint that the disk does not let go stays where it is: it is tried again when the next one goes.
                if case .inUse = error { outcome = .inUse } else { outcome = .failed }
            }
            self?.post(.discarded(id, outcome))
        }
    }

    func discarded(_ id: CheckpointID, _ outcome: DiscardOutcome) {
        guard var pending = discards[id] else { return }
        let isFirst = pending.isFirst
        (pending.isUnderWay, pending.isFirst, pending.outcome) = (false, false, outcome)
        discards[id] = outcome == .gone || pending.isWanted ? nil : pending
        if outcome == .gone { record.discarded(id) }
        if isFirst { cleaned(id) }
    }

    /// The job goes on from it: it is not superfluous any more.
    func keep(_ id: CheckpointID) {
        if discards[id]?.isUnderWay == true { discards[id]?.isWanted = true } else { discards[id] = nil }
    }

    /// A job that has ended deletes nothing more. What is left because it is read is the operator's.
    func noteWhatStays() {
        for (id, pending) in discards.sorted(by: { $0.key < $1.key }) where pending.outcome == .inUse && state.isTerminal {
            let path = pending.path ?? "\(blueprint.directory.path)/chk-\(id)"
            note("checkpoint \(id) was to be deleted and is being read: it stays at \(path); remove it when no restart needs it")
        }
    }
}
