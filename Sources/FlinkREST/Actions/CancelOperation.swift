internal import StreamModel

/// Cancels, alone and before a restart.
extension FlinkOperationRunner {
    private static let unknownToCancel =
        "the cluster did not know the job when the cancel arrived (it has just ended, or a JobManager takes over): nothing was canceled; look again"

    func cancel(_ track: OperationTrack, _ asked: CancelRetention) throws(FlinkRefusal) {
        let job = try look(at: track)
        if job.state.known?.isTerminal == true { throw FlinkRefusal("the job is \(job.state.text) already") }
        _ = try FlinkActionRules.cancel(asked, retention: try retention(track.request.job))
        let ended = try end(track)
        switch ended {
        case .canceled?: concludeCancel(track)
        case let state?: track.end(.failed, error: "the job ended as \(state.rawValue) before it was canceled", at: clock())
        case nil: break
        }
    }

    /// Cancels, and waits for the end. nil = not waited for, or told already.
    func end(_ track: OperationTrack) throws(FlinkRefusal) -> JobState? {
        let job = track.request.job
        let unlaunched = track.request.kind.launch == nil ? "" : "; nothing was launched"
        var sent = 0
        var problem: String?
        try take(track.request.kind.launch == nil ? .sending : .canceling, track)
        while true {
            do throws(FlinkFailure) {
                _ = try client.answer(to: .cancel(job))
                track.accept(reference: nil)
                break
            } catch {
                sent += 1
                problem = error.message
                // Flink 1.14 does not find a job that has just ended. The answer to a repeated cancel does not tell what the first one did.
                if error.kind == .notFound, sent == 1 { throw FlinkRefusal(Self.unknownToCancel, mayPass: true) }
                // One of those before may have arrived.
                guard error.mayHaveArrived || sent > 1 else { throw FlinkRefusal(error) }
            }
            // A cancel twice is a cancel; but first it may show that the one before arrived.
            if case .success(let details) = ask(.job(job)), let state = details.state.known, state == .cancelling || state.isTerminal {
                track.accept(reference: nil)
                break
            }
            guard sent < 4 else {
                track.end(.unknown, error: "no answer came (\(problem ?? "")), and the job goes on\(unlaunched)", at: clock())
                return nil
            }
            guard pause(.seconds(1)) else { return nil }
        }
        var polling = Polling(), denials = 0
        while true {
            do throws(FlinkFailure) {
                let state = try client.answer(to: .job(job)).state.known
                polling.answered()
                denials = 0
                if let state, state.isTerminal {
                    track.doing(nil)
                    return state
                }
            } catch {
                if error.kind == .notFound { denials += 1 }
                // A JobManager that takes over knows no job for seconds.
                if denials > Self.denialsMax {
                    track.end(.unknown, error: "the cluster has forgotten the job: whether it was canceled is unknown\(unlaunched)", at: clock())
                    return nil
                }
            }
            track.doing("the job is CANCELLING")
            track.run()
            guard polling.wait(pause) else { return nil }
        }
    }

    /// Reads the list again, to check that the promised checkpoints are there.
    func concludeCancel(_ track: OperationTrack) {
        letHistorySettle(track.request.job)
        if case .success(let checkpoints) = ask(.checkpoints(track.request.job)), let kept = FlinkActionRules.newest(in: checkpoints) {
            track.note(checkpoint: kept.id, path: kept.path)
        }
        track.end(.completed, at: clock())
    }

    func resumeCancel(_ track: OperationTrack, _ sent: SentOperation) {
        var polling = Polling(first: 500), denials = 0
        while true {
            let job: FlinkJobDetails
            do throws(FlinkFailure) { job = try client.answer(to: .job(track.request.job)) } catch {
                if error.kind == .notFound { denials += 1 }
                guard polling.wait(pause) else { return }
                guard denials <= Self.denialsMax else {
                    return track.end(.unknown, error: "the cluster does not know the job any more", at: clock())
                }
                continue
            }
            polling.answered()
            denials = 0
            track.name(job.name)
            switch job.state.known {
            case .canceled: return concludeCancel(track)
            case .cancelling:
                track.doing("the job is CANCELLING")
                track.run()
            case let ended? where ended.isTerminal: return track.end(.failed, error: "the job ended as \(ended.rawValue)", at: clock())
            // It may be on its way.
            default:
                guard clock() - (sent.step?.at ?? sent.sentAt) < RestartRecovery.cancelReach else {
                    return track.end(.unknown, error: "the job is \(job.state.text): the cancel did not arrive", at: clock())
                }
            }
            guard polling.wait(pause) else { return }
        }
    }
}
