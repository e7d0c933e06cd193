internal import StreamModel

/// Deletes a snapshot with its files.
extension FlinkOperationRunner {
    func dispose(_ track: OperationTrack, _ path: String) throws(FlinkRefusal) {
        if track.request.job != .none { _ = try look(at: track) }
        do throws(FlinkClusterAdmin.Failure) { try FlinkClusterAdmin(client: client).refuseIfInUse(path) } catch {
            throw FlinkRefusal(error.message)
        }
        try refuseIfNeeded(path)
        track.note(path: path)
        try take(.sending, track)
        do throws(FlinkFailure) {
            let trigger = try client.answer(to: .dispose(savepoint: path))
            track.accept(reference: trigger.description)
            followDisposal(track, trigger, path)
        } catch {
            guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
            track.end(.unknown, error: "no answer came (\(error.message)): check whether \(path) is still there", at: clock())
        }
    }

    func resumeDisposal(_ track: OperationTrack, _ sent: SentOperation, _ path: String) {
        track.note(path: path)
        guard let trigger = sent.reference.flatMap({ FlinkTriggerID($0) }) else {
            return track.end(.unknown, error: "it is unknown whether the request arrived: check whether \(path) is still there", at: clock())
        }
        followDisposal(track, trigger, path)
    }

    func followDisposal(_ track: OperationTrack, _ trigger: FlinkTriggerID, _ path: String) {
        var polling = Polling()
        while true {
            switch ask(.disposalProgress(trigger)) {
            case .success(.completed): return track.end(.completed, at: clock())
            case .success(.failed(let message, _)): return track.end(.failed, error: "\(path) was not deleted: \(message)", at: clock())
            case .success(.inProgress):
                polling.answered()
                track.run()
            case .failure(let error) where error.kind == .notFound:
                return track.end(.unknown, error: "the cluster no longer has its result: check whether \(path) is still there", at: clock())
            // The link may come back, and the result is kept for minutes.
            case .failure: break
            }
            guard polling.wait(pause) else { return }
        }
    }
}
