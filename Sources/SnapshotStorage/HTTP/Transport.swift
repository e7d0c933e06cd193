public import StreamModel

/// Sends requests. One question, one answer that is read piece by piece; nothing is retried here.
public protocol StorageTransport: Sendable {
    func open(_ request: WireRequest, by deadline: EngineInstant) throws(TransportFailure) -> any WireAnswer
}

/// An answer on its way.
public protocol WireAnswer: AnyObject, Sendable {
    var status: Int { get }
    func header(_ name: String) -> String?
    /// The next piece of the body; nil = it is complete.
    func next(by deadline: EngineInstant) throws(TransportFailure) -> [UInt8]?
    /// Gives up on the rest.
    func cancel()
}

/// What the network or TLS said.
public struct TransportFailure: Error, Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case unreachable, refused, insecure, timedOut, cut, notHTTP, closed }
    public var kind: Kind
    public var problem: String
    public var remedy: String?
    public init(_ kind: Kind, _ problem: String, remedy: String? = nil) { (self.kind, self.problem, self.remedy) = (kind, problem, remedy) }

    /// The next try may well succeed.
    var isPassing: Bool { [.unreachable, .cut, .timedOut].contains(kind) }

    var storageKind: StorageFailure.Kind {
        switch kind {
        case .unreachable, .refused: .unreachable
        case .insecure: .insecure
        case .timedOut: .timedOut
        case .cut: .cut
        case .notHTTP: .malformed
        case .closed: .closed
        }
    }
}

/// A whole answer, up to a limit.
struct CollectedAnswer: Sendable {
    var status: Int
    var header: @Sendable (String) -> String?
    var body: [UInt8]
    /// There was more than the limit.
    var isCut = false

    init(status: Int, header: @escaping @Sendable (String) -> String?, body: [UInt8]) { (self.status, self.header, self.body) = (status, header, body) }

    init(_ answer: any WireAnswer, limit: Int, by deadline: EngineInstant) throws(TransportFailure) {
        status = answer.status
        header = { answer.header($0) }
        body = []
        while let piece = try answer.next(by: deadline) {
            let room = limit - body.count
            body += piece.prefix(room)
            guard piece.count <= room else {
                isCut = true
                answer.cancel()
                return
            }
        }
    }
}

extension WireAnswer {
    /// The length that the answer says it has.
    var contentLength: Int64? { header("Content-Length").flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil } }
}
