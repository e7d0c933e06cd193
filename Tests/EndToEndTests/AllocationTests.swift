// Goal: the hot path allocates nothing a record. Method: a library that counts allocations is preloaded into the benchmarks; two runs that differ
// in nothing but their number of records must ask for memory about as often. What is left comes from reports, once a second.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.release.isMet && Requirement.compiler.isMet, "needs the release build and a C compiler"))
    struct Allocations {
        private let home = TestHome()
        private let bench: String
        private let counter: String

        init() throws {
            bench = try #require(Binaries.bench)
            counter = home.path + "/count_allocations.so"
            let source = Binaries.harness + "/count_allocations.c"
            let compiler = ChildProcess(
                try #require(Binaries.compiler), ["-O2", "-shared", "-fPIC", "-o", counter, source], environment: home.environment([:]))
            guard try compiler.finish(within: 60) == .exited(0) else { throw Broken(compiler.transcript) }
        }

        private func allocations(_ benchmark: [String], records: Int) throws -> Int {
            let run = ChildProcess(
                bench, benchmark + ["--records", "\(records)", "--interval", "off"], environment: home.environment(["LD_PRELOAD": counter]))
            guard try run.finish(within: 120) == .exited(0), let line = run.errors.split(separator: "\n").last(where: { $0.hasPrefix("allocations ") }),
                let count = Int(line.dropFirst("allocations ".count))
            else { throw Broken(run.transcript) }
            return count
        }

        @Test(arguments: [["keyed-count"], ["string-count", "--type", "short"], ["windows"]])
        func `more records ask for no more memory`(benchmark: [String]) throws {
            let few = try allocations(benchmark, records: 5_000_000), many = try allocations(benchmark, records: 25_000_000)
            let perThousand = Double(many - few) / 20_000
            print("\(benchmark.joined(separator: " ")): \(few) allocations for 5 M records, \(many) for 25 M")
            #expect(perThousand < 0.25, "\(perThousand) allocations a thousand records")
        }

        /// The counter counts: a text on the heap is one allocation a record at least.
        @Test func `texts on the heap are counted`() throws {
            let few = try allocations(["string-count", "--type", "string"], records: 100_000)
            let many = try allocations(["string-count", "--type", "string"], records: 300_000)
            #expect(many - few >= 200_000)
        }
    }
}
