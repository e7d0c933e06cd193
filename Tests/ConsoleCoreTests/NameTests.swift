// Goal: a name can be read, told from others, and typed, however long and in whatever script; and no figure touches its neighbour.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct NameTests {
    // MARK: Long names

    private static let long = [
        ["insert-into_default_catalog.default_database.`päällä 100% [x]`_AAA", "insert-into_default_catalog.default_database.`päällä 100% [x]`_BBB"],
        // The end is the same.
        ["nightly settlement of the accounts in Europe, shard 0017, production", "nightly settlement of the accounts in Europe, shard 0018, production"],
    ]

    private func overview(_ names: [String], columns: Int) -> [String] {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: columns, rows: 40)))
        console.report([Sample.running(Sample.job, name: names[0]), Sample.running(Sample.otherJob, name: names[1])])
        // Of the rows of the list alone: the trend below names the selected job.
        return console.screen.split(separator: "\n").map(String.init).filter { $0.contains("RUNNING") }
    }

    /// The job's column of a row of the Overview.
    private func name(_ row: String) -> String {
        let start = row.firstRange(of: "RUNNING").map { row[..<$0.lowerBound] } ?? ""
        return start.split(separator: " ", omittingEmptySubsequences: true).dropFirst(3).joined(separator: " ")
    }

    @Test(arguments: long, [80, 100, 120, 200]) func namesThatDifferLateAreToldApart(names: [String], columns: Int) {
        let rows = overview(names, columns: columns)
        #expect(rows.count == 2)
        #expect(Set(rows.map(name)).count == 2, "\(rows)")
    }

    @Test(arguments: long) func aWideScreenShowsTheWholeName(names: [String]) {
        let rows = overview(names, columns: 200)
        for name in names { #expect(rows.contains { $0.contains(name) }, "\(rows)") }
    }

    @Test func runsOfOneNameAreToldApartByTheirIds() {
        let rows = overview(["orders", "orders"], columns: 80)
        #expect(rows.contains { $0.contains(" orders a41f ") } && rows.contains { $0.contains(" orders b77c ") }, "\(rows)")
    }

    @Test func aLongNameLeavesTheNoteOfTheTrendAlone() {
        var console = ScriptedConsole()
        console.report([Sample.running(name: String(repeating: "a-very-long-job-name-", count: 6))])
        let title = console.screen.split(separator: "\n").first { $0.contains("[trend: ") } ?? ""
        #expect(title.contains("] ") || title.contains("]─"), "\(title)")
        #expect(title.contains(" one cell is 2 s ") && title.contains("~"), "\(title)")
    }

    @Test func theMiddleIsCutOut() {
        #expect(SafeText("abcdefghij").middle(columns: 10) == "abcdefghij")
        #expect(SafeText("abcdefghij").middle(columns: 7) == "abc~hij")
        #expect(SafeText("日本語日本語日本語").middle(columns: 8).columns <= 8)
        #expect(SafeText("abcdefghij").middle(columns: 3) == "ab~")
        #expect(SafeText("abcdefghij").middle(columns: 0) == "")
    }

    // MARK: Typed names

    /// What an engine may call a job, also with marks that are keys of their own.
    private static let typed = ["café-nfd", "cafe\u{301}-nfd", "ราคาน้ำมัน", "हिन्दी-काम", "주문-처리⚡️👩‍👩‍👧é̂", "a\u{323}\u{307}b\u{30a}", "שלום-ניקוד ָ"]

    @Test(arguments: typed, [false, true]) func anyNameCanBeTypedToArm(name: String, isPasted: Bool) {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .prod, address: "x")])
        console.report([Sample.running(name: name)])
        console.press("enter", ":")
        console.type("unlock 15m")
        console.press("enter", "X")
        console.advance(400)
        if isPasted { console.send(.paste(name)) } else { console.type(name) }
        #expect(console.model.openSheet?.isNameMatched == true, "\(console.model.openSheet?.name.text.unicodeScalars.map(\.value) ?? [])")
    }

    @Test(arguments: typed) func anyNameCanBeFound(name: String) {
        var console = ScriptedConsole()
        console.report([Sample.running(name: name), Sample.running(Sample.otherJob, name: "payments")])
        console.press("/")
        console.type(name)
        #expect(console.model.overviewRows.map(\.jobName) == [name])
    }

    @Test func aMarkWithoutACharacterIsShownAsSuch() {
        var field = TextField()
        field.insert("\u{301}")
        #expect(field.text == "\u{fffd}")
        field.insert("e")
        for _ in 0..<9 { field.insert("\u{301}") }
        #expect(field.text.unicodeScalars.count == 2 + SafeText.marksMax)
        _ = field.take(.named(.backspace))
        #expect(field.text == "\u{fffd}")
    }

    // MARK: Figures side by side

    @Test func partsOfManyArePercentages() {
        #expect(Figures.part(312, of: 640, columns: 7) == "312/640")
        #expect(Figures.part(1600, of: 1600, columns: 7) == "100%")
        #expect(Figures.part(1599, of: 1600, columns: 7) == "99%")
        #expect(Figures.part(0, of: 100_000, columns: 7) == "0%")
        #expect(Figures.part(5, of: 0, columns: 7) == "5/0")
    }

    @Test func agesOfYearsKeepTheirColumns() {
        let day: Int64 = 86_400_000
        #expect(Figures.age(Milliseconds(999 * day)) == "999d")
        #expect(Figures.age(Milliseconds(1661 * day)) == "4y")
        #expect(Figures.moment(WallTime(milliseconds: 0), now: WallTime(milliseconds: 20_000 * day), offset: 0).columns <= 8)
    }

    /// Fields with many digits on every row of the lists of checkpoints.
    @Test(arguments: [80, 100, 120, 160]) func manySubtasksAndOldCheckpointsDoNotRunTogether(columns: Int) {
        var old = Sample.checkpoint(4120, ago: 1661 * 86_400_000, took: 31)
        (old.acknowledgedSubtasks, old.totalSubtasks) = (480_000, 480_000)
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: columns, rows: 40)))
        console.report([Sample.running()])
        console.press("enter", "3")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, [old])))
        let row = console.screen.split(separator: "\n").first { $0.contains("4120 ckpt") } ?? ""
        #expect(row.contains("4y ago") && row.contains(" 31ms"), "\(row)")
        #expect(row.contains(" 100%") && !row.contains("480000/"), "\(row)")
    }

    @Test(arguments: [(1600, 4), (32_768, 5)]) func parallelismAndAcknowledgedSubtasksDoNotRunTogether(parallelism: Int, digits: Int) {
        var detail = Sample.detail()
        let subtask = detail.operators?.first?.subtasks.first
        let subtasks = (0..<parallelism).compactMap { index in
            subtask.map { subtask in
                var subtask = subtask
                subtask.index = index
                subtask.acknowledgedAt = Sample.start
                return subtask
            }
        }
        for index in detail.operators?.indices ?? 0..<0 {
            detail.operators?[index].subtasks = subtasks
            detail.operators?[index].parallelism = parallelism
        }
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter", "3")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, [detail])))
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoint(Sample.job, detail)))
        let words = digits == 4 ? " 1600 1600/1600 " : " 32768      100% "
        #expect(console.screen.contains(words), "\(console.screen)")
        console.press("enter", "G")
        #expect(console.screen.contains("\(parallelism - 1) "), "\(console.screen)")
    }

    @Test(arguments: [80, 100, 120]) func theLongestVerbDoesNotTouchTheJob(columns: Int) {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: columns, rows: 40)))
        let request = OperationRequest(id: OperationID(random: 9), kind: .cancel(.discard), job: Sample.job, expectedState: .running, reason: "", by: "a@b")
        console.report([Sample.running()], operations: [OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: Sample.start)])
        #expect(console.screen.contains("cancel+discard lab/orders"), "\(console.screen)")
        console.press("6")
        #expect(console.screen.contains("cancel+discard lab/orders"), "\(console.screen)")
        console.press("!")
        #expect(console.screen.contains("cancel+discard lab/orders"), "\(console.screen)")
    }
}
