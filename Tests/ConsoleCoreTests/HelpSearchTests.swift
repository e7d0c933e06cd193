import Testing

@testable import ConsoleCore

/// Goal: whoever looks for a key finds it in the help, by the key, the name or the words. Method: keys into the console without a terminal.
@Suite struct HelpSearchTests {
    private func help(_ text: String) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("?", "/")
        console.type(text)
        return console
    }

    @Test func onlyTheLinesThatHoldTheTextAreShown() {
        var console = help("SAVEP")
        let lines = console.screen.split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.contains("savepoint") } && !lines.contains { $0.contains("flip") })
        #expect(lines.contains { $0.contains("ACT (each opens a sheet") }, "under the title of its section")
        #expect(!lines.contains { $0.contains("TERMINAL") }, "a section without a hit has no title")
        #expect(console.model.isTakingText)
        console.press("enter")
        #expect(!console.model.isTakingText && console.screen.contains("/SAVEP"))
        // Letters are keys again, and none of them acts.
        console.press("S")
        #expect(console.sentOperations.isEmpty)
        console.press("esc")
        #expect(console.screen.contains("TERMINAL") || console.screen.contains("of "), "all lines again")
        console.press("q")
        #expect(console.model.modals.isEmpty)
    }

    @Test func lettersThatActAreTextWhileTyping() {
        var console = help("")
        console.press("S", "C", "q")
        #expect(console.sentOperations.isEmpty && console.model.modals.count == 1)
        #expect(console.screen.contains("no line contains \"SCq\""))
        console.press("esc")
        #expect(console.model.modals.count == 1 && !console.model.isTakingText)
        console.press("esc")
        #expect(console.model.modals.isEmpty)
    }

    @Test func whatIsPastedIsLookedFor() {
        var console = help("")
        console.send(.paste("mute"))
        #expect(console.screen.contains(":mute"))
    }
}
