internal import Glibc

extension FlinkConnection {
    /// A way by which others can get at what proves who we are.
    public struct Exposure: Sendable, Equatable {
        /// One line: what, where.
        public let problem: String
        public let remedy: String
    }

    /// Secrets that cross a network in plain text, and files of secrets that others may read. Plain HTTP to this machine is no exposure: whoever
    /// can listen on the loopback is root here and can read the file as well, and tunnels (`ssh -L`) end there. Files are looked at, not read.
    public var exposures: [Exposure] { unencrypted + secretFiles.compactMap(Self.exposure) }

    private var unencrypted: [Exposure] {
        guard !address.isSecure, token != nil || !headers.isEmpty, !FlinkAddress.isThisMachine(address.host) else { return [] }
        let what = token != nil ? "the token" : headers.count == 1 ? "the header \(headers[0].name)" : "the headers"
        return [Exposure(problem: "\(what) goes to \(address) unencrypted, for everybody on the way to read", remedy: "use https, or a tunnel to this machine")]
    }

    private var secretFiles: [String] {
        let secrets = [token].compactMap { $0 } + headers.map(\.value)
        var files = secrets.compactMap { if case .file(let path) = $0 { path } else { nil } }
        if let key = clientCertificate?.keyFile { files.append(key) }
        return files.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// nil where there is nothing to look at: that is told when it is read.
    private static func exposure(_ path: String) -> Exposure? {
        var facts = stat()
        guard stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_mode & 0o077 != 0 else { return nil }
        let digits = String(facts.st_mode & 0o777, radix: 8)
        let mode = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return Exposure(problem: "\(path) holds a secret and is open to others (mode \(mode))", remedy: "chmod 600 \(path)")
    }
}
