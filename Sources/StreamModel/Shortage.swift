/// A resource that the machine has run out of: not a fault of the job, and over as soon as there is room.
public struct Shortage: Hashable, Sendable, CustomStringConvertible {
    public enum Resource: Hashable, Sendable { case space, quota, fileSize, openFiles, openFilesOfSystem }

    public let resource: Resource
    /// Path that could not be written or opened; nil = unknown.
    public let path: String?

    public init(_ resource: Resource, path: String?) { (self.resource, self.path) = (resource, path) }

    /// Creates a shortage from an error number as on Linux; nil = another error.
    public init?(errno: Int32, path: String?) {
        switch errno {
        case 28: self.init(.space, path: path)
        case 122: self.init(.quota, path: path)
        case 27: self.init(.fileSize, path: path)
        case 24: self.init(.openFiles, path: path)
        case 23: self.init(.openFilesOfSystem, path: path)
        default: return nil
        }
    }

    /// Missing resource, place and remedy.
    public var description: String {
        let place = path.map { " on \($0)" } ?? ""
        return switch resource {
        case .space: "no space left on device\(place): free space"
        case .quota: "disk quota exceeded\(place): free space, or raise the quota"
        case .fileSize: "file too large\(place): raise the limit of file sizes (prlimit --fsize, ulimit -f)"
        case .openFiles: "too many open files\(place): raise the limit of open files (prlimit --nofile, ulimit -n)"
        case .openFilesOfSystem: "too many open files in the system\(place): raise fs.file-max, or end what holds them"
        }
    }
}
