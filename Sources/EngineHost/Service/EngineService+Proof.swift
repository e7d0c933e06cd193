internal import Dataflow
internal import StreamModel
internal import Synchronization

/// The engine's own look at the restarts that it carried out. A verdict that was reached is written down with the operation: it outlives the job,
/// and every console and command says the same.
extension EngineService {
    /// Takes in the news of a job that a restart launched. On `decisions`.
    func judge(_ report: JobReport) {
        let (launch, origin) = state.withLock { state in
            let entry = state.jobs[report.id]?.record.launchedBy.flatMap { state.operation($0) }
            return (entry, entry?.job.flatMap { state.jobs[$0]?.report })
        }
        guard var entry = launch, let restart = entry.report, case .restart(let options) = restart.request.kind, restart.verdict == nil else {
            return waiting.proofs[report.id] = nil
        }
        var proof =
            waiting.proofs[report.id]
            ?? RestartProof(
                chosenID: restart.checkpoint, chosenPath: restart.path ?? options.path ?? "", origin: restart.request.job,
                allowsUnmatchedState: options.allowsUnmatchedState)
        let now = host.wall()
        proof.observe(restart)
        if let origin { proof.observe(origin, at: now) }
        proof.observe(report, at: now)
        waiting.proofs[report.id] = report.state.isTerminal ? nil : proof
        guard restart.state == .completed, proof.verdict.isProven else { return }
        entry.update { $0.verdict = proof.verdict }
        note(entry)
    }
}
