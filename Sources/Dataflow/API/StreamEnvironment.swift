public import StreamModel

/// A job: a name and a description of its graph. `build` runs when an attempt's graph is needed, on the thread that launches the job.
public protocol StreamJob: Sendable {
    var name: String { get }
    func build(_ environment: StreamEnvironment) throws
}

/// Parameters and graph of a job, filled in by its `build`. Used on one thread, then discarded.
public final class StreamEnvironment {
    /// Default parallelism of the operators.
    public var parallelism: Int
    /// Number of key groups; nil = Flink's default for the parallelism, or that of the restored snapshot.
    public var maxParallelism: Int?
    public var checkpoints = CheckpointConfiguration()
    /// Restart strategy; nil = unlimited restarts after 1 s with checkpointing, none otherwise (Flink 1.14's default).
    public var restartStrategy: RestartStrategy?
    /// Recovery with a damaged or missing newest snapshot.
    public var recoveryFallback = RecoveryFallback.newestValid
    /// Whether the job accepts fault injection (`RunningJob.fault`).
    public var allowsFaults = false

    /// Interval between watermarks (Flink's auto-watermark interval); 0 = after every batch.
    public var watermarkInterval: Milliseconds = 200

    @usableFromInline private(set) var nodes: [StreamNode] = []
    /// The first error of the graph that could not be reported where it was written.
    private(set) var problem: String?

    @usableFromInline
    func refuse(_ problem: String) { self.problem = self.problem ?? problem }

    public init(parallelism: Int) { self.parallelism = parallelism }

    /// Flink's `env.enableCheckpointing(3000)`.
    public func enableCheckpointing(every interval: Milliseconds) { checkpoints.interval = interval }

    /// Reads from a source, with one reader per subtask.
    @inlinable
    public func read<S: Source>(_ source: S, name: String = "source") -> DataStream<S.Reader.Element> {
        let sharing = source.splitSharing
        let node = add(
            name: source.guarantee == .atMostOnce ? "\(name) (at most once)" : name, inputs: [],
            maker: .source { site, downstream in
                var reader = try source.makeReader(
                    subtask: site.context.index, parallelism: site.context.parallelism, host: site.context.host)
                let emitter = Emitter<S.Reader.Element>(consumer: downstream.typed().consume)
                var hooks = OperatorHooks(uid: site.uid, advance: downstream.advance)
                hooks.snapshot = { _ in [.splits(reader.splits(), type: S.splitType, sharing)] }
                hooks.restore = { state in try reader.restore(state.splits(type: S.splitType, sharing)) }
                hooks.close = { emitter.release() }
                let states = OperatorStates()
                try reader.open(states)
                states.install(in: &hooks)
                site.context.register(hooks)
                return SourceDriver(
                    start: { try reader.start(at: $0) },
                    step: { now in
                        let status = try reader.read(into: emitter, at: now)
                        emitter.flush()
                        return status
                    },
                    advance: downstream.advance, position: { reader.position }, progress: { reader.progress })
            }, fanOut: fanOut(of: S.Reader.Element.self))
        return DataStream(environment: self, node: node)
    }

    @usableFromInline
    func add(
        name: String, inputs: [StreamEdge], maker: StreamNode.Maker, fanOut: @escaping ([AnyConsumer]) -> AnyConsumer,
        prepare: ((SinkPreparation) throws -> Void)? = nil
    ) -> StreamNode {
        let node = StreamNode(id: nodes.count, name: name, inputs: inputs, maker: maker, fanOut: fanOut)
        node.prepare = prepare
        nodes.append(node)
        return node
    }

    /// Notes that a side output has a reader.
    @usableFromInline
    func take(_ tag: String, of node: StreamNode, as type: Any.Type, fanOut: @escaping ([AnyConsumer]) -> AnyConsumer) {
        if let known = node.sideOutputs[tag], known.type != type {
            refuse("side output \"\(tag)\" of operator \"\(node.effectiveUID)\" is taken with two record types, \(known.type) and \(type)")
        }
        node.sideOutputs[tag] = StreamNode.SideOutput(type: type, fanOut: fanOut)
    }

    /// Adds an operator that takes batches of `Input` and emits `Output`. `body` makes an instance for a subtask and fills in the hooks.
    @inlinable
    func addOperator<Input, Output: Sendable>(
        name: String, input: StreamEdge, prepare: ((SinkPreparation) throws -> Void)? = nil,
        body: @escaping (OperatorSite, Emitter<Output>, inout OperatorHooks) throws -> BatchConsumer<Input>
    ) -> DataStream<Output> {
        let node = add(
            name: name, inputs: [input],
            maker: .operator { site, downstream in
                let (consume, advance) = try Self.instance(at: site, before: downstream, of: Output.self) { out, hooks in try body(site, out, &hooks) }
                guard Output.self == Never.self else { return [Consumer(consume, advance: advance)] }
                // The end of the stream: records taken by sinks are the job's output.
                let written: BatchConsumer<Input> = { base, count in
                    site.context.countWritten(count)
                    consume(base, count)
                }
                return [Consumer(written, advance: advance)]
            }, fanOut: fanOut(of: Output.self), prepare: prepare)
        return DataStream(environment: self, node: node)
    }

    /// Adds an operator with two inputs. `body` makes the batch consumers of an instance for a subtask.
    @inlinable
    func addOperator<First, Second, Output: Sendable>(
        name: String, inputs: (StreamEdge, StreamEdge),
        body: @escaping (OperatorSite, Emitter<Output>, inout OperatorHooks) throws -> TwoInputConsumers<First, Second>
    ) -> DataStream<Output> {
        let node = add(
            name: name, inputs: [inputs.0, inputs.1],
            maker: .operator { site, downstream in
                let (consumers, advance) = try Self.instance(at: site, before: downstream, of: Output.self) { out, hooks in try body(site, out, &hooks) }
                return [
                    Consumer(consumers.first, advance: advance, endOfInput: consumers.firstEnded),
                    Consumer(consumers.second, advance: advance, endOfInput: consumers.secondEnded),
                ]
            }, fanOut: fanOut(of: Output.self))
        return DataStream(environment: self, node: node)
    }

    /// Makes one operator instance: its emitter, its hooks, and its handling of event time.
    @inlinable
    static func instance<Output: Sendable, Made>(
        at site: OperatorSite, before downstream: AnyConsumer, of type: Output.Type, _ body: (Emitter<Output>, inout OperatorHooks) throws -> Made
    ) throws -> (made: Made, advance: (StreamTime) -> Void) {
        let emitter = Emitter<Output>(consumer: downstream.typed().consume)
        let sides = site.sideOutputs
        var hooks = OperatorHooks(uid: site.uid) { time in
            downstream.advance(time)
            sides.advance(time)
        }
        let made: Made
        do { made = try body(emitter, &hooks) } catch {
            hooks.close()
            emitter.release()
            sides.release()
            throw error
        }
        let close = hooks.close
        hooks.close = {
            close()
            emitter.release()
            sides.release()
        }
        site.context.register(hooks)
        return (made, hooks.advance)
    }

    /// Combines several consumers into one: each sees every batch.
    @inlinable
    func fanOut<Element>(of type: Element.Type) -> ([AnyConsumer]) -> AnyConsumer {
        { consumers in
            let typed = consumers.map { $0.typed(Element.self).consume }
            switch typed.count {
            case 0: return Consumer<Element>({ _, _ in }, advance: { _ in })
            case 1: return consumers[0]
            default:
                return Consumer<Element>(
                    { base, count in for consume in typed { consume(base, count) } },
                    advance: { time in for consumer in consumers { consumer.advance(time) } })
            }
        }
    }
}

/// A pair of values for the two inputs of an operator.
@usableFromInline
struct TwoInputConsumers<First, Second> {
    @usableFromInline let first: BatchConsumer<First>
    @usableFromInline let second: BatchConsumer<Second>
    /// Called at the end of the input, before the operator's `endOfInput`.
    @usableFromInline let firstEnded: () throws -> Void
    @usableFromInline let secondEnded: () throws -> Void

    @usableFromInline
    init(
        first: @escaping BatchConsumer<First>, second: @escaping BatchConsumer<Second>, firstEnded: @escaping () throws -> Void = {},
        secondEnded: @escaping () throws -> Void = {}
    ) {
        self.first = first
        self.second = second
        self.firstEnded = firstEnded
        self.secondEnded = secondEnded
    }
}
