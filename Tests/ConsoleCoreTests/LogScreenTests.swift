import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// `L` answers "what has happened here?" with the engine's own lines: asked for when there are new ones, the newest in sight.
@Suite struct LogScreenTests {
    private func console(_ size: Size = Size(columns: 100, rows: 30)) -> ScriptedConsole {
        var console = ScriptedConsole(options: ConsoleOptions(size: size))
        report(&console)
        console.press("j", "enter")
        _ = console.take()
        return console
    }

    private func report(_ console: inout ScriptedConsole, logEnd: UInt64? = 90) {
        console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing-rollup")], logEnd: logEnd)
    }

    private func questions(_ console: inout ScriptedConsole) -> [EngineQuestion] {
        console.take().compactMap { effect in
            guard case .send(_, .ask(let question)) = effect, case .log = question else { return nil }
            return question
        }
    }

    private func filled(_ size: Size = Size(columns: 100, rows: 30)) -> ScriptedConsole {
        var console = console(size)
        console.press("L")
        console.send(.engine(context: "lab", .log(Sample.log)))
        _ = console.take()
        return console
    }

    @Test func `the log is asked for when it is shown and has new lines, once`() {
        var console = console()
        report(&console)
        #expect(questions(&console).isEmpty, "not for the other screens")
        console.press("L")
        #expect(console.screen.contains("asking the engine"), "\(console.screen)")
        #expect(questions(&console) == [.log(after: nil)])
        console.advance(1000)
        report(&console)
        #expect(questions(&console).isEmpty, "one question is under way")
        console.send(.engine(context: "lab", .log(Sample.log)))
        console.advance(1000)
        report(&console)
        #expect(questions(&console).isEmpty, "nothing is new")
        report(&console, logEnd: 92)
        #expect(questions(&console) == [.log(after: 90)], "only what is missing")
        console.advance(6000)
        report(&console, logEnd: 93)
        #expect(questions(&console) == [.log(after: 90)], "an unanswered question is repeated")
        console.send(.engine(context: "lab", .log([EngineLogEntry(sequence: 93, at: console.now, level: .error, message: "the newest")])))
        console.press("L")
        #expect(console.screen.contains("the newest"), "\(console.screen)")
        _ = console.take()
        report(&console, logEnd: 2)
        #expect(questions(&console) == [.log(after: nil)], "a log that was lost begins anew")
        console.send(.engine(context: "lab", .log([EngineLogEntry(sequence: 2, at: console.now, message: "the first of a new log")])))
        #expect(!console.screen.contains("the newest") && console.screen.contains("the first of a new log"), "\(console.screen)")
    }

    @Test func `a job's log has its lines and those of its other runs, and L widens it to the engine`() {
        var console = filled()
        #expect(console.model.logRows.map(\.sequence) == [82, 83, 85, 86, 87, 88, 89])
        #expect(console.screen.contains("7 lines, newest last") && !console.screen.contains("billing-rollup"), "\(console.screen)")
        console.press("L")
        #expect(console.model.logRows.count == 10 && console.screen.contains("log  lab"), "\(console.screen)")
        #expect(console.screen.split(separator: "\n").contains { $0.contains("RUNNING, attempt 1") && $0.contains("billing-rollup") })
        #expect(console.model.focusedJob == nil, "keys that act need a job in sight")
        console.press("L")
        #expect(console.model.logRows.count == 7)
        console.press("]")
        #expect(console.model.logRows.map(\.sequence) == [84, 90], "the log of the next job")
    }

    @Test func `the newest line stays in sight until another one is chosen`() {
        var console = filled()
        func add(_ sequence: UInt64) {
            console.send(
                .engine(
                    context: "lab", .log([EngineLogEntry(sequence: sequence, at: console.now, job: Sample.job, jobName: "orders", message: "line \(sequence)")])
                ))
        }
        #expect(console.model.selectedLogEntry?.sequence == 89)
        add(91)
        #expect(console.model.selectedLogEntry?.sequence == 91)
        console.press("k", "k")
        #expect(console.model.selectedLogEntry?.sequence == 88)
        #expect(console.screen.contains("G follows the newest"), "\(console.screen)")
        add(92)
        #expect(console.model.selectedLogEntry?.sequence == 88, "the chosen line does not move")
        console.press("G")
        add(93)
        #expect(console.model.selectedLogEntry?.sequence == 93)
        console.press("g")
        #expect(console.model.selectedLogEntry?.sequence == 82)
        console.press("y")
        #expect(console.effects.contains { if case .copy(let text) = $0 { text.contains("is back") && text.contains("orders") } else { false } })
    }

    @Test(arguments: [Size(columns: 60, rows: 15), Size(columns: 80, rows: 24), Size(columns: 160, rows: 50)])
    func `a long line is wrapped and whole, and the selected one is always in sight`(size: Size) {
        var console = filled(size)
        for _ in 0..<7 {
            let entry = console.model.selectedLogEntry
            let marked = console.frame(size).text.split(separator: "\n").first { $0.hasPrefix(">") }
            #expect(marked?.contains(entry?.message.prefix(12) ?? "?") == true, "\(console.screen)")
            if entry?.sequence == 85 {
                let words = console.screen.split(whereSeparator: { $0 == " " || $0 == "\n" })
                #expect(words.contains("committed") && console.screen.contains("checkpoint"), "\(console.screen)")
            }
            console.press("k")
        }
    }

    @Test func `filters find levels, subjects and words`() {
        var console = filled()
        console.press("/")
        console.type("level:error")
        console.press("enter")
        #expect(console.model.logRows.map(\.sequence) == [85])
        console.press("esc", "/")
        console.type("WARN")
        console.press("enter")
        #expect(console.model.logRows.map(\.sequence) == [86, 88], "the word on the screen")
        console.press("esc", "/")
        console.type("nothing-like-it")
        console.press("enter")
        #expect(console.screen.contains("none matches the filter; Esc clears it"))
    }

    @Test func `a cluster, an old engine and a dead link say why there is no log`() {
        var console = console()
        report(&console, logEnd: nil)
        console.press("L")
        #expect(console.lastMessage == "lab is version 0.1, which keeps no log that can be asked for")
        var flink = ContextDescription(name: "eu", class: .lab, address: "http://jobmanager:8081")
        flink.dialect = .flinkREST
        var cluster = ScriptedConsole([flink])
        cluster.report([Sample.running()], context: "eu")
        cluster.press("L")
        #expect(cluster.lastMessage == "eu is a Flink cluster: its web UI has the logs; 5 shows what it reports of failures")
        #expect(cluster.model.screen == .overview)
        report(&console)
        console.press("L")
        console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: nil, attempts: 1))))
        #expect(console.screen.contains("no link: nothing is known of its log"), "\(console.screen)")
    }

    @Test func `an engine without jobs has a log, too`() {
        var console = ScriptedConsole()
        console.report([], logEnd: 1)
        console.press("L")
        #expect(questions(&console) == [.log(after: nil)])
        console.send(.engine(context: "lab", .log([Sample.log[0]])))
        #expect(console.screen.contains("started: version 0.3"), "\(console.screen)")
        console.press("L")
        #expect(console.lastMessage == "there is no job here: this is the whole log")
        console.press("Y")
        #expect(console.effects.contains(.copy("weir log")))
    }

    @Test func `text of a log cannot act on the terminal`() {
        var console = filled()
        console.send(
            .engine(
                context: "lab",
                .log([EngineLogEntry(sequence: 91, at: console.now, level: .error, job: Sample.job, jobName: "orders", message: "x\u{1b}[2J\u{202e}y")])))
        #expect(console.screen.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && $0 != "\u{202e}" })
    }

    @Test func `the table of the screen is written with whole texts`() {
        var console = filled()
        console.press("/")
        console.type("level:error")
        console.press("enter")
        let lines = console.model.csv.split(separator: "\r\n")
        #expect(lines.first == "sequence,at_ms,level,about,job,job_id,message")
        #expect(lines.count == 2 && lines[1].hasPrefix("85,") && lines[1].contains("from the newest checkpoint"), "\(lines)")
    }

    @Test func `rows of different heights fill the window around the cursor`() {
        let heights = [1, 3, 1, 1, 5, 1, 1]
        func window(_ cursor: Int, _ rows: Int) -> Range<Int> { textWindow(count: heights.count, cursor: cursor, rows: rows, height: { heights[$0] }) }
        #expect(window(6, 4) == 5..<7, "what does not fit whole is left out")
        #expect(window(6, 7) == 4..<7, "the newest is at the bottom")
        #expect(window(0, 4) == 0..<2)
        #expect(window(3, 100) == 0..<7)
        #expect(window(4, 3) == 4..<5, "one that is taller than the window is shown all the same")
        #expect(window(0, 0).isEmpty && textWindow(count: 0, cursor: 0, rows: 9, height: { _ in 1 }).isEmpty)
        for cursor in heights.indices {
            for rows in 1...20 {
                let shown = window(cursor, rows)
                #expect(shown.contains(cursor))
                #expect(shown.count == 1 || shown.reduce(0) { $0 + heights[$1] } <= rows)
            }
        }
    }
}
