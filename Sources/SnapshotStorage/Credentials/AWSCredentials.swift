internal import StreamModel

/// A key pair, for now or for good.
struct AWSCredentials: Sendable, Equatable {
    var accessKey: String
    var secret: Secret
    var sessionToken: Secret?
    /// nil = they do not expire.
    var expiresAt: WallTime?
    /// Where they were found: "the environment", "profile lab in ~/.aws/credentials".
    var source: String

    /// Renewed so long before they expire: a request that is under way then still ends.
    static let margin: Milliseconds = .minutes(5)

    func isFresh(at now: WallTime) -> Bool { expiresAt.map { now + Self.margin < $0 } ?? true }
}

/// How to get credentials, decided from what the environment and the files of the AWS tools say.
indirect enum AWSCredentialPlan: Sendable, Equatable {
    case ready(AWSCredentials)
    /// `credential_process`: a program that writes credentials as JSON.
    case process([String], source: String)
    /// AssumeRoleWithWebIdentity at STS.
    case webIdentity(tokenFile: String, role: String, session: String, source: String)
    /// AssumeRole at STS, asked for with other credentials.
    case role(String, session: String, externalID: String?, with: AWSCredentialPlan, source: String)
    /// The container endpoint of ECS and EKS.
    case container(url: String, tokenFile: String?, token: Secret?, source: String)
    /// The instance's metadata service, version 2.
    case instance(endpoint: String, source: String)

    /// For people: which credentials, from where.
    var source: String {
        switch self {
        case .ready(let credentials): credentials.source
        case .process(_, let source), .webIdentity(_, _, _, let source), .role(_, _, _, _, let source), .container(_, _, _, let source),
            .instance(_, let source):
            source
        }
    }
}

/// Why there are no credentials, and what to do. It names no secret.
struct CredentialProblem: Error, Equatable {
    var problem: String
    var remedy: String

    init(_ problem: String, remedy: String) { (self.problem, self.remedy) = (problem, remedy) }
}

/// What decisions about credentials look at. A test brings its own.
public struct CredentialEnvironment: Sendable {
    public enum File: Sendable, Equatable {
        case text(String)
        case missing
        /// "is longer than ..."
        case unreadable(String)
    }

    public var variable: @Sendable (String) -> String?
    public var file: @Sendable (String) -> File

    public init(variable: @escaping @Sendable (String) -> String?, file: @escaping @Sendable (String) -> File) { (self.variable, self.file) = (variable, file) }

    var home: String { variable("HOME") ?? "/" }

    /// "~/x" is in the home directory.
    func expanded(_ path: String) -> String { path.hasPrefix("~/") ? (home == "/" ? "" : home) + path.dropFirst(1) : path }
}
