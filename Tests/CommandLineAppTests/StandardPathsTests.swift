// Goal: a path means the same however it was written.

import Glibc
import TestKit
import Testing

@testable import CommandLineApp
@testable import HostEnvironment

@Suite struct StandardPathsTests {
    @Test func pathsOfTheCommandLine() {
        let sandbox = Sandbox()
        #expect(StandardPaths.absolute("/a//b/./c/") == "/a/b/c")
        #expect(StandardPaths.absolute("x").hasPrefix("/"))
        #expect(StandardPaths.canonical(sandbox["out/"]) == sandbox["out"])
        #expect(StandardPaths.canonical(sandbox["no/such/../deep"]).hasPrefix(sandbox.path))
        symlink(sandbox.path, sandbox["link"])
        #expect(StandardPaths.canonical(sandbox["link/out"]) == sandbox["out"])
    }
}
