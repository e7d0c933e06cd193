import ArgumentParser
import CellGrid
import ConsoleApp

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
