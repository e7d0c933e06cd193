import ArgumentParser
import ConsoleApp

struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Play a log of events back into the console.",
        discussion: Examples.text(
            "replay",
            after: """
                The console is the real one, but nothing can be sent. Keys of the playback: p pauses, + and - change the speed, s steps to the next \
                report. `weir console --events FILE` writes a log.
                """))

    @Argument(help: "The log.", completion: .file())
    var file: String

    @Option(help: ArgumentHelp("How fast: 0.25 to 64 times.", valueName: "factor"))
    var speed = 1.0

    @Option(help: ArgumentHelp("Record what is shown to a new file, as an asciicast.", valueName: "file.cast"), completion: .file(extensions: ["cast"]))
    var record: String?

    @OptionGroup var look: LookOptions

    func validate() throws {
        guard (0.25...64).contains(speed) else { throw ValidationError("--speed must be 0.25 to 64") }
    }

    func run() throws {
        var launch = look.launch(contexts: [])
        launch.castPath = record
        try end(replayConsole(file, speed: speed, launch))
    }
}
