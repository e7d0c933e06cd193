internal import CellGrid
internal import Glibc

/// Files that the operator asks the console to write: evidence of operations.
enum ReportFile {
    /// Why nothing was written: one line.
    struct Failure: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    /// Writes a new file of mode 0600 into a folder that is made where it is missing (0700), and returns its path. A file that is
    /// there already stays: the new one gets a number.
    static func write(_ text: String, name: String, into folder: String) throws(Failure) -> String {
        makeFolders(folder)
        let (stem, suffix) = split(name)
        for number in 1...999 {
            let path = "\(folder)/\(stem)\(number == 1 ? "" : "-\(number)")\(suffix)"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw failure("create", path) }
            defer { close(descriptor) }
            try writeAll(Array(text.utf8), descriptor, path)
            guard fsync(descriptor) == 0 else { throw failure("keep", path) }
            return path
        }
        throw Failure(description: "\(SafeText(folder)) holds 999 files of this name: move some away")
    }

    private static func writeAll(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    private static func failure(_ verb: String, _ path: String) -> Failure {
        Failure(description: "cannot \(verb) \(SafeText(path)): \(String(cString: strerror(errno)))")
    }

    /// What a file name may hold, and no more.
    private static func split(_ name: String) -> (stem: String, suffix: String) {
        let plain = String(
            String.UnicodeScalarView(
                name.unicodeScalars.map { scalar in
                    scalar.value < 0x7f && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "+-_.".unicodeScalars.contains(scalar))
                        ? scalar : "-"
                }))
        let safe = plain.drop { $0 == "." }.prefix(120)
        guard let dot = safe.lastIndex(of: ".") else { return (safe.isEmpty ? "report" : String(safe), "") }
        return (String(safe[..<dot]), String(safe[dot...]))
    }

    private static func makeFolders(_ path: String) {
        // One that is there is as good; one that cannot be made shows itself when the file is created.
        if mkdir(path, 0o700) == 0 || errno != ENOENT { return }
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        makeFolders(String(path[..<slash]))
        _ = mkdir(path, 0o700)
    }
}
