// The real programs together: the executable in a terminal, its engine, its files. One test at a time, since all of them start processes
// and some measure.

import TestKit
import Testing

/// The suite of all end-to-end tests; the files add theirs to it.
@Suite(.serialized, .enabled(if: Requirement.weir.isMet, "needs the weir executable"))
enum EndToEnd {}
