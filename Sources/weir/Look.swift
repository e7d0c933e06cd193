import ArgumentParser
import CellGrid
import ConsoleApp
import EngineClients

/// How the console looks.
struct LookOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Theme: a name, or the path of a theme file.", valueName: "theme"), completion: .file(extensions: ["toml"]))
    var theme: String?

    @Flag(help: "Draw with ASCII characters only.")
    var ascii = false

    @Option(help: ArgumentHelp("Colours to use: direct, 256, 16, 8 or none.", valueName: "depth"))
    var colors: Colors?

    enum Colors: String, ExpressibleByArgument, CaseIterable {
        case direct, all = "256", sixteen = "16", eight = "8", none
    }

    func launch(contexts: [ConsoleContext]) -> ConsoleLaunch {
        ConsoleLaunch(contexts: contexts, theme: theme, colorDepth: depth, usesASCII: ascii ? true : nil)
    }

    private var depth: ColorDepth? {
        switch colors {
        case .direct: .direct
        case .all: .colors256
        case .sixteen: .colors16
        case .eight: .colors8
        case .some(.none): ColorDepth.none
        case nil: nil
        }
    }
}

/// What the console writes down of itself.
struct RecordOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Record what is shown to a new file, as an asciicast.", valueName: "file.cast"), completion: .file(extensions: ["cast"]))
    var record: String?

    @Option(help: ArgumentHelp("Log all events to a new file, for `weir replay`.", valueName: "file"), completion: .file())
    var events: String?

    func recorded(_ launch: ConsoleLaunch) -> ConsoleLaunch {
        var launch = launch
        (launch.castPath, launch.eventsPath) = (record, events)
        return launch
    }
}
