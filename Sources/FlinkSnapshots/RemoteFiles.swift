public import StreamModel

/// The files that other machines keep: an object store, HDFS. Calls block, and each ends in time.
public protocol RemoteFiles: Sendable {
    /// What is at each of the URLs, in their order.
    func look(at urls: [String]) -> [RemoteFile]
    /// A part of a file; `count` nil = up to its end.
    func read(_ url: String, from offset: Int64, count: Int64?, limit: Int64) throws(RemoteFileFailure) -> [UInt8]
    /// The names of what is directly in a directory; an object store lists one that is not there as empty.
    func names(in url: String) throws(RemoteFileFailure) -> [String]
    /// One text for all URLs of the same file.
    func spelling(of url: String) -> String
}

/// What stands at a URL, as far as its store told.
public enum RemoteFile: Sendable, Equatable {
    case file(ByteCount?, modified: WallTime?)
    case directory
    /// The store said that nothing is there.
    case missing
    /// It did not say; the reason completes "not reachable from here: ".
    case unknown(reason: String)
}

public enum RemoteFileFailure: Error, Sendable, Equatable {
    case missing
    case tooLong
    case unknown(reason: String)

    /// Goes on from the name of the file.
    var words: String {
        switch self {
        case .missing: "is not there"
        case .tooLong: "is too long"
        case .unknown(let reason): "is not reachable from here: \(reason)"
        }
    }
}

/// A snapshot's place in a store.
struct RemoteDirectory {
    /// Without a slash at its end.
    let url: String
    var metadata: String { url + "/_metadata" }

    /// Takes the URL of a directory or of its `_metadata`. nil = a path of some machine's own file system.
    init?(_ url: String) {
        guard !url.lowercased().hasPrefix("file:") else { return nil }
        var text = Substring(url)
        while text.hasSuffix("/") { text.removeLast() }
        if text.hasSuffix("/_metadata") { text.removeLast("/_metadata".count) }
        self.url = String(text)
    }
}
