import ArgumentParser
import ConsoleApp
import ConsoleCore
import CommandLineApp
import HostEnvironment

struct ThemesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "themes", abstract: "List the console's themes, or check them.",
        discussion: Examples.text("themes"), subcommands: [ListCommand.self, CheckCommand.self],
        defaultSubcommand: ListCommand.self)

    struct ListCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the themes that can be chosen by name, and where they are.", discussion: Examples.text("themes list"))

        func run() {
            for theme in ThemeCommands.list() { Output.standard.data("\(theme.name)\t\(theme.file ?? "built in")") }
        }
    }

    struct CheckCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Check themes: contrast, colour blindness, marks without colour.",
            discussion: Examples.text(
                "themes check",
                after: """
                    Every theme is checked with direct colour, 256, 16, 8 and no colours, on the backgrounds that terminals of its variant have. \
                    Ends with 0 when all are good, 5 when one is not. Without names, all that `weir themes` lists.
                    """))

        @Argument(help: "Names or paths of themes.", completion: .file(extensions: ["toml"]))
        var themes: [String] = []

        @Flag(help: "Print the records as one line of JSON.")
        var json = false

        func run() throws {
            let results = ThemeCommands.check(themes)
            if json {
                Output.standard.data(try ThemeCommands.json(results))
            } else {
                for (_, result) in results {
                    switch result {
                    case .success(let report): for line in report.text.split(separator: "\n") { Output.standard.data(String(line)) }
                    case .failure(let error): Output.standard.data("\(error)")
                    }
                }
            }
            let isGood = results.allSatisfy { result in
                if case .success(let report) = result.result { report.isGood } else { false }
            }
            try end(isGood ? 0 : ExitStatus.failed.rawValue)
        }
    }
}
