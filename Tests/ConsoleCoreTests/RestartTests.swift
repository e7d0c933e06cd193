import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// The restart loop: choose, options, confirm, and a proof that claims nothing before a report shows it.
@Suite struct RestartTests {
    private static let chosen = Sample.list[1]

    /// A canceled job with its list, the chooser open, and all files ok.
    private func chooser(_ state: JobState = .canceled, _ contextClass: ContextClass = .lab) -> ScriptedConsole {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: contextClass, address: "x")])
        console.report([Sample.running(state: state)])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        _ = console.take()
        console.press("R")
        return console
    }

    private func verdict(
        _ console: inout ScriptedConsole, _ checkpoint: CheckpointReport, _ verdict: SnapshotInspection.Verdict, _ problem: String? = nil
    ) {
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: checkpoint.path ?? "", verdict: verdict, problem: problem))))
    }

    private func newJob(_ path: String, _ id: CheckpointID) -> JobReport {
        var job = Sample.running(Sample.otherJob)
        job.state = .initializing
        job.latestCompleted = nil
        job.throughput = Throughput()
        job.vertices = Sample.vertices.map { vertex in
            var vertex = vertex
            (vertex.runningSubtasks, vertex.recordsIn, vertex.recordsOut) = (0, 0, 0)
            return vertex
        }
        job.restored = RestoreReport(checkpoint: id, path: path, kind: .checkpoint, fromJob: Sample.job, at: Sample.start, stateSize: 1, chosen: true)
        job.audit = SequenceAudit()
        return job
    }

    @Test func openingReadsTheFilesOfTheFirstRows() {
        let console = chooser()
        let inspected = console.effects.compactMap { if case .send(_, .ask(.inspect(let path))) = $0 { path } else { nil } }
        #expect(inspected == Sample.list.prefix(3).compactMap(\.path))
        #expect(console.effects.contains(.flushInput))
        #expect(console.screen.contains(".. reading"))
        #expect(!console.screen.contains("4117"), "what was discarded is not offered")
    }

    // MARK: The choice

    private func list(_ console: inout ScriptedConsole, _ rows: [CheckpointReport]) {
        var job = Sample.running(state: .running)
        job.checkpointsRevision += UInt64(rows.count)
        console.report([job])
        console.send(.engine(context: "lab", .checkpoints(Sample.job, rows)))
    }

    @Test func theChosenRowStaysChosenWhileNewerOnesCome() {
        var console = chooser(.running)
        console.press("down", "down")
        #expect(console.screen.contains("> 4119"), "\(console.screen)")
        list(&console, [Sample.checkpoint(4121, ago: 100)] + Sample.list)
        #expect(console.screen.contains("> 4119"), "\(console.screen)")
    }

    @Test func aChosenRowThatIsSubsumedKeepsItsPlaceAndCannotBeTaken() {
        var console = chooser(.running)
        console.press("down", "down")
        var rows = Sample.list
        rows[1].discarded = true
        list(&console, rows)
        #expect(console.screen.contains("> 4119") && console.screen.contains("XX subsumed"), "\(console.screen)")
        console.press("enter")
        #expect(console.screen.contains("#4119 has been subsumed since it was chosen"), "\(console.screen)")
        // Also when it leaves the list.
        rows.remove(at: 1)
        list(&console, rows)
        #expect(console.screen.contains("> 4119"), "\(console.screen)")
        console.press("down", "enter")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.step == .options && chooser.selected == Sample.list[2].path)
    }

    @Test func whileANameIsTypedTheSheetSaysThatTheRowIsGone() {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .prod, address: "x")])
        console.report([Sample.running()])
        console.press("enter", ":")
        console.type("unlock 15m")
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("R", "down")
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.type("ord")
        #expect(!console.screen.contains("subsumed"), "\(console.screen)")
        var rows = Sample.list
        rows[0].discarded = true
        list(&console, rows)
        #expect(console.screen.contains("[XX] #4120 has been subsumed since it was chosen"), "\(console.screen)")
        console.type("ers")
        console.press("tab")
        console.type("why")
        console.press("enter")
        console.advance(8000)
        #expect(console.sentOperations.isEmpty)
    }

    @Test func `two rows below a minute never show one age`() {
        var console = chooser(.running)
        list(&console, [Sample.checkpoint(4122, ago: 41_000, took: 0), Sample.checkpoint(4121, ago: 44_000, took: 0)])
        let ages = console.screen.matches(of: #/412[12]  ckpt +(\d+s) /#).map { String($0.output.1) }
        #expect(ages.count == 2 && Set(ages).count == 2, "\(console.screen)")
    }

    @Test func rowsThatAreOutOfSightAreCounted() {
        var console = chooser(.canceled)
        list(&console, (0..<40).map { Sample.checkpoint(4120 - $0, ago: 2400 + Int64($0) * 3000) })
        #expect(console.screen.contains(" more below"), "\(console.screen)")
        for _ in 0..<20 { console.press("down") }
        #expect(console.screen.contains(" more above, ") && console.screen.contains(" more below"), "\(console.screen)")
    }

    /// The ledger remembers checkpoints that the engine lists no more; of a job that keeps three, all before the third were subsumed.
    @Test func subsumedRowsOfTheLedgerAreNoCandidates() {
        var console = chooser(.running)
        let rows = Sample.remembered
        for scope in [HistoryScope(job: Sample.job.description), HistoryScope(context: "lab", job: "orders")] {
            console.send(.history(HistoryQuestion(scope), rows, total: rows.count))
        }
        let ids = RestartChooser(JobKey(context: "lab", job: Sample.job)).candidates(console.model).compactMap { $0.checkpoint?.id.description }
        #expect(!ids.isEmpty && ids.contains { $0.hasSuffix("4111") }, "a savepoint stays: \(ids)")
        #expect(ids.filter { $0.hasSuffix("4109") }.count == 1, "of the earlier run alone: \(ids)")
    }

    // MARK: A second copy

    private func ended(_ state: JobState = .canceled, beside other: JobState, named name: String = "orders") -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([Sample.running(state: state), Sample.running(Sample.otherJob, name: name, state: other)])
        console.model.enter(JobKey(context: "lab", job: Sample.job))
        console.model.screens = [.overview, .job]
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("R")
        verdict(&console, Sample.list[0], .ok)
        return console
    }

    @Test(arguments: [JobState.running, .restarting, .initializing, .suspended]) func anEndedRunIsNotRestartedBesideALiveOne(other: JobState) {
        var console = ended(beside: other)
        #expect(console.screen.contains("lives as job b77c0100"), "\(console.screen)")
        console.press("enter", "enter")
        console.advance(400)
        #expect(console.screen.contains("[XX] orders is already live as job b77c0100"), "\(console.screen)")
        console.press("y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func otherNamesAndEndedRunsHinderNoRestart() {
        for var console in [ended(beside: .running, named: "payments"), ended(.finished, beside: .failed)] {
            console.press("enter", "enter")
            console.advance(400)
            console.press("y")
            #expect(console.sentOperations.count == 1)
        }
    }

    @Test func aNameMeansTheLiveRun() {
        var old = Sample.running(state: .finished)
        old.submittedAt = Sample.ago(1000)
        var console = ScriptedConsole()
        console.report([old, Sample.running(Sample.otherJob)])
        console.press(":")
        console.type("job orders")
        console.press("enter")
        #expect(console.model.currentJob?.job == Sample.otherJob)
        console.report([old, Sample.running(Sample.otherJob, state: .failed)])
        console.press(":")
        console.type("job orders")
        console.press("enter")
        #expect(console.model.currentJob?.job == Sample.job, "none lives: the newest")
    }

    @Test func theProofTellsOfASecondCopy() {
        var console = ended(beside: .canceled)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        guard let request = console.sentOperations.first else { return #expect(Bool(false), "nothing was sent") }
        let path = Sample.list[0].path ?? "", id = JobID(high: 0xc0de << 48, low: 1)
        var new = newJob(path, Sample.list[0].id)
        new.id = id
        let report = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: Sample.start, path: path, newJob: id)
        console.report([Sample.running(state: .canceled), new, Sample.running(Sample.otherJob)], operations: [report])
        #expect(console.screen.contains("A SECOND COPY RUNS: job b77c0100"), "\(console.screen)")
        console.report([Sample.running(state: .canceled), new, Sample.running(Sample.otherJob, state: .canceled)], operations: [report])
        #expect(!console.screen.contains("SECOND COPY"))
    }

    @Test func damagedSnapshotsCannotBeChosen() {
        var console = chooser()
        verdict(&console, Sample.list[0], .damaged, "state-3.bin: checksum mismatch")
        #expect(console.screen.contains("XX damaged"))
        console.press("enter")
        #expect(console.screen.contains("cannot be restored, damaged: state-3.bin: checksum mismatch"))
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.step == .choose)
    }

    @Test func filesStillBeingReadHoldTheConfirmation() {
        var console = chooser()
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("wait: reading the files"))
        verdict(&console, Sample.list[0], .ok)
        console.press("y")
        #expect(console.sentOperations.count == 1)
    }

    @Test func damageFoundAfterTheChoiceStopsIt() {
        var console = chooser()
        console.press("enter", "enter")
        console.advance(400)
        verdict(&console, Sample.list[0], .missing, "_metadata is missing")
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("_metadata is missing"))
    }

    @Test func theWholeLoopIsProvenStepByStep() throws {
        var console = chooser()
        console.press("j")
        verdict(&console, Self.chosen, .ok)
        console.press("enter")
        console.press("enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let path = try #require(Self.chosen.path)
        var expected = RestartOptions(path: path)
        expected.cancelsFirst = false
        #expect(request.kind == .restart(expected))
        #expect(request.expectedState == .canceled)
        #expect(console.screen.contains("VERDICT  WAITING"))

        console.advance(500)
        var operation = OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: console.now)
        let old = Sample.running(state: .canceled)
        console.report([old], operations: [operation])
        #expect(console.screen.contains("VERDICT  WAITING"))

        operation.state = .completed
        operation.newJob = Sample.otherJob
        operation.path = path
        console.report([old], operations: [operation])
        #expect(console.screen.contains("[ok] 1 launched"))
        #expect(console.screen.contains("VERDICT  LAUNCHED"))

        var job = newJob(path, Self.chosen.id)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("[ok] 2 restored id"))
        #expect(console.screen.contains("VERDICT  LAUNCHED"))

        job.state = .running
        for index in job.vertices.indices { job.vertices[index].runningSubtasks = job.vertices[index].parallelism }
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("RESUMED FROM #4119 - not yet proven durable (step 4, 5 pending)"))

        job.throughput.recordsRead = 1200
        job.audit = SequenceAudit(verified: 1200, duplicates: 0, lost: 0, replayed: 800, toReplay: 800)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("(step 4 pending)"))

        job.latestCompleted = Sample.checkpoint(4121, ago: 0)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("VERDICT  RESUMED+DURABLE FROM #4119, CAUGHT UP: all 800 records"))
        #expect(console.screen.contains("0 duplicates, 0 lost of 1200; replayed 800/800"))
        #expect(console.model.live.operations[0].stage == .proven)
        #expect(console.effects.contains(.recordVerdict(operation.request.id, .caughtUp)))
        console.press("q")
        #expect(console.model.currentJob?.job == Sample.otherJob)
    }

    /// A restart from the newest row, proven by a job that has replayed so many records.
    private func proven(_ size: Size, replayed: UInt64) throws -> ScriptedConsole {
        var console = chooser()
        console.send(.resize(size))
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let operation = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, newJob: Sample.otherJob)
        var job = newJob(Sample.list[0].path ?? "", Sample.list[0].id)
        (job.state, job.vertices, job.throughput.recordsRead) = (.running, Sample.vertices, replayed * 2)
        job.latestCompleted = Sample.checkpoint(4121, ago: 0)
        job.audit = SequenceAudit(verified: replayed * 2, duplicates: 0, lost: 0, replayed: replayed, toReplay: replayed)
        _ = console.take()
        console.report([Sample.running(state: .canceled), job], operations: [operation])
        return console
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 100, rows: 30), Size(columns: 160, rows: 50)])
    func `no number of a proof is cut`(_ size: Size) throws {
        var console = try proven(size, replayed: 13_410)
        let verdict = "RESUMED+DURABLE FROM #4120, CAUGHT UP: all 13410 records read before are read again"
        func shown() -> String { console.screen.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        #expect(shown().contains("VERDICT \(verdict)") && shown().contains("replayed 13410/13410"), "\(console.screen)")
        console.press("q", "6", "enter")
        #expect(shown().contains("verdict \(verdict)") && shown().contains("replayed 13410/13410"), "\(console.screen)")
        // Where it has no place any more, its end says so.
        console = try proven(Size(columns: 80, rows: 24), replayed: 13_410_000_000_000)
        #expect(console.screen.split(separator: "\n").contains { $0.contains("6 outputs") && $0.hasSuffix("~") }, "\(console.screen)")
    }

    @Test func `the launched job is not asked for its predecessor's checkpoints`() throws {
        let console = try proven(Size(columns: 80, rows: 24), replayed: 100)
        let asked = console.effects.compactMap { if case .send(_, .ask(.checkpoint(let job, let id))) = $0 { "\(job) #\(id)" } else { nil } }
        #expect(asked.isEmpty, "\(asked)")
        #expect(console.effects.contains(.send(context: "lab", .ask(.checkpoints(Sample.otherJob)))))
    }

    @Test func aJobRestoredFromAnotherSnapshotIsAMismatch() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let operation = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, newJob: Sample.otherJob)
        var job = newJob("/elsewhere/chk-1", CheckpointID(1))
        job.state = .running
        console.report([Sample.running(state: .canceled), job], operations: [operation])
        #expect(console.screen.contains("MISMATCH"))
        #expect(console.effects.contains(.bell))
        _ = console.take()
        console.press("C")
        #expect(console.screen.contains("CANCEL, KEEP CHECKPOINTS"))
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.map(\.job) == [Sample.otherJob])
    }

    @Test(arguments: [true, false]) func evidenceHoldsTheVerdictAndEveryStep(_ matches: Bool) throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let operation = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, newJob: Sample.otherJob)
        var job = newJob(matches ? Sample.list[0].path ?? "" : "/elsewhere/chk-1", Sample.list[0].id)
        (job.state, job.vertices, job.throughput.recordsRead) = (.running, Sample.vertices, 1200)
        job.latestCompleted = Sample.checkpoint(4121, ago: 0)
        job.audit = SequenceAudit(verified: 1200, duplicates: 0, lost: 0, replayed: 800, toReplay: 800)
        console.report([Sample.running(state: .canceled), job], operations: [operation])
        let words = matches ? "RESUMED+DURABLE FROM #4120, CAUGHT UP: all 800 records read before are read again" : "MISMATCH: "
        #expect(console.screen.contains("VERDICT  \(words.prefix(60))"))
        _ = console.take()
        console.press("y", "w")
        let copied = console.effects.compactMap { if case .copy(let text) = $0 { text } else { nil } }
        let saved = console.effects.compactMap { if case .save(_, let text) = $0 { text } else { nil } }
        #expect(copied.count == 1 && saved.count == 1)
        for text in copied + saved {
            #expect(text.contains(words))
            for step in RestartProof.Step.allCases { #expect(text.contains("\(step.rawValue) \(RestartWords.name(step).string)"), "\(step): \(text)") }
        }
    }

    @Test func aRefusedRestartIsNeverCalledLaunched() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        console.send(.engine(context: "lab", .refused(request.id, message: "state for operator \"old-sink\" has no place in the job")))
        #expect(console.screen.contains("REFUSED: state for operator"))
        #expect(!console.screen.contains("[ok]"))
    }

    @Test func restartingARunningJobSaysThatItIsCanceledFirst() throws {
        var console = chooser(.running)
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        #expect(console.screen.contains("it is canceled first, its checkpoints are kept"))
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.cancelsFirst)
    }

    @Test func optionsAreSetAndChecked() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "space", "j", "space", "j", "5", "0", "0", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("parallelism 500 is not between 1 and 128"))
        console.press("esc", "backspace", "backspace", "enter")
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.claim == .claim && options.allowsUnmatchedState && options.parallelism == 5)
    }

    @Test(arguments: ["0", "99999999999999999999"]) func badParallelismIsRefused(_ text: String) {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "j", "j")
        console.type(text)
        console.press("enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func anyPathCanBeGiven() throws {
        var console = chooser()
        console.press(":")
        console.type("/mnt/backup/savepoint one")
        console.press("enter")
        let path = "/mnt/backup/savepoint one"
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: path)))))
        #expect(console.screen.contains("savepoint one"))
        console.send(
            .engine(context: "lab", .inspection(SnapshotInspection(path: path, verdict: .ok, checkpoint: CheckpointID(77), kind: .savepoint))))
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.path == path)
        #expect(console.model.live.operations[0].proof?.chosenID == CheckpointID(77))
    }

    @Test func aJobWithoutARecipeCannotBeRestarted() {
        var console = ScriptedConsole()
        var job = Sample.running(state: .canceled)
        job.recipe = nil
        console.report([job])
        console.press("enter", "R")
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("no relaunch recipe"))
    }

    @Test func theChooserSaysThatThereIsNothingToRestore() {
        var console = ScriptedConsole()
        var job = Sample.running(state: .canceled)
        (job.latestCompleted, job.latestSavepoint) = (nil, nil)
        console.report([job])
        console.press("enter", "R", "enter")
        #expect(console.screen.contains("the list of checkpoints has not arrived yet"))
        console.send(.engine(context: "lab", .checkpoints(Sample.job, [])))
        console.press("enter")
        #expect(console.screen.contains("no checkpoint of this job can be restored"))
        #expect(console.screen.contains(":restore PATH takes any path"))
    }

    @Test func productionNeedsItsWholeGuardHereToo() {
        var console = chooser(.canceled, .prod)
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.type("orders")
        console.press("enter", "y")
        #expect(console.sentOperations.isEmpty)
        console.press("esc", "esc", "esc", ":")
        console.type("unlock 15m")
        console.press("enter", "R", "enter", "enter")
        console.advance(400)
        console.type("orders")
        console.press("tab")
        console.type("INC-1")
        console.press("enter")
        #expect(console.sentOperations.isEmpty)
        console.report([Sample.running(state: .canceled)])
        console.advance(6000)
        #expect(console.sentOperations.isEmpty, "the five seconds over, it is looked at a second time")
        verdict(&console, Sample.list[0], .ok)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.count == 1)
        #expect(console.sentOperations[0].reason == "INC-1")
        #expect(console.screen.contains("VERDICT  WAITING"))
    }

    // MARK: The second look, where a name has to be typed

    /// The name is typed and Enter pressed.
    private func accepted(_ first: SnapshotInspection.Verdict = .ok) -> ScriptedConsole {
        var console = chooser(.canceled, .staging)
        verdict(&console, Sample.list[0], first)
        console.press("enter", "enter")
        console.advance(400)
        console.type("orders")
        _ = console.take()
        console.press("enter")
        return console
    }

    @Test func jobAndFilesAreReadAgainRightBeforeSending() throws {
        var console = accepted()
        let path = try #require(Sample.list[0].path)
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: path)))), "the files are read anew")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("FINAL CHECK: reading job and files again (0 s), then sending; Esc aborts"))
        console.advance(1000)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.isEmpty, "the files have not been read yet")
        console.press("enter", "y")
        #expect(console.sentOperations.isEmpty, "no key hurries it")
        verdict(&console, Sample.list[0], .ok)
        #expect(console.sentOperations.map(\.job) == [Sample.job])
        #expect(console.screen.contains("VERDICT  WAITING"))
    }

    @Test func anEarlierReportIsNoSecondLook() {
        var console = accepted()
        verdict(&console, Sample.list[0], .ok)
        #expect(console.sentOperations.isEmpty, "the job has not been read again")
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.isEmpty, "this one came at the moment that the look began")
        console.advance(1000)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.count == 1)
    }

    @Test func nothingIsSentWhenTheFilesChangedMeanwhile() throws {
        let path = try #require(Sample.list[0].path)
        let cases: [(SnapshotInspection, String)] = [
            (SnapshotInspection(path: path, verdict: .missing, problem: "_metadata is gone"), "the snapshot is missing now: _metadata is gone"),
            (SnapshotInspection(path: path, verdict: .damaged, problem: "state-3: checksum"), "the snapshot is damaged now: state-3: checksum"),
            (SnapshotInspection(path: path, verdict: .unreachable, problem: "not mounted"), "could be checked before but not now: not mounted"),
            (SnapshotInspection(path: path, verdict: .ok, checkpoint: CheckpointID(9)), "a different snapshot is at this path now (unnumbered before, #9 now)"),
        ]
        for (second, words) in cases {
            var console = accepted()
            console.advance(1000)
            console.send(.engine(context: "lab", .inspection(second)))
            console.report([Sample.running(state: .canceled)])
            console.advance(120_000)
            #expect(console.sentOperations.isEmpty)
            #expect(console.model.messages.contains { $0.text.string.hasPrefix("nothing was sent: ") && $0.text.string.contains(words) }, "\(words)")
            #expect(console.model.openSheet == nil)
        }
    }

    @Test func nothingIsSentWhenTheJobChangedDuringTheSecondLook() {
        for job in [Sample.running(state: .running), Sample.running(state: .canceled, attempt: 2)] {
            var console = accepted()
            console.advance(1000)
            console.report([job])
            verdict(&console, Sample.list[0], .ok)
            #expect(console.sentOperations.isEmpty)
            #expect(console.model.messages.contains { $0.text.string.hasPrefix("nothing was sent: orders ") })
        }
    }

    @Test func aLinkLostDuringTheSecondLookSendsNothing() {
        var console = accepted()
        console.send(.engine(context: "lab", .link(.down(reason: "refused", retryAt: nil, attempts: 1))))
        console.advance(1000)
        verdict(&console, Sample.list[0], .ok)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.isEmpty)
    }

    @Test func theSecondLookDoesNotWaitForEver() {
        var console = accepted()
        console.advance(599_000)
        #expect(console.model.openSheet?.secondLook != nil)
        console.advance(2000)
        #expect(console.sentOperations.isEmpty)
        #expect(console.lastMessage == "nothing was sent: the final check did not finish within 10m")
    }

    @Test func theSecondLookCanBeTakenBack() {
        var console = accepted()
        console.press("esc")
        #expect(console.lastMessage == "aborted, nothing was sent")
        console.advance(1000)
        verdict(&console, Sample.list[0], .ok)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.isEmpty)
    }

    @Test func unreadableFilesStayUnchecked() {
        // The sheet has warned that they are unchecked; that they still are is no change.
        var console = accepted(.unreachable)
        console.advance(1000)
        verdict(&console, Sample.list[0], .unreachable)
        console.report([Sample.running(state: .canceled)])
        #expect(console.sentOperations.count == 1)
    }
}
