internal import Glibc

/// The environment of this process. Read where needed and passed on as values.
public enum ProcessEnvironment {
    /// An environment variable; nil when unset or empty.
    public static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Offset of local time from UTC, in seconds.
    public static func utcOffsetSeconds() -> Int {
        var now = time(nil), local = tm()
        return localtime_r(&now, &local) == nil ? 0 : local.tm_gmtoff
    }

    /// Path of the running executable.
    public static func executablePath() -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
