import FlinkFake
import StreamModel
import Testing

@testable import FlinkREST

/// Goal: a job is never canceled for a restart before a snapshot is in hand that it can go back to. Method: a server that behaves like a JobManager,
/// with a job that has no checkpoints of its own, or whose files a look finds missing; what was sent is read from its list of requests.
@Suite struct WayBackTests {
    private func options(_ path: String? = nil, parallelism: Int? = nil) -> RestartOptions {
        var options = RestartOptions(path: path)
        (options.cancelsFirst, options.parallelism) = (true, parallelism)
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"))
        return options
    }

    private static let origin = "file:/data/savepoints/savepoint-000000-000000000000"

    @Test(arguments: [FlinkVersion(1, 14, 3), FlinkVersion(2, 3, 0)]) func aJobWithoutACheckpointGoesBackToWhereItBegan(_ version: FlinkVersion) throws {
        let cluster = try ScriptedCluster(version) { ($0.hasNone, $0.restored) = (true, (Self.origin, 1000)) }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options()))
        #expect(report.state == .completed && report.path == Self.origin && report.checkpoint == CheckpointID(9), "\(report.error ?? "")")
        #expect(cluster.requests("POST").contains { $0.text.contains(Self.origin) })
    }

    @Test func withNothingToGoBackToItIsNotCanceled() throws {
        // A cluster has words instead of a path for checkpoints in its memory.
        for restored in [nil, "<checkpoint-not-externally-addressable>", ""] as [String?] {
            let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { script in
                script.hasNone = true
                script.restored = restored.map { ($0, 1000) }
            }
            defer { cluster.stop() }
            #expect(cluster.refusal(.restart(options()))?.contains("no checkpoint that can be restored") ?? false)
            #expect(cluster.requests("PATCH").isEmpty && cluster.requests("POST").isEmpty)
        }
    }

    @Test func whatIsMissingIsNotGoneBackTo() throws {
        let missing = SnapshotSight(examine: { path, _ in path.hasSuffix("chk-4") ? .refused("\(path) is damaged: 2 of 2 files are missing") : .usable })
        let alone = try ScriptedCluster(FlinkVersion(2, 3, 0), snapshots: missing)
        defer { alone.stop() }
        #expect(alone.refusal(.restart(options()))?.contains("2 of 2 files are missing") ?? false)
        #expect(alone.requests("PATCH").isEmpty)
        let other = try ScriptedCluster(FlinkVersion(2, 3, 0), snapshots: missing) { $0.restored = (Self.origin, 1000) }
        defer { other.stop() }
        #expect(try other.run(.restart(options())).path == Self.origin)
    }

    @Test func aJobThatSubsumesFasterThanItsClusterTellsIsRestarted() throws {
        for answers in [1, 7] {
            let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.subsumedAnswers = answers }
            defer { cluster.stop() }
            let report = try cluster.run(.restart(options()))
            #expect(report.state == .completed && report.path == "file:/cp/chk-4", "\(report.error ?? "")")
        }
        let lost = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.subsumedAnswers = .max }
        defer { lost.stop() }
        #expect(lost.refusal(.restart(options()))?.contains("no checkpoint that can be restored") ?? false)
        #expect(lost.requests("PATCH").isEmpty)
    }

    @Test func whatWasInHandIsUsedWhenNothingBetterCanBeSeen() throws {
        // The newest is subsumed by one whose files are not there.
        let cluster = try ScriptedCluster(
            FlinkVersion(2, 3, 0), snapshots: SnapshotSight(examine: { path, _ in path.hasSuffix("chk-5") ? .refused("\(path) is missing") : .usable })
        ) { $0.completesOnCancel = true }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options()))
        #expect(report.state == .completed && report.path == "file:/cp/chk-4", "\(report.error ?? "")")
    }

    @Test func theParallelismIsHeldAgainstTheSnapshotBeforeTheCancel() throws {
        let narrow = SnapshotInspection(path: "", verdict: .ok, keyedLimit: .init(operatorName: "b71731f1", maxParallelism: 128))
        let sight = SnapshotSight(examine: { _, options in options.launchParallelism.flatMap(narrow.problem(ofParallelism:)).map { .refused($0) } ?? .usable })
        for number in [200, 99999, 0, -1] {
            let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0), snapshots: sight)
            defer { cluster.stop() }
            let refusal = cluster.refusal(.restart(options(parallelism: number))) ?? ""
            #expect(
                refusal.contains(number == 200 ? "parallelism 200 is above 128, the maximum of operator b71731f1" : "\(number) is no parallelism"), "\(refusal)"
            )
            #expect(cluster.requests("PATCH").isEmpty && cluster.requests("POST").isEmpty)
        }
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0), snapshots: sight)
        defer { cluster.stop() }
        #expect(try cluster.run(.restart(options(parallelism: 128))).state == .completed)
    }
}
