import CheckpointCore
import StreamModel
import Testing

// Goal: the table of rule 3.1 cell by cell, and the subsumption of rule 3.2 with its examples.
@Suite struct RetentionPolicyTests {
    /// Rows of rule 3.1: discard? at subsumed, FINISHED, CANCELED, FAILED, SUSPENDED.
    static let table: [(CheckpointConfiguration.Retention, [Bool])] = [
        (.none, [true, true, true, true, true]),
        (.deleteOnCancellation, [true, true, true, false, true]),
        (.retainOnCancellation, [true, true, false, false, false]),
    ]
    static let events: [RetentionEvent] = [.subsumed, .finished, .canceled, .failed, .suspended]

    @Test func checkpointsFollowTheTable() {
        for (retention, row) in Self.table {
            for (event, isDiscarded) in zip(Self.events, row) {
                let standalone = RetentionPolicy(retention, keepsOnSuspension: false)
                #expect(standalone.discards(.checkpoint, on: event) == isDiscarded, "\(retention) \(event)")
                let durable = RetentionPolicy(retention)
                #expect(durable.discards(.checkpoint, on: event) == (isDiscarded && event != .suspended), "\(retention) \(event)")
            }
        }
    }

    @Test func savepointsAreNeverDiscarded() {
        for (retention, _) in Self.table {
            for event in RetentionEvent.allCases {
                for override in [CancelRetention.byPolicy, .keep, .discard] {
                    for kind in [CheckpointKind.savepoint, .synchronousSavepoint] {
                        let policy = RetentionPolicy(retention, keepsOnSuspension: false)
                        #expect(!policy.discards(kind, on: event, override: override))
                    }
                }
            }
        }
    }

    @Test func theOverrideDecidesCanceledAndNothingElse() {
        for (retention, _) in Self.table {
            let policy = RetentionPolicy(retention, keepsOnSuspension: false)
            for event in RetentionEvent.allCases {
                let byPolicy = policy.discards(.checkpoint, on: event)
                #expect(policy.discards(.checkpoint, on: event, override: .keep) == (event == .canceled ? false : byPolicy))
                #expect(policy.discards(.checkpoint, on: event, override: .discard) == (event == .canceled ? true : byPolicy))
            }
        }
    }

    @Test func onlyEndedAndSuspendedJobsHaveAnEvent() {
        let events = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, RetentionEvent($0)) })
        #expect(events.filter { $0.value != nil }.count == 4)
        #expect(events[.finished] == .finished)
        #expect(events[.canceled] == .canceled)
        #expect(events[.failed] == .failed)
        #expect(events[.suspended] == .suspended)
    }
}

@Suite struct CompletedCheckpointsTests {
    /// "c5" = checkpoint 5, "s6" = savepoint 6, "y7" = synchronous savepoint 7, "u3" / "o3" = restored checkpoint 3, unclaimed / owned.
    private func entry(_ text: String) -> CompletedCheckpoint {
        let id = CheckpointID(UInt64(text.dropFirst()) ?? 0)
        return switch text.first {
        case "s": CompletedCheckpoint(id: id, kind: .savepoint)
        case "y": CompletedCheckpoint(id: id, kind: .synchronousSavepoint)
        case "u": CompletedCheckpoint(restored: id, kind: .checkpoint, claimed: false)
        case "o": CompletedCheckpoint(restored: id, kind: .savepoint, claimed: true)
        default: CompletedCheckpoint(id: id, kind: .checkpoint)
        }
    }

    struct Example: Sendable, CustomTestStringConvertible {
        let retained: Int
        let added: String
        let kept: [UInt64]
        let removedByLast: [UInt64]
        var testDescription: String { "retain \(retained): \(added)" }
    }

    static let examples: [Example] = [
        Example(retained: 1, added: "c1", kept: [1], removedByLast: []),
        Example(retained: 1, added: "c1 c2", kept: [2], removedByLast: [1]),
        // Rule 3.2's example: [chk5, sp6] both kept, after chk7 both removed.
        Example(retained: 1, added: "c5 s6", kept: [5, 6], removedByLast: []),
        Example(retained: 1, added: "c5 s6 c7", kept: [7], removedByLast: [5, 6]),
        Example(retained: 1, added: "c5 s6 s7", kept: [5, 7], removedByLast: [6]),
        Example(retained: 1, added: "s1 s2 s3", kept: [3], removedByLast: [2]),
        // A savepoint that ends the job takes even the newest checkpoint's place.
        Example(retained: 1, added: "c5 y6", kept: [6], removedByLast: [5]),
        Example(retained: 2, added: "c5 y6", kept: [5, 6], removedByLast: []),
        Example(retained: 2, added: "c1 s2 c3", kept: [2, 3], removedByLast: [1]),
        Example(retained: 2, added: "c1 s2 s3", kept: [1, 3], removedByLast: [2]),
        Example(retained: 3, added: "c1 c2 c3 c4", kept: [2, 3, 4], removedByLast: [1]),
        // Overtaken: the savepoint completes after a newer checkpoint, and does not become the newest.
        Example(retained: 1, added: "c4 c6 s5", kept: [6], removedByLast: [5]),
        Example(retained: 2, added: "c4 c6 s5", kept: [5, 6], removedByLast: [4]),
        // Restored snapshots.
        Example(retained: 1, added: "u3 c4", kept: [4], removedByLast: [3]),
        Example(retained: 1, added: "o3 s4", kept: [3, 4], removedByLast: []),
        Example(retained: 1, added: "u3 s4", kept: [4], removedByLast: [3]),
    ]

    @Test(arguments: examples) func subsumption(_ example: Example) {
        var store = CompletedCheckpoints(retained: example.retained)
        var removed: [CompletedCheckpoint] = []
        for text in example.added.split(separator: " ") {
            let checkpoint = entry(String(text))
            removed = []
            if text.first == "u" || text.first == "o" { store.insert(checkpoint) } else { removed = store.add(checkpoint) }
        }
        #expect(store.entries.map(\.id.rawValue) == example.kept)
        #expect(removed.map(\.id.rawValue) == example.removedByLast)
    }

    @Test func ownershipDecidesTheTreatment() {
        #expect(entry("u3").treatedAs == .savepoint)
        #expect(entry("o3").treatedAs == .checkpoint)
        #expect(CompletedCheckpoint(restored: CheckpointID(1), kind: .synchronousSavepoint, claimed: false).treatedAs == .savepoint)
    }

    @Test func insertingAgainChangesNothing() {
        var store = CompletedCheckpoints(retained: 2)
        _ = store.add(entry("c1"))
        store.insert(entry("u1"))
        #expect(store.entries == [entry("c1")])
    }
}
