// Goal: what comes at once in great numbers is text, never keys, and a flood is not even a script.

import CellGrid
import ConsoleCore
import CursesTerminal
import Testing

@testable import ConsoleApp

@Suite struct TypedInputTests {
    private func colons(_ count: Int) -> [TerminalInput] { Array(repeating: .key(.character(":")), count: count) }

    @Test func `a script that opens a text field is typed`() {
        #expect(TypedInput.events(colons(100)).count == 100)
    }

    @Test func `a flood is pasted text, whatever it begins with`() {
        let events = TypedInput.events(colons(TypedInput.flood))
        guard events.count == 1, case .paste? = events[0] else {
            Issue.record("\(events.count) events")
            return
        }
    }

    @Test func `the end of the line is not lost in a flood`() {
        let events = TypedInput.events(colons(TypedInput.flood) + [.closed])
        #expect(events.count == 2 && events[1] == nil)
    }
}
