import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: every screen and sheet names the snapshot that a restart really goes back to. Method: jobs that came from a snapshot and have none of their
/// own, and jobs whose newest checkpoint was looked at and is missing; the screens in several sizes, the sheets, and what is sent.
@Suite struct WayBackTests {
    private static let origin = "file:/data/savepoints/savepoint-000000-000000000000"

    /// A job that came from #27 an hour ago and has kept nothing since.
    private static func restored(_ path: String = origin, state: JobState = .running) -> JobReport {
        var job = Sample.running(state: state)
        (job.latestCompleted, job.latestSavepoint) = (nil, nil)
        job.restored = RestoreReport(
            checkpoint: CheckpointID(27), path: path, kind: .savepoint, fromJob: Sample.otherJob, at: Sample.ago(3_600_000), stateSize: 0, chosen: true)
        job.stateSince = Sample.ago(3_600_000)
        return job
    }

    private func console(_ job: JobReport, _ list: [CheckpointReport] = [], size: Size = Size(columns: 120, rows: 40)) -> ScriptedConsole {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .lab, address: "x")])
        console.send(.resize(size))
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, list)))
        return console
    }

    private func text(_ console: ScriptedConsole) -> String { console.screen.replacing("\n", with: " ") }

    @Test func aJobThatCameFromASnapshotGoesBackToIt() {
        for (columns, rows) in [(80, 24), (120, 40)] {
            let console = console(Self.restored(), size: Size(columns: columns, rows: rows))
            #expect(console.screen.contains("goes back to #27"), "\(console.screen)")
            #expect(!console.screen.contains("nothing to restore") && !console.screen.contains("none restorable"), "\(console.screen)")
        }
        var wide = console(Self.restored(), size: Size(columns: 160, rows: 44))
        #expect(text(wide).contains("goes back to #27 \(Self.origin), all input since is read again"), "\(wide.screen)")
        wide.press("esc")
        #expect(text(wide).contains("goes back to #27 \(Self.origin), all input since is read again"), "\(wide.screen)")
        #expect(wide.screen.contains(">1h"), "at least so old is what it goes back to\n\(wide.screen)")
    }

    @Test func theCancelSheetSaysWhatIsReadAgain() {
        var console = console(Self.restored(), size: Size(columns: 160, rows: 44))
        console.press("C")
        for part in ["[!!] no checkpoint of its own: a restart goes back to #27", "file:/data/savepoints/savepoint-000000-000000000000, all input since"] {
            #expect(console.screen.contains(part), "\(console.screen)")
        }
    }

    @Test func theChooserOffersWhatTheJobCameFrom() {
        var console = console(Self.restored(), size: Size(columns: 160, rows: 44))
        console.press("R")
        #expect(console.screen.contains("#27, where it came from, unless a checkpoint completes first"), "\(console.screen)")
        #expect(console.screen.contains(Self.origin))
        console.press("j", "enter", "enter")
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Self.origin, verdict: .ok))))
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "\(console.screen)") }
        #expect(options.path == Self.origin && options.cancelsFirst)
        // It is offered of a job that has ended, too, and once.
        var ended = self.console(Self.restored(state: .canceled))
        ended.press("R")
        #expect(ended.screen.contains("savepoint-000000") && !ended.screen.contains("no checkpoint of this job can be restored"), "\(ended.screen)")
    }

    @Test(arguments: ["", "<checkpoint-not-externally-addressable>"]) func whatHasNoPlaceIsNoWayBack(_ path: String) {
        var console = console(Self.restored(path), size: Size(columns: 160, rows: 44))
        #expect(!console.screen.contains("goes back to #27"), "\(console.screen)")
        console.press("R")
        #expect(!console.screen.contains("externally") && console.screen.contains("no checkpoint of this job can be restored"), "\(console.screen)")
    }

    @Test func itsOwnIsMeantOnceItHasOne() {
        var job = Self.restored()
        job.latestCompleted = Sample.checkpoint(28, ago: 1000)
        let console = console(job, [Sample.checkpoint(28, ago: 1000)], size: Size(columns: 160, rows: 44))
        #expect(!console.screen.contains("goes back to #27") && console.screen.contains("#28"), "\(console.screen)")
    }

    // MARK: Missing files

    private static let newest = Sample.checkpoint(7, ago: 1000)

    private func found(_ verdict: SnapshotInspection.Verdict, _ row: CheckpointReport, _ console: inout ScriptedConsole) {
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: row.path ?? "", verdict: verdict, problem: "2 of 2 files are missing"))))
    }

    private func only(_ rows: [CheckpointReport], state: JobState = .running) -> ScriptedConsole {
        var job = Sample.running(state: state)
        (job.latestCompleted, job.latestSavepoint) = (rows.first, nil)
        return console(job, rows, size: Size(columns: 160, rows: 44))
    }

    @Test func whatWasFoundMissingIsNowhereCalledUsable() {
        var console = only([Self.newest])
        #expect(console.screen.contains("newest usable #7"), "\(console.screen)")
        found(.damaged, Self.newest, &console)
        for forbidden in ["newest usable #7", "restarts from #7"] { #expect(!console.screen.contains(forbidden), "\(console.screen)") }
        #expect(console.screen.contains("#7 is damaged"), "\(console.screen)")
        console.press("C")
        #expect(!console.screen.contains("newest completed #7"), "\(console.screen)")
        console.press("esc", "R")
        #expect(console.screen.contains("#7, the newest, is damaged"), "\(console.screen)")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.problem(.newestAtEnd, console.model) != nil)
        console.press("enter")
        #expect(console.screen.contains("cannot be restored"), "\(console.screen)")
    }

    @Test func anOlderOneThatIsWholeIsGoneBackTo() {
        let older = Sample.checkpoint(6, ago: 60_000)
        var console = only([Self.newest, older])
        found(.missing, Self.newest, &console)
        // The job may have subsumed it since the list was made; a list made later names it still.
        #expect(console.screen.contains("newest usable #7"), "\(console.screen)")
        console.advance(5000)
        var job = Sample.running()
        (job.latestCompleted, job.latestSavepoint) = (Self.newest, nil)
        console.report([job])
        #expect(console.screen.contains("newest usable #6"), "\(console.screen)")
        console.press("R")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.selected == older.path, "the cursor begins on what can be restored")
    }

    @Test func aRunningJobThatSubsumesWhatIsLookedAtCanBeRestarted() {
        var console = only([Self.newest])
        found(.missing, Self.newest, &console)
        for id in [9, 11, 13] as [UInt64] {
            console.advance(1000)
            var job = Sample.running()
            (job.latestCompleted, job.latestSavepoint) = (Sample.checkpoint(id, ago: 500), nil)
            console.report([job])
        }
        console.press("R")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.problem(.newestAtEnd, console.model) == nil)
        // The same list once more, from a cluster's memory of seconds ago: no evidence either.
        #expect(chooser.firstUsable(console.model) == .newestAtEnd)
    }

    @Test func whatCannotBeReadFromHereStillCounts() {
        for verdict in [SnapshotInspection.Verdict.unreachable, .unchecked] {
            var console = only([Self.newest])
            found(verdict, Self.newest, &console)
            #expect(console.screen.contains("newest usable #7"), "\(console.screen)")
        }
    }

    // MARK: Parallelism

    private func typed(_ number: String, limit: Int) -> ScriptedConsole {
        var job = Sample.running(state: .canceled)
        (job.latestCompleted, job.latestSavepoint) = (Self.newest, nil)
        var console = console(job, [Self.newest], size: Size(columns: 160, rows: 44))
        console.press("R", "enter", "j", "j")
        console.type(number)
        console.press("enter")
        var inspection = SnapshotInspection(path: Self.newest.path ?? "", verdict: .ok, operators: ["b71731f1"])
        inspection.keyedLimit = .init(operatorName: "b71731f1", maxParallelism: limit)
        console.send(.engine(context: "lab", .inspection(inspection)))
        console.advance(400)
        return console
    }

    @Test func theSnapshotBoundsTheParallelism() {
        var above = typed("200", limit: 128)
        #expect(above.screen.contains("[XX] parallelism 200 is above 128, the maximum of operator b71731f1"), "\(above.screen)")
        above.press("y")
        #expect(above.sentOperations.isEmpty)
        for number in ["0", "99999"] {
            let none = typed(number, limit: 128)
            #expect(none.screen.contains("[XX] \(number) is no parallelism"), "\(none.screen)")
        }
        // The state allows what the running job's own maximum does not show.
        var wide = typed("200", limit: 4096)
        #expect(wide.screen.contains("[ok] parallelism 200"), "\(wide.screen)")
        wide.press("y")
        #expect(wide.sentOperations.count == 1)
    }
}
