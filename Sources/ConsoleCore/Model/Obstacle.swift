import CellGrid
import StreamModel

/// A cause of failures that lies outside the job, and that an operator can remove: a full disk, a quota, a place that cannot be written.
/// Found in the texts of failures, where the words of the system stand behind paths and identifiers.
struct Obstacle: Sendable, Equatable {
    enum Kind: Sendable, CaseIterable {
        case diskFull, quota, readOnly, forbidden

        /// The words of Linux and of Java, in lower case.
        fileprivate var signs: [StaticString] {
            switch self {
            case .diskFull: ["no space left on device"]
            case .quota: ["disk quota exceeded"]
            case .readOnly: ["read-only file system", "read-only filesystem"]
            case .forbidden: ["permission denied"]
            }
        }

        /// The name of the error: a word of its own.
        fileprivate var errorName: StaticString {
            switch self {
            case .diskFull: "ENOSPC"
            case .quota: "EDQUOT"
            case .readOnly: "EROFS"
            case .forbidden: "EACCES"
            }
        }

        var words: SafeText {
            switch self {
            case .diskFull: "DISK FULL"
            case .quota: "QUOTA EXCEEDED"
            case .readOnly: "READ-ONLY"
            case .forbidden: "NO PERMISSION"
            }
        }
    }

    let kind: Kind
    /// nil = the text names none.
    let path: String?

    /// Whether something could not be written; otherwise nothing is said of what was tried.
    let isWriting: Bool

    init(_ kind: Kind, path: String?, isWriting: Bool = true) { (self.kind, self.path, self.isWriting) = (kind, path, isWriting || kind != .forbidden) }

    init?(_ text: String, storage: String? = nil) {
        let message = FailureReading.beginning(text), scan = ByteScan(message)
        for kind in Kind.allCases {
            guard let sign = scan.word(kind.errorName) ?? kind.signs.lazy.compactMap({ scan.sign($0) }).first else { continue }
            // "permission denied for table orders": a database's own permissions.
            if kind == .forbidden, scan.follows(" for ", sign.upperBound) { continue }
            let utf8 = message.utf8, start = message.startIndex
            let before = message[..<utf8.index(start, offsetBy: sign.lowerBound)], behind = message[utf8.index(start, offsetBy: sign.upperBound)...]
            let path = Self.directory(message) ?? Self.words(before).last { Self.isPath($0) }.map(String.init) ?? Self.pathBehind(behind)
            if kind == .forbidden, path == nil { continue }
            self.init(kind, path: path.map { Self.shortened($0, storage) }, isWriting: Self.writingWords.contains { scan.sign($0, isWord: true) != nil })
            return
        }
        return nil
    }

    private static let writingWords: [StaticString] = ["write", "writing", "written", "create", "creating", "created", "mkdir"]

    /// The obstacle of a job, from its newest failures, and how many checkpoints in a row have failed of it.
    static func of(_ job: JobReport, at now: WallTime, _ limits: DiagnosisThresholds, _ read: (String) -> FailureReading) -> (Obstacle, checkpoints: Int)? {
        var messages: [String?] = []
        switch job.state {
        case .failed, .failing, .restarting: messages = [job.restartReason, job.lastFailure?.message, job.lastFailure?.fullText]
        case .running, .initializing:
            if let last = job.lastFailure, now - last.at < limits.restartNews { messages = [last.message] }
        case .canceled, .finished, .cancelling, .suspended: return nil
        }
        var checkpoint: Obstacle?
        if let failed = job.latestFailed, failed.kind == .checkpoint, failed.id > job.latestCompleted?.id ?? CheckpointID(0) {
            checkpoint = failed.failure.flatMap { read($0.message).obstacle }
        }
        var found: Obstacle?
        for case let message? in messages where found == nil { found = read(message).obstacle }
        guard let found = found ?? checkpoint else { return nil }
        return (found, checkpoint?.kind == found.kind ? max(0, job.budget.counted) : 0)
    }

    // MARK: Paths

    /// "the disk of /data is full".
    private static func directory(_ message: String) -> String? {
        guard let start = message.firstRange(of: "the disk of "), let end = message[start.upperBound...].firstRange(of: " is full") else { return nil }
        return String(message[start.upperBound..<end.lowerBound])
    }

    /// Behind the words of the system only what they name: "on /data", "'/data'", "(/data)".
    private static func pathBehind(_ text: Substring) -> String? {
        let marks: Set<Character> = ["'", "\"", "(", "["]
        var previous: Substring = ""
        for word in text.prefix(200).split(whereSeparator: \.isWhitespace) {
            let path = bare(word)
            if isPath(path), previous == "on" || word.first.map(marks.contains) ?? false { return String(path) }
            previous = word
        }
        return nil
    }

    /// The words of a text, without what punctuates them.
    private static func words(_ text: Substring) -> [Substring] { text.split(whereSeparator: \.isWhitespace).map(bare) }

    private static func bare(_ word: Substring) -> Substring {
        let marks: Set<Character> = [":", ";", ",", ".", "(", ")", "'", "\"", "[", "]"]
        var word = word.drop { marks.contains($0) }
        while let last = word.last, marks.contains(last) { word = word.dropLast() }
        return word
    }

    private static func isPath(_ word: Substring) -> Bool {
        word.count > 1 && (word.hasPrefix("/") || word.contains("://") && !word.hasPrefix("http://") && !word.hasPrefix("https://"))
    }

    /// Whether it is at a directory or in it.
    func lies(in directory: String) -> Bool {
        guard let path, !directory.isEmpty else { return false }
        return path == directory || path.hasPrefix(directory.hasSuffix("/") ? directory : directory + "/")
    }

    /// The directory of all checkpoints stands for a file in it.
    private static func shortened(_ path: String, _ storage: String?) -> String {
        guard let storage, !storage.isEmpty, path.hasPrefix(storage.hasSuffix("/") ? storage : storage + "/") else { return path }
        return storage
    }

    // MARK: Words

    /// "DISK FULL /data: free some space".
    var text: SafeText { "\(kind.words)\(place): \(remedy)" }

    private var place: SafeText { path.map { " \(SafeText($0).middle(columns: 36))" } ?? "" }

    private var remedy: SafeText {
        switch kind {
        case .diskFull: "free some space"
        case .quota: "free some space or raise the quota"
        case .readOnly: "mount it writable"
        case .forbidden: isWriting ? "let the engine's user write there" : "let the engine's user use it"
        }
    }

    /// "free space at /data".
    var step: SafeText {
        guard let path else { return remedy }
        let place = SafeText(path).middle(columns: 32)
        return switch kind {
        case .diskFull: "free space at \(place)"
        case .quota: "free space at \(place), or raise the quota"
        case .readOnly: "mount \(place) writable"
        case .forbidden: isWriting ? "let the engine's user write to \(place)" : "let the engine's user use \(place)"
        }
    }
}

/// The bytes of a text, searched for ASCII words.
private struct ByteScan {
    private let bytes: [UInt8]
    private let lowered: [UInt8]

    init(_ text: String) {
        bytes = Array(text.utf8)
        lowered = bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    /// Words in lower case, in any case of the text.
    func sign(_ sign: StaticString, isWord: Bool = false) -> Range<Int>? { Self.find(sign, in: lowered, isWord: isWord) }

    /// A word of its own, as it is written.
    func word(_ word: StaticString) -> Range<Int>? { Self.find(word, in: bytes, isWord: true) }

    func follows(_ words: StaticString, _ offset: Int) -> Bool {
        words.withUTF8Buffer { offset <= lowered.count && lowered[offset...].starts(with: $0) }
    }

    private static func find(_ word: StaticString, in bytes: [UInt8], isWord: Bool) -> Range<Int>? {
        word.withUTF8Buffer { word in
            guard let first = word.first, bytes.count >= word.count else { return nil }
            func isInWord(_ offset: Int) -> Bool {
                bytes.indices.contains(offset)
                    && (Character(UnicodeScalar(bytes[offset])).isLetter || (0x30...0x39).contains(bytes[offset]) || bytes[offset] == 0x5F)
            }
            for start in 0...(bytes.count - word.count) where bytes[start] == first {
                let end = start + word.count
                guard bytes[start..<end].elementsEqual(word), !isWord || !isInWord(start - 1) && !isInWord(end) else { continue }
                return start..<end
            }
            return nil
        }
    }
}

/// Texts of failures with the root cause first: a short row keeps the beginning.
enum CauseFirst {
    private static let budgetSentence = "Exceeded checkpoint tolerable failure threshold. "

    /// The innermost cause; the path that could not be used comes last.
    static func words(_ message: String) -> String {
        if message.hasPrefix(budgetSentence), message.utf8.count > budgetSentence.utf8.count {
            return "checkpoints: " + message.dropFirst(budgetSentence.count)
        }
        let cause = Failure.rootCause(of: FailureReading.beginning(message))
        guard cause.hasPrefix("Cannot "), let colon = cause.firstRange(of: ": ") else { return cause }
        let action = cause[..<colon.lowerBound], reason = cause[colon.upperBound...]
        guard !reason.isEmpty, action.split(separator: " ").last.map({ $0.hasPrefix("/") || $0.contains("://") }) == true else { return cause }
        return "\(reason): c\(action.dropFirst())"
    }
}
