import CellGrid
import StreamModel
import TestKit
import Testing

@testable import ConsoleCore

/// What operators see when links break, time passes, operations proceed and lists are walked.
@Suite struct ConsoleBehaviourTests {
    private func atJob(_ job: JobReport = Sample.running(), options: ConsoleOptions = ConsoleOptions()) -> ScriptedConsole {
        var console = ScriptedConsole(options: options)
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(job.id, Sample.list)))
        _ = console.take()
        return console
    }

    // MARK: Links and ages

    @Test func aLostLinkKeepsTheLastValuesAndTellsTheNextTry() {
        var console = atJob()
        console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: console.now + .seconds(8), attempts: 5))))
        #expect(console.screen.contains("down, retry in 8 s (6th try)"))
        #expect(console.screen.contains("IN~    118.4k rec/s"))
        console.advance(3000)
        #expect(console.screen.contains("retry in 6 s"))
        console.send(.engine(context: "lab", .link(.up(roundTrip: 3))))
        #expect(console.lastMessage.hasPrefix("reconnected to lab after 3.0s"))
    }

    @Test func aHungEngineIsShownAsStale() {
        var console = atJob()
        console.advance(3000)
        #expect(!console.screen.contains("~~"))
        console.advance(1000)
        #expect(console.screen.contains("~~ age 4s"))
        #expect(console.screen.contains("the last report is 4s old"))
        #expect(console.screen.contains("CKPT~"))
        console.report([Sample.running()])
        #expect(!console.screen.contains("~"))
    }

    @Test func screensStillOpenWhileTheLinkIsDown() {
        var console = atJob()
        console.send(.engine(context: "lab", .link(.down(reason: "refused", retryAt: nil, attempts: 1))))
        console.press("3", "j", "enter", "q", "5", "6", "1", "?")
        #expect(console.screen.contains("help"))
        console.press("q", "r")
        #expect(console.effects.contains(.retryNow(context: "lab")))
    }

    @Test func clocksThatDifferAreAllowedFor() {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .link(.up(roundTrip: nil))))
        // The engine's clock is an hour ahead.
        let there = console.now + .seconds(3600)
        var job = Sample.running()
        job.latestCompleted?.endedAt = WallTime(milliseconds: there.milliseconds - 30_000)
        console.send(.engine(context: "lab", .report(Sample.engine([job], at: there), receivedAt: console.now)))
        console.press("enter")
        #expect(console.screen.contains("#4120 30s ago"))
    }

    // MARK: Ticks

    @Test func ticksComeOnceASecondAndNotAtAllWhileFrozen() {
        var console = atJob()
        console.now = WallTime(milliseconds: console.now.milliseconds / 1000 * 1000 + 400)
        console.send(.resize(Size(columns: 80, rows: 24)))
        #expect(console.model.nextDueTick == console.now + 600)
        console.press("space")
        #expect(console.model.nextDueTick == nil)
    }

    /// The title shows what the wall clock shows; ages, countdowns and the order of what is remembered are counted by `now`, which knows nothing of it.
    @Test(arguments: [(3_600_000, "forward by 1h00m", "13:04:"), (-3_600_000, "back by 1h00m", "11:04:"), (1700, "forward by 1.7s", "12:04:")])
    func aClockThatIsSetMovesTheTitleAndNothingElse(offset: Int64, words: String, title: String) {
        var console = atJob(Sample.ailing())
        console.advance(2000)
        console.send(.tick)
        let before = console.screen.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().dropLast()
        console.send(.clockWasSet(offset: Milliseconds(offset)))
        let after = console.screen.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(after[0].contains(title), "\(after[0])")
        #expect(Array(before) == Array(after.dropFirst().dropLast()))
        #expect(after.last?.contains("the machine's clock was set \(words)") == true, "\(after)")
        // The next tick comes when the title's second changes.
        let due = console.model.nextDueTick
        #expect(due.map { ($0.milliseconds + offset) % 1000 } == 0)
        #expect(due.map { $0 > console.now && $0 <= console.now + 1000 } == true)
    }

    @Test(arguments: ["1", "2", "3", "5", "6"]) func aTickChangesLittle(_ screen: String) {
        var console = atJob(Sample.ailing())
        console.press(screen)
        console.advance(10_000)
        for state in [LinkState.up(roundTrip: 2), .down(reason: "refused", retryAt: console.now + .seconds(60), attempts: 2)] {
            console.send(.engine(context: "lab", .link(state)))
            console.report([Sample.ailing()])
            if !state.isUp { console.send(.engine(context: "lab", .link(state))) }
            for second in 0..<30 {
                let before = console.frame(console.model.size)
                console.advance(1000)
                let after = console.frame(console.model.size)
                // The fourth second is when everything turns old at once.
                if second == 3 { continue }
                let runs = CellDiff.runs(from: before, to: after)
                // A run costs a move of the cursor (up to 8 bytes), perhaps a style, and its characters.
                let bytes = runs.reduce(0) { $0 + 8 + $1.columns.count }
                #expect(bytes <= 100, "second \(second): \(bytes) bytes in \(runs)")
            }
        }
    }

    // MARK: Freeze

    @Test func freezingKeepsTheScreenWhileRecordingContinues() {
        var console = atJob()
        console.press("space")
        let frozen = console.screen
        console.advance(60_000)
        var job = Sample.running()
        job.state = .failed
        console.report([job])
        #expect(console.screen == frozen)
        #expect(frozen.contains("FROZEN"))
        console.press("space")
        #expect(console.screen.contains("FAILED"))
    }

    // MARK: Operations

    @Test func wordsFollowWhatWasSeen() throws {
        var console = atJob()
        console.press("S", "6")
        let request = try #require(console.sentOperations.first)
        #expect(console.screen.contains("sent"))
        var operation = OperationReport(request: request, jobName: "orders", state: .accepted, acceptedAt: console.now)
        console.send(.engine(context: "lab", .operation(operation)))
        #expect(console.lastMessage.hasSuffix(": accepted"))
        (operation.state, operation.acknowledgedSubtasks, operation.totalSubtasks) = (.running, 5, 8)
        console.advance(5000)
        console.send(.engine(context: "lab", .operation(operation)))
        #expect(console.screen.contains("acked 5/8"))
        operation.state = .completed
        operation.checkpoint = CheckpointID(4122)
        operation.path = "/sp/savepoint-x"
        console.send(.engine(context: "lab", .operation(operation)))
        #expect(console.lastMessage.contains("the engine says completed; not observed yet"))
        #expect(console.model.live.operations[0].stage == .completed)
        var job = Sample.running()
        job.latestSavepoint = Sample.checkpoint(4122, ago: 0, kind: .savepoint)
        console.report([job], operations: [operation])
        #expect(console.model.live.operations[0].stage == .observed)
        #expect(console.lastMessage.contains("observed: savepoint #4122"))
        console.press("y")
        #expect(console.effects.contains { if case .copy(let text) = $0 { text.contains("/sp/savepoint-x") } else { false } })
    }

    @Test func anOlderAnswerDoesNotUndoANewerOne() throws {
        var console = atJob()
        console.press("S")
        let request = try #require(console.sentOperations.first)
        console.send(
            .engine(
                context: "lab",
                .operation(OperationReport(request: request, jobName: "orders", state: .failed, acceptedAt: console.now, error: "disk full"))))
        console.send(
            .engine(context: "lab", .operation(OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: console.now))))
        #expect(console.model.live.operations[0].stage == .failed)
        #expect(console.lastMessage.contains("failed: disk full"))
        #expect(console.effects.contains(.bell))
    }

    @Test func anOperationThatTheEngineDoesNotKnowIsUnknown() {
        var console = atJob()
        console.press("S")
        console.send(.engine(context: "lab", .link(.down(reason: "refused", retryAt: nil, attempts: 1))))
        console.advance(10_000)
        #expect(console.model.live.operations[0].stage == .sent)
        console.report([Sample.running()])
        #expect(console.model.live.operations[0].stage == .unknown)
        #expect(console.lastMessage.contains("outcome unknown"))
    }

    @Test func aReattachedOperationWithoutTraceIsUnknown() throws {
        var console = ScriptedConsole()
        let request = OperationRequest(id: try #require(OperationID("7f3a00")), kind: .checkpoint, job: Sample.job)
        console.send(.reattached([OperationReport(request: request, jobName: "orders", state: .accepted, acceptedAt: Sample.ago(60_000))]))
        console.report([Sample.running()])
        #expect(console.model.live.operations[0].stage == .unknown)
        // It turns up after all.
        let running = OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: Sample.ago(60_000))
        console.report([Sample.running()], operations: [running])
        #expect(console.model.live.operations[0].stage == .running)
    }

    @Test func aCancelIsFollowedUntilItsCheckpointIsObserved() throws {
        var console = atJob()
        console.press("C")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.first)
        let operation = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now)
        console.report([Sample.running(state: .cancelling)], operations: [operation])
        #expect(console.model.live.operations[0].stage == .completed)
        _ = console.take()
        console.report([Sample.running(state: .canceled)], operations: [operation])
        #expect(console.model.live.operations[0].stage == .observed)
        let path = try #require(Sample.list[0].path)
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: path)))))
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: path, verdict: .ok, checkpoint: CheckpointID(4120)))))
        #expect(console.lastMessage.contains("job is CANCELED, #4120 is kept, files ok"))
        #expect(console.screen.contains("R restarts from one"))
    }

    @Test func operationsOfAnEarlierRunAreFollowedAgain() throws {
        var console = ScriptedConsole()
        let id = try #require(OperationID("7f3a00"))
        let request = OperationRequest(id: id, kind: .savepoint(directory: nil), job: Sample.job, by: "jdoe@ops1")
        console.report([Sample.running()])
        console.send(.reattached([OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: console.now)]))
        #expect(console.lastMessage == "re-attached to op 7f3a")
        var done = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, checkpoint: CheckpointID(4114))
        done.path = Sample.list[6].path
        console.report([Sample.running()], operations: [done])
        #expect(console.lastMessage.contains("observed"))
        console.press("6")
        #expect(console.screen.contains("observed"))
    }

    @Test func progressIsShownOnEveryScreen() throws {
        var console = atJob()
        console.press("S")
        let request = try #require(console.sentOperations.first)
        let running = OperationReport(
            request: request, jobName: "orders", state: .running, acceptedAt: console.now, acknowledgedSubtasks: 3, totalSubtasks: 8)
        console.report([Sample.running()], operations: [running])
        console.advance(6000)
        for key in ["1", "2", "3", "5", "6"] {
            console.press(key)
            #expect(console.screen.contains("acked 3/8"), "on screen \(key)")
        }
    }

    // MARK: Requests

    @Test func listsAreAskedForOnceAndAgainWhenTheyChange() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        #expect(!console.effects.contains(.send(context: "lab", .ask(.checkpoints(Sample.job)))), "nothing is asked for what is not shown")
        console.press("enter")
        func asked() -> Int { console.effects.count { $0 == .send(context: "lab", .ask(.checkpoints(Sample.job))) } }
        #expect(asked() == 1)
        console.report([Sample.running()])
        #expect(asked() == 1)
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        for _ in 0..<5 {
            console.advance(1000)
            console.report([Sample.running()])
        }
        #expect(asked() == 1)
        var job = Sample.running()
        job.checkpointsRevision = 2
        console.report([job])
        #expect(asked() == 2)
        // No answer: asked again after a while, not at once.
        console.advance(2000)
        console.report([job])
        #expect(asked() == 2)
        console.advance(4000)
        #expect(asked() == 3)
    }

    @Test func detailsAreAskedForWhenShown() {
        var console = atJob()
        // That of the newest is wanted on the job screen already; what was asked for a while ago is asked for again.
        console.advance(6000)
        console.press("enter")
        #expect(console.effects.contains(.send(context: "lab", .ask(.checkpoint(Sample.job, CheckpointID(4120))))))
        console.send(.engine(context: "lab", .checkpoint(Sample.job, Sample.detail())))
        _ = console.take()
        console.advance(10_000)
        console.report([Sample.running()])
        #expect(!console.effects.contains { if case .send(_, .ask(.checkpoint)) = $0 { true } else { false } }, "a completed checkpoint does not change")
        #expect(console.screen.contains("revenue -> sink"))
        console.press("j", "enter")
        #expect(console.screen.contains("by subtask: revenue -> sink"))
        console.press("}")
        #expect(console.lastMessage == "#4120 is the newest")
        console.press("{")
        #expect(console.screen.contains("#4119"))
    }

    @Test func memoryOfVanishedJobsIsDropped() {
        var console = atJob()
        console.report([Sample.running(Sample.otherJob, name: "billing")])
        #expect(console.model.live.contexts[0].memories.count == 1)
        #expect(console.screen.contains("not in the last report"))
        console.press("S")
        #expect(console.sentOperations.isEmpty)
    }

    // MARK: Lists and navigation

    @Test func overviewPutsTheWorstFirstAndHoldsTheCursor() {
        var console = ScriptedConsole()
        var sick = Sample.ailing()
        sick.name = "zebra"
        console.report([Sample.running(Sample.otherJob, name: "alpha"), sick])
        let lines = console.screen.split(separator: "\n").map(String.init)
        let zebra = lines.firstIndex { $0.contains("zebra") }
        let alpha = lines.firstIndex { $0.contains("alpha") }
        #expect(zebra ?? 99 < alpha ?? 0)
        console.press("j")
        #expect(console.model.focusedJob?.job == Sample.otherJob)
        var worse = Sample.running(Sample.otherJob, name: "alpha")
        worse.state = .failed
        console.report([worse, sick])
        #expect(console.model.focusedJob?.job == Sample.otherJob, "the cursor stays with the job")
    }

    @Test func filtersNarrowAndClear() {
        var console = atJob()
        console.press("3", "/")
        console.type("FAIL")
        console.press("enter")
        #expect(console.model.checkpointRows.map(\.id.rawValue) == [4116, 4115])
        #expect(console.screen.contains("/FAIL"))
        #expect(!console.screen.contains("4120 ckpt"))
        console.press("esc")
        #expect(console.model.checkpointRows.count == Sample.list.count)
        console.press("/")
        console.type("nothing like this")
        #expect(console.screen.contains("no checkpoint matches the filter"))
        console.press("esc")
        #expect(console.model.listViews[.checkpoints].filter == nil)
    }

    @Test func typingIntoAFilterDoesNotAct() {
        var console = atJob()
        console.press("3", "/")
        console.type("SCRXB")
        #expect(console.sentOperations.isEmpty)
        guard case .filter(let field) = console.model.modals.last else { return #expect(Bool(false), "the filter is open") }
        #expect(field.text == "SCRXB")
    }

    @Test func backLeadsUpAndQuitAsks() {
        var console = atJob()
        console.press("3", "enter", "q", "q", "q")
        #expect(console.model.screens == [.overview])
        #expect(console.effects.allSatisfy { $0 != .quit })
        console.press("q", "n")
        #expect(console.effects.allSatisfy { $0 != .quit })
        console.press("q", "q")
        #expect(console.effects.allSatisfy { $0 != .quit }, "the key that asks does not answer")
        console.press("q", "y")
        #expect(console.effects.contains(.quit))
    }

    @Test func controlKeysWorkEverywhere() {
        var console = atJob()
        console.press("C", "ctrl-l", "ctrl-z")
        #expect(console.effects.contains(.repaint) && console.effects.contains(.suspend))
        console.press("ctrl-c")
        #expect(console.model.modals.isEmpty)
        console.press("ctrl-c")
        #expect(!console.effects.contains(.quit))
        console.press("ctrl-c")
        #expect(console.effects.contains(.quit))
        _ = console.take()
        console.send(.resumedFromSuspend)
        #expect(console.effects == [.repaint])
        console.send(.terminate)
        #expect(console.effects.last == .quit)
    }

    @Test func jobsAreSteppedThrough() {
        var console = ScriptedConsole()
        console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing")])
        console.press("2")
        let first = console.model.currentJob
        console.press("]")
        #expect(console.model.currentJob != first)
        console.press("]")
        #expect(console.model.currentJob == first)
    }

    @Test func copyingIsSafeToPaste() {
        var job = Sample.running()
        job.latestCompleted?.path = "/tmp/a b'c\n\u{1b}[31mrm"
        var console = atJob(job)
        console.send(.engine(context: "lab", .checkpoints(Sample.job, [])))
        console.press("3", "y", "Y")
        let copies = console.effects.compactMap { if case .copy(let text) = $0 { text } else { nil } }
        #expect(copies == ["/tmp/a b'c\u{fffd}rm", "weir restart \(Sample.job) --from '/tmp/a b'\\''c\u{fffd}rm'"])
    }

    // MARK: Commands

    @Test(arguments: [
        ("nonsense", "there is no command \"nonsense\"; commands: savepoint, checkpoint"), ("restore", "usage: restore PATH"),
        ("stop --now", "usage: stop"),
        ("cancel now", "usage: cancel"), ("theme", "usage: theme NAME"), ("fault", "usage: fault TEXT"), ("unlock", "lab has no lock"),
    ]) func badCommandsSayWhatIsRight(_ line: String, _ answer: String) {
        var console = atJob()
        console.press(":")
        console.type(line)
        console.press("enter")
        #expect(console.lastMessage.hasPrefix(answer))
        #expect(console.sentOperations.isEmpty)
    }

    @Test func commandsDoTheirJob() {
        var console = atJob()
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(canFault: true))))
        for line in ["savepoint /var/my savepoints", "fault slow 5s", "theme slate", "help", "quit"] {
            if case .help = console.model.modals.last { console.press("q") }
            console.press(":")
            console.type(line)
            console.press("enter")
        }
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: "/var/my savepoints"), .fault("slow 5s")])
        #expect(console.effects.contains(.loadTheme("slate")) && console.effects.contains(.quit))
    }

    @Test func faultsNeedAnEngineThatHasThem() {
        var console = atJob()
        console.press(":")
        console.type("fault crash")
        console.press("enter")
        #expect(console.sentOperations.isEmpty)
        #expect(console.lastMessage == "fault injection is not enabled on lab")
    }

    @Test func commandsAreCompletedAndRecalled() {
        var console = atJob()
        console.press(":")
        console.type("sav")
        console.press("tab")
        guard case .command(let prompt) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(prompt.field.text == "savepoint ")
        console.press("enter", ":", "up")
        guard case .command(let recalled) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(recalled.field.text == "savepoint ")
    }

    // MARK: Themes

    @Test func themesArePreviewedAndRestored() throws {
        var console = atJob()
        console.press("T", "j")
        #expect(console.effects.contains(.loadTheme("base16")))
        let loaded = try #require(Theme.builtin("base16"))
        console.send(.themeLoaded(loaded, warnings: []))
        #expect(console.model.theme.name == "base16")
        console.press("esc")
        #expect(console.model.theme.name == "base")
        console.send(.themeFailed("x.toml:3: unknown role"))
        #expect(console.lastMessage == "theme not loaded: x.toml:3: unknown role")
        #expect(console.model.theme.name == "base")
    }

    // MARK: Hostile input

    @Test func everySizeAndEveryScreenRenders() {
        for scene in Scene.all {
            let console = scene.console(Size(columns: 120, rows: 40))
            for (columns, rows) in [
                (1, 1), (2, 1), (1, 2), (3, 50), (200, 3), (39, 5), (79, 24), (80, 23), (80, 24), (81, 25), (99, 29), (119, 39), (120, 39), (119, 40),
                (250, 80),
            ] {
                let size = Size(columns: columns, rows: rows)
                var canvas = Canvas(size: size)
                render(console.model, into: &canvas)
                #expect(canvas.buffer.size == size)
            }
        }
    }

    @Test func hostileReportsAreDrawnSafely() {
        var random = SeededGenerator(seed: 0xbad)
        let strings = ["\u{1b}[2J\u{1b}]0;x\u{7}", "日本語\u{202e}", String(repeating: "x", count: 5000), "", "a\nb\tc", "\u{301}\u{301}\u{301}"]
        for _ in 0..<40 {
            func text() -> String { strings[Int.random(in: 0..<strings.count, using: &random)] }
            func number() -> Int64 { [0, -1, 1, 1 << 40, -(1 << 40)][Int.random(in: 0..<5, using: &random)] }
            var job = Sample.ailing()
            job.name = text()
            job.throughput.recordsReadPerSecond = [Double.nan, .infinity, -1, 1e300, 0][Int.random(in: 0..<5, using: &random)]
            job.throughput.inputFraction = [Double.nan, -5, 5, nil][Int.random(in: 0..<4, using: &random)]
            job.budget.counted = Int(number())
            job.budget.tolerable = Bool.random(using: &random) ? Int(number()) : nil
            job.parallelism = Int(number())
            job.maxParallelism = Int(number())
            job.inProgress[0].triggeredAt = WallTime(milliseconds: number())
            job.inProgress[0].timeoutAt = WallTime(milliseconds: number())
            job.latestCompleted?.path = text()
            job.latestCompleted?.stateSize = ByteCount(number())
            job.latestCompleted?.duration = Milliseconds(number())
            job.lastFailure?.message = text()
            job.vertices[0].name = text()
            job.vertices[0].backPressuredPermille = Int(number())
            job.vertices[0].parallelism = Int(number())
            var console = atJob(job)
            for key in ["1", "2", "3", "enter", "enter", "5", "6", "2", "R", "enter", "enter", "esc", "esc", "esc", "C"] {
                console.press(key)
                for size in [Size(columns: 40, rows: 6), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)] {
                    #expect(!console.screen(size).unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0.value == 0x202e })
                }
            }
        }
    }

    @Test func randomKeysNeverTrap() {
        var random = SeededGenerator(seed: 0x7a9)
        let keys = options(random: &random)
        for _ in 0..<100 {
            var console = atJob(Sample.ailing())
            for _ in 0..<80 {
                switch Int.random(in: 0..<20, using: &random) {
                case 0: console.send(.resize(Size(columns: Int.random(in: 0...150, using: &random), rows: Int.random(in: 0...50, using: &random))))
                case 1: console.report(Bool.random(using: &random) ? [Sample.running()] : [])
                case 2: console.send(.paste("restore /x\n:cancel"))
                case 3: console.send(.engine(context: "lab", .checkpoint(Sample.job, Sample.detail())))
                default: console.press(keys[Int.random(in: 0..<keys.count, using: &random)])
                }
                _ = console.screen
            }
        }
    }

    private func options(random: inout SeededGenerator) -> [String] {
        KeyMap.standard.bindings.map(\.key.description) + ["y", "n", "x", "0", "tab", "left"]
    }
}
