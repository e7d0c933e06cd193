// Goal: the mouse looks and never acts. Method: presses on every row of every screen, and the wheel in lists and boxes.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct MouseTests {
    private func console(usesMouse: Bool = true) -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(usesMouse: usesMouse))
        console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing-rollup")])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(console.model.currentJob?.job ?? Sample.job, Sample.list)))
        _ = console.take()
        return console
    }

    private func press(_ text: String, _ console: inout ScriptedConsole) throws {
        let row = try #require(console.screen.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains(text) })
        console.send(.mouse(MousePress(.press, at: CellPoint(column: 10, row: row))))
    }

    @Test func aClickSelectsItsRow() throws {
        var console = console()
        try press(" 4118 ckpt", &console)
        #expect(console.model.selectedCheckpoint?.id == CheckpointID(4118))
        #expect(console.screen.contains(">  4118"))
        // It goes to the list from another pane.
        console.press("tab")
        try press(" 4119 ckpt", &console)
        #expect(console.model.focusedPane == .list && console.model.selectedCheckpoint?.id == CheckpointID(4119))
        console.press("1")
        try press("billing-rollup", &console)
        #expect(console.model.focusedJob?.job == Sample.otherJob)
        console.press("4")
        try press("back-pressured", &console)
        #expect(console.model.metrics.selected == .backPressure)
    }

    @Test func theWheelMoves() {
        var console = console()
        let down = ConsoleEvent.mouse(MousePress(.wheelDown, at: CellPoint(column: 0, row: 0)))
        console.send(down)
        #expect(console.model.listPosition.index == 3)
        console.send(.mouse(MousePress(.wheelUp, at: CellPoint(column: 0, row: 0))))
        #expect(console.model.listPosition.index == 0)
        console.press("?")
        console.send(down)
        #expect(console.screen.contains("help   4-"))
        console.press("q", "T")
        _ = console.take()
        console.send(down)
        #expect(console.effects.contains { if case .loadTheme = $0 { true } else { false } })
    }

    @Test(arguments: Scene.all) func noClickActsOrOpensOrCloses(_ scene: Scene) {
        for size in [Size(columns: 80, rows: 24), Size(columns: 40, rows: 6)] {
            var console = scene.console(size)
            console.model.options.usesMouse = true
            console.send(.resize(size))
            let (screens, boxes) = (console.model.screens, console.model.modals.count)
            _ = console.take()
            // Each press draws the screen once: every row, and of its cells those where keys, marks and buttons of boxes stand.
            for row in 0..<size.rows {
                for column in [2, size.columns / 3] { console.send(.mouse(MousePress(.press, at: CellPoint(column: column, row: row)))) }
            }
            #expect(console.model.screens == screens && console.model.modals.count == boxes, "\(size)")
            for effect in console.effects {
                switch effect {
                // Another row is another question to its engine.
                case .look, .send(_, .ask): continue
                default: Issue.record("\(size): \(effect)")
                }
            }
        }
    }

    @Test func theMouseIsOffUntilTurnedOn() throws {
        var console = console(usesMouse: false)
        try press(" 4118 ckpt", &console)
        #expect(console.model.selectedCheckpoint?.id == CheckpointID(4120))
        console.press("m")
        #expect(console.effects.contains(.watchMouse(true)) && console.lastMessage.hasPrefix("mouse on"))
        try press(" 4118 ckpt", &console)
        #expect(console.model.selectedCheckpoint?.id == CheckpointID(4118))
        console.press("m")
        #expect(console.effects.contains(.watchMouse(false)) && console.lastMessage.hasPrefix("mouse off"))
        console.press("m")
        console.send(.mouseIsMissing)
        #expect(!console.model.options.usesMouse && console.lastMessage.contains("does not report the mouse"))
    }

    @Test func aStormOfTheWheelIsNoBurstOfKeys() {
        var console = console()
        for _ in 0..<50 { console.send(.mouse(MousePress(.wheelDown, at: CellPoint(column: 0, row: 9)))) }
        console.press("S")
        #expect(console.sentOperations.count == 1)
    }
}
