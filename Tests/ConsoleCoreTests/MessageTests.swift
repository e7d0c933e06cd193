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
        #expect(lastLine(console, size).hasSuffix("... M"), "\(console.screen)")
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
        #expect(lastLine(console, console.model.size).hasSuffix("... M"))
        console.press("M", "G")
        #expect(console.screen.contains("refused"), "the oldest is last")
        console.press("g")
        #expect(console.screen.contains("THE-END"), "\(console.screen)")
        console.press("esc", "6", "enter")
        #expect(console.screen.contains("THE-END"), "screen 6 has it, too")
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
        #expect(lastLine(console, console.model.size).hasSuffix("... :messages"))
        console.press(":")
        console.type("messages")
        console.press("enter")
        #expect(console.screen.contains("THE-END"))
    }
}
