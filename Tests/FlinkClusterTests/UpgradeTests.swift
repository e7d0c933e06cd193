// Goal: the program of a job is replaced with no record lost or doubled; what would not hold is not begun, or is taken back; and whoever comes after a
// process that died in the middle goes on. Method: real clusters; the counting job and other versions of it; Flink itself is asked what it makes of a
// program that was checked; the sum of the counts is compared with the number of records.

import EngineClients
import Foundation
import Glibc
import StreamModel
import TestKit
import Testing

extension FlinkClusters {
    @Suite struct Upgrades {
        // MARK: The check

        /// A version of the program, and what becomes of a launch from the old one's savepoint.
        struct Candidate: CustomTestStringConvertible, Sendable {
            var name: String
            var arguments: [String]
            /// What the check says where every operator is told, and where only heads are.
            var verdict: UpgradeCheck.Weight
            var verdictByHeads: UpgradeCheck.Weight
            var runs: Bool
            var testDescription: String { name }

            static let all = [
                Candidate(name: "one operator more", arguments: ["--extra", "true"], verdict: .note, verdictByHeads: .unknown, runs: true),
                Candidate(name: "no uids", arguments: ["--uids", "false"], verdict: .blocks, verdictByHeads: .unknown, runs: false),
                Candidate(name: "a renamed uid", arguments: ["--count-uid", "tally"], verdict: .blocks, verdictByHeads: .unknown, runs: false),
                Candidate(name: "too much parallelism", arguments: ["--parallelism", "9"], verdict: .blocks, verdictByHeads: .blocks, runs: false),
                Candidate(name: "a main that throws", arguments: ["--throw", "true"], verdict: .blocks, verdictByHeads: .blocks, runs: false),
                // No plan tells these: the proof does, and the way back.
                Candidate(name: "another type of state", arguments: ["--text", "true"], verdict: .note, verdictByHeads: .unknown, runs: false),
                Candidate(name: "a lower maximum", arguments: ["--max-parallelism", "4"], verdict: .note, verdictByHeads: .unknown, runs: false),
            ]
        }

        private struct Check: Decodable {
            struct Finding: Decodable { var weight, text: String }
            var verdict: String
            var findings: [Finding]
        }

        /// 1.20.5 answers as 2.3.0 does.
        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `what the check says is what Flink does`(version: FlinkVersionUnderTest) throws {
            let weir = try WeirOnFlink(version)
            let base = ["--name", "checked", "--dir", weir.checkpoints, "--interval", "300", "--restarts", "0"]
            let job = try weir.launch("checked", ["--interval", "300", "--restarts", "0", "--max-parallelism", "8"])
            try weir.cluster.waitForCompleted(2, of: job.description)
            let savepoint = try #require(try weir.operation("savepoint", "checked", "--directory", weir.savepoints).path)
            var table: [String] = []
            for candidate in Candidate.all {
                let own = candidate.arguments.contains("--max-parallelism") ? [] : ["--max-parallelism", "8"]
                let words = base + own + candidate.arguments
                let result = try weir.run(["upgrade", "checked", "--jar", try weir.cluster.jarFile(release: "2"), "--check-only", "--json", "--"] + words)
                let check = try result.record(Check.self)
                let expected = version == .oldest ? candidate.verdictByHeads : candidate.verdict
                #expect(check.verdict == expected.rawValue, "\(candidate.name): \(check)")
                let codes: [UpgradeCheck.Weight: Int32] = [.note: ExitCode.ok, .unknown: ExitCode.unproven, .blocks: ExitCode.refused]
                #expect(result.exitCode == codes[expected], "\(candidate.name): \(result.transcript)")
                #expect(try weir.job(job).state == .running)
                let runs = try isRunning(words, from: savepoint, on: weir)
                #expect(runs == candidate.runs, "\(candidate.name)")
                // Flink refuses whatever the check says that it refuses.
                if check.verdict == UpgradeCheck.Weight.blocks.rawValue { #expect(!runs, "\(candidate.name)") }
                table.append("\(version.rawValue)  \(candidate.name): check \(check.verdict), Flink \(runs ? "runs it" : "does not")")
            }
            print(table.joined(separator: "\n"))
            try weir.cluster.cancelAll()
        }

        /// Whether Flink runs the program from the savepoint.
        private func isRunning(_ words: [String], from savepoint: String, on weir: WeirOnFlink) throws -> Bool {
            let job: String
            // Broken: the launch was turned down.
            do { job = try weir.cluster.run(words, from: savepoint) } catch is Broken { return false }
            let state = try wait(60, for: "the job to run, or to fail") { () -> String? in
                let answer = try weir.cluster.ask("GET", "/jobs/\(job)")
                let completed = try weir.cluster.ask("GET", "/jobs/\(job)/checkpoints").number("counts.completed") ?? 0
                guard let state = answer.text("state") else { return answer.status == 404 ? "gone" : nil }
                return state == "FAILED" || state == "RUNNING" && completed > 0 ? state : nil
            }
            if state == "RUNNING" { try weir.cluster.cancel(job) }
            return state == "RUNNING"
        }

        // MARK: Upgrade and way back

        @Test(arguments: [FlinkVersionUnderTest.oldest, .newest]) func `no record is lost or doubled through an upgrade and a way back`(
            version: FlinkVersionUnderTest
        ) throws {
            let weir = try WeirOnFlink(version)
            let records = 24000, total = weir.cluster.folder + "/total-\(UInt32.random(in: 0 ... .max))"
            let arguments = ["--interval", "300", "--rate", "1500", "--records", "\(records)", "--total", total]
            let first = try weir.launch("released", arguments)
            try weir.cluster.waitForCompleted(1, of: first.description)
            let base = ["--name", "released", "--dir", weir.checkpoints] + arguments

            let upgraded = try upgrade(weir, "released", release: "2", ["--watch", "1", "--reason", "release 2"], base + ["--extra", "true"])
            #expect(upgraded.result.exitCode == ExitCode.ok, "\(upgraded.result.transcript)")
            let second = try #require(upgraded.upgrade.newJob)
            #expect(upgraded.upgrade.stage == .upgraded)
            #expect(live(weir, "released") == [second])

            // A release whose checkpoints complete until it fails, again and again.
            let failing = try upgrade(weir, "released", release: "3", ["--watch", "100"], base + ["--extra", "true", "--fail-after", "1500"])
            let third = try #require(failing.upgrade.returned, "\(failing.result.transcript)")
            #expect(failing.result.exitCode == ExitCode.failed && failing.upgrade.stage == .rolledBack, "\(failing.result.transcript)")
            #expect(failing.upgrade.cause?.contains("crash loop") == true && failing.upgrade.cause?.contains("does not hold") == true, "\(failing.upgrade)")
            #expect(live(weir, "released") == [third])
            let restored = try weir.cluster.checkpoints(third.description).text("latest.restored.external_path")
            #expect(restored.map(SnapshotLocation.init) == failing.upgrade.path.map(SnapshotLocation.init))

            // The arguments of the running job hold where none are given; what does not fit is refused, and the job runs on.
            let refused = try weir.run(["upgrade", "released", "--jar", try weir.cluster.jarFile(release: "4"), "--", "--throw", "true"])
            #expect(refused.exitCode == ExitCode.refused && refused.errors.contains("this program was told to throw"), "\(refused.transcript)")
            #expect(live(weir, "released") == [third])

            let versions = try weir.succeed("versions", "released")
            #expect(versions.output.split(separator: "\n").count == 5, "\(versions.transcript)")
            #expect(versions.output.contains("release 2") && versions.output.contains("rolled back"), "\(versions.transcript)")
            #expect(try weir.succeed("upgrades").output.contains("crash loop"))

            try weir.cluster.waitForState("FINISHED", of: third.description, within: 90)
            let counted = try wait(10, for: "the count") { () -> Int? in
                (try? String(contentsOfFile: total + ".1", encoding: .utf8)).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            }
            #expect(counted == records)
        }

        @Test func `an operator has the old program back while the new one is watched`() throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("unwanted", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            let command = try weir.home.start(
                ["upgrade", "unwanted", "--jar", try weir.cluster.jarFile(release: "2"), "--watch", "10m", "--flink", weir.url])
            try wait(60, for: "the watch", evidence: { command.transcript }) { command.errors.contains("and watched") }
            try weir.succeed("upgrade", "unwanted", "--abort")
            let end = try command.finish(within: 60)
            #expect(end == .exited(ExitCode.failed) && command.output.contains("an operator wants the old program back"), "\(command.transcript)")
            #expect(live(weir, "unwanted").count == 1)
            try weir.cluster.cancelAll()
        }

        @Test(arguments: ["is stopped", "is launched", "is to be proven", "and watched"])
        func `a process that dies in the middle loses no job and doubles none`(
            stage: String
        ) throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("orphan", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            let id = OperationID(random: .random(in: .min ... .max))
            let words = ["upgrade", "orphan", "--jar", try weir.cluster.jarFile(release: "2"), "--watch", "1", "--operation", id.description]
            let command = try weir.home.start(words + ["--flink", weir.url])
            try wait(60, for: "the upgrade to be there", evidence: { command.transcript }) { command.errors.contains(stage) }
            command.signal(SIGKILL)
            _ = try command.finish(within: 10)

            #expect(try weir.succeed("upgrades").output.contains("'weir resume \(id)' goes on"))
            let resumed = try weir.run(["resume", id.description, "--wait"])
            let ended = try #require(try weir.succeed("upgrades", "--json").record([Upgrade].self).first { $0.id == id })
            print("killed when a job \(stage): \(ended.stage.rawValue)")
            let jobs = live(weir, "orphan")
            switch ended.stage {
            case .upgraded: #expect(resumed.exitCode == ExitCode.ok && jobs == [ended.newJob].compactMap { $0 }, "\(resumed.transcript)")
            // Nothing was sent before it died.
            case .kept: #expect(stage == "is stopped" && jobs == [first], "\(resumed.transcript)")
            default: Issue.record("\(ended): \(resumed.transcript)")
            }
            try weir.cluster.cancelAll()
        }

        @Test func `a process that dies on the way back loses no job and doubles none`() throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("return", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            let id = OperationID(random: .random(in: .min ... .max))
            let words = ["upgrade", "return", "--jar", try weir.cluster.jarFile(release: "2"), "--operation", id.description, "--flink", weir.url]
            let program = ["--name", "return", "--dir", weir.checkpoints, "--interval", "300", "--fail-after", "1000"]
            let command = try weir.home.start(words + ["--watch", "100", "--"] + program)
            try wait(60, for: "the way back", evidence: { command.transcript }) { command.errors.contains("is launched again") }
            command.signal(SIGKILL)
            _ = try command.finish(within: 10)
            let resumed = try weir.run(["resume", id.description])
            let ended = try #require(try weir.succeed("upgrades", "--json").record([Upgrade].self).first { $0.id == id })
            #expect(resumed.exitCode == ExitCode.failed && ended.stage == .rolledBack, "\(resumed.transcript)")
            #expect(live(weir, "return") == [ended.returned].compactMap { $0 })
            try weir.cluster.cancelAll()
        }

        @Test func `a JobManager that hangs between the stop and the launch is waited for`() throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("patient", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            let command = try weir.home.start(
                ["upgrade", "patient", "--jar", try weir.cluster.jarFile(release: "2"), "--watch", "1", "--flink", weir.url])
            try wait(60, for: "the launch", evidence: { command.transcript }) { command.errors.contains("new program is launched") }
            try weir.cluster.order("pause jobmanager")
            // Longer than a question waits for its answer.
            Thread.sleep(forTimeInterval: 12)
            try weir.cluster.order("resume jobmanager")
            let end = try command.finish(within: 120)
            #expect(end == .exited(ExitCode.ok), "\(command.transcript)")
            #expect(live(weir, "patient").count == 1)
            try weir.cluster.cancelAll()
        }

        /// One home = one ledger; two = two machines.
        @Test(arguments: [1, 2]) func `two upgrades at once leave one live job`(homes: Int) throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("wanted", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            let jar = try weir.cluster.jarFile(release: "2"), old = "\(try weir.cluster.jar()) -- --name wanted --dir \(weir.checkpoints) --interval 300"
            let places = homes == 1 ? [weir.home, weir.home] : [TestHome(), TestHome()]
            let commands = try places.map {
                try $0.start(["upgrade", "wanted", "--jar", jar, "--old-recipe", old, "--watch", "1", "--flink", weir.url])
            }
            for command in commands { _ = try command.finish(within: 150) }
            let words = commands.map { "\($0.output) \($0.errors)" }
            let jobs = live(weir, "wanted")
            let upgraded = words.count { $0.contains("upgraded: job") }
            // Two stops at once may each fail of the other: then Flink fails the job over, and both say that it runs.
            let isKept = words.allSatisfy { $0.contains("the old job runs") }
            #expect(jobs.count == 1 && (jobs == [first]) == isKept, "\(commands.map(\.transcript))")
            #expect(upgraded == (isKept ? 0 : 1), "\(commands.map(\.transcript))")
            #expect(!words.contains { $0.contains("neither program") }, "\(commands.map(\.transcript))")
            try weir.cluster.cancelAll()
        }

        @Test func `a floor of savepoints is kept under a job, of earlier runs too`() throws {
            let weir = try WeirOnFlink(.newest)
            let first = try weir.launch("floored", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            func round() throws -> String { try weir.succeed("savepoint", "floored", "--directory", weir.savepoints, "--keep", "2").transcript }
            let byHand = try #require(try weir.operation("savepoint", "floored", "--directory", weir.savepoints).path)
            _ = try (round(), round())
            // The next run begins from the oldest of them, and needs it until it has a checkpoint of its own.
            let oldest = try #require(try floored(weir).last)
            let restarted = try weir.restart("floored", "--from", oldest, "--cancel-first")
            #expect(restarted.exitCode == ExitCode.ok, "\(restarted.proof)")
            // As long as the cluster's answer shows no checkpoint of its own, the oldest is kept: the next round deletes it.
            var last = try round()
            for _ in 0..<5 where try weir.exists(oldest) { last = try round() }
            #expect(last.contains("is deleted"), "\(last)")
            #expect(try weir.exists(byHand) && !weir.exists(oldest))
            #expect(try floored(weir).filter { try weir.exists($0) }.count == 2)
            try weir.cluster.cancelAll()
        }

        /// Savepoints that the floor has taken, newest first.
        private func floored(_ weir: WeirOnFlink) throws -> [String] {
            try weir.succeed("operations", "--json").record([OperationReport].self)
                .filter { $0.request.id.description.hasPrefix("keep-") && $0.state == .completed }.compactMap(\.path)
        }

        @Test func `a new program whose checkpoints fail is taken back`() throws {
            let weir = try WeirOnFlink(.newest), switches = try Switches(weir.cluster)
            let first = try weir.launch("sick", ["--interval", "300"])
            try weir.cluster.waitForCompleted(1, of: first.description)
            try switches.on("async-fail")
            let words = ["--name", "sick", "--dir", weir.checkpoints, "--interval", "300", "--tolerable", "1000", "--switches", switches.folder]
            let failing = try upgrade(weir, "sick", release: "2", [], words)
            #expect(failing.result.exitCode == ExitCode.failed && failing.upgrade.stage == .rolledBack, "\(failing.result.transcript)")
            #expect(failing.upgrade.cause?.contains("checkpoint failed") == true, "\(failing.upgrade)")
            #expect(live(weir, "sick") == [failing.upgrade.returned].compactMap { $0 })
            try weir.cluster.cancelAll()
        }

        @Test func `a JobManager that comes back empty in the middle leaves a job, or a line that says so`() throws {
            let weir = try WeirOnFlink(.newest), cluster = weir.cluster
            let first = try weir.launch("forgotten", ["--interval", "300"])
            try cluster.waitForCompleted(1, of: first.description)
            let command = try weir.home.start(
                ["upgrade", "forgotten", "--jar", try cluster.jarFile(release: "2"), "--watch", "10m", "--flink", weir.url])
            try wait(60, for: "the watch", evidence: { command.transcript }) { command.errors.contains("and watched") }
            try cluster.order("kill jobmanager")
            try cluster.order("start jobmanager")
            // The way back names jars that the new JobManager has, or has not.
            let end = try command.finish(within: 150)
            #expect(end == .exited(ExitCode.failed), "\(command.transcript)")
            let ended = try #require(try weir.succeed("upgrades", "--json").record([Upgrade].self).first)
            switch ended.stage {
            case .rolledBack: #expect(live(weir, "forgotten") == [ended.returned].compactMap { $0 })
            case .stranded: #expect(live(weir, "forgotten").isEmpty && ended.cause?.contains("does not know job") == true, "\(ended)")
            default: Issue.record("\(ended)")
            }
            print("JobManager came back empty: \(ended.words)")
            try cluster.cancelAll()
        }

        private func upgrade(
            _ weir: WeirOnFlink, _ name: String, release: String, _ options: [String], _ arguments: [String]
        ) throws -> (upgrade: Upgrade, result: CommandResult) {
            let jar = try weir.cluster.jarFile(release: release)
            let result = try weir.run(["upgrade", name, "--jar", jar, "--json"] + options + ["--"] + arguments, within: 120)
            do { return (try result.record(Upgrade.self), result) } catch { throw Broken("\(result.end): \(result.transcript)") }
        }

        private func live(_ weir: WeirOnFlink, _ name: String) -> [JobID] {
            let jobs = (try? weir.cluster.get("/jobs/overview"))?["jobs"] as? [[String: Any]] ?? []
            return jobs.compactMap { job in
                guard job["name"] as? String == name, let state = job["state"] as? String, !["CANCELED", "FINISHED", "FAILED"].contains(state) else {
                    return nil
                }
                return (job["jid"] as? String).flatMap { JobID($0) }
            }
        }
    }
}
