internal import Glibc
internal import StreamModel

/// Default locations of engine records, and the spelling of paths.
public enum StandardPaths {
    /// Root of all state: `$XDG_STATE_HOME/weir`, else `~/.local/state/weir`.
    public static var stateRoot: String { BaseDirectories().state + "/weir" }

    public static var engineState: String { stateRoot + "/engine" }

    /// State directory of `weir run`, one per output directory (or other identity).
    public static func runState(for identity: String) -> String { "\(stateRoot)/run/\(OperatorID(uid: identity).description.prefix(16))" }

    /// Makes a path absolute by the working directory and drops redundant parts (`.`, doubled and final slashes), without touching the disk.
    public static func absolute(_ path: String) -> String {
        var full = path
        if !path.hasPrefix("/"), let current = getcwd(nil, 0) {
            full = String(cString: current) + "/" + path
            free(current)
        }
        return "/" + full.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    /// Makes a path absolute, but keeps a URL ("s3://bucket/savepoints", "file:/sp") unchanged.
    public static func location(_ text: String) -> String {
        let scheme = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
        let isURL = scheme.count > 1 && text.dropFirst(scheme.count).hasPrefix(":/")
        return isURL ? text : absolute(text)
    }

    /// Canonical name of a file or directory that may not exist yet: follows links and `..` in the existing part.
    public static func canonical(_ path: String) -> String {
        let path = absolute(path)
        if let found = realpath(path, nil) {
            defer { free(found) }
            return String(cString: found)
        }
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return path }
        return canonical(String(path[..<slash])) + path[slash...]
    }
}

/// Removes a directory with all its contents.
public func removeTree(_ path: String) {
    if let directory = opendir(path) {
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            let isDirectory = Int32(entry.pointee.d_type) == Int32(DT_DIR)
            if isDirectory { removeTree(path + "/" + name) } else { unlink(path + "/" + name) }
        }
        closedir(directory)
    }
    rmdir(path)
}
