internal import StreamModel

/// Parts committed by one execution of a job, by checkpoint number.
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

/// The parts that form the output of an attempt: those of the restored checkpoint, then its own. Part of every checkpoint, so that a restore knows
/// its past through any branches of restarts.
public struct SinkTimeline: Sendable {
    static let stateType = "sink-segment-1"

    private var past: [SinkSegment] = []
    /// The attempt's own segment, still open.
    private var own: SinkSegment?

    /// - Parameter known: the parts on disk. An attempt that continues from the newest of them extends the last segment; one that goes back starts
    ///   another, so that the skipped parts stay out.
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

    /// Timeline in the restored checkpoint; empty when the job starts from the beginning.
    static func past(_ preparation: SinkPreparation) throws(JobError) -> [SinkSegment] {
        do throws(StateDecodingError) { return try preparation.state.map { (bytes) throws(StateDecodingError) in try SinkSegment(encoded: bytes) } } catch {
            throw .sink("the state of sink \(preparation.uid) in the restored checkpoint does not read back (\(error)): choose another one")
        }
    }
}

/// The parsed name of a committed file.
struct SinkPart {
    let name: String
    let checkpoint: CheckpointID
    /// Number of the file within a subtask and checkpoint, from 0, in the order of its records.
    let number: Int
    /// Short id of the job that wrote it.
    let job: String
}

/// Names of a sink's files.
struct SinkNames {
    let uid: String

    var isUsable: Bool { !uid.isEmpty && uid.utf8.count <= 100 && !uid.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") } }
    var marker: String { ".weir-sink-\(uid)" }

    /// Name of a part. The first file of a checkpoint has no number; later ones sort behind it.
    func part(subtask: Int, checkpoint: CheckpointID, number: Int = 0, job: JobID) -> String {
        let suffix = number == 0 ? "" : "." + Self.padded(String(number), to: 4)
        return "part-\(uid)-\(subtask)-" + Self.padded(checkpoint.description, to: 8) + suffix + "-\(job.short)"
    }

    private static func padded(_ digits: String, to width: Int) -> String { String(repeating: "0", count: max(0, width - digits.count)) + digits }

    func pending(subtask: Int, job: JobID, attempt: Int, number: Int) -> String {
        ".\(uid)-\(subtask)-\(job.short)-\(attempt)-\(number).pending"
    }

    /// Parses a part of this sink, nil for anything else; the number of fields distinguishes "sink" from "sink-0".
    func parse(_ name: String) -> SinkPart? {
        guard let fields = fields(of: name, behind: "part-\(uid)-"), fields.count == 3, Int(fields[0]) != nil else { return nil }
        let place = fields[1].split(separator: ".", omittingEmptySubsequences: false)
        guard place.count <= 2, let checkpoint = UInt64(place[0]), let number = place.count == 2 ? Int(place[1]) : 0, number >= 0 else { return nil }
        return SinkPart(name: name, checkpoint: CheckpointID(checkpoint), number: number, job: fields[2])
    }

    func isPending(_ name: String) -> Bool {
        guard name.hasSuffix(".pending"), let fields = fields(of: name, behind: ".\(uid)-") else { return false }
        return fields.count == 4 && Int(fields[0]) != nil
    }

    private func fields(of name: String, behind prefix: String) -> [String]? {
        guard name.hasPrefix(prefix) else { return nil }
        return name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    }
}
