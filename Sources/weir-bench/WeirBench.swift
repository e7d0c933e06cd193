import ArgumentParser

@main
struct WeirBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir-bench",
        abstract: "Measures the embedded engine and the console. Build with: swift build -c release --product weir-bench",
        discussion: """
            Every benchmark prints one line a run: names and numbers in turn, ready for awk. Only ratios of one run mean something: \
            a figure of another day, or of a machine that does something else meanwhile, does not.
            """,
        subcommands: [
            KeyedCount.self, StringCount.self, WordCount.self, Windows.self, CheckpointCost.self, BarrierPause.self, Growth.self, ConsoleBench.self,
            HostileStrings.self, Compare.self, ControlLoad.self, ControlLoadClient.self,
        ])

    @Flag(help: "The keyed counts here, on Apache Flink and in the bare loop, in turn; the same as the subcommand compare.")
    var compare = false

    func run() throws {
        guard compare else { throw CleanExit.helpRequest(self) }
        try Compare.parse([]).run()
    }
}
