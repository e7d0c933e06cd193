// Goal: before an action is sent its operator can read exactly what goes over the wire, and every word of what was checked. Method: keys in
// open sheets, in classes with and without fields to type in.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct SheetPageTests {
    private func sheet(_ contextClass: ContextClass, _ key: String = "C", size: Size = Size(columns: 80, rows: 24)) -> ScriptedConsole {
        let options = ConsoleOptions(
            size: size,
            preview: { dialect, _, operation in
                let words: SafeText =
                    "\(dialect): \(operation.job) expects \(operation.expectedState?.rawValue ?? "-") because \(operation.reason), by \(operation.by)"
                return RequestPreview([
                    .init("TAKE /all", fields: [.init("retention", "mine"), .init("from", nil)], exception: "it is gone", text: [words]),
                    .init("LEAVE", text: ["nothing else"]),
                ])
            })
        var console = ScriptedConsole([ContextDescription(name: "lab", class: contextClass, address: "/run/e.sock")], options: options)
        console.report([Sample.running()])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press(key)
        console.advance(400)
        _ = console.take()
        return console
    }

    @Test func theRequestIsShownAsItWouldGo() {
        var console = sheet(.lab)
        #expect(console.screen.contains("d exact request   v preflight detail"))
        console.press("d")
        #expect(console.screen.contains("controlSocket: \(Sample.job)") && console.screen.contains("expects RUNNING"))
        #expect(!console.screen.contains("[ok]") && console.screen.contains("effect") && console.screen.contains("d back"))
        console.press("d")
        #expect(console.screen.contains("[ok]") && !console.screen.contains("expects RUNNING"))
        #expect(console.sentOperations.isEmpty)
    }

    /// The line comes from the messages of the page, in their order.
    @Test func theLineSumsUpWhatThePageShows() {
        let console = sheet(.lab, size: Size(columns: 160, rows: 50))
        #expect(console.screen.contains("TAKE /all retention mine, without from, unless it is gone, then LEAVE"), "\(console.screen)")
    }

    @Test func theReasonThatIsTypedStandsInTheRequest() {
        var console = sheet(.staging)
        console.type("dv")
        #expect(console.screen.contains("job name    dv"), "letters are text in a field")
        console.press("ctrl-u")
        console.type("orders")
        console.press("tab")
        console.type("INC-7 dv")
        console.press("tab", "d")
        #expect(console.screen.contains("because INC-7 dv, by"))
        #expect(console.screen.contains("matches"))
        console.press("v")
        #expect(console.screen.contains("preflight") && !console.screen.contains("because INC-7"))
        // The page does not matter for sending.
        console.press("enter")
        #expect(console.sentOperations.map(\.reason) == ["INC-7 dv"])
    }

    @Test func tabGoesRoundTheFieldsAndOut() {
        var console = sheet(.prod)
        console.press("tab", "tab", "tab")
        console.type("x")
        #expect(console.screen.contains("job name    x"))
        #expect(console.screen.contains("Tab leaves the fields"))
    }

    @Test func thePreflightIsShownInFull() throws {
        var console = sheet(.prod)
        console.press("tab", "tab", "v")
        let lines = try #require(console.model.openSheet.map { console.model.preflight($0.action, $0.target.key, $0.rule) })
        let said = console.screen.split(separator: " ").joined(separator: " ").replacing("│", with: "").split { $0 == " " || $0 == "\n" }.joined(separator: " ")
        for line in lines {
            let words = line.text.string.split(separator: " ").joined(separator: " ")
            #expect(said.contains(words), "\(words) in \(said)")
        }
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 100, rows: 30), Size(columns: 160, rows: 50)])
    func aLongRequestStaysInItsBox(_ size: Size) {
        let options = ConsoleOptions(
            size: size, preview: { _, _, _ in RequestPreview([.init("A", text: [SafeText(String(repeating: "0123456789", count: 400))])]) })
        var console = ScriptedConsole(options: options)
        console.report([Sample.running()])
        console.press("enter", "C")
        console.advance(400)
        console.press("d")
        let lines = console.screen.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.contains { $0.contains("PgUp PgDn") } && lines.contains { $0.contains("reason") } && lines.contains { $0.contains("y sends it") })
        #expect(lines.contains { $0.contains("Esc backs out") })
    }
}
