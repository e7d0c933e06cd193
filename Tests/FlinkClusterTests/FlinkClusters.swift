// Real clusters of every supported kind of version, and Weir on them. One test at a time: they share the clusters, and the machine.

import TestKit
import Testing

/// The suite of all tests on real clusters; the files add theirs to it.
@Suite(
    .serialized, .enabled(if: Requirement.weir == nil, "needs the weir executable"), .enabled(if: FlinkPackages.gap == nil, "needs Flink from PyPI"))
enum FlinkClusters {}

enum Requirement {
    /// Why there is no executable to test; nil = there is one.
    static let weir: String? = Binaries.weir == nil ? "no weir beside the test bundle, or where WEIR_BINARY says" : nil
}
