// Goal: an operation has one state, and no order of its reports makes it go back. Method: every stage x every kind of event against a table
// that is written down, and every report twice.

import StreamModel
import Testing

@Suite struct OperationProgressTests {
    private static let request = OperationRequest(
        id: OperationID(random: 1), kind: .savepoint(directory: nil), job: JobID(high: 0, low: 1), expectedState: nil, reason: "", by: "test")

    private static func report(_ state: OperationReport.State, path: String? = nil) -> OperationReport {
        OperationReport(request: request, jobName: "orders", state: state, acceptedAt: WallTime(milliseconds: 1), path: path)
    }

    private static let events: [(name: String, event: OperationProgress.Event)] = [
        ("sent", .sent), ("refused", .refused("no")), ("lost", .lost), ("accepted", .reported(report(.accepted))), ("running", .reported(report(.running))),
        ("completed", .reported(report(.completed))), ("failed", .reported(report(.failed))), ("unknown", .reported(report(.unknown))),
        ("interrupted", .reported(report(.interrupted))),
    ]

    /// The way to each stage.
    private static func progress(at stage: OperationProgress.Stage) -> OperationProgress {
        var progress = OperationProgress()
        switch stage {
        case .recorded: break
        case .sent: progress.take(.sent)
        case .refused: progress.take(.refused("first"))
        case .accepted: progress.take(.reported(report(.accepted)))
        case .running: progress.take(.reported(report(.running)))
        case .completed: progress.take(.reported(report(.completed)))
        case .failed: progress.take(.reported(report(.failed)))
        case .unknown: progress.take(.lost)
        case .interrupted: progress.take(.reported(report(.interrupted)))
        }
        return progress
    }

    /// "-": no news.
    private static let table = """
        recorded    sent refused unknown accepted running completed failed unknown interrupted
        sent        -    refused unknown accepted running completed failed unknown interrupted
        refused     -    -       -       -        -       -         -      -       -
        accepted    -    -       unknown -        running completed failed unknown interrupted
        running     -    -       unknown -        -       completed failed unknown interrupted
        completed   -    -       -       -        -       -         -      -       -
        failed      -    -       -       -        -       -         -      -       -
        unknown     -    -       -       accepted running completed failed facts   interrupted
        interrupted -    -       -       accepted running completed failed unknown -
        """

    @Test func everyStageHandlesEveryEventByTheTable() {
        var lines: [[String]] = []
        for stage in OperationProgress.Stage.allCases {
            var line = [stage.rawValue]
            for (_, event) in Self.events {
                var progress = Self.progress(at: stage)
                #expect(progress.stage == stage)
                switch progress.take(event) {
                case .none:
                    line.append("-")
                    #expect(progress == Self.progress(at: stage), "no news changes nothing")
                case .facts:
                    line.append("facts")
                    #expect(progress.stage == stage)
                case .stage: line.append(progress.stage.rawValue)
                }
            }
            lines.append(line)
        }
        let expected = Self.table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let order = Dictionary(uniqueKeysWithValues: lines.map { ($0[0], $0) })
        #expect(expected.count == OperationProgress.Stage.allCases.count)
        for row in expected { #expect(order[row[0]] == row) }
    }

    @Test func aRepeatedReportIsNoNews() {
        for stage in OperationProgress.Stage.allCases {
            for (name, event) in Self.events {
                var progress = Self.progress(at: stage)
                progress.take(event)
                #expect(progress.take(event) == .none, "\(name) at \(stage.rawValue)")
            }
        }
    }

    @Test func aFinalReportMayAddFacts() {
        var progress = OperationProgress(Self.report(.completed))
        #expect(progress.take(.reported(Self.report(.completed, path: "/sp"))) == .facts)
        #expect(progress.report?.path == "/sp" && progress.stage == .completed)
        #expect(progress.take(.reported(Self.report(.failed, path: "/other"))) == .none)
        #expect(progress.report?.path == "/sp")
    }

    @Test func aRefusalKeepsItsReason() {
        var progress = OperationProgress()
        progress.take(.refused("read-only"))
        progress.take(.refused("again"))
        #expect(progress.refusal == "read-only")
    }
}

/// Goal: nobody resolves a restart for good while its effect can still come. Method: every last step x every state of the job x young and old,
/// against a table that is written down.
@Suite struct RestartRecoveryTests {
    /// "young/old" where it differs.
    private static let table = """
        step       RUNNING       CANCELLING    CANCELED      none
        nothing    nothingSent   nothingSent   nothingSent   nothingSent
        old        wait/noCancel wait          interrupted   interrupted
        canceling  wait/noCancel wait          interrupted   interrupted
        canceled   interrupted   wait          interrupted   interrupted
        launching  wait/interrupted wait/interrupted wait/interrupted wait/interrupted
        """

    @Test func everyStepAndStateIsAsTheTableSays() throws {
        let request = OperationRequest(id: OperationID(random: 1), kind: .restart(RestartOptions()), job: JobID(high: 0, low: 1))
        let start = WallTime(milliseconds: 1_000_000)
        let lines = Self.table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        for line in lines.dropFirst() {
            for (column, word) in line.enumerated().dropFirst() {
                var sent = SentOperation(request: request, sentAt: start, keepsSteps: line[0] != "old")
                sent.step = OperationStep.Name(rawValue: line[0]).map { OperationStep($0, at: start) }
                let state = JobState(rawValue: lines[0][column])
                let expected = word.split(separator: "/")
                for (after, found) in [(Milliseconds.seconds(1), expected.first), (.minutes(5), expected.last)] {
                    let recovery = RestartRecovery(after: sent, job: state, at: start + after)
                    #expect("\(recovery)" == found.map(String.init), "\(line[0]) \(lines[0][column]) after \(after)")
                }
            }
        }
    }
}
