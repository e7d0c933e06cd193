// The executables under test, and the tools that drive them.

internal import Glibc

public enum Binaries {
    /// The `weir` built together with these tests, or the one that `WEIR_BINARY` names.
    public static let weir: String? = executable(variable("WEIR_BINARY") ?? bundleFolder + "/weir")

    /// The release build: what the budgets are stated for. `WEIR_RELEASE_BINARY`, else `release/weir` beside the folder of this build.
    public static let release: String? = executable(variable("WEIR_RELEASE_BINARY") ?? releaseFolder + "/weir")

    /// `weir-bench` of the release build. `WEIR_BENCH_BINARY`, else beside the above.
    public static let bench: String? = executable(variable("WEIR_BENCH_BINARY") ?? releaseFolder + "/weir-bench")

    /// `weir-sim` of the release build. `WEIR_SIM_BINARY`, else beside the above.
    public static let sim: String? = executable(variable("WEIR_SIM_BINARY") ?? releaseFolder + "/weir-sim")

    public static let tmux = tool("tmux")
    public static let sqlite = tool("sqlite3")
    public static let unshare = tool("unshare")
    /// Any C compiler; the Swift toolchain brings clang.
    public static let compiler = ["clang", "cc", "gcc"].lazy.compactMap(onPath).first

    /// The themes of the checkout.
    public static let themes: String = {
        let parts = #filePath.split(separator: "/").map(String.init)
        return "/" + parts.dropLast(4).joined(separator: "/") + "/themes"
    }()

    public static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    public static func tool(_ name: String) -> String? { ["/usr/bin/", "/bin/", "/usr/sbin/"].lazy.compactMap { executable($0 + name) }.first }

    private static func onPath(_ name: String) -> String? {
        (variable("PATH") ?? "").split(separator: ":").lazy.compactMap { executable("\($0)/\(name)") }.first
    }

    private static func executable(_ path: String) -> String? { access(path, X_OK) == 0 ? path : nil }

    /// The folder of the test bundle, which the runner has among its arguments or is itself.
    private static let bundleFolder: String = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ownPath
        return folder(of: bundle)
    }()

    private static let releaseFolder: String = {
        var path = folder(of: bundleFolder) + "/release"
        // `.build/debug` is a link into the folder of the platform; so is `.build/release`.
        if let real = realpath(path, nil) {
            path = String(cString: real)
            free(real)
        }
        return path
    }()

    private static let ownPath: String = {
        guard let real = realpath("/proc/self/exe", nil) else { return "." }
        defer { free(real) }
        return String(cString: real)
    }()

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return String(path[..<slash])
    }
}
