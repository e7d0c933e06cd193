internal import Glibc
internal import StreamModel

/// What the process is told by its environment and clocks. Read where it is needed and passed on as values.
enum Surroundings {
    /// An environment variable; nil when unset or empty.
    static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    static func wallTime() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// The time that a console counts by: the wall clock's when the process began, and from then on that of a clock that never jumps and
    /// goes on while the machine sleeps. Ages and countdowns stay true whatever the wall clock is set to.
    static func steadyTime() -> WallTime { WallTime(milliseconds: sinceBoot() + bootTime) }

    private static let bootTime = wallTime().milliseconds - sinceBoot()

    private static func sinceBoot() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Milliseconds on a clock that never jumps.
    static func monotonicMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Seconds that local time is ahead of UTC.
    static func utcOffsetSeconds() -> Int {
        var now = time(nil), local = tm()
        return localtime_r(&now, &local) == nil ? 0 : local.tm_gmtoff
    }

    /// "user@host", for the record of actions.
    static func operatorName() -> String {
        var host = [CChar](repeating: 0, count: 256)
        let hasHost = gethostname(&host, host.count - 1) == 0
        let hostName = hasHost ? String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "localhost"
        let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? variable("USER") ?? "uid\(geteuid())"
        return "\(user)@\(hostName)"
    }

    /// The path of the running executable.
    static func executablePath() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}

/// The folders of the XDG base directory specification. A relative path in a variable is ignored, as it says.
struct BaseDirectories {
    let configuration: String
    let state: String
    /// The user's, then the system's.
    let data: [String]

    init(_ variable: (String) -> String? = Surroundings.variable) {
        func absolute(_ name: String) -> String? { variable(name).flatMap { $0.hasPrefix("/") ? $0 : nil } }
        let home = absolute("HOME") ?? "/"
        let under = { (path: String) in home == "/" ? "/" + path : home + "/" + path }
        configuration = absolute("XDG_CONFIG_HOME") ?? under(".config")
        state = absolute("XDG_STATE_HOME") ?? under(".local/state")
        let system = (variable("XDG_DATA_DIRS") ?? "/usr/local/share:/usr/share").split(separator: ":").map(String.init)
        data = [absolute("XDG_DATA_HOME") ?? under(".local/share")] + system.filter { $0.hasPrefix("/") }
    }

    var ledgerPath: String { state + "/weir/ledger.sqlite" }
    /// Folder of what the operator asked to have written.
    var reportsPath: String { state + "/weir/reports" }
    var logPath: String { state + "/weir/console.log" }
    var configurationPath: String { configuration + "/weir/config.toml" }
}

/// Small files that a user wrote: configuration and themes.
enum SmallFile {
    enum Failure: Error, Equatable {
        case missing
        case notPlain
        case tooLong(limit: Int)
        case system(errno: Int32)

        var reason: String {
            switch self {
            case .missing: "there is no such file"
            case .notPlain: "is no plain file (links are not followed)"
            case .tooLong(let limit): "is longer than \(limit) bytes"
            case .system(let code): String(cString: strerror(code))
            }
        }
    }

    /// The bytes of a plain file. Links are not followed; a pipe or a device does not block.
    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR: throw .missing
            case ELOOP: throw .notPlain
            default: throw .system(errno: errno)
            }
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notPlain }
        var bytes = [UInt8](repeating: 0, count: limit + 1), count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return Glibc.read(descriptor, rest.baseAddress!, rest.count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno: errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw .tooLong(limit: limit) }
        return Array(bytes.prefix(count))
    }
}
