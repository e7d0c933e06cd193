import CellGrid
import StreamModel
import TestKit
import Testing

@testable import ConsoleCore

/// What it takes to act, by tier and class of the context, and what keeps a key from acting. Keys go in, requests come out.
@Suite struct GuardTests {
    private func console(
        _ contextClass: ContextClass, _ job: JobReport = Sample.running(), options: ConsoleOptions = ConsoleOptions(), isReadOnly: Bool = false
    ) -> ScriptedConsole {
        var console = ScriptedConsole(
            [ContextDescription(name: "lab", class: contextClass, address: "/run/x", isReadOnly: isReadOnly)], options: options)
        console.report([job])
        console.press("enter")
        _ = console.take()
        return console
    }

    // MARK: T1

    @Test(arguments: [ContextClass.lab, .demo]) func savepointAndCheckpointAreSentAtOnceInTheLab(_ contextClass: ContextClass) {
        var console = console(contextClass)
        console.press("S")
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: nil)])
        #expect(console.sentOperations[0].by == "jdoe@ops1")
        #expect(console.sentOperations[0].expectedState == .running)
        #expect(console.lastMessage.contains("op \(console.sentOperations[0].id.short)"))
        #expect(console.lastMessage.contains("sent, not accepted yet"))
        console.press("B")
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: nil), .checkpoint])
    }

    @Test(arguments: JobState.allCases) func aHistoryServerLocksEveryAction(_ state: JobState) {
        var console = console(.lab, Sample.running(state: state))
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(dialect: .flinkREST, isHistoryServer: true))))
        for key in ["S", "C", "X", "R", "B"] {
            console.press(key)
            #expect(console.lastMessage == "lab is a history server: it runs no jobs")
        }
        #expect(console.sentOperations.isEmpty && console.model.modals.isEmpty)
        #expect(console.screen.contains("[RO]") && console.screen.contains("locked: history"))
    }

    /// In each state, the actions that an operator may need are there: ending a job that is not up yet above all.
    @Test func everyStateHasItsActions() {
        for state in JobState.allCases {
            let console = console(.lab, Sample.running(state: state))
            let open = [Command.savepoint, .checkpoint, .stop, .cancel, .restart].filter {
                console.model.refusal($0, on: JobKey(context: "lab", job: Sample.job)) == nil
            }
            switch state {
            case .running: #expect(open == [.savepoint, .checkpoint, .stop, .cancel, .restart])
            case .failed, .canceled, .finished: #expect(open == [.restart], "\(state)")
            case .initializing, .restarting, .failing, .cancelling, .suspended: #expect(open == [.cancel, .restart], "\(state)")
            }
        }
    }

    @Test func aVersionThatIsNotTestedIsWarnedOfOnce() {
        var console = console(.lab)
        let capabilities = EngineCapabilities(dialect: .flinkREST, versionWarning: "Flink 3.0.0 is newer than 2.3, the newest that Weir is tested with")
        for _ in 0..<2 { console.send(.engine(context: "lab", .capabilities(capabilities))) }
        #expect(console.model.messages.filter { $0.text.string.contains("3.0.0") }.count == 1)
        console.press("@")
        #expect(console.screen.contains("Flink 3.0.0 is newer"), "\(console.screen)")
    }

    /// Text that a slow line brings one key after the other is no answer.
    @Test(arguments: [5, 40, 120] as [Int64], ["Xy", "XyyyyyyyyyyyySy", "Ry\ryyyyyyyyy"]) func aSlowPasteAnswersNoSheet(gap: Int64, text: String) {
        var console = console(.lab, Sample.running(retention: .retainOnCancellation))
        for scalar in text.unicodeScalars {
            console.advance(gap)
            console.send(.key(scalar == "\r" ? .named(.enter) : .character(scalar)))
        }
        #expect(console.sentOperations.isEmpty)
    }

    @Test func anAnswerAfterAPauseIsTaken() {
        var console = console(.lab)
        console.press("X")
        console.advance(120)
        console.send(.key(.character("y")))
        #expect(console.sentOperations.isEmpty)
        console.advance(400)
        console.send(.key(.character("y")))
        #expect(console.sentOperations.count == 1)
    }

    @Test func aSecondSavepointWaitsForTheFirst() {
        var console = console(.lab)
        console.press("S", "S", "S")
        #expect(console.sentOperations.count == 1)
        #expect(console.lastMessage.contains("is already in progress"))
    }

    @Test func stagingAsksForAKeyThatIsNotTheOpener() {
        var console = console(.staging)
        console.press("S")
        #expect(console.sentOperations.isEmpty)
        #expect(console.effects.contains(.flushInput))
        console.press("S", "S", "enter")
        #expect(console.sentOperations.isEmpty)
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: nil)])
    }

    @Test func productionTakesSavepointsOnlyWithACleanPreflight() {
        var job = Sample.running()
        job.inProgress = [Sample.flying(4121, ago: 100)]
        job.inProgress[0].kind = .savepoint
        var console = console(.prod, job)
        console.press("S")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("production requires a clean preflight"))
        console.report([Sample.running()])
        console.press("y")
        #expect(console.sentOperations.count == 1)
    }

    // MARK: T2 and T3

    @Test(arguments: ["C", "X"]) func theLabAsksForY(_ key: String) {
        var console = console(.lab)
        console.press(key)
        #expect(console.effects.contains(.flushInput))
        console.advance(300)
        console.press(key, "enter")
        #expect(console.sentOperations.isEmpty)
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [key == "C" ? .cancel(.byPolicy) : .stop(drain: false, directory: nil)])
        #expect(console.screen.contains("sent"))
    }

    @Test func keysAreIgnoredFor300MillisecondsAfterOpening() {
        var console = console(.lab)
        console.press("C")
        console.now = console.now + 299
        console.send(.key(.character("y")))
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("ignored: the sheet has just opened"))
        // A key right after one that was ignored is of the same paste.
        console.now = console.now + 149
        console.send(.key(.character("y")))
        #expect(console.sentOperations.isEmpty)
        console.now = console.now + 150
        console.send(.key(.character("y")))
        #expect(console.sentOperations.count == 1)
    }

    @Test func stagingRequiresTheName() {
        var console = console(.staging)
        console.press("C")
        console.advance(400)
        console.type("order")
        console.press("enter")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("the name does not match \"orders\" yet"))
        console.type("s")
        console.press("tab")
        console.type("INC-7 yes")
        console.press("enter")
        #expect(console.sentOperations.map(\.kind) == [.cancel(.byPolicy)])
        #expect(console.sentOperations[0].reason == "INC-7 yes")
    }

    @Test func productionRequiresUnlockNameReasonAndFiveSeconds() {
        var console = console(.prod)
        console.press("C")
        console.advance(400)
        console.type("orders")
        console.press("enter")
        #expect(console.screen.contains("is locked: Esc, then :unlock"))
        console.press("esc", ":")
        console.type("unlock 15m")
        console.press("enter", "C")
        console.advance(400)
        console.type("orders")
        console.press("enter")
        #expect(console.screen.contains("production requires a reason"))
        console.press("tab")
        console.type("INC-2231")
        console.press("enter")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("ARMED: sending in 5 s"))
        console.report([Sample.running()])
        console.advance(4000)
        #expect(console.sentOperations.isEmpty)
        console.report([Sample.running()])
        console.advance(2000)
        #expect(console.sentOperations.map(\.kind) == [.cancel(.byPolicy)])
        #expect(console.sentOperations[0].reason == "INC-2231")
    }

    @Test func anArmedActionCanBeAborted() {
        var console = console(.prod)
        console.press(":")
        console.type("unlock")
        console.press("enter", "C")
        console.advance(400)
        console.type("orders")
        console.press("tab")
        console.type("why")
        console.press("enter")
        console.advance(2000)
        console.press("y", "enter", "esc")
        console.advance(10_000)
        #expect(console.sentOperations.isEmpty)
        #expect(console.model.messages.contains { $0.text.string == "aborted, nothing was sent" })
    }

    @Test func unlockRunsOut() {
        var console = console(.prod)
        console.press(":")
        console.type("unlock 10s")
        console.press("enter")
        #expect(console.screen.contains("[OPEN"))
        console.advance(11_000)
        #expect(console.screen.contains("[LOCK]"))
        #expect(console.lastMessage == "lab is locked again")
    }

    @Test(arguments: ["unlock 2h", "unlock 0s", "unlock x", "unlock 9999999999999999999m", "unlock 1m 2m"]) func badUnlocksAreRefused(_ line: String) {
        var console = console(.prod)
        console.press(":")
        console.type(line)
        console.press("enter")
        #expect(console.lastMessage.hasPrefix("usage: unlock"))
        #expect(console.screen.contains("[LOCK]"))
    }

    // MARK: Retention

    @Test(arguments: [CheckpointConfiguration.Retention.none, .deleteOnCancellation]) func cancelThatWouldDeleteIsNotAccepted(
        _ retention: CheckpointConfiguration.Retention
    ) {
        var console = console(.lab, Sample.running(retention: retention))
        console.press("C")
        console.advance(400)
        console.press("y", "enter", "y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("all would be lost"))
        #expect(console.frame(console.model.size)[row: 2, column: 0].style.role == .dialogDanger)
        console.press("k")
        console.advance(200)
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [.cancel(.keep)])
    }

    @Test func savepointInsteadOfALosingCancel() {
        var console = console(.lab, Sample.running(retention: .none))
        console.press("C")
        console.advance(400)
        console.press("s")
        #expect(console.sentOperations.map(\.kind) == [.savepoint(directory: nil)])
        #expect(console.model.modals.isEmpty)
    }

    @Test func keepNeedsAnEngineThatCan() {
        var console = console(.lab, Sample.running(retention: .none))
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(canOverrideRetention: false))))
        console.press("C")
        console.advance(400)
        console.press("k", "y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func onlyTheCommandDiscards() {
        var console = console(.lab)
        console.press(":")
        console.type("cancel --discard-state")
        console.press("enter")
        #expect(console.screen.contains("CANCEL AND DISCARD ALL STATE"))
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [.cancel(.discard)])
    }

    @Test func discardingUnderGuardChecksTheJobTwice() {
        for changes in [false, true] {
            var console = console(.staging)
            console.press(":")
            console.type("cancel --discard-state")
            console.press("enter")
            console.advance(400)
            console.type("orders")
            console.press("enter")
            #expect(console.sentOperations.isEmpty)
            #expect(console.screen.contains("FINAL CHECK: reading the job again"))
            console.advance(1000)
            console.report([Sample.running(state: changes ? .restarting : .running)])
            #expect(console.sentOperations.map(\.kind) == (changes ? [] : [.cancel(.discard)]))
        }
    }

    // MARK: Targets

    @Test func nothingIsSentWhenTheStateChangedMeanwhile() {
        var console = console(.lab)
        console.press("C")
        console.advance(400)
        console.report([Sample.running(state: .restarting)])
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.lastMessage == "nothing was sent: orders was RUNNING when this sheet opened and is RESTARTING now")
    }

    @Test func nothingIsSentWhenTheJobRestartedMeanwhile() {
        var console = console(.lab)
        console.press("X")
        console.advance(400)
        console.report([Sample.running(attempt: 2)])
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.lastMessage.contains("has restarted since this sheet opened"))
    }

    @Test func nothingIsSentWithoutALink() {
        var console = console(.lab)
        console.press("C")
        console.advance(400)
        console.send(.engine(context: "lab", .link(.down(reason: "refused", retryAt: nil, attempts: 1))))
        console.press("y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func theTargetStaysWhileTheOrderOfJobsChanges() {
        var console = ScriptedConsole()
        console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing")])
        while console.model.focusedJob?.job != Sample.job { console.press("j") }
        console.press("C")
        console.advance(400)
        var sick = Sample.ailing()
        sick.name = "other"
        var first = Sample.running(Sample.otherJob, name: "billing")
        first.budget = sick.budget
        console.report([first, Sample.running()])
        console.press("y")
        #expect(console.sentOperations.map(\.job) == [Sample.job])
    }

    // MARK: Keys that cannot act say why

    @Test(arguments: ["S", "C", "R", "X", "B"]) func readOnlyContextsRefuse(_ key: String) {
        var console = console(.lab, isReadOnly: true)
        console.press(key)
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.model.modals.isEmpty)
        #expect(console.model.messages.contains { $0.text.string == "lab is read-only here" })
    }

    @Test(arguments: ["S", "C", "R", "X", "B"]) func smallTerminalsRefuse(_ key: String) {
        var console = console(.lab)
        console.send(.resize(Size(columns: 59, rows: 15)))
        console.press(key)
        #expect(console.sentOperations.isEmpty && console.model.modals.isEmpty)
        #expect(console.lastMessage == "actions need a terminal of 60x15; this one is 59x15")
    }

    @Test func aTerminalThatBecameTooSmallDoesNotAct() {
        var console = console(.lab)
        console.press("C")
        console.advance(400)
        console.send(.resize(Size(columns: 40, rows: 6)))
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("confirmation open: Esc"))
        console.press("esc")
        #expect(console.model.modals.isEmpty)
    }

    @Test func otherRefusalsSayWhy() {
        var console = console(.lab)
        console.press("space", "S")
        #expect(console.lastMessage.contains("frozen"))
        console.press("space")
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(canCheckpointNow: false, isViewer: false))))
        console.press("B")
        #expect(console.lastMessage == "0.1 cannot trigger a checkpoint on request: take a savepoint")
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(isViewer: true))))
        console.press("S")
        #expect(console.lastMessage == "this link to lab is view-only")
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities())))
        console.report([Sample.running(state: .canceled)])
        console.press("S")
        #expect(console.lastMessage == "orders is CANCELED, not RUNNING")
        console.press("C")
        #expect(console.lastMessage == "orders is already CANCELED")
        console.send(.engine(context: "lab", .link(.down(reason: "refused", retryAt: nil, attempts: 1))))
        console.press("C")
        #expect(console.lastMessage == "there is no link to lab")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func backingOutSendsNothing() {
        for key in ["S", "C", "X"] {
            var console = console(.staging)
            console.press(key, "esc")
            console.advance(1000)
            console.press("y", "enter")
            #expect(console.sentOperations.isEmpty)
        }
    }

    // MARK: Bursts and pastes

    @Test func aBurstOfKeysDoesNotAct() {
        var console = console(.lab)
        console.advance(1000)
        for scalar in "please Save".unicodeScalars {
            console.now = console.now + 2
            console.send(.key(.character(scalar)))
        }
        #expect(console.sentOperations.isEmpty)
    }

    @Test func aPasteOutsideOfTextIsDropped() {
        var console = console(.lab)
        console.send(.paste("SCRXBy"))
        #expect(console.sentOperations.isEmpty && console.model.modals.isEmpty)
        #expect(console.lastMessage.contains("dropped"))
        console.press("C")
        console.advance(400)
        console.send(.paste("yyyy\n"))
        #expect(console.sentOperations.isEmpty)
    }

    @Test func aPasteIntoAFieldStaysText() {
        var console = console(.staging)
        console.press("C")
        console.advance(400)
        console.send(.paste("orders\nrm -rf /\u{1b}[31m"))
        guard case .sheet(let sheet) = console.model.modals.last else { return #expect(Bool(false), "the sheet is open") }
        #expect(sheet.name.text == "orders")
        #expect(console.sentOperations.isEmpty)
        console.press("enter")
        #expect(console.sentOperations.count == 1)
    }

    @Test func randomKeysNeverSendWithoutTheirSheet() {
        // Every request that leaves must have had its confirming key: y, or Enter on a matching name.
        var random = SeededGenerator(seed: 0x6a4d)
        let keys = ["S", "C", "R", "X", "B", "enter", "esc", "q", "j", "k", "s", "tab", "1", "2", "3", "space", "a", "T", "?", "5", "6", "["]
        for contextClass in [ContextClass.staging, .prod] {
            for round in 0..<300 {
                var console = console(contextClass)
                for _ in 0..<30 { console.press(keys[Int.random(in: 0..<keys.count, using: &random)]) }
                #expect(console.sentOperations.isEmpty, "seed 0x6a4d, \(contextClass), round \(round)")
            }
        }
    }
}
