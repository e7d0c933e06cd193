import CellGrid
import StreamModel
import TestKit
import Testing

@testable import ConsoleCore

/// Filters, orders, the recorded past and the screens that stand beside the triage pages.
@Suite struct ArrangementTests {
    private func atCheckpoints() -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("3")
        _ = console.take()
        return console
    }

    private func filtered(_ text: String) -> [UInt64] {
        var console = atCheckpoints()
        console.press("/")
        console.type(text)
        console.press("enter")
        return console.model.checkpointRows.map(\.id.rawValue)
    }

    // MARK: Filters

    /// The columns of the selected row that are shown as found.
    private func found(_ console: ScriptedConsole) throws -> String {
        let buffer = console.frame(console.model.size)
        let row = try #require((0..<buffer.size.rows).first { buffer[row: $0, column: 0].text == ">" })
        let letters = buffer[row: row].filter { !$0.isContinuation }.map { $0.style.overlay == .match ? $0.text : " " }
        return letters.joined().split(separator: " ").joined(separator: " ")
    }

    @Test func `what is typed into a filter is shown where it stands`() throws {
        var console = atCheckpoints()
        console.press("/")
        #expect(try found(console) == "")
        console.type("EXP")
        #expect(try found(console) == "exp" && console.screen.contains("1 of 8"), "\(console.screen)")
        console.type(" 41 !done")
        #expect(try found(console) == "41 exp", "\(console.screen)")
        console.press("enter")
        #expect(try found(console) == "", "once it is typed the list is plain")
    }

    @Test func `a wide letter is found as one`() throws {
        var console = ScriptedConsole()
        console.report([Sample.running(name: "\u{53d7}\u{6ce8}-orders")])
        console.press("/")
        console.type("\u{6ce8}-or")
        #expect(try found(console) == "\u{6ce8}-or", "\(console.screen)")
    }

    @Test(
        arguments: [
            ("expired", [4116]), ("EXPIRED", [4116]), ("kind:save", [4114]), ("!status:completed", [4116, 4115]),
            ("~^#411[5-9]$", [4119, 4118, 4117, 4116, 4115]),
            ("kept:yes !kind:save", [4120, 4119, 4118]), ("!~fail|gone kind:checkpoint", [4120, 4119, 4118]), ("by:jdoe", [4114]), ("id:~0$", [4120]),
            ("status:", [4120, 4119, 4118, 4117, 4116, 4115, 4114, 4113]), ("nofield:x", []), ("!", [4116, 4115]),
        ] as [(String, [UInt64])]) func filtersAreShownInTheTitle(_ text: String, _ ids: [UInt64])
    {
        #expect(filtered(text) == ids)
    }

    @Test func anInvalidFilterPassesAllRowsAndSaysSo() {
        var console = atCheckpoints()
        console.press("/")
        console.type("~(4120")
        #expect(console.model.checkpointRows.count == Sample.list.count)
        #expect(console.screen.contains("[3 checkpoints  /~(4120 (not used: an unmatched ()"))
        console.type(")")
        #expect(console.model.checkpointRows.map(\.id.rawValue) == [4120])
        #expect(console.screen.contains("[3 checkpoints  /~(4120)"))
    }

    @Test(arguments: [("done", 6), ("ok done", 3), ("ckpt", 7), ("save", 1), ("SP done", 1), ("status:done kind:save", 1), ("completed", 6), ("!done", 2)])
    func aFilterFindsTheWordsOnTheScreen(_ text: String, _ count: Int) {
        var console = atCheckpoints()
        let all = console.model.checkpointRows.count
        console.press("/")
        console.type(text)
        #expect(console.model.checkpointRows.count == count, "\(console.screen)")
        // It is counted while it is typed.
        #expect(console.screen.contains("/\(text)   \(count) of \(all)"), "\(console.screen)")
    }

    @Test func everyListIsCountedWhileItsFilterIsTyped() {
        var console = atCheckpoints()
        for screen in ["1", "5", "6", "7", "8"] {
            console.press(screen)
            guard let kind = console.model.listKind else { continue }
            let all = console.model.listPosition.count
            console.press("/")
            #expect(console.model.filterCount(kind) == "\(all) of \(all)")
            console.type("zzqq")
            #expect(console.model.filterCount(kind) == "0 of \(all)")
            console.press("esc")
        }
    }

    @Test func fieldNamesAreCompletedAndTold() {
        var console = atCheckpoints()
        console.press("/", "tab")
        #expect(console.screen.contains("fields, with Tab: id: kind: status:") && !console.lastMessage.contains("fields"))
        console.type("!dur")
        console.press("tab")
        guard case .filter(let field) = console.model.modals.last else { return #expect(Bool(false), "the filter is open") }
        #expect(field.text == "!duration:")
    }

    @Test func matchesAreWalkedAfterTheFilterIsCleared() {
        var console = atCheckpoints()
        console.press("/")
        console.type("status:failed")
        console.press("enter", "esc")
        #expect(console.model.checkpointRows.count == Sample.list.count)
        var seen: [UInt64] = []
        for _ in 0..<3 {
            console.press("n")
            seen.append(console.model.selectedCheckpoint?.id.rawValue ?? 0)
        }
        #expect(seen == [4116, 4115, 4116])
        console.press("N")
        #expect(console.model.selectedCheckpoint?.id.rawValue == 4115)
        console.press("1", "n")
        #expect(console.lastMessage.contains("no filter is set"))
    }

    // MARK: Expressions

    @Test(arguments: [
        ("a.c", "xabcx", true), ("^abc$", "abc", true), ("^abc$", "abcd", false), ("ab*c", "ac", true), ("ab+c", "ac", false), ("ab?c", "abc", true),
        ("(foo|bar)+x", "foobarx", true), ("(foo|bar)+x", "x", false), ("[a-c]+z", "abz", true), ("[^a-c]z", "az", false), (#"\d+ms"#, "812MS", true),
        (#"a\.b"#, "axb", false), (#"a\.b"#, "a.b", true), ("", "anything", true), ("x|", "y", true), ("(a|b|cd)*e$", "abcde", true), ("[]]", "]", true),
        ("[a\\]]b", "]b", true), (#"\w\s\w"#, "a b", true), ("a**", "b", true), ("((a))", "a", true),
    ]) func expressionsMatch(_ expression: String, _ text: String, _ matches: Bool) throws {
        #expect(try LinearPattern(expression).matches(text) == matches)
    }

    @Test(arguments: ["(", ")", "a)", "*", "+a", "[", "[a", "[z-a]", "\\", "(a|b", "?", String(repeating: "a", count: 201)]) func badExpressionsAreRefused(
        _ expression: String
    ) {
        #expect(throws: LinearPattern.Problem.self) { try LinearPattern(expression) }
    }

    @Test func noExpressionCanStopTheConsole() throws {
        // With back-tracking this takes longer than the sun will last.
        let text = String(repeating: "a", count: 4000)
        #expect(try !LinearPattern("(a|a)*(a|a)*(a*)*(a+)+b$").matches(text))
    }

    @Test func randomExpressionsNeverTrap() {
        var random = SeededGenerator(seed: 0x9e1)
        let parts = ["a", "b", ".", "*", "+", "?", "|", "(", ")", "[", "]", "^", "$", "-", "\\", "\\d", "é"]
        for _ in 0..<3000 {
            let expression = (0..<Int.random(in: 0...12, using: &random)).map { _ in parts[Int.random(in: 0..<parts.count, using: &random)] }.joined()
            // Either way is fine; what counts is that it returns.
            if let pattern = try? LinearPattern(expression) { _ = pattern.matches("aab-b1é") }
        }
    }

    // MARK: Orders

    @Test func anyColumnSortsAndTheSelectionStays() {
        var console = atCheckpoints()
        console.press("j", "j")
        #expect(console.model.selectedCheckpoint?.id.rawValue == 4118)
        var orders: [String] = []
        for _ in console.model.fieldNames(.checkpoints) {
            console.press("o")
            orders.append(console.model.listViews[.checkpoints].order?.field ?? "")
            #expect(console.model.selectedCheckpoint?.id.rawValue == 4118, "sorted by \(orders.last ?? "")")
        }
        #expect(orders == console.model.fieldNames(.checkpoints))
        console.press("o")
        #expect(console.model.listViews[.checkpoints].order == nil)
    }

    @Test func durationsSortByTimeNotByText() {
        var console = atCheckpoints()
        while console.model.listViews[.checkpoints].order?.field != "duration" { console.press("o") }
        #expect(console.model.checkpointRows.compactMap { $0.duration?.count } == [60_000, 60_000, 18_400, 812, 812, 812, 801, 790])
        #expect(console.screen.contains("by duration down"))
        console.press("O")
        #expect(console.model.checkpointRows.compactMap { $0.duration?.count } == [790, 801, 812, 812, 812, 18_400, 60_000, 60_000])
        // Of equal ones the newest stays first.
        #expect(console.model.checkpointRows.filter { $0.duration?.count == 812 }.map(\.id.rawValue) == [4120, 4117, 4113])
    }

    @Test func theFirstRowIsNotTheNewestInAnotherOrder() {
        var console = atCheckpoints()
        console.press("o", "O", "g")
        #expect(console.model.selectedCheckpoint?.id.rawValue == 4113)
        var job = Sample.running()
        job.latestCompleted = Sample.checkpoint(4121, ago: 0)
        console.report([job])
        #expect(console.model.selectedCheckpoint?.id.rawValue == 4113)
    }

    // MARK: The past

    @Test func thePastIsSteppedThroughWhileRecordingContinues() {
        var console = ScriptedConsole()
        for second in 0..<60 {
            var job = Sample.running()
            job.throughput.recordsReadPerSecond = Double(1000 * (second + 1))
            job.state = second < 30 ? .running : .restarting
            console.report([job])
            console.advance(1000)
        }
        console.press("enter")
        #expect(console.screen.contains("RESTARTING"))
        console.press("<")
        #expect(console.screen.contains("FROZEN") && console.screen.contains("RESTARTING"))
        for _ in 0..<7 { console.press("<") }
        #expect(console.screen.contains("RUNNING"))
        let past = console.screen
        console.report([Sample.running(state: .failed)])
        #expect(console.screen == past)
        console.press("S")
        #expect(console.sentOperations.isEmpty && console.lastMessage.contains("frozen"))
        for _ in 0..<40 { console.press("<") }
        #expect(console.lastMessage == "no older moment is on record")
        #expect(console.screen.contains("1.0k rec/s"))
        console.press(".")
        #expect(console.screen.contains("FAILED") && !console.screen.contains("FROZEN"))
        console.press("<", ">", ">", ">")
        #expect(!console.screen.contains("FROZEN"), "behind the last moment comes now")
    }

    @Test func checkpointsOfThePastAreAsTheyWereThen() throws {
        var console = atCheckpoints()
        // A checkpoint begins 2 s from now and ends 5 s from now.
        for second in 1...10 {
            console.advance(1000)
            var job = Sample.running()
            if (2..<5).contains(second) { job.inProgress = [Sample.flying(4121, ago: -2000)] }
            if second >= 5 {
                job.latestCompleted = Sample.checkpoint(4121, ago: -2000, took: 3000)
                job.checkpointsRevision = 2
            }
            console.report([job])
            if second == 5 { console.send(.engine(context: "lab", .checkpoints(Sample.job, [Sample.checkpoint(4121, ago: -2000, took: 3000)] + Sample.list))) }
        }
        func states() -> [CheckpointReport.Status?] { [console.model.checkpointRows.first { $0.id.rawValue == 4121 }?.status] }
        #expect(states() == [.completed])
        console.press("<")
        #expect(console.model.shownAt < console.now)
        let at = try #require(console.model.history.moments.first { ($0.at - Sample.start).count > 2500 && ($0.at - Sample.start).count < 4900 })
        console.model.show(at)
        #expect(states() == [.inProgress])
        console.model.show(try #require(console.model.history.moments.first))
        #expect(states() == [nil])
    }

    @Test func thePastIsBounded() {
        var history = History()
        let context = ScriptedConsole().model.live
        for second in 0..<5000 { history.record(context, at: WallTime(milliseconds: Int64(second) * 1000)) }
        #expect(history.moments.count <= History.momentsMax)
        #expect(zip(history.moments, history.moments.dropFirst()).allSatisfy { $0.at < $1.at })
        #expect(history.moments.last?.at.milliseconds == 4_999_000)
        #expect((history.moments.last?.at.milliseconds ?? 0) - (history.moments.first?.at.milliseconds ?? 0) > 1_800_000, "more than half an hour is left")
        // A clock that is set back does not leave moments of the future.
        history.record(context, at: WallTime(milliseconds: 4_000_000))
        #expect((history.moments.last?.at.milliseconds ?? 0) <= 4_000_000)
    }

    @Test func manyJobsShortenThePastInsteadOfFillingMemory() {
        var console = ScriptedConsole()
        let jobs = (0..<400).map { Sample.running(JobID(high: 1, low: UInt64($0)), name: "j\($0)") }
        for _ in 0..<20 {
            console.report(jobs)
            console.advance(1000)
        }
        #expect(console.model.history.moments.reduce(0) { $0 + $1.weight } <= History.weightMax)
        #expect(console.model.history.moments.count >= 2)
    }

    // MARK: Series

    @Test func gapsInTheReportsAreGapsInTheSeries() {
        var memory = JobMemory()
        for second in [0, 1, 2, 3, 20, 21] { memory.sample(Sample.running(), at: WallTime(milliseconds: Int64(second) * 1003)) }
        #expect(memory.sampleCount == 22)
        let values = memory.samples(.read).values
        #expect(
            values.count == 22 && values[..<4].allSatisfy { $0 == 118_400 } && values[4..<20].allSatisfy(\.isNaN) && values[20...].allSatisfy { $0 == 118_400 })
    }

    @Test func coarseSeriesKeepTheWorstSamples() {
        var memory = JobMemory()
        for second in 0..<30 {
            var job = Sample.running()
            job.throughput.recordsReadPerSecond = second % 2 == 0 ? 0 : 100
            job.vertices[1].busyPermille = second == 7 ? 999 : 10
            job.vertices[0].busyPermille = 0
            memory.sample(job, at: WallTime(milliseconds: Int64(second) * 1000))
        }
        #expect(memory.samples(.busy, .coarse).values == [999, 10])
        #expect(memory.samples(.read, .coarse).values.allSatisfy { $0 > 40 && $0 < 60 })
    }

    @Test func aClockThatJumpsDoesNotBreakTheSeries() {
        var memory = JobMemory()
        for time in [0, 1000, 1_000_000_000_000, 1_000_000_001_000, 5000, 6000, Int64.max / 4, 0] as [Int64] {
            memory.sample(Sample.running(), at: WallTime(milliseconds: time))
            #expect(memory.samples(.read).values.count <= SampleSpan.samplesMax)
        }
    }

    // MARK: Panes and screens

    @Test func panesTakeTheCursorAndOpenAsScreens() {
        var console = ScriptedConsole()
        console.report([Sample.ailing()])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.ailingList)))
        #expect(console.model.listKind == .checkpoints)
        console.press("tab")
        #expect(console.model.listKind == .failures)
        console.press("z")
        #expect(console.model.screen == .failures)
        console.press("q", "tab", "z")
        #expect(console.model.screen == .checkpoints)
        console.press("1", "tab", "z")
        #expect(console.model.screen == .metrics)
        console.press("1", "tab", "z")
        #expect(console.model.screen == .operations)
    }

    @Test func chartsAreChosenUpToFour() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter", "4")
        for _ in 0..<8 { console.press("enter", "j") }
        #expect(console.model.metrics.charted.count == MetricsView.chartsMax)
        console.press("v")
        #expect(console.screen.contains("1 h by 15 s"))
    }

    @Test func aNewSampleChangesLittleOfTheCharts() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter", "4", "enter")
        var bytes: [Int] = []
        for second in 0..<200 {
            var job = Sample.running()
            job.throughput.recordsReadPerSecond? += Double(second % 7) * 9000
            let before = console.frame(console.model.size)
            console.advance(1000)
            console.report([job])
            let runs = CellDiff.runs(from: before, to: console.frame(console.model.size))
            if second > 20 { bytes.append(runs.reduce(0) { $0 + 8 + $1.columns.count }) }
        }
        // Once in a while the chart moves as a whole.
        #expect(bytes.filter { $0 > 250 }.count <= 12, "\(bytes)")
    }

    @Test func secretsOfARecipeAreMaskedEverywhere() {
        var job = Sample.running()
        job.recipe = JobRecipe(program: "orders", arguments: ["db.Password": "hunter2", "API_TOKEN": "hunter2", "rate": "5"], parallelism: 4)
        var console = ScriptedConsole()
        console.report([job])
        for key in ["1", "2", "3", "4", "5", "6", "7", "@", "!"] {
            console.press(key)
            #expect(!console.screen(Size(columns: 160, rows: 50)).contains("hunter2"), "on \(key)")
        }
        console.press("7", "/")
        console.type("hunter")
        #expect(console.model.configurationRows.isEmpty, "nor does a filter find it")
    }

    @Test func theContextsScreenLeadsToTheJobsOfOne() {
        var console = ScriptedConsole([
            ContextDescription(name: "a", class: .lab, address: "/a"), ContextDescription(name: "b", class: .prod, address: "/b"),
        ])
        console.report([Sample.running()], context: "a")
        console.report([Sample.running(Sample.otherJob, name: "billing")], context: "b")
        console.press("@", "j", "enter")
        #expect(console.model.overviewRows.map(\.id.context) == ["b"])
        #expect(console.screen.contains("/context:b"))
    }

    @Test func failuresWithOneCauseAreOneRowAndTheirHostIsNamed() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter", "5")
        console.send(.engine(context: "lab", .failures(Sample.job, Sample.failuresOnHosts)))
        let rows = console.model.failureRows
        #expect(rows.map(\.failures.count) == [5, 1])
        #expect(rows[0].failures[0].rootCause == "java.io.IOException: PUT part 0 to s3 timeout after 40 s")
        #expect(rows[0].hosts == ["tm-04", "tm-12"])
        #expect(CommonFactor.words(rows[0].failures) == "4 of 5 on host tm-12, all 5 in win-agg")
        #expect(console.screen.contains("common factor: 5 of 6 on host tm-12"))
        #expect(CommonFactor.words(Array(rows[1].failures)) == nil, "one alone has nothing in common")
    }

    @Test func theAuditJoinsWhatRunsWithWhatIsOnRecord() {
        var console = atCheckpoints()
        console.press("S", "!")
        #expect(console.effects.contains(.loadAudit))
        console.send(.audit(Sample.audit))
        #expect(console.model.auditRows.map { $0.verb.string } == ["savepoint", "savepoint", "cancel"])
        console.press("/")
        console.type("outcome:refused")
        #expect(console.model.auditRows.map(\.request.by) == ["mira@ops2"])
    }

    @Test func evidenceIsWrittenWithEveryFactOnItsLine() throws {
        var console = atCheckpoints()
        console.press("S", "6", "enter", "w")
        let saved = console.effects.compactMap { if case .save(let name, let text) = $0 { (name, text) } else { nil } }
        let (name, text) = try #require(saved.first)
        #expect(name == "savepoint-\(console.sentOperations[0].id).txt")
        #expect(text.contains("operation  \(console.sentOperations[0].id)\n") && text.contains("stage      sent\n"))
    }
}
