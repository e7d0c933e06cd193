// Goal: no string that a job, a path or an exception is called by reaches the terminal as anything but text. Method: the painter of the
// console on a pseudo-terminal, and a reader that knows the few sequences that painting needs. `weir-bench hostile --count 1000000` does more.

import TestKit
import Testing

extension EndToEnd {
    @Suite struct HostileStrings {
        let home = TestHome()

        @Test(arguments: [1, 20_261_124]) func `hostile strings reach the terminal as text`(seed: Int) throws {
            let bench = try #require(Binaries.weir).replacing(/weir$/, with: "weir-bench")
            let child = ChildProcess(bench, ["hostile", "--count", "20000", "--seed", "\(seed)"], environment: home.environment())
            let end = try child.finish(within: 120)
            #expect(end == .exited(0), "\(child.transcript)")
            #expect(child.output.contains("strings 20000") && child.output.contains("other_bytes 0"), "\(child.transcript)")
        }
    }
}
