// Goal: where a savepoint goes, and how many checkpoints stay, is what the engine tells, or is said to be untold.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct PlaceTests {
    /// A job of a cluster, in production, where S opens a sheet.
    private func console(_ change: (inout CheckpointConfiguration) -> Void) -> ScriptedConsole {
        var console = ScriptedConsole(
            [ContextDescription(name: "lab", class: .prod, address: "x")], options: ConsoleOptions(size: Size(columns: 110, rows: 50)))
        var job = Sample.running()
        (job.configuration.savepointDirectory, job.configuration.untold) = (nil, [])
        change(&job.configuration)
        console.report([job])
        console.send(.engine(context: "lab", .capabilities(EngineCapabilities(needsJarRecipe: true, dialect: .flinkREST, savesBesideCheckpoints: false))))
        console.press("enter")
        return console
    }

    @Test func theDirectoryOfTheClusterIsNamed() {
        var console = console { $0.savepointDirectory = "s3://bucket/savepoints" }
        console.press("S")
        #expect(console.screen.contains("[ok] writes to s3://bucket/savepoints"), "\(console.screen)")
        console.press("esc", "7")
        #expect(console.screen.contains("savepoint directory") && console.screen.contains("s3://bucket/savepoints"))
    }

    @Test func withoutADirectoryTheClusterWouldRefuse() {
        var console = console { _ in }
        for key in ["S", "X"] {
            console.press(key)
            #expect(console.screen.contains("[XX] no savepoint directory is configured"), "\(console.screen)")
            #expect(!console.screen.contains("/var/lib/weir/checkpoints"), "never the checkpoint directory")
            console.advance(400)
            console.press("y")
            #expect(console.sentOperations.isEmpty)
            console.press("esc")
        }
        console.press(":")
        console.type("savepoint s3://elsewhere/sp")
        console.press("enter")
        #expect(console.screen.contains("[ok] writes to s3://elsewhere/sp"), "\(console.screen)")
        console.press("esc", "7")
        #expect(console.screen.contains("none configured"))
    }

    @Test func whatIsNotToldIsSaidSo() {
        var console = console { configuration in
            (configuration.storageDirectory, configuration.untold) = (nil, [.savepointDirectory, .storageDirectory, .retainedCheckpoints])
        }
        console.press("S")
        #expect(console.screen.contains("[ok] writes to the savepoint directory of the cluster, which is not told"), "\(console.screen)")
        console.press("esc", "7")
        #expect(console.screen.split(separator: "\n").count { $0.contains("not told") } == 3, "\(console.screen)")
        console.press("3")
        #expect(console.screen.contains("keeps ?"), "\(console.screen)")
    }

    @Test func anEngineThatSavesBesideTheCheckpointsSaysThatPlace() {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .prod, address: "x")])
        var job = Sample.running()
        job.configuration.savepointDirectory = nil
        console.report([job])
        console.press("enter", "S")
        #expect(console.screen.contains("[ok] writes to /var/lib/weir/checkpoints"), "\(console.screen)")
    }
}
