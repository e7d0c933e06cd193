// Goal: of the savepoints that are taken at regular times so many stay as were asked for, the oldest goes first, and nobody else's goes.
// Method: records of operations.

import EngineClients
import Ledger
import StreamModel
import Testing

@Suite struct SavepointFloorTests {
    private let floor = SavepointFloor(of: "orders", kept: 2)

    private func entry(_ id: OperationID, _ kind: OperationRequest.Kind, at time: Int64, _ path: String?, _ outcome: LedgerEntry.Outcome = .completed)
        -> LedgerEntry
    {
        LedgerEntry(
            request: OperationRequest(id: id, kind: kind, job: JobID(high: 1, low: UInt64(time))), context: "c", address: "a",
            sentAt: WallTime(milliseconds: time), outcome: outcome, path: path)
    }

    private func taken(_ number: UInt64, _ outcome: LedgerEntry.Outcome = .completed, by floor: SavepointFloor? = nil) -> LedgerEntry {
        entry((floor ?? self.floor).operation(random: number), .savepoint(directory: nil), at: Int64(number), "/sp/\(number)", outcome)
    }

    private func deleted(_ path: String, _ outcome: LedgerEntry.Outcome = .completed) -> LedgerEntry {
        entry(OperationID(random: 77), .dispose(path: path), at: 50, path, outcome)
    }

    @Test func `the oldest beyond those that are kept go first, whatever run of the job took them`() {
        #expect(floor.surplus(in: [taken(3), taken(1), taken(4), taken(2)]) == ["/sp/1", "/sp/2"])
        #expect(floor.surplus(in: [taken(1), taken(2)]).isEmpty && floor.surplus(in: []).isEmpty)
        #expect(SavepointFloor(of: "orders", kept: 0).surplus(in: [taken(1), taken(2)]) == ["/sp/1"], "one is always kept")
    }

    @Test func `what did not come off, or was deleted, counts neither way`() {
        #expect(floor.surplus(in: [taken(1), taken(2), taken(3, .failed), taken(4, .unknown)]).isEmpty)
        #expect(floor.surplus(in: [taken(1), taken(2), taken(3), deleted("file:///sp/1")]).isEmpty)
        #expect(floor.surplus(in: [taken(1), taken(2), taken(3), deleted("/sp/1", .refused)]) == ["/sp/1"])
    }

    @Test func `savepoints of others stay`() {
        let others = (1...5).map { taken(UInt64($0), by: SavepointFloor(of: "payments", kept: 2)) }
        let byHand = (6...9).map { entry(OperationID(random: UInt64($0)), .savepoint(directory: nil), at: Int64($0), "/sp/\($0)") }
        #expect(floor.surplus(in: others + byHand).isEmpty)
    }
}
