import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Screens that leave the terminal: as text, sequences, SVG, records and recordings.
@Suite struct EvidenceTests {
    private static let slate = Theme.builtin("slate")?.styleSheet(depth: .colors256) ?? .plain

    private func jobConsole(_ job: JobReport = Sample.ailing()) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.ailingList)))
        return console
    }

    // MARK: Frames

    @Test func plainTextIsTheScreen() {
        let frame = jobConsole().frame(Size(columns: 80, rows: 24))
        #expect(FrameText.plain(frame) == frame.text + "\n")
    }

    /// Nothing but "select graphic rendition", text and newlines; and every line ends without attributes.
    @Test(arguments: ["plain", "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{1b}[2J", "\u{53d7}\u{6ce8}<&>\""]) func sequencesAreOfOneKind(_ name: String) throws {
        var job = Sample.ailing()
        job.name = name
        let text = FrameText.ansi(jobConsole(job).frame(Size(columns: 80, rows: 24)), Self.slate)
        let stripped = text.replacing(/\u{1b}\[[0-9;]*m/, with: "")
        #expect(stripped.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) && $0.value != 0x202e })
        #expect(stripped.split(separator: "\n", omittingEmptySubsequences: false).count == 25)
        for line in text.split(separator: "\n") where line.contains("\u{1b}") {
            #expect(line.matches(of: /\u{1b}\[[0-9;]*m/).last?.output == "\u{1b}[0m", "\(line.debugDescription)")
        }
    }

    @Test func svgEscapesMarkup() {
        var job = Sample.ailing()
        job.name = "<script>&"
        let svg = FrameText.svg(jobConsole(job).frame(Size(columns: 80, rows: 24)), Self.slate, ground: .dark, title: "a<b")
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n") && svg.contains("<title>a&lt;b</title>"))
        #expect(!svg.contains("<script") && svg.contains("&lt;script&gt;&amp;"))
        // The colour of a critical condition is in it.
        #expect(svg.contains("#af0000"))
    }

    @Test func aCastHasAHeaderAndDifferences() throws {
        var console = jobConsole()
        let header = CastScript.header(size: Size(columns: 80, rows: 24), startedAt: console.now, title: "a \"b\"", term: "xterm")
        #expect(
            header
                == "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1772366671,\"title\":\"a \\\"b\\\"\",\"env\":{\"TERM\":\"xterm\"}}\n")
        var script = CastScript()
        let first = script.frame(console.frame(Size(columns: 80, rows: 24)), Self.slate, at: 0)
        #expect(first.hasPrefix("[0.000,\"o\",\"\\u001b[?25l\\u001b[0m\\u001b[2J\\u001b[1;1H"))
        #expect(first.contains("orders") && first.utf8.filter { $0 == 10 }.count == 1)
        #expect(script.frame(console.frame(Size(columns: 80, rows: 24)), Self.slate, at: 500) == "", "nothing changed")
        console.advance(1000)
        let tick = script.frame(console.frame(Size(columns: 80, rows: 24)), Self.slate, at: 1007)
        #expect(tick.hasPrefix("[1.007,\"o\",\"\\u001b[") && tick.utf8.count < 500)
        let resized = script.frame(console.frame(Size(columns: 100, rows: 30)), Self.slate, at: 2000).split(separator: "\n")
        #expect(resized.count == 2 && resized[0] == "[2.000,\"r\",\"100x30\"]" && resized[1].contains("[2J"))
        #expect(script.marker("x\u{1b}[2J\"", at: 61_050) == "[61.050,\"m\",\"x\\\"\"]\n")
    }

    // MARK: Records

    @Test func recordsAreThoseOfTheScreen() {
        let console = jobConsole()
        let record = console.model.record
        #expect(record.screen == "job" && record.jobs.map(\.id) == [Sample.job] && record.lines.count == 24)
        #expect(record.checkpoints?.first?.id == CheckpointID(4120) && record.contexts.map(\.link) == ["up"])
        var overview = ScriptedConsole()
        overview.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing")])
        #expect(overview.model.record.jobs.count == 2 && overview.model.record.checkpoints == nil)
    }

    @Test func tablesAreThoseOfTheScreenUnderItsFilter() {
        var console = jobConsole()
        var lines = console.model.csv.split(separator: "\r\n")
        #expect(lines.count == 1 + 8 && lines[0].hasPrefix("id,kind,status,"))
        #expect(lines[1].hasPrefix("4120,checkpoint,IN_PROGRESS,"))
        console.press("/")
        console.type("save")
        lines = console.model.csv.split(separator: "\r\n")
        #expect(lines.count == 2 && lines[1].contains("/savepoints/savepoint-a41f9c-4114"))
    }

    /// Names from outside stay in their field, and are no formulas to a spreadsheet.
    @Test func fieldsAreQuotedAndNeverFormulas() {
        var table = CSVText()
        table.row("a,b", "say \"x\"", "=HYPERLINK(1)", "-12", "@x", nil, "a\nb")
        #expect(table.text == "\"a,b\",\"say \"\"x\"\"\",'=HYPERLINK(1),-12,'@x,,a\u{fffd}b\r\n")
    }

    // MARK: Commands

    @Test func dumpsTakeTheirFormatFromTheName() {
        var console = jobConsole()
        _ = console.take()
        func dump(_ line: String) -> ConsoleEffect? {
            console.press(":")
            console.type(line)
            console.press("enter")
            return console.take().first { if case .dump = $0 { true } else { false } }
        }
        #expect(dump("dump /tmp/a b.json") == .dump(path: "/tmp/a b.json", .json))
        #expect(dump("dump x.csv") == .dump(path: "x.csv", .csv))
        #expect(dump("dump x.ansi") == .dump(path: "x.ansi", .ansi))
        #expect(dump("dump x.png") == nil)
        #expect(console.lastMessage == "usage: dump FILE; FILE ends in .txt, .ansi, .svg, .json, .csv")
        #expect(dump("dump .txt") == nil && dump("dump") == nil)
    }

    /// Job, problem, budget, where to go back to, last failure, how old all that is: a line each.
    @Test func theIncidentSummaryHasOneLinePerFact() throws {
        var console = jobConsole()
        _ = console.take()
        console.press("y")
        let text = try #require(console.take().compactMap { if case .copy(let text) = $0 { text } else { nil } }.first)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(
            lines == [
                "orders (a41f9c00) in lab [lab]: RUNNING for 3d04h, 1 restart",
                "problem: CKPT 3/3 tolerated failures used: the next counted failure fails the job",
                "failure budget: counted 3 of 3 in a row (exact), last expired; the next counted failure fails the job",
                "restore from: checkpoint #4116, 38m old, /var/lib/weir/checkpoints/a41f9c0000000001/chk-4116",
                "last failure: 2h00m ago, sink sub 1: sink: no space left on device", "in 118.4k rec/s, out 117.9k rec/s; as of 0s ago",
            ], "\(text)")
        console.advance(5000)
        console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: nil, attempts: 1))))
        console.press("y")
        let down = console.take().compactMap { if case .copy(let text) = $0 { text } else { nil } }.first
        #expect(down?.contains("link down: connection refused") == true)
    }
}

/// The bar of demonstrations and playbacks, and the script that drives the console.
@Suite struct DemoScriptTests {
    @Test func aCaptionCoversTheHints() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.send(.caption(Caption(badge: "DEMO", text: "hello", keys: "S y")))
        let lines = console.screen.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[22].hasPrefix(" DEMO  hello") && lines[22].hasSuffix(" S y"))
        #expect(console.screen(Size(columns: 40, rows: 6)).contains("DEMO"))
        console.send(.caption(nil))
        #expect(!console.screen.contains("DEMO"))
    }

    @Test func captionsFitAnEightyColumnTerminal() {
        for scene in DemoScript.restoreFromOlder { #expect(scene.caption(.standard).columns <= 64, "\(scene.caption(.standard))") }
    }

    private static let scenes = [
        DemoScript.Scene("first", dwell: .seconds(1), key: { count, _ in count < 2 ? .character("j") : nil }) { $0.screens.count == 1 },
        DemoScript.Scene("second", dwell: .seconds(1), key: { count, _ in count == 0 ? .named(.enter) : nil }) { $0.screen == .job },
    ]

    /// Lets the script press its keys until it has none for a while; the keys, and their times.
    private func play(_ script: inout DemoScript, _ console: inout ScriptedConsole, for seconds: Int64) -> [(KeyPress, Int64)] {
        var keys: [(KeyPress, Int64)] = []
        for step in 0..<(seconds * 20) {
            if let key = script.step(console.model, at: console.now) {
                keys.append((key, step * 50))
                console.send(.key(key))
            }
            console.advance(50)
        }
        return keys
    }

    @Test func keysComeOneByOneAndScenesWaitForTheirState() {
        var console = ScriptedConsole()
        var script = DemoScript(scenes: Self.scenes, speed: 1)
        #expect(play(&script, &console, for: 6).map(\.0) == [.character("j"), .character("j"), .named(.enter)])
        // There is no job to open: the scene waits for one.
        #expect(!script.isOver && script.caption(.standard).text == "second" && script.caption(.standard).keys == "Enter")
        console.report([Sample.running()])
        console.press("enter")
        _ = play(&script, &console, for: 1)
        #expect(script.isOver && script.dueAt == nil)
        #expect(script.step(console.model, at: console.now) == nil)
    }

    @Test func speedShortensThePausesAndNeverMakesABurst() {
        var console = ScriptedConsole()
        var script = DemoScript(scenes: Self.scenes, speed: 16)
        let keys = play(&script, &console, for: 3)
        #expect(keys.count == 3 && keys[2].1 < 2000)
        #expect(keys[1].1 - keys[0].1 >= 350)
    }

    @Test func thePresenterTakesOverAndGivesBack() {
        var console = ScriptedConsole()
        var script = DemoScript(scenes: Self.scenes, speed: 1)
        _ = play(&script, &console, for: 2)
        script.takeOver()
        #expect(script.isTakenOver && script.caption(.standard).text.string.contains(":demo next"))
        #expect(play(&script, &console, for: 5).isEmpty)
        script.goOn()
        #expect(!play(&script, &console, for: 5).isEmpty)
        // `:demo next` is how the console hears of it.
        console.press(":")
        console.type("demo next")
        console.press("enter")
        #expect(console.take().contains(.goOnWithDemo))
    }
}

/// The words that say what is behind a job's trouble.
@Suite struct DiagnosisTests {
    private static let sizes = [Size(columns: 80, rows: 24), Size(columns: 100, rows: 30), Size(columns: 120, rows: 40)]

    private func atJob(_ job: JobReport) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([job])
        console.press("enter")
        return console
    }

    private func expectWords(_ words: String, _ console: ScriptedConsole) {
        for size in Self.sizes {
            var console = console
            console.send(.resize(size))
            #expect(console.screen.contains(words), "\(size.columns)x\(size.rows):\n\(console.screen)")
        }
    }

    @Test func longAsyncPhasesAreSlowStorage() {
        var job = Sample.running()
        var newest = Sample.checkpoint(4120, ago: 8000, took: 6000)
        job.latestCompleted = newest
        var console = atJob(job)
        #expect(!console.screen.contains("STORAGE"))
        // The console asks for where the time went by itself.
        #expect(console.take().contains(.send(context: "lab", .ask(.checkpoint(Sample.job, CheckpointID(4120))))))
        newest.operators = [
            OperatorCheckpointReport(
                uid: "win-agg", name: "agg", operatorID: OperatorID(uid: "win-agg"), parallelism: 1, stateSize: 1,
                subtasks: [
                    SubtaskCheckpointReport(
                        index: 0, acknowledgedAt: newest.triggeredAt + 6000, stateSize: 1, startDelayMicroseconds: 100, alignmentMicroseconds: 100_000,
                        syncMicroseconds: 100_000, asyncMicroseconds: 5_800_000)
                ])
        ]
        console.send(.engine(context: "lab", .checkpoint(Sample.job, newest)))
        expectWords("STORAGE slow? #4120 took 6.0s, 97% of it writing", console)
        // A budget that shrinks comes first; the suspicion stays on the screen.
        job.budget = FailureBudget(counted: 3, tolerable: 3, source: .exact, cumulative: 3, lastReason: .checkpointExpired)
        console.report([job])
        expectWords("STORAGE slow?", console)
        expectWords("CKPT 3/3 tolerated failures used", console)
    }

    @Test func anUnevenShareOfASubtaskIsAHotKey() {
        var job = Sample.running()
        job.vertices[1].hottest = HottestSubtask(index: 2, recordsPermille: 960, busyPermille: 990)
        expectWords("HOT KEY? revenue -> sink sub 2 gets 96% of the records, busy 99%", atJob(job))
        // Its share, or a subtask that keeps up, is no reason to speak.
        job.vertices[1].hottest = HottestSubtask(index: 2, recordsPermille: 270, busyPermille: 990)
        #expect(!atJob(job).screen.contains("HOT KEY"))
        job.vertices[1].hottest = HottestSubtask(index: 2, recordsPermille: 960, busyPermille: 400)
        #expect(!atJob(job).screen.contains("HOT KEY"))
    }

    @Test func reportsWithoutRecordsAreAStalledSource() {
        var job = Sample.running()
        var console = atJob(job)
        job.throughput.recordsReadPerSecond = 0
        job.vertices[0].backPressuredPermille = 0
        for step in 1...20 {
            console.advance(1000)
            job.nextTriggerAt = nil
            job.latestCompleted = Sample.checkpoint(4121 + UInt64(step), ago: Int64(-1000 * step))
            console.report([job])
            if step == 6 { #expect(!console.screen.contains("SOURCE"), "too early") }
        }
        expectWords("SOURCE orders -> key has read nothing for 20s, without back pressure", console)
        // Where something holds it back, it is not the source.
        job.vertices[0].backPressuredPermille = 900
        console.advance(1000)
        console.report([job])
        #expect(!console.screen.contains("SOURCE") && console.screen.contains("back-pressured"))
    }

    @Test func consecutiveFailuresAreACrashLoop() {
        var job = Sample.running()
        job.restarts = 4
        func failure(_ ago: Int64) -> FailureReport {
            FailureReport(at: Sample.ago(ago), message: "disk full", vertex: "sink", subtask: 1, attempt: 1)
        }
        job.lastFailure = failure(3000)
        var console = atJob(job)
        #expect(!console.screen.contains("CRASH LOOP"), "one failure is known")
        console.send(.engine(context: "lab", .failures(Sample.job, [failure(3000), failure(13_000), failure(23_000), failure(3_600_000)])))
        expectWords("CRASH LOOP 3 failures in 20s: sink sub 1: disk full", console)
        job.state = .restarting
        console.report([job])
        expectWords("CRASH LOOP 3 failures in", console)
        console.advance(61_000)
        console.report([job])
        #expect(!console.screen.contains("CRASH LOOP"), "it is over")
    }
}
