// Goal: from 60x15 on everything can be reached and done, and nothing is confirmed that cannot be read. Method: keys on the console without a
// terminal, at sizes between the smallest one that acts and the one where boxes leave room around them.

import CellGrid
import EngineClients
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct AnySizeTests {
    private static let sizes = [
        Size(columns: 60, rows: 15), Size(columns: 60, rows: 40), Size(columns: 66, rows: 18), Size(columns: 79, rows: 24), Size(columns: 200, rows: 15),
        Size(columns: 80, rows: 24),
    ]

    private func console(_ size: Size, _ contextClass: ContextClass = .lab, _ job: JobReport = Sample.running()) -> ScriptedConsole {
        let options = ConsoleOptions(
            size: size,
            preview: { dialect, version, operation in
                var preview = RequestText.preview(dialect, version: version, operation)
                preview.messages[0].text = (1...30).map { "request line \($0) of \(operation.job)" }
                return preview
            })
        var console = ScriptedConsole([ContextDescription(name: "lab", class: contextClass, address: "/run/e.sock")], options: options)
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        return console
    }

    /// What is written on the screen, in one line: frames are left out, and so are line ends.
    private func words(_ console: ScriptedConsole) -> String {
        console.screen.replacing("│", with: " ").split { $0 == " " || $0 == "\n" }.joined(separator: " ")
    }

    private func squeezed(_ text: SafeText) -> String { text.string.split(separator: " ").joined(separator: " ") }

    // MARK: Lists

    /// A screen with a list, how it is reached, and words of its first and last row.
    struct List: Sendable, CustomTestStringConvertible {
        let name: String
        let keys: [String]
        let first, last: String
        var testDescription: String { name }
    }

    private static let lists = [
        List(name: "overview", keys: ["1"], first: "job-100", last: "job-139"),
        List(name: "job", keys: ["2"], first: "4120", last: "4081"),
        List(name: "checkpoints", keys: ["3"], first: "4120", last: "4081"),
        List(name: "failures", keys: ["5"], first: "part aa", last: "part bn"),
        List(name: "operations", keys: ["6"], first: "savepoint", last: "cancel"),
        List(name: "config", keys: ["7"], first: "checkpoint interval", last: "engine state"),
        List(name: "contexts", keys: ["@"], first: "lab", last: "other-29"),
        List(name: "audit", keys: ["!"], first: "savepoint", last: "cancel"),
    ]

    /// Failures that differ in numbers alone have one root cause.
    private static func letters(_ index: Int) -> String {
        String([index / 26, index % 26].compactMap { UnicodeScalar(0x61 + UInt32($0)) }.map(Character.init))
    }

    private func full(_ size: Size) -> ScriptedConsole {
        var contexts = [ContextDescription(name: "lab", class: .lab, address: "/run/e.sock")]
        contexts += (1..<30).map { ContextDescription(name: "other-\($0)", class: .prod, address: "/run/\($0).sock") }
        var console = ScriptedConsole(contexts, options: ConsoleOptions(size: size))
        let others = (100..<140).map { Sample.running(JobID(high: 1, low: UInt64($0)), name: "job-\($0)") }
        let operations = (0..<40).map { index in
            let kind = index == 0 ? OperationRequest.Kind.cancel(.keep) : .savepoint(directory: nil)
            return OperationReport(
                request: OperationRequest(id: OperationID(random: UInt64(index + 1)), kind: kind, job: Sample.job, by: "mira@ops2"), jobName: "orders",
                state: .completed, acceptedAt: Sample.ago(Int64(100_000 - index * 1000)))
        }
        console.report(others + [Sample.running()], operations: operations)
        console.press("/")
        console.type("job:orders")
        console.press("enter", "enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, (0..<40).map { Sample.checkpoint(4120 - UInt64($0), ago: 2400 + Int64($0) * 3000) })))
        let failures = (0..<40).map { index in
            FailureReport(
                at: Sample.ago(Int64(index + 1) * 60_000), message: "part \(Self.letters(index)) is missing", vertex: "sink", subtask: 0, attempt: 1)
        }
        console.send(.engine(context: "lab", .failures(Sample.job, failures)))
        console.press("1", "esc")
        console.model.messages = []
        return console
    }

    @Test(arguments: lists, sizes) func `every list is scrolled from its first row to its last`(_ list: List, _ size: Size) {
        var console = full(size)
        if list.name != "overview" {
            while console.model.focusedJob?.job != Sample.job { console.press("j") }
        }
        for key in list.keys { console.press(key) }
        console.press("g")
        if list.name == "overview" {
            console.press("/")
            console.type("job-")
            console.press("enter", "g")
        }
        #expect(console.screen.contains(list.first), "\(console.screen)")
        console.press("G")
        #expect(console.screen.contains(list.last), "\(console.screen)")
        #expect(console.model.listPosition.index == console.model.listPosition.count - 1)
    }

    @Test(arguments: sizes) func `the overview keeps the columns that decide`(_ size: Size) throws {
        var console = ScriptedConsole(
            [ContextDescription(name: "lab", class: .lab, address: "x"), ContextDescription(name: "prod-eu", class: .prod, address: "y")],
            options: ConsoleOptions(size: size))
        var sick = Sample.ailing()
        sick.name = "fraud-scoring"
        console.report([sick], context: "prod-eu")
        console.report([Sample.running()])
        let row = try #require(console.screen.split(separator: "\n").first { $0.hasPrefix(">") })
        for part in ["prod-eu", "fraud-scoring", "RUNNING", "38m", "3/3!"] { #expect(row.contains(part), "\(row)") }
        #expect(words(console).contains("CKPT 3/3 tolerated failures used: the next counted failure fails the job"), "\(console.screen)")
        #expect(console.screen.contains("S savepoint resets the count") || size.columns < 79, "\(console.screen)")
    }

    // MARK: Boxes

    @Test(arguments: sizes) func `the actions menu says which action helps and which is locked`(_ size: Size) {
        var console = console(size, .lab, Sample.running(state: .canceled))
        console.press("a")
        for command in Command.acting { #expect(console.screen.contains(console.model.options.keyMap.label(command).string), "\(console.screen)") }
        #expect(console.screen.contains("locked: orders is CANCELED"), "\(console.screen)")
        console.press("R")
        #expect(console.screen.contains("1 choose > 2 options"))
    }

    @Test(arguments: sizes) func `a restart goes from its list to its proof`(_ size: Size) {
        var console = console(size, .lab, Sample.running(state: .canceled))
        console.press("R")
        for checkpoint in Sample.list where checkpoint.isRestorable {
            console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: checkpoint.path ?? "", verdict: .ok))))
        }
        console.press("G")
        #expect(console.screen.contains("> 4114  save"), "\(console.screen)")
        console.press("enter")
        for text in ["claim mode", "unmatched state", "parallelism", "program orders", "Space change"] {
            #expect(console.screen.contains(text), "\(text)\n\(console.screen)")
        }
        console.press("enter")
        console.advance(400)
        #expect(words(console).contains("4114"), "\(console.screen)")
        console.press("pgdn", "pgdn", "y")
        #expect(console.sentOperations.map(\.kind.verb) == ["restart"], "\(console.screen)")
        for step in ["launched", "outputs", "VERDICT"] { #expect(console.screen.contains(step), "\(step)\n\(console.screen)") }
    }

    @Test(arguments: sizes) func `the evidence of an operation is scrolled to its end`(_ size: Size) throws {
        var console = console(size)
        let request = OperationRequest(id: OperationID(random: 3), kind: .cancel(.keep), job: Sample.job, reason: "INC-7", by: "mira@ops2")
        let error = (1...60).map { "word\($0)" }.joined(separator: " ")
        console.report(
            [Sample.running()],
            operations: [OperationReport(request: request, jobName: "orders", state: .failed, acceptedAt: console.now, error: error)])
        console.press("6", "enter")
        var seen = words(console)
        for _ in 0..<40 {
            console.press("j")
            seen += " " + words(console)
        }
        for word in ["stage failed", "reason: INC-7", "word1 ", "word60"] { #expect(seen.contains(word), "\(word)\n\(seen)") }
        let first = console.screen
        console.press("j")
        #expect(console.screen.split(separator: "\n").dropFirst().first == first.split(separator: "\n").dropFirst().first, "at the end it stays")
        #expect(try #require(console.screen.split(separator: "\n").last).contains("? help"), "\(console.screen)")
    }

    // MARK: Sheets

    @Test(arguments: sizes) func `every line of every page of a sheet can be read`(_ size: Size) throws {
        var console = console(size, .prod, Sample.ailing())
        console.press("C")
        console.advance(400)
        console.press("tab", "tab")
        let sheet = try #require(console.model.openSheet)
        func read(_ page: String?) -> String {
            if let page { console.press(page) }
            var seen = words(console)
            for _ in 0..<60 {
                console.press("down")
                seen += " " + words(console)
            }
            if let page { console.press(page) }
            return seen
        }
        let request = read("d")
        for line in 1...30 { #expect(request.contains("request line \(line) of"), "\(line)\n\(request)") }
        let checks = read("v")
        let first = read(nil)
        for line in console.model.preflight(sheet.action, sheet.target.key, sheet.rule) {
            let text = squeezed(line.text)
            // Ages grow while a text is read.
            for word in text.split(separator: " ") where !word.contains(where: \.isNumber) { #expect(checks.contains(word), "\(text)") }
            if line.verdict != .ok { #expect(first.contains(line.badge.string)) }
        }
        for part in ["target orders job a41f9c00", "will send cancel", "effect stops at once", "no undo"] {
            #expect(first.contains(part), "\(part)\n\(first)")
        }
    }

    // The operator has scrolled to the end while the files were being read; what is then said of them stands above.
    @Test func `a warning that comes after a sheet was scrolled is read before it is answered`() throws {
        var console = console(Size(columns: 60, rows: 15), .lab, Sample.running(state: .canceled))
        console.press("R", "G", "enter", "enter")
        console.advance(400)
        console.press("pgdn", "pgdn", "pgdn")
        let path = try #require(Sample.list.first { $0.id == CheckpointID(4114) }?.path)
        let problem = "not reachable from here: " + (1...30).map { "word\($0)" }.joined(separator: " ")
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: path, verdict: .unreachable, problem: problem))))
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty && console.screen.contains("to read"), "\(console.screen)")
        for _ in 0..<8 { console.press("pgdn") }
        console.press("y")
        #expect(console.sentOperations.map(\.kind.verb) == ["restart"], "\(console.screen)")
    }

    @Test(arguments: sizes) func `production is confirmed with name, reason and window`(_ size: Size) {
        var console = console(size, .prod)
        console.press(":")
        console.type("unlock 15m")
        console.press("enter", "X")
        console.advance(400)
        console.type("orders")
        console.press("tab")
        console.type("INC-7")
        #expect(console.screen.contains("matches") && console.screen.contains("INC-7"), "\(console.screen)")
        for _ in 0..<5 { console.press("pgdn") }
        console.press("enter")
        #expect(console.screen.contains("ARMED: sending in 5 s; Esc aborts"), "\(console.screen)")
        #expect(words(console).contains("takes a savepoint and finishes, in one step; the job can be restarted from it"), "\(console.screen)")
        console.report([Sample.running()])
        console.advance(6200)
        #expect(console.sentOperations.map(\.reason) == ["INC-7"], "\(console.lastMessage)")
    }

    /// A way to a sheet, and words on what it would do.
    struct Deed: Sendable, CustomTestStringConvertible {
        let name: String
        let title: String
        let keys: [String]
        var line: String?
        var testDescription: String { name }
    }

    private static let deeds = [
        Deed(name: "savepoint", title: "SAVEPOINT", keys: ["S"]), Deed(name: "cancel", title: "CANCEL, KEEP CHECKPOINTS", keys: ["C"]),
        Deed(name: "discard", title: "CANCEL AND DISCARD ALL STATE", keys: [], line: "cancel --discard-state"),
        Deed(name: "stop", title: "STOP WITH SAVEPOINT", keys: ["X"]),
        Deed(name: "restart", title: "RESTART FROM A CHECKPOINT", keys: ["R", "enter", "enter"]),
        Deed(name: "dispose", title: "DELETE A SAVEPOINT", keys: ["3", "G", "k"], line: "dispose"),
    ]

    /// Every size from the smallest that acts; the answer is pressed on each, and only where all that decides is on the screen it is taken.
    @Test(arguments: deeds, [ContextClass.lab, .staging]) func `an answer is taken only where all that decides can be read`(
        _ deed: Deed, _ contextClass: ContextClass
    ) throws {
        var sent = 0, locked = 0
        for columns in [60, 61, 67, 79, 80, 100] {
            for rows in 15...26 {
                var job = Sample.ailing()
                job.inProgress = []
                var console = console(Size(columns: columns, rows: rows), contextClass, job)
                console.send(
                    .engine(context: "lab", .capabilities(EngineCapabilities(canOverrideRetention: true, canDispose: true))))
                for key in deed.keys { console.press(key) }
                if let line = deed.line {
                    console.press(":")
                    console.type(line)
                    console.press("enter")
                }
                for effect in console.effects {
                    switch effect {
                    case .send(_, .ask(.inspectForDeletion(let path))), .send(_, .ask(.inspect(let path))):
                        var found = SnapshotInspection(path: path, verdict: .ok)
                        found.needs = .init(jobs: [])
                        console.send(.engine(context: "lab", .inspection(found)))
                    default: break
                    }
                }
                console.advance(400)
                guard let sheet = console.model.openSheet else {
                    #expect(contextClass == .lab && deed.name == "savepoint", "no sheet at \(columns)x\(rows)")
                    continue
                }
                if sheet.rule.needsName { console.type("orders") }
                let seen = words(console)
                let check = try #require(console.model.check(sheet.target.key))
                let decides =
                    [deed.title, "orders", "context lab (\(contextClass.rawValue))", squeezed(check.effect(sheet.action))]
                    + check.lines(sheet.action, at: sheet.rule).filter { $0.verdict != .ok }.map { squeezed($0.text) }
                console.press(sheet.rule.needsName ? "enter" : "y")
                let isAccepted = !console.sentOperations.isEmpty || console.model.openSheet?.secondLook != nil
                if isAccepted {
                    sent += 1
                    // A path that is longer than a line is broken within.
                    for part in decides { #expect(seen.filter { $0 != " " }.contains(part.filter { $0 != " " }), "\(columns)x\(rows): \(part)\n\(seen)") }
                } else {
                    locked += 1
                    #expect(console.screen.contains("to read: PgDn") || console.screen.contains("rows are needed"), "\(columns)x\(rows)\n\(console.screen)")
                }
            }
        }
        #expect(sent > 30 || contextClass == .lab && deed.name == "savepoint", "\(sent) sent, \(locked) locked")
    }

    @Test func `warnings that do not fit are scrolled to before the answer is taken`() {
        var job = Sample.ailing()
        job.latestSavepoint = nil
        job.recipe = nil
        var console = console(Size(columns: 60, rows: 15), .staging, job)
        console.press("C")
        console.advance(400)
        console.type("orders")
        console.press("enter")
        #expect(console.sentOperations.isEmpty && console.screen.contains("to read: PgDn"), "\(console.screen)")
        for _ in 0..<4 { console.press("pgdn") }
        console.press("enter")
        #expect(console.sentOperations.count == 1, "\(console.screen)")
    }

    @Test func `a text that no scrolling makes room for locks the answer`() {
        var console = console(Size(columns: 60, rows: 15), .staging)
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(canDispose: true))))
        let path = "/" + String(repeating: "deep/", count: 60)
        console.press(":")
        console.type("dispose \(path)")
        console.press("enter")
        var found = SnapshotInspection(path: path, verdict: .ok)
        found.needs = .init(jobs: [])
        console.send(.engine(context: "lab", .inspection(found)))
        console.advance(400)
        console.type("orders")
        console.press("enter")
        #expect(console.sentOperations.isEmpty && console.model.openSheet?.secondLook == nil)
        #expect(console.screen.contains("rows are needed"), "\(console.screen)")
        console.send(.resize(Size(columns: 80, rows: 40)))
        console.press("pgdn", "enter")
        #expect(console.model.openSheet?.secondLook != nil, "\(console.screen)")
    }
}
