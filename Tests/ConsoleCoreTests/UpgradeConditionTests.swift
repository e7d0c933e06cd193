import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: an upgrade that is under way is seen, one that nobody carries out any more is a line with what goes on with it, and one that left a job down is
/// critical until the job runs. Method: what the record holds is told to a console.
@Suite struct UpgradeConditionTests {
    private static let new = JobID(high: 0xbeef, low: 1)

    private func upgrade(_ events: [Upgrade.Event]) -> Upgrade {
        var upgrade = Upgrade(
            // A literal of plain characters.
            id: OperationID("90c2a41f00000001")!, job: Sample.job, jobName: "orders", by: "ana@ops", reason: "release 2", startedAt: Sample.ago(60_000),
            old: JarRecipe(jar: .uploaded("old.jar")), new: JarRecipe(jar: .uploaded("new.jar")), directory: nil, allowsUnmatched: false,
            watch: .checkpoints(2), patience: .minutes(3))
        for event in events { upgrade.take(event, at: Sample.ago(30_000)) }
        return upgrade
    }

    private func console(_ jobs: [JobReport], _ upgrade: Upgrade, isCarriedOut: Bool) -> ScriptedConsole {
        var console = ScriptedConsole(
            [ContextDescription(name: "lab", class: .lab, address: "x")], options: ConsoleOptions(size: Size(columns: 160, rows: 45)))
        console.report(jobs)
        console.send(.upgrades([UpgradeReport(upgrade, isCarriedOut: isCarriedOut)], context: "lab"))
        console.press("enter")
        return console
    }

    @Test func `one under way is told, with who does it`() {
        let console = console([Sample.running(state: .finished)], upgrade([.stopped(path: "/sp")]), isCarriedOut: true)
        #expect(console.screen.contains("upgrade 90c2 by ana@ops: the new program is launched from /sp"), "\(console.screen)")
        #expect(!console.screen.contains("Next: 'weir resume"), "\(console.screen)")
    }

    @Test func `one that was broken off says how it goes on`() {
        let console = console([Sample.running(state: .finished)], upgrade([.stopped(path: "/sp")]), isCarriedOut: false)
        #expect(console.screen.contains("upgrade 90c2 by ana@ops was broken off"), "\(console.screen)")
        #expect(console.screen.contains("Next: 'weir resume 90c2a41f00000001' goes on with it"), "\(console.screen)")
        #expect(UpgradeReport(upgrade([.stopped(path: "/sp")]), isCarriedOut: false).severity == .crit)
        // The job runs: nobody watches it.
        #expect(UpgradeReport(upgrade([.stopped(path: "/sp"), .launched(Self.new), .proven]), isCarriedOut: false).severity == .warn)
    }

    @Test func `one that left the job down is critical until another run lives`() {
        let stranded = upgrade([.stopped(path: "/sp"), .refused("no slots"), .refused("no slots either")])
        let down = console([Sample.running(state: .finished)], stranded, isCarriedOut: false)
        #expect(down.screen.contains("UPGRADE 90c2 LEFT THE JOB DOWN: no slots; and the way back failed: no slots either"), "\(down.screen)")
        var other = Sample.running()
        other.id = Self.new
        let up = console([Sample.running(state: .finished), other], stranded, isCarriedOut: false)
        #expect(!up.screen.contains("LEFT THE JOB DOWN"), "\(up.screen)")
    }

    @Test func `it is about the job that runs at its stage`() {
        let proven = UpgradeReport(upgrade([.stopped(path: "/sp"), .launched(Self.new), .proven]), isCarriedOut: true)
        #expect(proven.text == "upgrade 90c2 by ana@ops: job \(Self.new.short) is proven, and watched")
        #expect(UpgradeReport(upgrade([]), isCarriedOut: true).job == Sample.job)
        #expect(UpgradeReport(upgrade([.stopped(path: "/sp"), .launched(Self.new)]), isCarriedOut: true).job == Self.new)
    }
}
