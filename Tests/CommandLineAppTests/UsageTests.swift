// Goal: a wrong command line ends before anything is started, in its own words, and says what was probably meant.
// Method: the checks alone; the end-to-end tests have the exit codes.

import Testing

@testable import CommandLineApp

@Suite struct UsageTests {
    private static let commands = ["demo", "engine", "run", "status", "savepoint", "restart", "checkpoints", "checkpoint"]

    @Test(arguments: [
        ("statsu", "no command 'statsu'; did you mean 'status'?"), ("save-point", "no command 'save-point'; did you mean 'savepoint'?"),
        ("chekpoints", "no command 'chekpoints'; did you mean 'checkpoints'?"), ("rnu", "no command 'rnu'; did you mean 'run'?"),
        ("frobnicate", "no command 'frobnicate'; `weir help` lists them"), ("\u{202E}x", "no command '\u{FFFD}x'; `weir help` lists them"),
    ])
    func `an unknown command is named, with the one that is near`(word: String, words: String) {
        #expect(UnknownCommand(word, commands: Self.commands)?.description == words)
    }

    @Test(arguments: ["status", "--flink", "-h", "help", nil] as [String?]) func `commands, flags and nothing pass`(word: String?) {
        #expect(UnknownCommand(word, commands: Self.commands) == nil)
    }

    @Test func `a word of any length is compared in bounded time`() {
        #expect(UnknownCommand(String(repeating: "x", count: 100_000), commands: Self.commands) != nil)
    }

    private func problem(_ program: String, _ settings: [String] = [], input: [String] = ["/in"], rate: String? = nil, interval: String? = nil) -> String? {
        RunOptions(
            program: program, input: input, output: program == "wordcount" ? "/out" : nil, rate: rate, interval: interval, settings: settings,
            parallelism: nil, from: nil, stateDirectory: nil, socketPath: nil
        ).problem
    }

    @Test func `what a program needs is said in flags`() {
        #expect(problem("wordcount") == nil)
        #expect(problem("wordcount", input: []) == "wordcount needs --input")
        #expect(problem("wordcount", rate: "x") == "wordcount: --rate must be a number above 0, not 'x'")
        #expect(problem("wordcount", interval: "1y")?.hasPrefix("wordcount: --interval must be a span of 10 to") == true)
        #expect(problem("wordcount", ["colour=red"])?.hasPrefix("wordcount has no argument 'colour'; it takes --input") == true)
        #expect(problem("nosuch", input: [])?.hasPrefix("no program 'nosuch'") == true)
    }
}
