internal import JSON

/// Why a question to a cluster has no answer.
public struct FlinkFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable, CaseIterable {
        /// Nobody listens there, or the host has no address.
        case unreachable
        case timedOut
        /// TLS: another host's certificate, an unknown authority, our certificate refused, or no TLS at all.
        case insecure
        /// Something answers that is not Flink's REST API.
        case notFlink
        /// 401 or 403: a proxy wants to know who we are.
        case unauthorized
        /// 404: unknown (or expired) job, checkpoint, trigger or jar.
        case notFound
        /// 409.
        case conflict
        /// 503: no leader yet.
        case unavailable
        /// Another status that says that the request is not done.
        case rejected
        /// The answer is longer than we take.
        case tooLong
        /// Flink's, but not as we understand it.
        case malformed
        /// Answered with a redirect, which is never followed: it could take credentials to another host.
        case redirected
        /// We gave up on it ourselves.
        case cancelled
        /// A file or variable of ours is missing or bad; nothing was sent.
        case misconfigured
        /// The cluster's version has no such thing; nothing was sent.
        case unsupported
    }

    public var kind: Kind
    /// One line: what happened, where, and what to do. Not yet safe for a terminal.
    public var message: String
    /// HTTP status, where there was one.
    public var status: Int?
    /// The connection was there, and broke.
    var wasConnected = false
    /// The whole text that came (a stack trace, an HTML page), as far as it was taken; nil = `message` is all there is.
    public var fullText: String?

    public init(_ kind: Kind, _ message: String, status: Int? = nil, fullText: String? = nil) {
        self.kind = kind
        self.message = message
        self.status = status
        self.fullText = fullText
    }

    public var description: String { message }

    /// It concerns the link, not the one thing that was asked for.
    public var isOfLink: Bool {
        switch kind {
        case .unreachable, .timedOut, .insecure, .notFlink, .unauthorized, .unavailable, .redirected, .misconfigured: true
        case .notFound, .conflict, .rejected, .tooLong, .malformed, .cancelled, .unsupported: false
        }
    }

    /// Another JobManager of the cluster may answer where this one does not.
    var isOfPlace: Bool {
        switch kind {
        case .unreachable, .timedOut, .unavailable, .redirected: true
        default: false
        }
    }

    /// The request may have arrived and been done although no answer came: an operation with this end has an unknown outcome.
    public var mayHaveArrived: Bool {
        switch kind {
        case .timedOut, .tooLong, .malformed, .cancelled, .notFlink: true
        case .unavailable, .rejected: status.map { $0 == 502 || $0 == 504 } ?? true
        default: wasConnected
        }
    }
}

/// Reduces Flink's error texts. Pure.
enum ErrorText {
    static let lineMax = 400

    /// The first useful line of an error body: Flink's `{"errors":[...]}` (whose elements may be whole stack traces), or any text.
    static func firstLine(of body: JSONValue?, text: String) -> String? {
        if let errors = body?["errors"]?.items {
            let lines = errors.compactMap(\.text).map { useful($0) }.filter { !$0.isEmpty }
            // "Internal server error." says nothing; the element after it does.
            return lines.first { !$0.hasPrefix("Internal server error") } ?? lines.first
        }
        if let message = body?["message"]?.text ?? body?["error"]?.text { return useful(message) }
        let isMarkup = text.drop { $0.isWhitespace }.hasPrefix("<")
        let line = isMarkup ? title(of: text) : useful(text)
        return line.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// All elements of an error body, one after the other.
    static func fullText(of body: JSONValue?, text: String) -> String {
        guard let errors = body?["errors"]?.items else { return text }
        return errors.compactMap(\.text).joined(separator: "\n")
    }

    /// The deepest cause that a stack trace names, which is what an operator wants to read; the first line when it names none.
    static func useful(_ trace: String) -> String {
        var deepest: Substring?
        var first: Substring?
        for line in trace.split(whereSeparator: \.isNewline) {
            var bare = line.drop { $0.isWhitespace }
            if bare.hasPrefix("<Exception on server side:") { bare = bare.dropFirst("<Exception on server side:".count).drop { $0.isWhitespace } }
            guard !bare.isEmpty else { continue }
            if first == nil, !bare.hasPrefix("at ") { first = bare }
            if bare.hasPrefix("Caused by: ") { deepest = bare.dropFirst("Caused by: ".count) }
        }
        return shortened(withoutClass(deepest ?? first ?? ""), to: lineMax)
    }

    /// "java.io.IOException: no space" reads "IOException: no space"; wrappers that repeat the class of their cause are taken off.
    static func withoutClass(_ line: Substring) -> String {
        var rest = line
        while let colon = rest.firstRange(of: ": ") {
            let head = rest[..<colon.lowerBound]
            let tail = rest[colon.upperBound...]
            guard isClassName(head) else { break }
            // Only where another error follows is this one a wrapper: the class that another was not found is what it says.
            let next = tail.firstRange(of: ": ").map { tail[..<$0.lowerBound] } ?? tail
            guard isClassName(next), next.hasSuffix("Exception") || next.hasSuffix("Error") else { return simpleName(head) + ": " + tail }
            rest = tail
        }
        return isClassName(rest) ? simpleName(rest) : String(rest)
    }

    /// A qualified Java name such as `java.io.IOException`.
    static func isClassName(_ text: Substring) -> Bool {
        text.contains(".") && !text.hasPrefix(".") && !text.hasSuffix(".")
            && text.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2e || byte == 0x24 || byte == 0x5f
            }
            && text.split(separator: ".").last?.first?.isUppercase == true
    }

    private static func simpleName(_ name: Substring) -> String {
        String(name.split(whereSeparator: { $0 == "." || $0 == "$" }).last ?? name)
    }

    private static func title(of page: String) -> String? {
        guard let start = page.firstRange(of: "<title>"), let end = page.firstRange(of: "</title>"), start.upperBound <= end.lowerBound else { return nil }
        return useful(String(page[start.upperBound..<end.lowerBound]))
    }
}
