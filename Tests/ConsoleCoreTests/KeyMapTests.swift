// Goal: an operator's keys hold everywhere or nowhere: in dispatch, help, hints, refusals and completion; nothing that acts can be put on a key
// that is hit by habit. Method: maps from entries as a file would give them, and consoles that run on them.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct KeyMapTests {
    private func map(_ entries: KeyValuePairs<String, [String]>) throws -> KeyMap {
        try KeyMap(remapping: entries.map { KeyRemapping(command: $0.key, keys: $0.value) })
    }

    @Test func theStandardMapHasNoConflicts() throws {
        let map = try KeyMap(KeyMap.standardBindings)
        for command in Command.allCases where command != .dispose { #expect(!map.keys(command).isEmpty, "\(command) has no key") }
        #expect(map.keys(.dispose).isEmpty, "what only ever destroys is typed")
        #expect(map == .standard)
    }

    @Test func newerDefaultKeysYieldToOlderConfigurations() throws {
        let map = try map(["open": ["l", "enter"], "refresh": ["M"], "mouse": ["L"], "copy_command": ["c"]])
        #expect(map[.character("l")] == .open && map[.character("M")] == .refresh && map[.character("L")] == .mouse && map[.character("c")] == .copyCommand)
        #expect(map.keys(.log).isEmpty && map.keys(.columns).isEmpty)
        #expect(map.keys(.scrollRight) == [.named(.right)] && map.keys(.messages).isEmpty && map[.character("h")] == .scrollLeft)
        // Between two that were given it stays a conflict.
        #expect(throws: KeyRemappingError.self) { _ = try self.map(["open": ["l"], "scroll_right": ["l"]]) }
    }

    @Test func conflictsAreNamed() {
        let bindings = [KeyMap.Binding(.character("j"), .moveDown), KeyMap.Binding(.character("j"), .quit)]
        #expect(throws: KeyMap.Conflict(key: .character("j"), commands: [.moveDown, .quit])) { _ = try KeyMap(bindings) }
    }

    @Test func onlyUpperCaseKeysActAndNoControlChordDoes() {
        for binding in KeyMap.standard.bindings where binding.command.isActing {
            guard case .character(let scalar) = binding.key else { return #expect(Bool(false), "\(binding.key) acts") }
            #expect(scalar.properties.isUppercase)
        }
        for key in [
            "d", "D", "x", "ctrl-a", "ctrl-b", "ctrl-g", "ctrl-n", "ctrl-o", "ctrl-p", "ctrl-q", "ctrl-s", "ctrl-k", "delete", "insert",
        ] {
            #expect(KeyPress(key).flatMap { KeyMap.standard[$0] } == nil, "\(key) is bound")
        }
    }

    @Test func everyCommandHasANameOfItsOwn() {
        #expect(Command.nextJob.name == "next_job" && Command.savepoint.name == "savepoint" && Command.copyCommand.name == "copy_command")
        for command in Command.allCases { #expect(Command(name: command.name) == command) }
        #expect(Set(Command.allCases.map(\.name)).count == Command.allCases.count)
    }

    // MARK: Remapping

    @Test func keysOfTheOperatorReplaceTheStandardOnes() throws {
        let map = try map(["savepoint": ["W"], "move_down": ["n", "down"], "next_match": ["Ctrl-N"], "themes": []])
        #expect(map[.character("W")] == .savepoint && map[.character("S")] == nil)
        #expect(map.keys(.moveDown) == [.character("n"), .named(.down)] && map[.character("j")] == nil)
        #expect(map[.control("n")] == .nextMatch)
        #expect(map.keys(.themes).isEmpty && map[.character("T")] == nil)
        #expect(map.label(.moveDown) == "n" && map.label(.themes) == ":themes" && map.label(.nextMatch) == "Ctrl-N")
    }

    @Test func keysCanChangePlaces() throws {
        let map = try map(["filter": [":"], "command_line": ["/"]])
        #expect(map[.character(":")] == .filter && map[.character("/")] == .commandLine)
    }

    @Test(arguments: Command.allCases) func everyCommandCanHaveAnotherKey(_ command: Command) throws {
        let map = try map([command.name: ["%"]])
        #expect(map.keys(command).first == .character("%") && map[.character("%")] == command)
    }

    @Test func ctrlCAndCtrlZStayWhereTheyAre() throws {
        let map = try map(["interrupt": ["f9"], "suspend": []])
        #expect(map[.control("c")] == .interrupt && map[.function(9)] == .interrupt && map[.control("z")] == .suspend)
    }

    @Test(
        arguments: [
            (["save_point": ["W"]], "save_point", "there is no command \"save_point\""),
            (["savepoint": ["ctl-w"]], "savepoint", "\"ctl-w\" is not a key"),
            (["savepoint": [""]], "savepoint", "\"\" is not a key"),
            (["move_down": ["q"]], "move_down", "the key q is bound to move_down and to quit, which has it by default"),
            (["move_down": ["%"], "zoom": ["%"]], "zoom", "and to move_down, also by the configuration"),
            (["help": ["ctrl-c"]], "help", "ctrl-c is always interrupt"),
            (["help": ["ctrl-z"]], "help", "ctrl-z is always suspend"),
            (["help": ["ctrl-i"]], "help", "terminals send it as tab"),
            (["help": ["ctrl-s"]], "help", "stops the output"),
            (["command_line": []], "command_line", "needs a key"),
        ] as [(KeyValuePairs<String, [String]>, String, String)])
    func anInvalidEntryIsNamed(_ entries: KeyValuePairs<String, [String]>, _ command: String, _ problem: String) {
        let error = #expect(throws: KeyRemappingError.self) { _ = try map(entries) }
        #expect(error?.command == command && error?.problem.contains(problem) == true, "\(String(describing: error))")
    }

    @Test(arguments: Command.acting, ["ctrl-w", "f9", "enter", "space", "backspace", "delete", "esc", "tab", "up", "y"])
    func nothingThatActsIsOnAKeyOfHabit(_ command: Command, _ key: String) {
        var entries = [KeyRemapping(command: command.name, keys: [key])]
        // What has the key by default is moved out of the way: the conflict is not the reason.
        if let owner = KeyPress(key).flatMap({ KeyMap.standard[$0] }) { entries.append(KeyRemapping(command: owner.name, keys: ["%"])) }
        let error = #expect(throws: KeyRemappingError.self) { _ = try KeyMap(remapping: entries) }
        #expect(error?.command == command.name && error?.problem.contains("acts on a job") == true, "\(String(describing: error))")
    }

    // MARK: On the screen

    private func console(_ entries: KeyValuePairs<String, [String]>) throws -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(keyMap: try map(entries)))
        console.report([Sample.running()])
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        return console
    }

    @Test func aRemappedKeyActsAndTheOldOneDoesNot() throws {
        var console = try console(["savepoint": ["P"], "open": ["o"], "sort": ["enter"]])
        console.press("o")
        #expect(console.screen.contains(" P savepoint") && !console.screen.contains("S savepoint"))
        console.press("S")
        #expect(console.sentOperations.isEmpty)
        console.press("P")
        #expect(console.sentOperations.count == 1)
    }

    @Test func helpHintsAndPanesShowTheKeysInUse() throws {
        var console = try console([
            "savepoint": ["P"], "help": ["H"], "checkpoints": ["f3"], "failures": ["F"], "quit": ["Q"], "copy": [], "scrub_back": [",", "-"], "themes": [],
            "copy_command": ["c"],
        ])
        #expect(console.screen.contains(" H help  : cmd  Enter open") && console.screen.contains(", > past"))
        console.press("enter")
        #expect(console.screen.contains("[F3 checkpoints]") && console.screen.contains("[F failures]"))
        #expect(console.screen.contains("Q back") && !console.screen.contains(" copy"), "a hint without a key")
        console.press("H")
        let help = HelpScreen(console.model).lines
        #expect(help.contains { $0.keys == "P" && $0.name == "savepoint" } && help.contains { $0.keys == ", -" && $0.name == "scrub_back" })
        #expect(help.contains { $0.keys == "-" && $0.name == "copy" })
        #expect(!help.contains { $0.keys == "S" })
        #expect(console.screen.contains("P           savepoint           savepoint") && console.screen.contains("Q closes"))
        console.press("Q")
        #expect(console.screen.contains("[F3 checkpoints]"))
    }

    @Test func sentencesNameTheKeysInUse() throws {
        var console = try console(["freeze": ["f"], "restart": ["V"], "back": ["x"], "filter": ["&"], "stop": ["E"], "next_pane": ["esc"]])
        console.press("enter", "f")
        #expect(console.lastMessage.contains("f returns to live"))
        console.press("E")
        #expect(console.lastMessage == "the screen is frozen: f returns to live")
        console.press("f", "&")
        console.type("nothing-like-it")
        console.press("enter")
        #expect(console.screen.contains("no checkpoint matches the filter; x clears it"))
        console.press("x")
        #expect(!console.screen.contains("matches the filter"))
        console.report([Sample.running(state: .canceled)])
        #expect(console.screen.contains("checkpoints are kept, V restarts from one"))
        console.press("V")
        #expect(console.screen.contains("restart from: 1 choose"))
        // Esc is another command's key on the screens, and the way out of every box.
        console.press("esc")
        #expect(!console.screen.contains("restart from: 1 choose"))
    }

    @Test func whatHasNoKeyCanBeTyped() throws {
        var console = try console(["zoom": [], "metrics": []])
        console.press("enter", "z", "4")
        #expect(console.screen.contains("[3 checkpoints]"))
        console.press(":")
        console.type("metrics")
        console.press("enter")
        #expect(console.screen.contains("[metrics]") && console.screen.contains("adds or removes a chart"))
        console.press(":")
        console.type("metrics now")
        console.press("enter")
        #expect(console.lastMessage == "usage: metrics")
    }

    @Test func completionNamesTheKeysInUse() throws {
        var console = try console(["savepoint": ["P"], "suspend": []])
        console.press(":")
        console.type("s")
        console.press("tab")
        let choices = "savepoint (P)  stop (X)  sort (o)  scroll_left (h)  scroll_right (l)  scrub_back (<)  scrub_forward (>)  suspend (Ctrl-Z)"
        #expect(console.screen(Size(columns: 160, rows: 50)).contains("Tab: \(choices)"))
    }

    @Test func textFieldsAndBoxesKeepTheirKeys() throws {
        var console = try console(["repaint": ["r"], "refresh": ["ctrl-u"], "page_up": ["ctrl-l"], "suspend": ["tab"], "next_pane": [], "interrupt": ["e"]])
        _ = console.take()
        console.press("r")
        #expect(console.take() == [.repaint])
        console.press("/")
        console.type("order")
        console.press("tab")
        #expect(console.screen.contains("/order") && console.effects.allSatisfy { $0 != .repaint && $0 != .suspend })
        console.press("ctrl-u")
        #expect(!console.screen.contains("/order") && console.screen.contains(" /"))
        console.press("enter", "C")
        console.advance(400)
        console.press("tab")
        console.type("here")
        #expect(console.screen.contains("here") && console.effects.allSatisfy { $0 != .repaint && $0 != .suspend })
        console.press("ctrl-c")
        #expect(!console.screen.contains("CANCEL, KEEP"))
    }
}
