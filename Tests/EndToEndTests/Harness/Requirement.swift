// What the tests need of the machine. What is missing is said once, in a line that begins with SKIPPED.

import TestKit

/// What a test needs beside the code. A suite or test asks `isMet` in its traits.
enum Requirement: CaseIterable {
    case weir, release, sim, tmux, sqlite, mounts, compiler, ssh

    var isMet: Bool { Requirement.missing[self] == nil }

    /// Looked at once; every gap is printed then.
    private static let missing: [Requirement: String] = {
        var missing: [Requirement: String] = [:]
        for requirement in allCases {
            guard let reason = requirement.gap else { continue }
            missing[requirement] = reason
            print("SKIPPED: the tests that need \(requirement): \(reason)")
        }
        return missing
    }()

    private var gap: String? {
        switch self {
        case .weir: Binaries.weir == nil ? "no weir beside the test bundle, or where WEIR_BINARY says" : nil
        case .release:
            Binaries.release == nil || Binaries.bench == nil
                ? "no release build of weir and weir-bench (swift build -c release), or not where WEIR_RELEASE_BINARY and WEIR_BENCH_BINARY say" : nil
        case .sim: Binaries.sim == nil ? "no release build of weir-sim (swift build -c release --product weir-sim), or not where WEIR_SIM_BINARY says" : nil
        case .tmux: Binaries.tmux == nil ? "tmux is not installed" : nil
        case .sqlite: Binaries.sqlite == nil ? "sqlite3 is not installed" : nil
        case .mounts: SmallDisk.gap
        case .ssh: SshServer.gap
        case .compiler: Binaries.compiler == nil ? "there is no C compiler on the PATH" : nil
        }
    }
}

extension Binaries {
    /// The sources of this folder.
    static let harness: String = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
}
