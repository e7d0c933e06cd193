public import StreamModel

/// A job: a name and a description of its graph. `build` runs once an attempt's graph is needed, on the thread that launches the job.
public protocol StreamJob: Sendable {
    var name: String { get }
    func build(_ environment: StreamEnvironment) throws
}

/// What a job's `build` fills in: parameters and the graph. Used on one thread, then discarded.
public final class StreamEnvironment {
    /// Subtasks of every operator that has no parallelism of its own.
    public var parallelism: Int
    /// Number of key groups; nil = Flink's default for the parallelism, or that of the restored snapshot.
    public var maxParallelism: Int?
    public var checkpoints = CheckpointConfiguration()
    /// nil = fixed delay of 1 s without end when checkpointing is on, none otherwise (Flink 1.14's default).
    public var restartStrategy: RestartStrategy?
    /// The job may be made to misbehave on request (`RunningJob.fault`).
    public var allowsFaults = false

    @usableFromInline private(set) var nodes: [StreamNode] = []

    public init(parallelism: Int) { self.parallelism = parallelism }

    /// `env.enableCheckpointing(3000)`.
    public func enableCheckpointing(every interval: Milliseconds) { checkpoints.interval = interval }

    /// Reads from a source; one reader a subtask.
    @inlinable
    public func read<S: Source>(_ source: S, name: String = "source") -> DataStream<S.Reader.Element> {
        let node = add(
            name: name, input: nil,
            maker: .source { site, downstream in
                var reader = try source.makeReader(subtask: site.context.index, parallelism: site.context.parallelism)
                let emitter = Emitter<S.Reader.Element>(consumer: downstream.typed().consume)
                var hooks = OperatorHooks(uid: site.uid)
                hooks.snapshot = { _ in [.splitList("splits", type: S.splitType, reader.splits())] }
                hooks.restore = { state in try reader.restore(state.elements(named: "splits", type: S.splitType)) }
                hooks.close = { emitter.release() }
                site.context.register(hooks)
                return SourceDriver(
                    step: { now in
                        let status = try reader.read(into: emitter, at: now)
                        emitter.flush()
                        return status
                    },
                    position: { reader.position }, progress: { reader.progress })
            }, fanOut: fanOut(of: S.Reader.Element.self))
        return DataStream(environment: self, node: node)
    }

    @usableFromInline
    func add(
        name: String, input: StreamEdge?, maker: StreamNode.Maker, fanOut: @escaping ([AnyConsumer]) -> AnyConsumer,
        prepare: ((SinkPreparation) throws -> Void)? = nil
    ) -> StreamNode {
        let node = StreamNode(id: nodes.count, name: name, input: input, maker: maker, fanOut: fanOut)
        node.prepare = prepare
        nodes.append(node)
        return node
    }

    /// Adds an operator that takes batches of `Input` and emits `Output`. `body` makes an instance for a subtask; it fills in the hooks.
    @inlinable
    func addOperator<Input, Output: Sendable>(
        name: String, input: StreamEdge, prepare: ((SinkPreparation) throws -> Void)? = nil,
        body: @escaping (OperatorSite, Emitter<Output>, inout OperatorHooks) throws -> BatchConsumer<Input>
    ) -> DataStream<Output> {
        let node = add(
            name: name, input: input,
            maker: .operator { site, downstream in
                let emitter = Emitter<Output>(consumer: downstream.typed().consume)
                var hooks = OperatorHooks(uid: site.uid)
                let consume: BatchConsumer<Input>
                do { consume = try body(site, emitter, &hooks) } catch {
                    hooks.close()
                    emitter.release()
                    throw error
                }
                let close = hooks.close
                hooks.close = {
                    close()
                    emitter.release()
                }
                site.context.register(hooks)
                guard Output.self == Never.self else { return Consumer(consume) }
                // The end of the stream: what sinks take is what the job wrote.
                return Consumer<Input> { base, count in
                    site.context.countWritten(count)
                    consume(base, count)
                }
            }, fanOut: fanOut(of: Output.self), prepare: prepare)
        return DataStream(environment: self, node: node)
    }

    /// One consumer from several: each sees every batch.
    @inlinable
    func fanOut<Element>(of type: Element.Type) -> ([AnyConsumer]) -> AnyConsumer {
        { consumers in
            let typed = consumers.map { $0.typed(Element.self).consume }
            switch typed.count {
            case 0: return Consumer<Element> { _, _ in }
            case 1: return consumers[0]
            default: return Consumer<Element> { base, count in for consume in typed { consume(base, count) } }
            }
        }
    }
}
