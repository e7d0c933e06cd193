import ArgumentParser

@main
struct WeirBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir-bench", abstract: "Measures the embedded engine. Build with: swift build -c release --product weir-bench",
        subcommands: [KeyedCount.self])
}
