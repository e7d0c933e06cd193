internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// The files of one job's checkpoints: orders for the file worker, and the work in progress. Owned by the job's thread; the worker reports by
/// messages.
struct CheckpointFiles {
    /// A report from the file worker.
    enum Report: Sendable {
        case prepared(CheckpointID, CheckpointAttempt)
        case notPrepared(CheckpointID, FailureCause)
        case committed(CheckpointID)
        case commitFailed(CheckpointID, FailureCause)
        case cleaned(CheckpointID)
        case abandoned(CheckpointAttempt, isGone: Bool)
        case outputsCommitted(CheckpointID)
        /// - Parameter isTaken: whether another job owns the output now.
        case outputsFailed(CheckpointID, FailureCause, isTaken: Bool)
        case discarded(CheckpointID, DiscardOutcome)
    }

    let worker: FileWorker
    let directory: JobDirectory
    let host: any EngineHost
    let report: @Sendable (Report) -> Void
    /// Checkpoints being written.
    let open = OpenAttempts()
    /// Newest complete checkpoint of this attempt, the base of incremental ones. Never a savepoint, never a failed one.
    private var base: CheckpointManifest?
    /// Number of directories being made. One that turns up late must still be deleted.
    private var preparing = 0
    /// Manifests being written.
    private var manifests: [CheckpointID: CheckpointManifest] = [:]
    /// Checkpoints whose outputs are being committed.
    private var committingOutputs: Set<CheckpointID> = []
    /// Deletions in progress by checkpoint. A checkpoint that fails while its directory is being made is deleted twice, once without effect; it is
    /// clean when both have ended.
    var cleanups: [CheckpointID: Int] = [:]
    /// Completed checkpoints still to be deleted.
    var discards: [CheckpointID: PendingDiscard] = [:]
    private var abandoning = 0
    /// Failed checkpoints whose directories could not be removed.
    private var unabandoned: [CheckpointAttempt] = []

    init(_ blueprint: JobBlueprint, report: @escaping @Sendable (Report) -> Void) throws(JobError) {
        directory = blueprint.directory
        host = blueprint.launch.host
        worker = try FileWorker(name: "files", host: host)
        self.report = report
    }

    /// Work in progress, without that of an attempt's threads.
    var activity: JobEnding.Activity {
        if !committingOutputs.isEmpty { return .executing }
        if abandoning > 0 { return .abandoning }
        let isDiscarding = discards.values.contains(where: \.isUnderWay)
        return preparing == 0 && cleanups.isEmpty && !isDiscarding ? .none : .tidying
    }

    // MARK: Writing

    /// - Parameter savepoints: directory for savepoints.
    mutating func prepare(_ id: CheckpointID, _ kind: CheckpointKind, savepoints: String, sharesFiles: Bool) {
        preparing += 1
        worker.perform { [directory, host, base, report] in
            do throws(StoreError) {
                let attempt =
                    if kind.isSavepoint {
                        try directory.beginSavepoint(id, in: savepoints, random: host.random)
                    } else { try directory.begin(id, sharesFiles: sharesFiles, base: base) }
                report(.prepared(id, attempt))
            } catch { report(.notPrepared(id, FailureCause(error))) }
        }
    }

    mutating func prepared(_ attempt: CheckpointAttempt) {
        preparing -= 1
        open.insert(attempt)
    }

    mutating func notPrepared() { preparing -= 1 }

    /// Writes the manifest, after all parts have become durable.
    mutating func commit(_ manifest: CheckpointManifest, to attempt: CheckpointAttempt, _ committer: CheckpointCommitter) {
        let id = manifest.checkpoint
        manifests[id] = manifest
        worker.perform { [host, report] in
            // JobError: a deliberate defect reports nothing.
            if host.filesystem.has(.commitsOutputEarly) { try? committer.commit(manifest.committables, of: id, isRecovery: false) }
            do throws(StoreError) {
                try attempt.commit(manifest)
                report(.committed(id))
            } catch { report(.commitFailed(id, FailureCause(error))) }
        }
    }

    /// Notes a completed checkpoint. Attempts end only when no commit is in flight, so it belongs to this attempt.
    mutating func committed(_ id: CheckpointID, isIncremental: Bool) {
        guard let manifest = manifests.removeValue(forKey: id), isIncremental, !manifest.kind.isSavepoint else { return }
        if (base?.checkpoint).map({ $0 < id }) ?? true { base = manifest }
    }

    mutating func commitFailed(_ id: CheckpointID) { manifests[id] = nil }

    /// Drops the base: the tables of the next attempt are new, so its first checkpoint is full.
    mutating func attemptBegins() { base = nil }

    /// Begins the second phase: output listed in the manifest becomes visible.
    mutating func commitOutputs(_ committables: [Committable], of id: CheckpointID, _ committer: CheckpointCommitter) {
        open.remove(id)
        committingOutputs.insert(id)
        worker.perform { [report] in
            do throws(JobError) {
                try committer.commit(committables, of: id, isRecovery: false)
                report(.outputsCommitted(id))
            } catch {
                let message = "checkpoint \(id) is complete, but its output could not be committed: \(error)"
                let isTaken = if case .outputTaken = error { true } else { false }
                report(.outputsFailed(id, FailureCause(message, lacking: JobError.shortage(behind: error)), isTaken: isTaken))
            }
        }
    }

    mutating func outputsEnded(_ id: CheckpointID) { committingOutputs.remove(id) }

    // MARK: Failed ones

    mutating func discardPending(_ id: CheckpointID) {
        cleanups[id, default: 0] += 1
        if let attempt = open.remove(id) { abandon(attempt) }
        worker.perform { [report] in report(.cleaned(id)) }
    }

    /// Deletes the failed attempt; retried before the next attempt, or left to the next engine's sweep. The checkpoint has failed either way.
    private mutating func abandon(_ attempt: CheckpointAttempt) {
        abandoning += 1
        worker.perform { [report] in
            var isGone = true
            do throws(StoreError) { try attempt.abandon() } catch { isGone = false }
            report(.abandoned(attempt, isGone: isGone))
        }
    }

    mutating func abandoned(_ attempt: CheckpointAttempt, isGone: Bool) {
        abandoning -= 1
        if !isGone { unabandoned.append(attempt) }
    }

    /// Retries the removal of failed checkpoints. Returns the path of a remaining one, or nil.
    ///
    /// A later recovery must not take a failed checkpoint for the newest: an attempt that continues from an older one gives up the output that it
    /// lists.
    mutating func retryAbandons() -> String? {
        let left = unabandoned
        unabandoned = []
        for attempt in left { abandon(attempt) }
        return left.first?.path
    }

    /// Notes a deletion; returns whether it was the last one of the checkpoint.
    mutating func cleaned(_ id: CheckpointID) -> Bool {
        let left = (cleanups[id] ?? 1) - 1
        cleanups[id] = left == 0 ? nil : left
        return left == 0
    }

    /// Removes the remains of an engine that died: attempts without manifest, unlisted files.
    func sweep() {
        worker.perform { [directory, host] in
            // Garbage that cannot be removed now is found again by the next recovery; the job does not wait for it.
            do throws(StoreError) { _ = try directory.sweep(live: [], olderThan: host.wall(), dryRun: false) } catch {}
        }
    }
}
