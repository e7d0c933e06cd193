// A home of its own for every test: a directory with room for records, an environment without surprises, and the processes that live in it.

public import Glibc

/// A temporary directory that is HOME, all XDG folders and TMPDIR of what a test starts. Goes away with the object, and with it every
/// process that still has it as HOME.
public final class TestHome: Sendable {
    public let path: String

    public var socket: String { path + "/run/weir/engine.sock" }
    public var state: String { path + "/state" }
    /// Where the programs make their temporary directories.
    public var temporary: String { path + "/tmp" }
    public var configuration: String { path + "/config/weir/config.toml" }
    public var ledger: String { path + "/state/weir/ledger.sqlite" }

    public init() {
        var template = Array("/tmp/weir-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no temporary directory: \(String(cString: strerror(errno)))") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for name in ["config", "config/weir", "config/weir/themes", "state", "data", "cache", "run", "tmp", "tmux"] {
            mkdir(path + "/" + name, 0o700)
        }
    }

    deinit {
        for process in processes() { kill(process.id, SIGKILL) }
        removeTree(path)
    }

    /// Nothing of the environment of the tests is passed on but the path of the tools. nil removes a variable.
    public func environment(_ changes: [String: String?] = [:]) -> [String: String] {
        var all: [String: String?] = [
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": path, "TMPDIR": temporary, "TERM": "xterm-256color", "LANG": "C.UTF-8",
            "TZ": "UTC", "SHELL": "/bin/sh", "XDG_CONFIG_HOME": path + "/config", "XDG_STATE_HOME": path + "/state",
            "XDG_DATA_HOME": path + "/data", "XDG_CACHE_HOME": path + "/cache", "XDG_RUNTIME_DIR": path + "/run",
            "TMUX_TMPDIR": path + "/tmux", "SWIFT_BACKTRACE": "enable=no", "AWS_EC2_METADATA_DISABLED": "true",
        ]
        all.merge(changes) { $1 }
        return all.compactMapValues { $0 }
    }

    public func folder(_ name: String) -> String {
        let folder = path + "/" + name
        mkdir(folder, 0o700)
        return folder
    }

    @discardableResult
    public func write(_ name: String, _ text: String) -> String { write(name, Array(text.utf8)) }

    @discardableResult
    public func write(_ name: String, _ bytes: [UInt8]) -> String {
        let file = name.hasPrefix("/") ? name : path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0, bytes.isEmpty || Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            fatalError("cannot write \(file): \(String(cString: strerror(errno)))")
        }
        close(descriptor)
        return file
    }

    // MARK: Processes

    public struct LivingProcess {
        public var id: pid_t
        public var command: String
    }

    /// The processes with this home, of all that the kernel shows. `named`: the base name of the program.
    public func processes(named name: String? = nil) -> [LivingProcess] {
        listDirectory("/proc").compactMap { entry in
            guard let id = pid_t(entry), id != getpid() else { return nil }
            let variables = readFile("/proc/\(id)/environ").split(separator: 0)
            guard variables.contains(where: { $0.elementsEqual("HOME=\(path)".utf8) }) else { return nil }
            let words = readFile("/proc/\(id)/cmdline").split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            guard let program = words.first, name == nil || program == name || program.hasSuffix("/\(name ?? "")") else { return nil }
            return LivingProcess(id: id, command: words.joined(separator: " "))
        }
    }
}

// MARK: Files

public func listDirectory(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// The bytes of a file; empty where it cannot be read.
public func readFile(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var all: [UInt8] = [], chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return all }
        all += chunk.prefix(count)
    }
}

public func removeTree(_ path: String) {
    for name in listDirectory(path) {
        let child = path + "/" + name
        var facts = stat()
        if lstat(child, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR { removeTree(child) } else { unlink(child) }
    }
    rmdir(path)
}
