import CheckpointCore
import StreamModel
import Testing

// Goal: every event in every state has a defined answer that breaks no rule, and a change of an answer is seen in review.
// Method: each pair is fed under the oracle; the answers are compared with `Goldens/state-event-table.txt`. After an intended change
// write it anew with `WEIR_RECORD_GOLDENS=1 swift test --filter StateEventTableTests` and read the difference.
@Suite struct StateEventTableTests {
    @Test func everyEventInEveryState() throws { try GoldenTable.expect(try Self.table(), isAt: "state-event-table.txt") }

    /// A heading for each state, a line for each event that is answered, and one line with those that are not.
    private static func table() throws -> String {
        var lines: [String] = []
        for state in try CoordinatorState.all() {
            lines.append("## \(state.name)")
            var ignored: [String] = []
            for event in CoordinatorState.events(about: state.subject) {
                let actions = try answer(state, event)
                let name = CoordinatorTranscript.line(event)
                if actions.isEmpty {
                    ignored.append(name)
                } else {
                    lines.append("\(name) -> \(actions.map(CoordinatorTranscript.line).joined(separator: ", "))")
                }
            }
            lines.append("no action: \(ignored.joined(separator: "; "))")
            lines.append("")
        }
        return lines.joined(separator: "\n")
    }

    private static func answer(_ state: CoordinatorState, _ event: CoordinatorEvent) throws -> [CoordinatorAction] {
        var copy = state
        do {
            return try copy.feed(event)
        } catch {
            Issue.record("\(state.name), \(CoordinatorTranscript.line(event)): \(error)")
            return []
        }
    }

    /// Two events in a row, for every pair of them, in every state: no rule is broken.
    @Test func everyPairOfEventsInEveryState() throws {
        for state in try CoordinatorState.all() {
            let secondEvents = CoordinatorState.events(about: state.subject, token: 81)
            for first in CoordinatorState.events(about: state.subject) {
                var afterFirst = state
                _ = try afterFirst.feed(first)
                for second in secondEvents {
                    var copy = afterFirst
                    do {
                        _ = try copy.feed(second)
                    } catch {
                        let pair = "\(CoordinatorTranscript.line(first)), \(CoordinatorTranscript.line(second))"
                        Issue.record("\(state.name), \(pair): \(error)")
                    }
                }
            }
        }
    }
}
