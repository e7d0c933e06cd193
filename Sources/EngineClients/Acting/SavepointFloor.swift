internal import FlinkREST
internal import HostEnvironment
public import Ledger
public import StreamModel

/// Savepoints of a job that are taken again and again, and of which so many are kept: a floor under whatever happens to the job next.
///
/// They are told from other savepoints by the ids of their operations, which begin with a word that follows from the job's name: the next run of the
/// job goes on with those of the run before.
public struct SavepointFloor: Sendable {
    public let jobName: String
    /// At least one.
    public let kept: Int

    public init(of jobName: String, kept: Int) { (self.jobName, self.kept) = (jobName, max(1, kept)) }

    var prefix: String { "keep-\(OperatorID(uid: "weir savepoints of \(jobName)").short)-" }

    /// - Parameter random: 64 bits drawn by the caller.
    public func operation(random: UInt64) -> OperationID {
        // A prefix of plain characters and 16 digits.
        OperationID(prefix + OperationID(random: random).description) ?? OperationID(random: random)
    }

    /// The savepoints beyond those that are kept, the oldest first. What is not known to have been taken, or was deleted, does not count.
    public func surplus(in record: [LedgerEntry]) -> [String] {
        var deleted: Set<SnapshotLocation> = []
        for entry in record where entry.outcome == .completed {
            if case .dispose(let path) = entry.request.kind { deleted.insert(SnapshotLocation(path)) }
        }
        let own = record.filter { entry in
            guard case .savepoint = entry.request.kind, entry.outcome == .completed, let path = entry.path else { return false }
            return entry.request.id.description.hasPrefix(prefix) && !deleted.contains(SnapshotLocation(path))
        }
        return own.sorted { ($1.sentAt, $1.request.id.description) < ($0.sentAt, $0.request.id.description) }.dropFirst(kept).reversed().compactMap(\.path)
    }
}

extension FlinkLink {
    private static let recordMax = 10_000

    /// The savepoints that may go now that a new one was taken.
    /// - Throws: when the new one cannot be restored as far as it is seen from here: then all others are needed.
    public func surplus(of floor: SavepointFloor, after newest: String) throws(ClientFailure) -> [String] {
        let inspection = FlinkInspector.inspect(
            newest, clusterIsHere: FlinkAddress.isThisMachine(client.connection.address.host), picture.cluster?.version, stored)
        switch inspection.verdict {
        case .ok, .unreachable, .unchecked: return floor.surplus(in: try ledger.recent(limit: Self.recordMax))
        case .damaged, .missing, .foreign, .abandoned, .tooNew:
            throw ClientFailure(
                .failed, "\(newest) is \(inspection.verdict.rawValue): \(inspection.problem ?? "no details"); no earlier savepoint is deleted")
        }
    }
}
