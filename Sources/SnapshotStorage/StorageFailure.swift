public import StreamModel

/// Why a store gave no answer: what was asked, what it said, and what to do about it. It holds no secret.
public struct StorageFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable, CaseIterable {
        case notFound
        /// The bucket or container is not there.
        case noContainer
        /// The store knows who asks, and does not allow it.
        case denied
        /// The store does not accept who asks: unknown key, wrong secret, expired token.
        case unauthenticated
        /// No credentials were found; nothing was sent.
        case noCredentials
        case clockSkew
        case wrongRegion
        /// 503 SlowDown or 429 until the deadline.
        case throttled
        case unavailable
        case unreachable
        /// TLS: an unknown authority, a certificate for another host.
        case insecure
        case timedOut
        /// The answer ended in the middle, again and again.
        case cut
        /// The file is not the one that was asked for any more.
        case changed
        case tooLarge
        case notAFile
        /// An answer that is none of this kind of store.
        case malformed
        case rejected
        /// A setting, file or variable of ours is missing or bad; nothing was sent.
        case misconfigured
        case unsupported
        case closed
    }

    public enum Verb: String, Sendable, Equatable {
        case status = "look at"
        case read
        case list
        case delete
        case open
    }

    public var kind: Kind
    /// As it was asked for.
    public var path: String
    public var verb: Verb
    /// HTTP status, where there was one.
    public var status: Int?
    public var problem: String
    public var remedy: String?

    public init(_ kind: Kind, _ location: StorageLocation, _ verb: Verb, status: Int? = nil, _ problem: String, remedy: String? = nil) {
        (self.kind, path, self.verb, self.status, self.problem, self.remedy) = (kind, location.text, verb, status, problem, remedy)
    }

    public init(_ kind: Kind, path: String, _ verb: Verb, _ problem: String, remedy: String? = nil) {
        (self.kind, self.path, self.verb, self.problem, self.remedy) = (kind, path, verb, problem, remedy)
    }

    /// One line. Not yet safe for a terminal.
    public var description: String {
        "cannot \(verb.rawValue) \(path): \(problem)\(status.map { " (\($0))" } ?? "")\(remedy.map { "; \($0)" } ?? "")"
    }

    /// The store may well have it: nothing was learned about the file.
    public var saysNothingAboutTheFile: Bool { ![.notFound, .noContainer, .notAFile, .changed].contains(kind) }

    static func tooLarge(_ location: StorageLocation, limit: Int) -> StorageFailure {
        StorageFailure(.tooLarge, location, .read, "longer than \(limit) bytes")
    }
}

/// A state of a store that a person who waits should know.
public enum StorageNotice: Sendable, Equatable {
    /// The store asks for patience; the next try comes after the pause.
    case throttled(path: String, status: Int, pause: Milliseconds)
    /// A body was cut and is being resumed.
    case resumed(path: String, at: Int64)
}
