import StreamModel

/// What a text of a failure says. Texts may be long, and many jobs may have failed for the same reason: each text is read once.
struct FailureReading: Sendable, Equatable {
    let obstacle: Obstacle?
    /// The text with the root cause first.
    let cause: String

    /// Bytes of a text that are looked at: a trace may follow.
    static let scanned = 2000

    init(_ text: String, storage: String?) {
        let text = Self.beginning(text)
        obstacle = Obstacle(text, storage: storage)
        cause = CauseFirst.words(text)
    }

    /// The part of a text that is looked at.
    static func beginning(_ text: String) -> String {
        guard text.utf8.count > scanned else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: scanned)
        // No character is cut in two.
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

/// The readings of a job's newest failures, kept until another text comes.
struct FailureReadings: Sendable {
    private struct Entry: Sendable {
        let text: String
        let reading: FailureReading
    }

    private var entries: [Entry] = []
    private var storage: String?
    /// How often a text was read.
    private(set) var count = 0

    /// Reads the texts of a report that are new.
    mutating func renew(_ job: JobReport) {
        let texts = [job.restartReason, job.lastFailure?.message, job.lastFailure?.fullText, job.latestFailed?.failure?.message].compactMap { $0 }
        if texts.isEmpty, entries.isEmpty { return }
        let known = storage == job.configuration.storageDirectory ? entries : []
        storage = job.configuration.storageDirectory
        entries = []
        for text in texts where !entries.contains(where: { $0.text == text }) {
            if let entry = known.first(where: { $0.text == text }) {
                entries.append(Entry(text: text, reading: entry.reading))
            } else {
                entries.append(Entry(text: text, reading: FailureReading(text, storage: storage)))
                count += 1
            }
        }
    }

    /// The reading of a text, made anew where it is not kept.
    func of(_ text: String, _ job: JobReport) -> FailureReading {
        if storage == job.configuration.storageDirectory, let entry = entries.first(where: { $0.text == text }) { return entry.reading }
        return FailureReading(text, storage: job.configuration.storageDirectory)
    }
}
