import CheckpointCore
import StreamModel
import Testing

// Goal: every event in every state of a job has a defined answer that breaks no rule, and a change of an answer is seen in review.
// Method: each pair is fed under the oracle and compared with `Goldens/job-ending-table.txt`; walks follow chains of events.
@Suite struct JobEndingTests {
    @Test func everyEventInEveryState() throws { try GoldenTable.expect(try Self.table(), isAt: "job-ending-table.txt") }

    /// A heading for each state, a line for each event that changes something, and one line with those that do not.
    private static func table() throws -> String {
        var lines: [String] = []
        for state in try JobEndingState.all() {
            lines.append("## \(state.name)")
            var ignored: [String] = []
            for event in JobEndingState.events() {
                var ending = state.ending
                let actions = try ending.feed(event)
                let phase = ending.phase == state.ending.phase ? [] : ["[\(ending.phase.line)]"]
                let answer = phase + actions.map(\.line)
                if answer.isEmpty { ignored.append(event.line) } else { lines.append("\(event.line) -> \(answer.joined(separator: ", "))") }
            }
            lines.append("nothing: \(ignored.joined(separator: "; "))")
            lines.append("")
        }
        return lines.joined(separator: "\n")
    }

    @Test func everyPairOfEventsInEveryStateKeepsTheRules() throws {
        for state in try JobEndingState.all() {
            for first in JobEndingState.events() {
                var afterFirst = state.ending
                _ = try afterFirst.feed(first)
                for second in JobEndingState.events(token: 81) {
                    var ending = afterFirst
                    do { _ = try ending.feed(second) } catch { Issue.record("\(state.name), \(first.line), \(second.line): \(error)") }
                }
            }
        }
    }

    // A suspension is the request that nothing but the end itself may refuse.
    @Test func everyStateEndsAfterAnEngineShutdown() throws {
        for state in try JobEndingState.all() {
            var ending = state.ending
            _ = try ending.feed(.suspendRequested(TriggerToken(90)))
            for _ in 0..<3 {
                _ = try ending.feed(.settled(.none))
                _ = try ending.feed(.recorded)
            }
            #expect(ending.hasConcluded && ending.open.isEmpty, "\(state.name) comes to \(ending.phase.line)")
        }
    }

    /// Random events, mostly those that a job thread would send, from the beginning.
    @Test(arguments: 0..<10) func randomWalksKeepEveryRule(block: UInt64) throws {
        var ends: [JobState: Int] = [:]
        for seed in block * 2000..<(block + 1) * 2000 {
            var random = WalkRandom(state: seed), ending = WatchedEnding(), walk: [JobEnding.Event] = []
            var token: UInt64 = 100
            do throws(WatchedEnding.Violation) {
                for _ in 0..<40 where !ending.hasConcluded {
                    token += 1
                    let events = JobEndingState.events(token: token)
                    let event = random.chance(of: 3) ? events[random.below(events.count)] : Self.likely(after: ending.phase, &random)
                    walk.append(event)
                    _ = try ending.feed(event)
                }
            } catch {
                Issue.record("seed \(seed): \(error) after \(walk.map(\.line).joined(separator: ", "))")
                return
            }
            ends[ending.ending.state, default: 0] += ending.hasConcluded ? 1 : 0
        }
        for end in [JobState.finished, .canceled, .failed, .suspended] { #expect(ends[end, default: 0] > 20, "\(end.rawValue) is reached") }
    }

    private static func likely(after phase: JobEnding.Phase, _ random: inout WalkRandom) -> JobEnding.Event {
        switch phase {
        case .initializing, .restarting(.beginning): random.chance(of: 4) ? .failed(.restart) : .attemptBegan
        case .restarting(.waiting): .restartDue
        case .recording: random.chance(of: 3) ? .notRecorded("no space") : .recorded
        case .unrecorded: .recordDue
        case .running: random.chance(of: 2) ? .settled(.executing) : .settled(.none)
        default: .settled(.none)
        }
    }

    // The savepoint of a stop may become durable after the attempt has failed: the job goes on, and the stop was in vain.
    @Test func aStopOfAFailedAttemptDoesNotEndTheNext() throws {
        var ending = WatchedEnding()
        for event in [JobEnding.Event.attemptBegan, .failed(.restart)] { _ = try ending.feed(event) }
        #expect(try ending.feed(.stopCompleted(TriggerToken(1), CheckpointID(4))) == [.answer(TriggerToken(1), .stopFailed(CheckpointID(4)))])
        for event in [JobEnding.Event.restartDue, .settled(.none), .attemptBegan] { _ = try ending.feed(event) }
        #expect(try ending.feed(.inputEnded) == [.requestFinalCheckpoint])
    }

    @Test func anUnrecordedEndIsReportedOnce() throws {
        var ending = WatchedEnding()
        for event in [JobEnding.Event.attemptBegan, .settled(.none)] { _ = try ending.feed(event) }
        let first = try ending.feed(.notRecorded("no space left on device"))
        let message = "the job is FINISHED, but that cannot be written down: no space left on device; its checkpoints are kept until it can"
        #expect(first == [.note(message), .scheduleRecord])
        #expect(try ending.feed(.recordDue) == [.record(.finished)])
        #expect(try ending.feed(.notRecorded("no space left on device")) == [.scheduleRecord])
    }
}
