// Goal: a demo that was killed leaves nothing for good, and nothing of anybody else's is ever removed.
// Method: directories with and without a living owner, and the built executable, killed.

import Glibc
import TestKit
import Testing

@testable import CommandLineApp
@testable import HostEnvironment

@Suite(.enabled(if: weirExecutable != nil, "the executable was not built")) struct DemoDirectoryTests {
    private let sandbox = Sandbox()

    private func demos() throws -> [String] {
        var names: [String] = []
        let stream = try #require(opendir(sandbox.path))
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasPrefix("weir-demo-") { names.append(name) }
        }
        return names
    }

    private func put(_ path: String, _ text: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
    }

    /// Whether anybody holds the lock of a demo's directory.
    private func isLive(_ name: String) -> Bool {
        let descriptor = open(sandbox[name] + "/owner", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        return descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0
    }

    @Test func `kill -9 leaves a directory that the next demo removes, and a live demo keeps its own`() throws {
        let killed = try WeirProcess(["demo"], in: sandbox, label: "killed")
        #expect(try eventually { try demos().contains { access(sandbox[$0] + "/engine.sock", F_OK) == 0 } })
        let left = try #require(try demos().first)
        #expect(isLive(left))
        killed.kill9()
        // Its engine ends with its input, and lets go of the lock.
        #expect(eventually { !isLive(left) })
        #expect(access(sandbox[left], F_OK) == 0)

        let live = try WeirProcess(["demo"], in: sandbox, label: "live")
        #expect(try eventually { try demos().contains { $0 != left && access(sandbox[$0] + "/engine.sock", F_OK) == 0 } })
        #expect(access(sandbox[left], F_OK) != 0)
        let own = try #require(try demos().first)
        DemoDirectory.sweep(sandbox.path)
        #expect(try demos() == [own] && isLive(own))
        _ = live.terminate()
        #expect(try demos().isEmpty)
    }

    @Test func `what is not a dead demo's is left alone`() throws {
        for (name, owner) in [("weir-demo-noMark", nil), ("weir-demo-other1", "somebody else"), ("weir-demo-empty1", "")] as [(String, String?)] {
            try #require(mkdir(sandbox[name], 0o700) == 0)
            if let owner { try put(sandbox[name] + "/owner", owner) }
        }
        try #require(mkdir(sandbox["elsewhere"], 0o700) == 0)
        try put(sandbox["elsewhere"] + "/owner", "weir demo, process 1\n")
        try #require(symlink(sandbox["elsewhere"], sandbox["weir-demo-link01"]) == 0)
        try #require(mkdir(sandbox["weir-demo-dead01"], 0o700) == 0)
        try put(sandbox["weir-demo-dead01"] + "/owner", "weir demo, process 1\n")
        DemoDirectory.sweep(sandbox.path)
        #expect(try Set(demos()) == ["weir-demo-noMark", "weir-demo-other1", "weir-demo-empty1", "weir-demo-link01"])
        #expect(access(sandbox["elsewhere"] + "/owner", F_OK) == 0)
    }
}
