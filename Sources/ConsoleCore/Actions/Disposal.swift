import CellGrid
import StreamModel

// Deleting a savepoint for good. It is asked for where savepoints are looked at, has no key by default, and its sheet says what would be lost.
extension ConsoleModel {
    /// The snapshot that the screen has under its cursor.
    var selectedSnapshot: CheckpointReport? {
        switch screen {
        case .job, .checkpoints: selectedCheckpoint
        case .checkpoint(let id), .subtasks(let id, _): detail(id)
        case .history: selectedRemembered?.report
        case .overview, .failures, .operations, .operation, .metrics, .configuration, .contexts, .audit, .log: nil
        }
    }

    /// The job whose snapshot that is.
    var jobOfSnapshot: JobKey? {
        guard case .history = screen else { return focusedJob }
        return selectedRemembered.map { JobKey(context: $0.context, job: $0.job) }
    }

    /// `:dispose`: of what is selected, or of a path.
    mutating func runDispose(_ path: String, _ effects: inout [ConsoleEffect]) {
        let key = jobOfSnapshot
        switch refusal(.dispose, on: key) {
        case .noSnapshot where !path.isEmpty, nil: break
        case .notReported(let context):
            return say("its job is not known to \(context) any more: weir dispose PATH does it from the command line", .warn)
        case let refusal?: return say(refusal.text(options.keyMap), .warn)
        }
        guard let key else { return }
        var chosen = selectedSnapshot
        if !path.isEmpty {
            let place = SnapshotLocation(path)
            chosen = knownCheckpoints(key).first { $0.path.map(SnapshotLocation.init) == place }
        }
        guard let path = path.isEmpty ? chosen?.path : path else { return }
        askNeeds(of: path, key.context, &effects)
        begin(.dispose(path: path, chosen), on: key, &effects)
    }

    /// Asks which jobs need the files, anew for each sheet.
    private mutating func askNeeds(of path: String, _ context: String, _ effects: inout [ConsoleEffect]) {
        guard let index = live.index(of: context), live.contexts[index].capabilities.canDispose else { return }
        live.contexts[index].inspections[path] = .pending
        effects.append(.send(context: context, .ask(.inspectForDeletion(path: path))))
    }

    /// After a disposal that the engine calls completed: whether the files are gone is looked at, where they can be seen.
    mutating func checkDisposed(_ operation: TrackedOperation, _ index: Int, _ effects: inout [ConsoleEffect]) {
        guard case .dispose(let path) = operation.request.kind else { return }
        // The list is asked for again, to show it as gone.
        live.contexts[index].memories[operation.request.job]?.revision = nil
        live.contexts[index].inspections[path] = nil
        fileChecks[path] = operation.id
        inspect(path, index, &effects)
    }

    mutating func observeDisposed(_ inspection: SnapshotInspection, _ position: Int) {
        switch inspection.verdict {
        case .missing:
            live.operations[position].addEvidence("gone from its path")
            say(live.operations[position].progress(at: now), .ok)
        // The engine's word stands, and is called that.
        case .unreachable: break
        case .ok, .damaged, .foreign, .unchecked, .abandoned, .tooNew:
            say(
                "\(live.operations[position].verb) op \(live.operations[position].id.short): the engine says completed, and there are files at \(inspection.path) still",
                .warn)
        }
    }
}

extension ContextState {
    /// Paths of snapshots that the engine has deleted on request. Its lists may show them as kept.
    func disposed(_ operations: [TrackedOperation]) -> Set<SnapshotLocation> {
        Set(
            operations.compactMap { operation in
                guard case .dispose(let path) = operation.request.kind, operation.context == name, operation.report?.state == .completed else { return nil }
                return SnapshotLocation(path)
            })
    }
}

extension CheckpointReport {
    /// As a list shows it that does not know of its disposal.
    func discarded(if disposed: Set<SnapshotLocation>) -> CheckpointReport {
        guard let path, !discarded, disposed.contains(SnapshotLocation(path)) else { return self }
        var copy = self
        copy.discarded = true
        return copy
    }
}

extension PreflightCheck {
    /// What would be lost with a snapshot, and who may need it.
    func dispose(_ path: String, _ chosen: CheckpointReport?) -> [Preflight] {
        guard context.capabilities.canDispose else { return [.stop("this engine deletes no savepoints on request")] }
        var lines: [Preflight] = []
        if let chosen {
            if chosen.discarded { lines.append(.stop("its files are gone already")) }
            if chosen.status != .completed { lines.append(.stop("#\(chosen.id) is not complete")) }
            if !chosen.kind.isSavepoint {
                lines.append(
                    job.state.isTerminal
                        ? .warn("a retained checkpoint: others may share files with it")
                        : .stop("job is \(job.state.rawValue) and deletes its checkpoints itself"))
            }
        } else {
            lines.append(.warn("not in the job's list: what it holds is not known here"))
        }
        lines.append(whatIsLeft(path))
        let place = SnapshotLocation(path)
        for other in context.report?.jobs ?? [] where !other.state.isTerminal {
            guard let restored = other.restored, SnapshotLocation(restored.path) == place else { continue }
            let hasOwn = other.latestCompleted.map { $0.triggeredAt >= restored.at } ?? false
            let name: SafeText = "\(other.name) \(other.id.short)"
            lines.append(hasOwn ? .warn("\(name) began from it") : .stop("still needed by \(name), which began from it"))
        }
        lines += needs(path)
        if let other = operations.first(where: { $0.isInFlight && $0.request.kind.launch?.path.map(SnapshotLocation.init) == place }) {
            lines.append(.stop("\(other.verb) op \(other.id.short) is launching a job from it"))
        }
        return lines
    }

    /// The jobs whose checkpoints name its files.
    private func needs(_ path: String) -> [Preflight] {
        switch context.inspections[path] {
        case nil, .pending: return [.pending("looking at which jobs need its files")]
        case .failed(let message): return [.stop("which jobs need its files is not known: \(message)")]
        case .done(let inspection):
            guard let needs = inspection.needs else { return [.pending("looking at which jobs need its files")] }
            if let problem = needs.problem { return [.stop("which jobs need its files is not known: \(problem)")] }
            return needs.jobs.isEmpty ? [.ok("no live job of this cluster names its files")] : needs.jobs.map { .stop("\($0)") }
        }
    }

    /// The snapshots of the job that can be restored besides this one, the newest first.
    private func others(than path: String) -> [CheckpointReport] {
        let place = SnapshotLocation(path)
        return memory.checkpoints.filter { $0.isRestorable && $0.path.map(SnapshotLocation.init) != place }
    }

    private func isNewest(_ path: String) -> Bool {
        let place = SnapshotLocation(path)
        return memory.checkpoints.first(where: \.isRestorable)?.path.map(SnapshotLocation.init) == place
    }

    private func whatIsLeft(_ path: String) -> Preflight {
        guard let next = others(than: path).first else {
            return .warn("the only restorable snapshot; deleting it cannot be undone")
        }
        let words: SafeText = "#\(next.id), \(Figures.age(engineTime - (next.endedAt ?? next.triggeredAt))) old"
        // A newer checkpoint of this job does not help another job that needs the files.
        if context.inspection(path)?.needs?.jobs.isEmpty == false { return .ok("of this job is left: \(words)") }
        return isNewest(path) ? .warn("the NEWEST restorable one; what is left: \(words)") : .ok("a newer one can be restored: \(words)")
    }

    func effectOfDisposal(_ path: String, _ chosen: CheckpointReport?) -> SafeText {
        var words: SafeText = "deletes what is at \(path), with all files"
        if let chosen {
            let kind: SafeText = chosen.kind.isSavepoint ? "savepoint" : "checkpoint"
            words =
                "deletes \(kind) #\(chosen.id) of \(job.name) for good: \(Figures.bytes(chosen.stateSize)) of state, \(Figures.age(engineTime - (chosen.endedAt ?? chosen.triggeredAt))) old, at \(path)"
        }
        if isNewest(path), let next = others(than: path).first {
            return "\(words). A restart then begins from #\(next.id): \(replay(since: next)) is read again"
        }
        return "\(words). No job can be started from it any more"
    }
}
