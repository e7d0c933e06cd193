public import CheckpointStore
public import StreamModel

extension DataStream {
    /// Writes every record to the sink, exactly once with checkpoints in exactly-once mode.
    @inlinable
    @discardableResult
    public func write<Sink: TwoPhaseSink>(to sink: Sink, name: String = "sink") -> DataStream<Never> where Sink.Element == Element {
        let shared = AttemptShared<Sink.Shared>()
        let stream: DataStream<Never> = environment.addOperator(
            name: name, input: forward, prepare: { shared.value = try sink.prepare($0) }
        ) { site, _, hooks in
            var writer = try sink.makeWriter(SinkSubtask(site), try shared.prepared(uid: site.uid))
            let outputs = OpenOutputs(uid: site.uid, type: Sink.committableType)
            hooks.snapshot = { checkpoint in
                outputs.add(try writer.prepareCommit(at: checkpoint), at: checkpoint)
                guard let type = Sink.stateType else { return [outputs.part] }
                return [outputs.part, .elements(name: NodeCommitter.stateName, kind: .listUnion, type: type, writer.state(at: checkpoint))]
            }
            hooks.completed = { checkpoint in
                outputs.completed(checkpoint)
                writer.committed(checkpoint)
            }
            hooks.close = { writer.close() }
            return { base, count in
                do { try writer.write(UnsafeMutableBufferPointer(start: base, count: count)) } catch { site.context.fail(error) }
            }
        }
        stream.node.committer = NodeCommitter(
            committableType: Sink.committableType, stateType: Sink.stateType, commit: { try sink.commit($0, $1) })
        stream.node.claim = { try sink.claim($0) }
        stream.node.published = { try sink.published($0) }
        return stream
    }
}

/// Carries a sink's prepared value to the writers of the attempt.
@usableFromInline
final class AttemptShared<Value>: @unchecked Sendable {
    // Sound: written and read by the job's thread, before the subtasks' threads start.
    @usableFromInline var value: Value?
    @usableFromInline init() {}

    @usableFromInline
    func prepared(uid: String) throws(JobError) -> Value {
        guard let value else { throw .sink("sink \(uid) was not prepared before its writers were made") }
        return value
    }
}

/// Outputs of one sink subtask not yet listed by a complete checkpoint. Used on the subtask's thread.
@usableFromInline
final class OpenOutputs {
    private let uid: String
    private let type: String
    private var outputs: [SealedOutput] = []

    @usableFromInline
    init(uid: String, type: String) {
        self.uid = uid
        self.type = type
    }

    @usableFromInline
    func add(_ prepared: [PreparedOutput], at checkpoint: CheckpointID) {
        outputs += prepared.map { SealedOutput(uid: uid, sealedAt: checkpoint, prepared: $0) }
    }

    /// All of them for the snapshot, because an earlier checkpoint that lists them may have failed.
    @usableFromInline
    var part: SnapshotPart {
        .committables(type: type) { [outputs] in try outputs.flatMap { try $0.payloads() } }
    }

    @usableFromInline
    func completed(_ checkpoint: CheckpointID) { outputs.removeAll { $0.sealedAt <= checkpoint } }
}

/// Output handed over at one barrier. Listed by several checkpoints, made durable once.
private final class SealedOutput: @unchecked Sendable {
    // Sound: the outcome belongs to the job's file worker.
    let sealedAt: CheckpointID
    private let uid: String
    private let prepared: PreparedOutput
    private var outcome: Result<[[UInt8]], JobError>?

    init(uid: String, sealedAt: CheckpointID, prepared: PreparedOutput) {
        self.uid = uid
        self.sealedAt = sealedAt
        self.prepared = prepared
    }

    /// Payloads of the durable output. A failure is final: output that may not be durable is never listed.
    func payloads() throws(JobError) -> [[UInt8]] {
        if let outcome { return try outcome.get() }
        let made: Result<[[UInt8]], JobError>
        do { made = .success(try prepared.makeDurable()) } catch {
            made = .failure(.sink("the output of sink \(uid) could not be prepared for checkpoint \(sealedAt): \(error)"))
        }
        outcome = made
        return try made.get()
    }
}

/// The commit of a sink's committables, without its types.
@usableFromInline
struct NodeCommitter: Sendable {
    @usableFromInline static let stateName = "timeline"
    let committableType: String
    let stateType: String?
    let commit: @Sendable ([Committable], CommitContext) throws -> Void

    @usableFromInline
    init(committableType: String, stateType: String?, commit: @escaping @Sendable ([Committable], CommitContext) throws -> Void) {
        self.committableType = committableType
        self.stateType = stateType
        self.commit = commit
    }

    /// State of the sink in a snapshot; empty when the snapshot does not know the sink.
    func state(of uid: String, in restored: RestoredState) throws -> [[UInt8]] {
        guard let stateType else { return [] }
        for subtask in restored.operators[uid]?.subtasks ?? [] {
            for handle in subtask.states where handle.name == Self.stateName {
                guard handle.valueType == stateType else {
                    throw JobError.stateTypeChanged(
                        path: restored.snapshot.path, operatorUID: uid, state: Self.stateName, stored: handle.valueType, wanted: stateType)
                }
                return try restored.snapshot.elements(of: handle)
            }
        }
        return []
    }
}

/// Commits the outputs listed in a checkpoint, each by its own sink.
struct CheckpointCommitter: Sendable {
    private let sinks: [String: NodeCommitter]
    private let ownerships: [String: OutputOwnership]
    private let host: any EngineHost

    /// - Parameter ownerships: by uid of the sink.
    init(nodes: [StreamNode], ownerships: [String: OutputOwnership] = [:], host: any EngineHost) {
        self.ownerships = ownerships
        sinks = Dictionary(nodes.compactMap { node in node.committer.map { (node.effectiveUID, $0) } }) { first, _ in first }
        self.host = host
    }

    /// Sinks of the committables that the job lacks and no built-in sink can replace.
    func unknownSinks(of committables: [Committable]) -> [String] {
        Set(committables.filter { committer(for: $0) == nil }.map(\.uid)).sorted()
    }

    /// Commits every committable, or throws an error that names the first failing sink.
    /// - Parameter skipping: sinks whose output the operator gave up.
    func commit(
        _ committables: [Committable], of checkpoint: CheckpointID, isRecovery: Bool, skipping given: Set<String> = []
    ) throws(JobError) {
        for (uid, own) in Dictionary(grouping: committables, by: \.uid).sorted(by: { $0.key < $1.key }) where !given.contains(uid) {
            guard let committer = own.first.flatMap(committer(for:)) else {
                throw .sink(
                    "checkpoint \(checkpoint) lists output of sink \"\(uid)\", which the job does not have: give the sink its uid back, "
                        + "or allow unmatched state to give the output up")
            }
            if let other = own.first(where: { $0.type != committer.committableType }) {
                throw .sink(
                    "checkpoint \(checkpoint) lists output of sink \"\(uid)\" of the type \(other.type), the job's sink commits "
                        + "\(committer.committableType): give the sink another uid, or restore with the program that wrote it")
            }
            let context = CommitContext(
                uid: uid, checkpoint: checkpoint, isRecovery: isRecovery, host: host, ownership: ownerships[uid] ?? .none)
            do { try committer.commit(own, context) } catch let error as JobError { throw error } catch {
                throw .sink("sink \"\(uid)\" cannot commit its output of checkpoint \(checkpoint): \(error)")
            }
        }
    }

    /// Committer of a committable. A file to be renamed is self-describing: it is committed even if its sink has left the job.
    private func committer(for committable: Committable) -> NodeCommitter? {
        if let known = sinks[committable.uid] { return known }
        guard committable.type == FilePart.type else { return nil }
        return NodeCommitter(committableType: FilePart.type, stateType: nil) { try FilePartCommitter.commit($0, $1, owned: nil) }
    }
}
