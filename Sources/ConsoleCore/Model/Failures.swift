import CellGrid
import StreamModel

/// One failure of a task, a job or a checkpoint, with what is known of its circumstances.
struct Failure: Sendable, Equatable {
    var at: WallTime
    /// uid of the operator chain; nil = the job as a whole.
    var place: String?
    var subtask: Int?
    var host: String?
    /// Number of the attempt that failed; nil for a checkpoint.
    var attempt: Int?
    /// The checkpoint that failed, and whether that raised the failure counter.
    var checkpoint: CheckpointReport?
    var message: String
    /// All that the engine says of it, such as a stack trace; nil = `message` is all.
    var fullText: String?

    /// The known failures of a job's tasks and checkpoints.
    static func known(of job: JobReport, _ memory: JobMemory) -> [Failure] {
        var reports = memory.failures
        // Reports of jobs come without the whole text.
        let isListed = { (last: FailureReport) in
            reports.contains {
                var brief = $0
                brief.fullText = nil
                return brief == last
            }
        }
        if let last = job.lastFailure, !isListed(last) { reports.append(last) }
        var failures = reports.map {
            Failure(at: $0.at, place: $0.vertex, subtask: $0.subtask, host: $0.host, attempt: $0.attempt, message: $0.message, fullText: $0.fullText)
        }
        for index in memory.checkpoints.indices where memory.checkpoints[index].status == .failed {
            let checkpoint = memory.checkpoints[index]
            guard let failure = checkpoint.failure else { continue }
            // The detail has the subtask's host, if it was loaded.
            let detail = memory.details[checkpoint.id]?.operators?.first { $0.uid == failure.operatorUID }
            failures.append(
                Failure(
                    at: failure.at, place: failure.operatorUID, subtask: failure.subtask,
                    host: detail?.subtasks.first { $0.index == failure.subtask }?.host, attempt: nil, checkpoint: checkpoint,
                    message: failure.message))
        }
        return failures.sorted { $0.at > $1.at }
    }

    /// "win-agg sub 7 @ tm-12".
    var whereabouts: SafeText {
        let place = place.map { "\($0)\(subtask.map { " sub \($0)" } ?? "")" } ?? ""
        return SafeText("\(place)\(host.map { "\(place.isEmpty ? "" : " ")@ \($0)" } ?? "")")
    }

    /// The innermost cause: what stands behind the last "Caused by:", or the whole message.
    var rootCause: String { Self.rootCause(of: message) }

    static func rootCause(of message: String) -> String {
        let marker = "Caused by:"
        guard let start = lastRange(of: marker, in: message) else { return message }
        let cause = message[start...].drop { $0 == " " }
        return cause.isEmpty ? message : String(cause)
    }

    /// The first line of the whole text and the causes that it names, without the frames between them.
    var causes: [String] {
        let lines = (fullText ?? "").split(whereSeparator: \.isNewline)
        return (lines.prefix(1) + lines.dropFirst().filter { $0.hasPrefix("Caused by: ") }).prefix(12).map(String.init)
    }

    /// The index behind the last occurrence of a text.
    private static func lastRange(of marker: String, in text: String) -> String.Index? {
        let bytes = Array(text.utf8), word = Array(marker.utf8)
        guard !word.isEmpty, bytes.count >= word.count else { return nil }
        var start = bytes.count - word.count
        while bytes[start] != word[0] || !bytes[start..<start + word.count].elementsEqual(word) {
            guard start > 0 else { return nil }
            start -= 1
        }
        return text.utf8.index(text.startIndex, offsetBy: start + word.count)
    }

    /// Equal for failures that tell of the same thing: numbers and addresses in the cause do not make a difference.
    var fingerprint: String {
        var text = checkpoint?.failure.map { "checkpoint \($0.reasonName) " } ?? "task "
        var isNumber = false
        for scalar in rootCause.unicodeScalars.prefix(400) {
            if ("0"..."9").contains(scalar) {
                if !isNumber { text += "#" }
                isNumber = true
            } else {
                text.unicodeScalars.append(scalar)
                isNumber = false
            }
        }
        return text
    }
}

/// A row of the failures screen: all failures with one root cause, the newest first.
struct FailureRow: Sendable {
    /// The fingerprint that they share.
    typealias ID = String
    let id: ID
    /// Never empty.
    private(set) var failures: [Failure]

    private var newest: Failure { failures[0] }
    var at: WallTime { newest.at }
    var firstAt: WallTime { failures[failures.count - 1].at }
    var isCheckpoint: Bool { newest.checkpoint != nil }
    /// Whether it raised the failure counter; nil for what does not count at all.
    var isCounted: Bool? { newest.checkpoint?.failure?.counted }
    var message: SafeText { SafeText(newest.message) }
    /// The failures of the same cause, without the newest.
    var folded: Int { failures.count - 1 }
    /// Sorted.
    var hosts: [String] { Set(failures.compactMap(\.host)).sorted() }

    /// The task, job or checkpoint that failed, and its place.
    var subject: SafeText {
        let place = newest.whereabouts
        if let checkpoint = newest.checkpoint, let failure = checkpoint.failure {
            return "#\(checkpoint.id) \(failure.shortReason)\(place.isEmpty ? "" : " ")\(place)"
        }
        return "\(newest.place == nil ? "job" : "")\(newest.place == nil && !place.isEmpty ? " " : "")\(place) attempt \(newest.attempt ?? 0)"
    }

    /// By fingerprint; the row with the newest failure first. `failures` are sorted, the newest first.
    static func folded(_ failures: [Failure]) -> [FailureRow] {
        var rows: [FailureRow] = [], places: [String: Int] = [:]
        for failure in failures {
            // Failures that say nothing have nothing in common.
            let id = failure.message.isEmpty ? "\(failure.at.milliseconds) \(rows.count)" : failure.fingerprint
            if let place = places[id] {
                rows[place].failures.append(failure)
            } else {
                places[id] = rows.count
                rows.append(FailureRow(id: id, failures: [failure]))
            }
        }
        return rows
    }
}

/// The common factor of several failures: the suspect.
enum CommonFactor {
    /// In words: "all 3 on host tm-12, in win-agg"; nil = nothing, or too few to tell.
    static func words(_ failures: [Failure]) -> SafeText? {
        guard failures.count > 1 else { return nil }
        var facts: [String] = []
        if let host = share(failures.map(\.host)) { facts.append("\(host.words) on host \(host.value)") }
        let subtasks = failures.map { failure in failure.place.flatMap { place in failure.subtask.map { "\(place) sub \($0)" } } }
        if let subtask = share(subtasks) {
            facts.append("\(subtask.words) at \(subtask.value)")
        } else if let place = share(failures.map(\.place)) {
            facts.append("\(place.words) in \(place.value)")
        }
        if let reason = share(failures.map { $0.checkpoint?.failure?.shortReason }) { facts.append("\(reason.words) \(reason.value)") }
        return facts.isEmpty ? nil : SafeText(facts.joined(separator: ", "))
    }

    /// A value that at least four of five share.
    private static func share(_ values: [String?]) -> (value: String, words: String)? {
        var counts: [String: Int] = [:]
        for case let value? in values { counts[value, default: 0] += 1 }
        guard let best = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), best.value > 1, best.value * 5 >= values.count * 4 else { return nil }
        return (best.key, best.value == values.count ? "all \(best.value)" : "\(best.value) of \(values.count)")
    }
}
