import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: no message is cut without a word of where the whole of it stands. Method: messages longer than the window, at every size.
@Suite struct MessageTests {
    private static let long = (1...60).map { "word\($0)" }.joined(separator: " ") + " THE-END"

    private func lastLine(_ console: ScriptedConsole, _ size: Size) -> String {
        console.screen(size).split(separator: "\n", omittingEmptySubsequences: false).last.map(String.init) ?? ""
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 40, rows: 6), Size(columns: 160, rows: 50)])
    func aLongMessageSaysWhereTheWholeIs(_ size: Size) {
        var console = ScriptedConsole(options: ConsoleOptions(size: size))
        console.report([Sample.running()])
        console.send(.notice(Self.long))
        #expect(lastLine(console, size).hasSuffix("~ M"), "\(console.screen)")
        console.press("M")
        for _ in 0..<40 where !console.screen.contains("THE-END") { console.press("j") }
        #expect(console.screen.contains("THE-END") && console.screen.contains("word60"), "\(console.screen)")
        console.press("g")
        #expect(console.screen.contains("word1 "))
        _ = console.take()
        console.press("y")
        #expect(console.effects.contains(.copy(Self.long)))
        console.press("q")
        #expect(console.model.modals.isEmpty)
    }

    @Test func aShortOneIsLeftAlone() {
        var console = ScriptedConsole()
        console.send(.notice("short"))
        #expect(lastLine(console, console.model.size).hasSuffix(" short"))
    }

    @Test func theRefusalOfAnEngineIsThereAsAWhole() throws {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter", "S")
        let request = try #require(console.sentOperations.first)
        console.send(.engine(context: "lab", .refused(request.id, message: Self.long)))
        #expect(lastLine(console, console.model.size).hasSuffix("~ M"))
        console.press("M", "G")
        #expect(console.screen.contains("refused"), "the oldest is last")
        console.press("g")
        #expect(console.screen.contains("THE-END"), "\(console.screen)")
        console.press("esc", "6", "enter")
        #expect(console.screen.contains("THE-END"), "screen 6 has it, too")
    }

    @Test func theAnswerToTheLastKeyComesAtOnce() {
        var console = ScriptedConsole()
        let size = console.model.size
        for number in 1...3 { console.send(.notice("notice \(number)")) }
        let asked = console.now
        console.press(":")
        console.type("bogus")
        console.press("enter")
        #expect(lastLine(console, size).contains("there is no command \"bogus\""), "\(console.screen)")
        console.send(.answer("nothing was written: no such folder"))
        #expect(lastLine(console, size).contains("nothing was written: no such folder"))
        // News that comes meanwhile is in the list, with its own time, and the row says that there is some.
        console.advance(1000)
        let came = console.now
        console.send(.notice("the ledger is full"))
        #expect(lastLine(console, size).contains("nothing was written: no such folder") && lastLine(console, size).hasSuffix("+4 M"), "\(console.screen)")
        #expect(console.model.messages.last?.at == came && console.model.messages.first?.at == asked)
        // What was told at once takes turns.
        console.advance(3500)
        #expect(lastLine(console, size).contains("notice 3"), "\(console.screen)")
        console.advance(3000)
        #expect(lastLine(console, size).hasSuffix("the ledger is full"), "\(console.screen)")
        console.press("M")
        for text in ["notice 1", "notice 3", "no such folder", "ledger is full"] { #expect(console.screen.contains(text)) }
    }

    @Test func aReplayHasNoEngineThatEnds() {
        var options = ConsoleOptions()
        options.isReplay = true
        for (options, words) in [(options, "this is a recording"), (ConsoleOptions(), "the demo engine ends too")] {
            var console = ScriptedConsole([ContextDescription(name: "demo", class: .demo, address: "")], options: options)
            console.press("q")
            #expect(console.screen.contains("quit? y quits; \(words)"), "\(console.screen)")
        }
    }

    @Test func completionsGoWithTheCommandLine() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press(":")
        console.type("f")
        console.press("tab")
        #expect(console.screen.contains("failures (5)"))
        console.press("esc")
        #expect(!console.screen.contains("failures (5)") && console.model.messages.isEmpty, "\(console.screen)")
    }

    @Test func theOldestGoLast() {
        var console = ScriptedConsole()
        for number in 0..<80 { console.send(.notice("message \(number).")) }
        console.press("M")
        #expect(console.screen.contains("message 79.") && !console.screen.contains("message 30."))
        console.press("G")
        #expect(console.screen.contains("message 30.") && !console.screen.contains("message 29."))
        console.press("ctrl-c")
        #expect(console.model.modals.isEmpty)
    }

    @Test func withoutAKeyItsNameIsGiven() throws {
        var console = ScriptedConsole(options: ConsoleOptions(keyMap: try KeyMap(remapping: [KeyRemapping(command: "messages", keys: [])])))
        console.send(.notice(Self.long))
        #expect(lastLine(console, console.model.size).hasSuffix("~ :messages"))
        console.press(":")
        console.type("messages")
        console.press("enter")
        #expect(console.screen.contains("THE-END"))
    }
}
