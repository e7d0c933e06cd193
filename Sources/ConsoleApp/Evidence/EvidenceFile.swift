internal import Glibc
internal import HostEnvironment

/// A file that the console writes for its operator: a dump, a recording. Never over another file, never through a link, for nobody else to
/// read.
final class EvidenceFile: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var path: String
        var problem: String
        var description: String { "\(path): \(problem)" }
    }

    let path: String
    private let descriptor: Int32

    /// Makes the file. "~/" is the home of the operator.
    init(creating path: String) throws(Failure) {
        let home = ProcessEnvironment.variable("HOME")
        let path = path.hasPrefix("~/") && home != nil ? (home ?? "") + path.dropFirst() : path
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0o600)
        guard descriptor < 0 else { return }
        let problem = errno == EEXIST ? "already exists; choose another name" : String(cString: strerror(errno))
        throw Failure(path: path, problem: problem)
    }

    deinit { close(descriptor) }

    func write(_ text: String) throws(Failure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(path: path, problem: String(cString: strerror(errno))) }
            rest = rest.dropFirst(count)
        }
    }
}
