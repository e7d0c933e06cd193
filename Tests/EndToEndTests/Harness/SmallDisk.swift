// A disk of 1 MiB, or one that cannot be written, for one program: a mount that only its process sees and that ends with it.

import Glibc
import TestKit

enum SmallDisk {
    /// Why such disks cannot be had here; nil = they can.
    static let gap: String? = {
        guard let unshare = Binaries.unshare else { return "unshare is not installed" }
        var home: TestHome? = TestHome()
        defer { home = nil }
        guard let home else { return "no home" }
        let trial = ChildProcess(
            unshare, namespaces + ["/bin/sh", "-c", "mount -t tmpfs -o size=1m none \"$0\"", home.folder("disk")], environment: home.environment())
        switch trial.end(within: 20) {
        case .exited(0): return nil
        default: return "mounts are not allowed here: \(trial.errors)"
        }
    }()

    private static var namespaces: [String] { geteuid() == 0 ? ["--mount"] : ["--user", "--map-root-user", "--mount"] }

    /// Starts a program that sees a tmpfs at `directory`. `options` are mount's: "size=1m", "ro".
    static func run(_ home: TestHome, at directory: String, options: String, _ executable: String, _ arguments: [String]) -> ChildProcess {
        ChildProcess(
            Binaries.unshare ?? "/nonexistent",
            namespaces + ["/bin/sh", "-c", "mount -t tmpfs -o \"$1\" none \"$0\" && shift && exec \"$@\"", directory, options, executable] + arguments,
            environment: home.environment())
    }
}
