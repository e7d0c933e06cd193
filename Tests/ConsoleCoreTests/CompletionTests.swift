import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Tab at the prompt names what can be typed, and never makes the operator type what the console knows.
@Suite struct CompletionTests {
    private func console() -> ScriptedConsole {
        var console = ScriptedConsole([
            ContextDescription(name: "lab", class: .lab, address: "/run/weir/engine.sock"),
            ContextDescription(name: "prod-eu", class: .prod, address: "http://jobmanager:8081"),
        ])
        console.report([Sample.running(), Sample.running(JobID(high: 9, low: 9), name: "orders", state: .canceled)])
        console.report([Sample.running(Sample.otherJob, name: "Order Archive")], context: "prod-eu")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        return console
    }

    private func text(_ console: ScriptedConsole) -> String {
        guard case .command(let prompt) = console.model.modals.last else { return "no prompt" }
        return prompt.field.text
    }

    private func labels(_ console: ScriptedConsole, _ text: String) -> [String] { console.model.completions(of: text).map(\.label.string) }

    private func lines(_ console: ScriptedConsole, _ text: String) -> [String] { console.model.completions(of: text).map(\.line) }

    @Test func `every kind of argument has its candidates`() {
        var console = console()
        #expect(lines(console, "job ") == ["job Order Archive", "job orders"], "runs of one name are one candidate")
        #expect(lines(console, "history orders") == ["history orders"])
        #expect(lines(console, "context ") == ["context lab", "context prod-eu"])
        #expect(lines(console, "ctx p") == ["ctx prod-eu"], "also under the other name of the command")
        #expect(labels(console, "go ") == CommandLine.screens.map(\.name))
        #expect(lines(console, "theme sl") == ["theme slate", "theme slate-light"])
        #expect(lines(console, "back ") == ["back 1m", "back 5m", "back 15m", "back 1h"])
        #expect(labels(console, "sort c") == ["context", "condition"])
        #expect(lines(console, "filter orders !st") == ["filter orders !state:"], "the last word alone")
        #expect(lines(console, "connect lab2 /tmp/x.sock ") == ["lab", "staging", "prod"].map { "connect lab2 /tmp/x.sock \($0)" })
        #expect(lines(console, "connect lab2 /tmp/x").isEmpty, "an address is the operator's to type")
        #expect(lines(console, "mute ").isEmpty && lines(console, "nonsense ").isEmpty)
        console.press(":")
        console.type("job orders")
        console.press("enter")
        #expect(lines(console, "savepoint ") == ["savepoint /var/lib/weir/savepoints"], "where the job puts them and where they are is one place here")
    }

    @Test func `a restore is completed by path or by number, newest first, with what can be restored`() {
        var console = console()
        console.press(":")
        console.type("job orders")
        console.press("enter")
        #expect(labels(console, "restore ") == ["#4120 chk-4120", "#4119 chk-4119", "#4118 chk-4118", "#4114 savepoint-a41f9c-4114"])
        #expect(lines(console, "restore #4114") == ["restore /var/lib/weir/savepoints/savepoint-a41f9c-4114"])
        #expect(lines(console, "restore 4119") == ["restore /var/lib/weir/checkpoints/a41f9c0000000001/chk-4119"])
        #expect(labels(console, "restore /var/lib/weir/s") == ["#4114 savepoint-a41f9c-4114"])
        #expect(lines(console, "restore 4113").isEmpty, "discarded")
        #expect(labels(console, "dispose ") == ["#4114 savepoint-a41f9c-4114"], "savepoints alone")
        console.press(":")
        console.type("restore 411")
        console.press("tab")
        #expect(text(console) == "restore /var/lib/weir/checkpoints/a41f9c0000000001/chk-4119", "what the paths share would say less than the number")
        console.press("tab", "tab")
        #expect(text(console) == "restore /var/lib/weir/savepoints/savepoint-a41f9c-4114")
    }

    @Test func `one candidate is completed, and several are stepped through`() {
        var console = console()
        console.press(":")
        console.type("con")
        #expect(console.screen.contains(" Tab: context  connect  configuration (7)  contexts (@)"), "\(console.screen)")
        console.type("t")
        console.press("tab")
        #expect(text(console) == "context", "what all share")
        console.press("tab")
        #expect(text(console) == "context ")
        console.press("tab")
        #expect(text(console) == "contexts", "the candidates stay those of what was typed")
        console.press("tab")
        #expect(text(console) == "context ")
        console.press("backtab")
        #expect(text(console) == "contexts")
        console.press("backspace", "tab")
        #expect(text(console) == "context ", "another key begins anew")
        console.press("ctrl-u")
        console.type("context p")
        console.press("tab")
        #expect(text(console) == "context prod-eu")
        console.press("tab")
        #expect(text(console) == "context prod-eu", "there is no other")
        console.press("enter")
        #expect(console.model.listViews[.overview].filter == "context:prod-eu")
    }

    @Test func `letters match in any case, and the name is taken as it is`() {
        var console = console()
        console.press(":")
        console.type("job ORDER A")
        console.press("tab")
        #expect(text(console) == "job Order Archive")
        console.press("enter")
        #expect(console.model.currentJob == JobKey(context: "prod-eu", job: Sample.otherJob))
    }

    @Test func `shift-tab begins at the end, and what was typed in full is no step`() {
        var console = console()
        console.press(":")
        console.type("unlock ")
        console.press("backtab")
        #expect(text(console) == "unlock 60m")
        console.press("ctrl-u")
        console.type("checkpoint")
        console.press("tab")
        #expect(text(console) == "checkpoints", "a Tab that changes nothing would look broken")
    }

    @Test(arguments: [Size(columns: 60, rows: 15), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)])
    func `the chosen one is marked and in sight, however many there are`(size: Size) throws {
        var console = console()
        console.send(.resize(size))
        console.press(":")
        console.type("theme ")
        let names = console.model.options.themeNames
        try #require(names.count > 8)
        for name in names + names.prefix(1) {
            console.press("tab")
            #expect(text(console) == "theme \(name)")
            let frame = console.frame(size), row = size.rows - 2
            let marked = frame[row: row].filter { $0.style.role == .select }.map(\.text).joined()
            #expect(marked == name, "\(frame.text)")
        }
    }

    @Test func `names from outside cannot act on the terminal`() {
        var console = ScriptedConsole()
        console.report([Sample.running(name: "evil\u{1b}[2Jname")])
        console.press(":")
        console.type("job ev")
        console.press("tab")
        #expect(!text(console).unicodeScalars.contains("\u{1b}"))
        console.press("enter")
        #expect(console.model.currentJob?.job == Sample.job, "and still go to their job")
    }
}
