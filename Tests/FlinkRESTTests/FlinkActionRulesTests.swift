import FlinkREST
import Foundation
import JSON
import StreamModel
import Testing

/// Goal: what a cancel, a restart or a checkpoint may do is decided the same way every time, and what is refused is refused with a way out. Method:
/// the whole tables.
@Suite struct FlinkActionRulesTests {
    /// Every choice of the operator against every retention: what is sent, what is refused.
    @Test func cancelFollowsTheRetentionAndRefusesToLoseStateSilently() {
        let retentions: [CheckpointConfiguration.Retention?] = [.retainOnCancellation, .deleteOnCancellation, .some(.none), nil]
        var table: [String: String] = [:]
        for asked in [CancelRetention.byPolicy, .keep, .discard] {
            for retention in retentions {
                let outcome: String
                do throws(FlinkRefusal) { outcome = "sent: " + (try FlinkActionRules.cancel(asked, retention: retention)) } catch {
                    outcome = "refused: \(error)"
                }
                table["\(asked.rawValue) \(retention?.rawValue ?? "unknown")"] = outcome
            }
        }
        #expect(table.count == 12)
        for row in ["byPolicy RETAIN_ON_CANCELLATION", "keep RETAIN_ON_CANCELLATION"] { #expect(table[row] == "sent: the newest checkpoint is retained") }
        for retention in ["DELETE_ON_CANCELLATION", "NO_EXTERNALIZED_CHECKPOINTS"] {
            #expect(table["discard \(retention)"]?.hasPrefix("sent: the checkpoints are deleted, as asked") ?? false)
            for asked in ["byPolicy", "keep"] {
                #expect(table["\(asked) \(retention)"]?.hasPrefix("refused: ") ?? false)
                #expect(table["\(asked) \(retention)"]?.contains("take a savepoint first") ?? false)
            }
        }
        #expect(table["discard RETAIN_ON_CANCELLATION"]?.contains("dispose of them") ?? false)
        #expect(table["byPolicy unknown"]?.hasPrefix("refused: ") ?? false)
        #expect(table["keep unknown"]?.hasPrefix("refused: ") ?? false)
        #expect(table["discard unknown"]?.hasPrefix("sent: ") ?? false)
    }

    @Test func aCheckpointOnRequestNeeds117() throws {
        #expect(throws: FlinkRefusal.self) { try FlinkActionRules.checkpointNow(on: FlinkVersion(1, 14, 3)) }
        #expect(throws: FlinkRefusal.self) { try FlinkActionRules.checkpointNow(on: FlinkVersion(1, 16, 9)) }
        try FlinkActionRules.checkpointNow(on: FlinkVersion(1, 17))
        do throws(FlinkRefusal) { try FlinkActionRules.checkpointNow(on: FlinkVersion(1, 14, 3)) } catch {
            #expect(error.message == "Flink 1.14.3 cannot begin a checkpoint on request (1.17 and later can): take a savepoint")
        }
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func theRowOfAPathIsFoundInAnySpelling(version: String) throws {
        let checkpoints = try RecordedAnswer.checkpoints("checkpoints-canceled", version)
        let newest = try #require(FlinkActionRules.newest(in: checkpoints))
        let path = try #require(newest.path)
        #expect(path.hasPrefix("file:/tmp/flink/checkpoints/"))
        for spelling in [path, path + "/", path + "/_metadata", "file://" + path.dropFirst("file:".count), String(path.dropFirst("file:".count))] {
            #expect(FlinkActionRules.row(of: spelling, in: checkpoints)?.id == newest.id, "\(spelling)")
        }
        #expect(FlinkActionRules.row(of: path + "9", in: checkpoints) == nil)
        let discarded = try #require(checkpoints.history.first { $0.isDiscarded })
        #expect(throws: FlinkRefusal.self) { try FlinkActionRules.mayRestore(discarded) }
        try FlinkActionRules.mayRestore(newest)
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func aJobIsNotCanceledUnderTheCheckpointThatItIsToStartFrom(version: String) throws {
        let checkpoints = try RecordedAnswer.checkpoints("checkpoints-with-savepoint", version)
        let savepoint = try #require(checkpoints.latestSavepoint)
        let checkpoint = try #require(checkpoints.latestCompleted)
        for retention in [CheckpointConfiguration.Retention.deleteOnCancellation, .none] {
            // The savepoint outlives the cancel, and so does what is no checkpoint of this job.
            try FlinkActionRules.cancelBeforeRestart(from: savepoint, retention: retention)
            try FlinkActionRules.cancelBeforeRestart(from: nil, retention: retention)
            #expect(throws: FlinkRefusal.self) { try FlinkActionRules.cancelBeforeRestart(from: checkpoint, retention: retention) }
        }
        try FlinkActionRules.cancelBeforeRestart(from: checkpoint, retention: .retainOnCancellation)
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func anUnknownOutcomeIsFoundInTheHistory(version: String) throws {
        let during = try RecordedAnswer.checkpoints("checkpoints-savepoint-in-progress", version)
        let after = try RecordedAnswer.checkpoints("checkpoints-with-savepoint", version)
        let savepoint = try #require(after.latestSavepoint)
        let before = CheckpointID(savepoint.id.rawValue - 1)
        let byNumber = FlinkHistorySearch(wantsSavepoint: true, after: before)
        guard case .inProgress(let flying) = byNumber.find(in: during), case .completed(let done) = byNumber.find(in: after) else {
            Issue.record("not found: \(byNumber.find(in: during)), \(byNumber.find(in: after))")
            return
        }
        #expect(flying.id == savepoint.id && done.id == savepoint.id)
        #expect(FlinkHistorySearch(wantsSavepoint: true, after: savepoint.id).find(in: after) == .none)

        // By the time of the request, on a clock that is ten minutes behind.
        let ours = savepoint.triggeredAt + Milliseconds(-600_000 - 800)
        let byTime = FlinkHistorySearch(wantsSavepoint: true, sentAt: ours, skew: .minutes(10))
        #expect(byTime.find(in: after) == .completed(savepoint))
        #expect(FlinkHistorySearch(wantsSavepoint: true, sentAt: ours, skew: 0).find(in: after) == .none)
        #expect(
            FlinkHistorySearch(wantsSavepoint: true, sentAt: savepoint.triggeredAt + .minutes(1), skew: 0).find(in: after) == .none, "an older one is not ours")
    }

    @Test func namesFollowFromTheOperation() throws {
        let id = try #require(OperationID("7f3a"))
        #expect(FlinkOperationNames.trigger(of: id) == FlinkOperationNames.trigger(of: id))
        #expect(FlinkOperationNames.trigger(of: id).description != FlinkOperationNames.job(of: id).description)
        #expect(FlinkOperationNames.uploadName(of: "/home/me/my job (v2).jar") == "my_job__v2_.jar")
        #expect(FlinkOperationNames.uploadName(of: "../../etc/passwd") == "passwd.jar")
        #expect(FlinkOperationNames.uploadName(of: "/a/..") == ".jar".replacing(".jar", with: "") + ".jar")
        #expect(FlinkOperationNames.uploadName(of: String(repeating: "x", count: 500) + ".jar").utf8.count <= 124)
    }
}

@Suite struct JarRecipeTests {
    @Test func aLineIsRead() throws {
        let recipe = try JarRecipe(line: "  target/count.jar --class com.example.Count --parallelism 4 -- --name \"two words\" '' --x ")
        #expect(
            recipe == JarRecipe(jar: .file("target/count.jar"), entryClass: "com.example.Count", arguments: ["--name", "two words", "", "--x"], parallelism: 4))
        let id = "0a1b2c3d-0000-4000-8000-0123456789ab_count.jar"
        #expect(try JarRecipe(line: id).jar == .uploaded(id))
        #expect(try JarRecipe(line: id).jarName == "count.jar")
        #expect(try JarRecipe(line: "/a/" + id).jar == .file("/a/" + id))
    }

    @Test(arguments: ["", "--class X", "a.jar --class", "a.jar --parallelism x", "a.jar --parallelism 0", "a.jar b", "a.jar -- \"open"])
    func whatIsWrongIsNamed(line: String) {
        #expect(throws: JarRecipe.Problem.self) { try JarRecipe(line: line) }
    }

    @Test(arguments: [
        JarRecipe(jar: .file("a.jar")),
        JarRecipe(
            jar: .uploaded("0a1b2c3d-0000-4000-8000-0123456789ab_x.jar"), entryClass: "A", arguments: ["--b", "", "c d", "it's", "a\"b"], parallelism: 3),
    ]) func aLineIsReadBackAsItWasWritten(recipe: JarRecipe) throws {
        #expect(try JarRecipe(line: recipe.line) == recipe)
    }

    @Test func itSurvivesTheLedger() throws {
        var options = RestartOptions(path: "/a/chk-1")
        options.recipe = JarRecipe(jar: .uploaded("x"), arguments: ["a b"])
        let data = try JSONEncoder().encode(options)
        #expect(try JSONDecoder().decode(RestartOptions.self, from: data) == options)
        // Records of before there were recipes.
        let old = #"{"from":"/a","claim":"noClaim","allowUnmatched":false,"cancelFirst":false}"#
        #expect(try JSONDecoder().decode(RestartOptions.self, from: Data(old.utf8)) == RestartOptions(path: "/a"))
    }

    @Test func aLocationHasOneSpelling() {
        let same = ["file:/a/chk-7", "file:///a/chk-7", "/a/chk-7", "/a/chk-7/", "file:///a/chk-7/_metadata", "/a/chk-7/_metadata/"]
        #expect(Set(same.map { SnapshotLocation($0) }).count == 1)
        #expect(SnapshotLocation("file:/a/chk-7").checkpoint == CheckpointID(7))
        #expect(SnapshotLocation("s3://b/chk-7").text == "s3://b/chk-7")
        #expect(SnapshotLocation("/a/savepoint-1").checkpoint == nil)
        #expect(SnapshotLocation("/a/chk-99999999999999999999999").checkpoint == nil)
        #expect(SnapshotLocation("/").text == "/")
        #expect(SnapshotLocation("").text == "")
    }
}

/// What real clusters answered.
enum RecordedAnswer {
    static func text(_ name: String, _ version: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(version)")
        return try String(contentsOf: folder.appending(path: name + ".json"), encoding: .utf8)
    }

    static func checkpoints(_ name: String, _ version: String) throws -> FlinkCheckpoints {
        let json = try JSONValue.parse(Array(try text(name, version).utf8), maximumDepth: 64)
        return try FlinkEndpoint.checkpoints(JobID(high: 0, low: 1)).read(json)
    }
}
