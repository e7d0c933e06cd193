internal import StreamModel

/// Uploads and deletes jars. Running one is a launch.
extension FlinkOperationRunner {
    func upload(_ track: OperationTrack, _ file: String) throws(FlinkRefusal) {
        let content: FileDigest
        do throws(FlinkFailure) { content = try FileDigest(of: file) } catch { throw FlinkRefusal(error.message) }
        try take(.sending, track)
        do throws(FlinkFailure) {
            let id = try client.answer(to: FlinkRequests.upload(file))
            track.note(jar: id)
            // FlinkFailure: what was replaced or removed while it was sent is not known well enough to be used again.
            if (try? FileDigest(of: file)) == content { jars.learn(id, content) }
            track.end(.completed, at: clock())
        } catch {
            guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
            track.end(.unknown, error: "no answer came (\(error.message)): 'weir jars' shows whether it arrived", at: clock())
        }
    }

    /// Recognises it by name and time: the cluster keeps nothing else.
    func resumeUpload(_ track: OperationTrack, _ sent: SentOperation, _ file: String) {
        guard case .success(let found) = ask(.jars) else { return }
        let name = FlinkOperationNames.uploadName(of: file), since = (sent.step?.at ?? sent.sentAt) + (0 - FlinkHistorySearch.slack)
        guard let jar = found.filter({ $0.name == name && $0.uploadedAt >= since }).min(by: { $0.uploadedAt < $1.uploadedAt }) else {
            return track.end(.unknown, error: "the cluster has no jar \(name) that came since: the upload did not arrive as a whole", at: clock())
        }
        track.note(jar: jar.id)
        track.end(.completed, inference: "the cluster has a jar of this name that came since", at: clock())
    }

    func delete(_ track: OperationTrack, jar id: String) throws(FlinkRefusal) {
        let known: [FlinkJar]
        do throws(FlinkFailure) { known = try client.answer(to: .jars) } catch { throw FlinkRefusal("nothing was sent: \(error.message)") }
        guard known.contains(where: { $0.id == id }) else { throw FlinkRefusal("there is no jar \(id) on the cluster") }
        track.note(jar: id)
        try take(.sending, track)
        do throws(FlinkFailure) {
            _ = try client.answer(to: .delete(jar: id))
            track.end(.completed, at: clock())
        } catch {
            guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
            resumeDeletion(track, jar: id)
        }
    }

    func resumeDeletion(_ track: OperationTrack, jar id: String) {
        track.note(jar: id)
        guard case .success(let known) = ask(.jars) else {
            return track.end(.unknown, error: "no answer came: 'weir jars' shows whether \(id) is still there", at: clock())
        }
        if known.contains(where: { $0.id == id }) {
            track.end(.failed, error: "\(id) is still on the cluster: the request did not arrive", at: clock())
        } else {
            track.end(.completed, inference: "the cluster has no jar \(id) any more", at: clock())
        }
    }
}
