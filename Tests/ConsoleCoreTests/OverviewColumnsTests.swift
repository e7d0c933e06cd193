import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// The operator chooses what the Overview shows; what says that a job is alive and can go back stays.
@Suite struct OverviewColumnsTests {
    private func console(_ size: Size = Size(columns: 80, rows: 24), name: String = "orders") -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(size: size))
        var job = Sample.ailing()
        job.name = name
        console.report([job])
        return console
    }

    private func header(_ console: ScriptedConsole, _ size: Size) -> String { console.screen(size).split(separator: "\n").map(String.init)[2] }

    private static let titles: [OverviewColumn: String] = [
        .context: "CONTEXT", .link: "LINK", .report: "REPORT", .rate: "IN/s", .duration: "DUR", .restarts: "RST", .condition: "CONDITION",
    ]

    @Test(arguments: OverviewColumn.allCases, [80, 90, 100, 120, 160])
    func `a hidden column is gone, the others stay, and none touch`(column: OverviewColumn, columns: Int) {
        let size = Size(columns: columns, rows: 30)
        var console = console(size)
        let before = header(console, size)
        console.model.options.hiddenColumns = [column]
        let after = header(console, size)
        #expect(!after.contains(Self.titles[column] ?? "?"), "\(after)")
        for title in ["JOB", "STATE", "CKPT-AGE", "FAIL"] + Self.titles.values where title != Self.titles[column] && before.contains(title) {
            #expect(after.split(separator: " ").contains { $0 == title }, "\(title) in \(after)")
        }
    }

    @Test func `every choice draws at every width, and the row keeps its words apart`() {
        for mask in 0..<1 << OverviewColumn.allCases.count {
            let hidden = Set(OverviewColumn.allCases.enumerated().filter { mask >> $0.offset & 1 == 1 }.map(\.element))
            for columns in [60, 79, 80, 89, 90, 109, 110, 160] {
                let size = Size(columns: columns, rows: 24)
                var console = console(size)
                console.model.options.hiddenColumns = hidden
                let row = console.screen(size).split(separator: "\n").first { $0.hasPrefix(">") } ?? ""
                let words = row.split(separator: " ")
                #expect(words.contains("orders") && words.contains("RUNNING") && words.contains { $0.hasPrefix("3/3") }, "\(hidden) at \(columns): \(row)")
            }
        }
    }

    @Test func `the room goes to the condition and to long names`() {
        let size = Size(columns: 80, rows: 24)
        var console = console(size)
        #expect(!header(console, size).contains("CONDITION"))
        console.model.options.hiddenColumns = [.link, .rate, .duration]
        #expect(header(console, size).contains("CONDITION"), "\(console.screen)")
        var long = self.console(size, name: "fraud-scoring-eu-west")
        #expect(!long.screen.split(separator: "\n")[3].contains("fraud-scoring-eu-west"))
        long.model.options.hiddenColumns = [.link, .condition]
        #expect(long.screen.split(separator: "\n")[3].contains("fraud-scoring-eu-west"), "\(long.screen)")
    }

    private func run(_ line: String, _ console: inout ScriptedConsole) {
        console.press(":")
        console.type(line)
        console.press("enter")
    }

    @Test func `the chooser shows each change at once, and Esc takes them back`() {
        var console = console()
        run("columns", &console)
        #expect(console.screen.contains("> [x] context"), "\(console.screen)")
        console.press("j", "space")
        #expect(console.model.options.hiddenColumns == [.link] && console.screen.contains("> [ ] link"))
        console.press("space", "k", "space", "esc")
        #expect(console.model.options.hiddenColumns.isEmpty && console.model.modals.isEmpty)
        run("columns", &console)
        console.press("j", "space", "ctrl-c")
        #expect(console.model.options.hiddenColumns.isEmpty, "Ctrl-C leaves it as Esc does")
        run("columns", &console)
        console.press("G", "space", "enter")
        #expect(console.model.options.hiddenColumns == [.condition])
        #expect(console.lastMessage == "hidden for this session: condition; config.toml keeps it: c y")
        run("columns", &console)
        console.press("g", "space", "y")
        #expect(console.effects.contains(.copy("[overview]\nhide = [\"context\", \"condition\"]\n")))
        console.press("enter")
        run("columns", &console)
        #expect(console.lastMessage.contains("columns are chosen on the Overview"), "not on the job's screen")
    }

    @Test func `a key opens it, too`() {
        var console = console()
        console.press("c")
        guard case .columns = console.model.modals.last else { return #expect(Bool(false)) }
    }

    @Test func `columns can be typed`() {
        var console = console()
        run("columns -link -in", &console)
        #expect(console.model.options.hiddenColumns == [.link, .rate])
        run("columns link -restarts", &console)
        #expect(console.model.options.hiddenColumns == [.rate, .restarts])
        run("columns +in restarts", &console)
        #expect(console.model.options.hiddenColumns.isEmpty && console.lastMessage == "all columns are shown")
        run("columns -state", &console)
        #expect(console.lastMessage.hasPrefix("usage: columns") && console.model.options.hiddenColumns.isEmpty)
        run("columns", &console)
        guard case .columns = console.model.modals.last else { return #expect(Bool(false)) }
    }
}
