// Goal: an engine can be added while the console runs, and its operator is told how to keep it. Method: the command and the key, and what the
// surroundings answer.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct ConnectTests {
    @Test func theKeyOfTheContextsScreenAsksForNameAndAddress() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("@", "a")
        #expect(console.screen.contains(":connect"))
        console.type("eu http://jm:8081 staging")
        console.press("enter")
        #expect(console.effects.contains(.connect(name: "eu", address: "http://jm:8081", class: "staging")))
        #expect(console.model.live.contexts.count == 1, "nothing is there before it was made")
        // Elsewhere the key lists the actions.
        console.press("1", "a")
        #expect(console.screen.contains("actions on orders"))
    }

    @Test func anAddedContextIsShownWatchedAndCanBeKept() throws {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        var description = ContextDescription(name: "eu", class: .staging, address: "http://jm:8081")
        description.isAdded = true
        console.send(.contextAdded(description))
        #expect(console.screen.contains("[@ contexts]") && console.lastMessage.hasPrefix("added eu for this session"))
        #expect(console.screen.contains("to keep it: [contexts.\"eu\"] url = \"http://jm:8081\" class = \"staging\""))
        _ = console.take()
        console.press("y")
        #expect(console.effects.contains(.copy("[contexts.\"eu\"]\nurl = \"http://jm:8081\"\nclass = \"staging\"\n")))
        console.report([Sample.running(Sample.otherJob, name: "sessions")], context: "eu")
        console.press("1")
        #expect(console.screen.contains("eu") && console.screen.contains("sessions"))
        // The guard of its class holds at once.
        while console.model.focusedJob?.context != "eu" { console.press("j") }
        console.press("S")
        #expect(console.sentOperations.isEmpty && console.screen.contains("SAVEPOINT"))
    }

    @Test(arguments: ["connect", "connect eu", "connect eu a b c", "connect lab /run/x.sock"]) func missingArgumentsAndDuplicatesAreExplained(_ line: String) {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press(":")
        console.type(line)
        console.press("enter")
        #expect(!console.effects.contains { if case .connect = $0 { true } else { false } })
        #expect(console.lastMessage.contains(line.hasPrefix("connect lab") ? "context lab already exists" : "usage: connect NAME ADDRESS"))
    }

    @Test func aContextIsAddedOnce() {
        var console = ScriptedConsole()
        for _ in 0..<2 { console.send(.contextAdded(ContextDescription(name: "eu", class: .lab, address: "/run/x"))) }
        #expect(console.model.live.contexts.map(\.name) == ["lab", "eu"])
    }
}
