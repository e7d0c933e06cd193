// What the tests of the running console share: the binary, and a home of its own.

import Glibc
import TestKit

/// The `weir` binary built together with these tests.
let weirBinary: String? = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let runner = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The test bundle is loaded by the runner or is the runner itself; its path is among the arguments in the first case.
    let places = [runner] + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
    let candidates: [String] = places.compactMap { place in
        guard let slash = place.lastIndex(of: "/") else { return nil }
        return String(place[...slash]) + "weir"
    }
    return candidates.first { access($0, X_OK) == 0 }
}()

/// A directory that removes itself, with a configuration and room for records.
final class ConsoleHome {
    let path: String
    var socket: String { path + "/e.sock" }
    var ledger: String { path + "/state/weir/ledger.sqlite" }

    init() {
        var template = Array("/tmp/weir-console-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary directory")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for folder in ["config", "config/weir", "config/weir/themes", "state", "data", "run"] { mkdir(path + "/" + folder, 0o700) }
        configure("[contexts.lab]\nsocket = \"\(socket)\"\nclass = \"lab\"\n")
    }

    deinit { removeTree(path) }

    func configure(_ text: String) { writeFile(path + "/config/weir/config.toml", text) }

    /// The text of a file below the home; empty when there is none.
    func read(_ name: String) -> String {
        let descriptor = open(path + "/" + name, O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    func environment(_ more: [String: String?] = [:]) -> [String: String] {
        var all: [String: String?] = [
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin", "HOME": path, "XDG_STATE_HOME": path + "/state",
            "XDG_CONFIG_HOME": path + "/config", "XDG_DATA_HOME": path + "/data", "XDG_RUNTIME_DIR": path + "/run",
        ]
        all.merge(more) { $1 }
        return all.compactMapValues { $0 }
    }

    /// A console in a terminal of its own.
    func console(_ more: [String: String?] = [:], columns: Int = 80, rows: Int = 24) -> PtyProcess {
        PtyProcess(weirBinary ?? "/nonexistent", ["console"], environment: environment(more), columns: columns, rows: rows)
    }
}

func writeFile(_ path: String, _ text: String) { writeFile(path, Array(text.utf8)) }

func writeFile(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path)")
    close(descriptor)
}
