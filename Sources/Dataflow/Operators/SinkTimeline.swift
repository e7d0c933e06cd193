internal import CheckpointStore
internal import StreamModel

/// The parts that one execution of a job committed, by the numbers of their checkpoints.
@usableFromInline
struct SinkSegment: Hashable {
    let job: JobID
    let first: CheckpointID
    var last: CheckpointID

    func contains(_ part: SinkPart) -> Bool { part.job == job.short && first <= part.checkpoint && part.checkpoint <= last }

    var encoded: [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        for word in [job.high, job.low, first.rawValue, last.rawValue] { writer.write(word) }
        return Array(writer.bytes)
    }

    init(job: JobID, first: CheckpointID, last: CheckpointID) { (self.job, self.first, self.last) = (job, first, last) }

    init(encoded: [UInt8]) throws(StateDecodingError) {
        let result: Result<SinkSegment, StateDecodingError> = encoded.withUnsafeBytes { bytes in
            var reader = StateReader(bytes)
            do throws(StateDecodingError) {
                let job = JobID(high: try reader.read(), low: try reader.read())
                return .success(SinkSegment(job: job, first: CheckpointID(try reader.read()), last: CheckpointID(try reader.read())))
            } catch { return .failure(error) }
        }
        self = try result.get()
    }
}

/// Which parts make up the output of an attempt: what the restored checkpoint had, then its own. It is part of every checkpoint, so that a
/// restore knows its past whatever branches of restarts the directory has seen.
@usableFromInline
struct SinkTimeline {
    static let stateName = "timeline"
    static let stateType = "sink-segment-1"

    private var past: [SinkSegment] = []
    /// The attempt's own segment, still without an end.
    private var own: SinkSegment?

    @usableFromInline init() {}

    /// - Parameter known: the parts on disk. An attempt that goes on from the newest of them extends the last segment; one that goes back
    ///   starts another, so that what it leaves out stays out.
    init(past: [SinkSegment], job: JobID, next: CheckpointID, known: [SinkPart]) {
        self.past = past
        if let last = past.last, last.job == job, !known.contains(where: { $0.job == job.short && $0.checkpoint > last.last }) {
            own = last
            self.past.removeLast()
        } else {
            own = SinkSegment(job: job, first: next, last: next)
        }
    }

    func segments(until checkpoint: CheckpointID) -> [SinkSegment] {
        guard var own else { return past }
        own.last = checkpoint
        return past + [own]
    }

    /// The past of a sink as a snapshot tells it; empty when the snapshot does not know the sink.
    static func past(of uid: String, in restored: RestoredState) throws -> [SinkSegment] {
        for subtask in restored.operators[uid]?.subtasks ?? [] {
            for handle in subtask.states where handle.name == stateName {
                guard handle.valueType == stateType else {
                    throw JobError.stateTypeChanged(
                        path: restored.snapshot.path, operatorUID: uid, state: stateName, stored: handle.valueType, wanted: stateType)
                }
                return try restored.snapshot.elements(of: handle).map(SinkSegment.init(encoded:))
            }
        }
        return []
    }
}

/// The name of a committed file, taken apart.
struct SinkPart {
    let name: String
    let checkpoint: CheckpointID
    /// The short form of the job that wrote it.
    let job: String
}

/// The names of a sink's files.
struct SinkNames {
    let uid: String

    var isUsable: Bool { !uid.isEmpty && uid.utf8.count <= 100 && !uid.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") } }
    var marker: String { ".weir-sink-\(uid)" }

    func part(subtask: Int, checkpoint: CheckpointID, job: JobID) -> String {
        let digits = checkpoint.description
        return "part-\(uid)-\(subtask)-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + "-\(job.short)"
    }

    func pending(subtask: Int, job: JobID, attempt: Int, number: Int) -> String {
        ".\(uid)-\(subtask)-\(job.short)-\(attempt)-\(number).pending"
    }

    /// nil for everything but this sink's parts; the number of fields tells "sink" from "sink-0".
    func parse(_ name: String) -> SinkPart? {
        guard let fields = fields(of: name, behind: "part-\(uid)-"), fields.count == 3, let number = UInt64(fields[1]) else { return nil }
        return SinkPart(name: name, checkpoint: CheckpointID(number), job: fields[2])
    }

    func isPending(_ name: String) -> Bool {
        name.hasSuffix(".pending") && fields(of: name, behind: ".\(uid)-")?.count == 4
    }

    private func fields(of name: String, behind prefix: String) -> [String]? {
        guard name.hasPrefix(prefix) else { return nil }
        return name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    }
}
