internal import Glibc

/// Identity of this process's user, for the record of actions.
public enum OperatorIdentity {
    /// Identity as `user@host`.
    public static func current() -> String { "\(user())@\(host() ?? "localhost")" }

    /// Identity of this process, for people: `pid 4242 on host`.
    public static func process() -> String { "pid \(getpid()) on \(host() ?? "localhost")" }

    /// Name of the effective user.
    public static func user() -> String {
        getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? ProcessEnvironment.variable("USER") ?? "uid\(geteuid())"
    }

    /// Home directory of the effective user, from the user database.
    static func home() -> String? {
        getpwuid(geteuid()).map { String(cString: $0.pointee.pw_dir) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    /// Name of this machine; nil when unavailable.
    public static func host() -> String? {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
