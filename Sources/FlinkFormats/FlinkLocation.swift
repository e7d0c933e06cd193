public import StreamModel

/// Where a path of Flink leads, seen from a machine.
public enum FlinkLocation: Sendable, Equatable {
    /// A path of this machine's file system, absolute.
    case local(String)
    /// Somewhere that this machine's file system does not show; `reason` completes "not reachable from here: ".
    case elsewhere(reason: String)

    /// Takes a URL or a path as Flink writes them: `file:/a`, `file:///a`, `file://host/a`, `/a`, `s3://bucket/a`. Nothing is percent-encoded there.
    public init(_ text: String) {
        guard let (scheme, rest) = Self.scheme(of: text) else {
            self = .local(text)
            return
        }
        guard scheme == "file" else {
            self = .elsewhere(reason: "it is in \(scheme):")
            return
        }
        guard rest.hasPrefix("//") else {
            self = .local(rest)
            return
        }
        let withoutSlashes = rest.dropFirst(2)
        let host = withoutSlashes.prefix { $0 != "/" }
        guard host.isEmpty || host == "localhost" else {
            self = .elsewhere(reason: "it is on the host \(host)")
            return
        }
        self = .local(String(withoutSlashes.dropFirst(host.count)))
    }

    /// "s3" and "//bucket/a"; nil for what has no scheme.
    private static func scheme(of text: String) -> (String, String)? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.unicodeScalars.first, first.isASCII, first.properties.isAlphabetic,
            scheme.unicodeScalars.allSatisfy({ $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "+" || $0 == "-" || $0 == ".") })
        else { return nil }
        return (scheme.lowercased(), String(text[text.index(after: colon)...]))
    }

    /// The job in whose directory a path lies: the last component of 32 hexadecimal digits.
    public static func job(inPath path: String) -> JobID? {
        for component in path.split(separator: "/").reversed() {
            if component.utf8.count == 32, let job = JobID(String(component)) { return job }
        }
        return nil
    }

    /// What a directory's name says: `chk-12` is a checkpoint, `savepoint-1a2b3c-...` a savepoint.
    public static func kind(ofDirectory name: some StringProtocol) -> CheckpointKind? {
        if name.hasPrefix("chk-"), name.dropFirst(4).allSatisfy(\.isWholeNumber), name.utf8.count > 4 { return .checkpoint }
        return name.hasPrefix("savepoint-") ? .savepoint : nil
    }
}
