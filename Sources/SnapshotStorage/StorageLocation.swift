/// Where a file is, as Flink and Hadoop write it: `s3a://bucket/a b/chk-1`. Nothing is percent-encoded there; `%`, `+` and `?` mean themselves.
public struct StorageLocation: Hashable, Sendable, CustomStringConvertible {
    /// The kind of store that a scheme belongs to.
    public enum Store: Sendable, Equatable {
        case local, s3, google, azure, hdfs
        /// Spoken to through an S3 endpoint, where one is configured: `oss`, `cos`, `obs`, ...
        case other
    }

    /// In lower case; "file" for a plain path.
    public let scheme: String
    /// Bucket, `container@account.dfs.core.windows.net`, or host and port; empty for local files.
    public let authority: String
    /// Without the leading slash. Slashes in it stand as they are.
    public let key: String

    public init(scheme: String, authority: String, key: String) { (self.scheme, self.authority, self.key) = (scheme, authority, key) }

    /// Takes an absolute path or a URL; throws `.unsupported` for what is neither.
    public init(_ text: String) throws(StorageFailure) {
        guard let colon = text.firstIndex(of: ":"), Self.isScheme(text[..<colon]) else {
            guard text.hasPrefix("/") else { throw Self.bad(text, "not an absolute path or URL") }
            self.init(scheme: "file", authority: "", key: String(text.dropFirst()))
            return
        }
        let scheme = text[..<colon].lowercased()
        let rest = text[text.index(after: colon)...]
        guard !text.utf8.contains(0) else { throw Self.bad(text, "contains a NUL character") }
        guard rest.hasPrefix("//") else {
            guard scheme == "file", rest.hasPrefix("/") else { throw Self.bad(text, "names no \(scheme == "file" ? "absolute path" : "bucket or host")") }
            self.init(scheme: "file", authority: "", key: String(rest.dropFirst()))
            return
        }
        let authority = rest.dropFirst(2).prefix { $0 != "/" }
        let key = String(rest.dropFirst(2 + authority.count).dropFirst())
        if scheme == "file" {
            guard authority.isEmpty || authority == "localhost" else { throw Self.bad(text, "on the host \(authority), not this one") }
            self.init(scheme: "file", authority: "", key: key)
            return
        }
        guard !authority.isEmpty else { throw Self.bad(text, "names no bucket or host") }
        guard authority.utf8.allSatisfy(Self.isAuthorityByte) else { throw Self.bad(text, "\(authority) is no name of a bucket or host") }
        self.init(scheme: scheme, authority: String(authority), key: key)
    }

    private static func bad(_ text: String, _ problem: String) -> StorageFailure {
        StorageFailure(.unsupported, path: text, .open, problem, remedy: "write /path, file:///path or scheme://bucket/path")
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7a).contains(first | 0x20) else { return false }
        return text.utf8.allSatisfy { (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) || "+-.".utf8.contains($0) }
    }

    private static func isAuthorityByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "-._@:$[]".utf8.contains(byte)
    }

    public var store: Store {
        switch scheme {
        case "file": .local
        case "s3", "s3a", "s3n", "s3p": .s3
        case "gs": .google
        case "abfs", "abfss", "wasb", "wasbs": .azure
        case "hdfs", "webhdfs", "swebhdfs", "viewfs": .hdfs
        default: .other
        }
    }

    /// "s3a://bucket/key"; a local file as its path.
    public var text: String { scheme == "file" ? "/" + key : key.isEmpty ? "\(scheme)://\(authority)" : "\(scheme)://\(authority)/\(key)" }
    public var description: String { text }

    /// One text for all ways to name the same file: `s3a:`, `s3p:` and `s3n:` are `s3:`.
    public var canonical: String {
        let location = store == .s3 ? StorageLocation(scheme: "s3", authority: authority, key: key) : self
        return location.text
    }

    /// The path of a local file.
    public var localPath: String { "/" + key }

    /// The last component.
    public var name: String { String(key.split(separator: "/").last ?? "") }

    public var parent: StorageLocation {
        let components = key.split(separator: "/", omittingEmptySubsequences: false)
        return with(key: components.dropLast().joined(separator: "/"))
    }

    public func with(key: String) -> StorageLocation { StorageLocation(scheme: scheme, authority: authority, key: key) }

    public func appending(_ component: String) -> StorageLocation { with(key: directoryKey + component) }

    /// The key as the beginning of those below it: with a final slash, unless it is the root.
    var directoryKey: String { key.isEmpty || key.hasSuffix("/") ? key : key + "/" }
}

/// Flink's entropy injection (`s3.entropy.key`): data files get random characters in place of a marker, metadata files leave it out.
public struct EntropyMarker: Sendable, Equatable {
    public static let standard = EntropyMarker("_entropy_")
    public let text: String

    public init(_ text: String) { self.text = text }

    /// Where Flink keeps the metadata of a checkpoint directory that has the marker: the marker goes, and doubled slashes with it.
    public func removed(from location: StorageLocation) -> StorageLocation {
        guard !text.isEmpty, let range = location.key.firstRange(of: text) else { return location }
        var key = location.key
        key.removeSubrange(range)
        let components = key.split(separator: "/").joined(separator: "/")
        return location.with(key: components)
    }

    /// The directory above the marker, below which the data files lie; nil = there is no marker.
    public func dataRoot(of location: StorageLocation) -> StorageLocation? {
        guard !text.isEmpty, let range = location.key.firstRange(of: text) else { return nil }
        return location.with(key: location.key[..<range.lowerBound].split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/"))
    }

    /// Whether a file lies where Flink puts data files of a directory with the marker.
    public func covers(_ directory: StorageLocation, _ file: StorageLocation, length: Int = 4) -> Bool {
        guard directory.authority == file.authority, !text.isEmpty, let range = directory.key.firstRange(of: text) else { return false }
        let head = directory.key[..<range.lowerBound], tail = directory.key[range.upperBound...]
        guard file.key.hasPrefix(head) else { return false }
        let rest = file.key.dropFirst(head.count)
        let drawn = rest.prefix(length)
        guard drawn.count == length, drawn.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) }) else { return false }
        let below = rest.dropFirst(length)
        return below.hasPrefix(tail) && (below.count == tail.count || tail.hasSuffix("/") || below.dropFirst(tail.count).hasPrefix("/"))
    }
}
