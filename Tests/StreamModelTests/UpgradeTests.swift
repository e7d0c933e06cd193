// Goal: an upgrade goes from stage to stage as its diagram says, and no event that comes late or twice moves it anywhere else.
// Method: a table of every stage and event.

import StreamModel
import Testing

@Suite struct UpgradeTests {
    static let new = JobID(high: 2, low: 2), back = JobID(high: 3, low: 3)

    static func upgrade() -> Upgrade {
        Upgrade(
            id: OperationID("90c2a41f00000001")!, job: JobID(high: 1, low: 1), jobName: "orders", by: "ana@ops", reason: "release 2",
            startedAt: WallTime(milliseconds: 1000), old: JarRecipe(jar: .uploaded("old.jar")), new: JarRecipe(jar: .uploaded("new.jar")), directory: nil,
            allowsUnmatched: false, watch: .checkpoints(2), patience: .minutes(3))
    }

    static let events: [String: Upgrade.Event] = [
        "stopped": .stopped(path: "/sp"), "still running": .notStopped("busy", isRunning: true), "gone": .notStopped("lost", isRunning: false),
        "launched": .launched(new), "refused": .refused("no"), "proven": .proven, "watched": .watched, "failed": .failed("bad"),
        "launched again": .launchedAgain(back), "superseded": .superseded("another"),
    ]

    /// The events that lead to each stage.
    static let ways: [Upgrade.Stage: [String]] = [
        .stopping: [], .launching: ["stopped"], .proving: ["stopped", "launched"], .watching: ["stopped", "launched", "proven"],
        .returning: ["stopped", "refused"], .provingReturn: ["stopped", "launched", "failed", "launched again"],
        .upgraded: ["stopped", "launched", "proven", "watched"], .rolledBack: ["stopped", "launched", "failed", "launched again", "proven"],
        .kept: ["still running"], .stranded: ["gone"], .superseded: ["stopped", "superseded"],
    ]

    /// Where each event leads; those that are not listed change nothing.
    static let table: [Upgrade.Stage: [String: Upgrade.Stage]] = [
        .stopping: ["stopped": .launching, "still running": .kept, "gone": .stranded, "superseded": .superseded],
        .launching: ["launched": .proving, "refused": .returning, "failed": .returning, "superseded": .superseded],
        .proving: ["proven": .watching, "failed": .returning],
        .watching: ["watched": .upgraded, "failed": .returning],
        .returning: ["launched again": .provingReturn, "refused": .stranded, "failed": .stranded, "superseded": .superseded],
        .provingReturn: ["proven": .rolledBack, "failed": .stranded],
    ]

    static func reached(_ stage: Upgrade.Stage) -> Upgrade {
        var upgrade = upgrade()
        for name in ways[stage]! { upgrade.take(events[name]!, at: WallTime(milliseconds: 2000)) }
        return upgrade
    }

    @Test(arguments: Upgrade.Stage.allCases) func `every event leads where the diagram says`(stage: Upgrade.Stage) {
        let before = Self.reached(stage)
        #expect(before.stage == stage)
        for (name, event) in Self.events {
            var after = before
            let isNews = after.take(event, at: WallTime(milliseconds: 3000))
            #expect(after.stage == Self.table[stage]?[name] ?? stage, "\(stage.rawValue), \(name)")
            #expect(isNews == (after.stage != stage), "\(stage.rawValue), \(name)")
            if !isNews { #expect(after == before, "\(stage.rawValue), \(name)") }
        }
        #expect(stage.isFinal == (Self.table[stage] == nil))
    }

    @Test func `what is known along the way stays`() {
        let upgrade = Self.reached(.rolledBack)
        #expect(upgrade.path == "/sp" && upgrade.newJob == Self.new && upgrade.returned == Self.back && upgrade.cause == "bad")
        #expect(upgrade.words == "rolled back, proven: job \(Self.back) runs the old program from /sp: bad")
        var stranded = Self.reached(.returning)
        stranded.take(.refused("no slots"), at: WallTime(milliseconds: 1))
        #expect(stranded.cause == "no; and the way back failed: no slots")
    }

    @Test func `its operations have ids of their own that follow from it`() {
        let ids = Upgrade.Part.allCases.compactMap(Self.upgrade().operation)
        #expect(ids.map(\.description) == ["90c2a41f00000001-stop", "90c2a41f00000001-launch", "90c2a41f00000001-back"])
        var upgrade = Self.upgrade()
        upgrade.tryAgain(.launch)
        #expect(upgrade.operation(.launch)?.description == "90c2a41f00000001-launch2" && upgrade.operation(.back)?.description == "90c2a41f00000001-back")
        #expect(upgrade.launches(.launch).map(\.description) == ["90c2a41f00000001-launch", "90c2a41f00000001-launch2"])
    }
}
