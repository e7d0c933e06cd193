/// A stream of records: a description, not a container. Its functions run on the subtasks' threads, one instance per subtask.
public struct DataStream<Element: Sendable> {
    @usableFromInline let environment: StreamEnvironment
    @usableFromInline let node: StreamNode
    /// Side output of the node that this stream is; nil = its main output.
    @usableFromInline let tag: String?

    @usableFromInline
    init(environment: StreamEnvironment, node: StreamNode, tag: String? = nil) {
        self.environment = environment
        self.node = node
        self.tag = tag
    }

    /// Sets the operator's identity across submissions, by which its state is found again.
    @discardableResult
    public func uid(_ uid: String) -> Self {
        refuseOnSideOutput("uid")
        node.uid = uid
        return self
    }

    /// Sets the operator's name on screens.
    @discardableResult
    public func name(_ name: String) -> Self {
        refuseOnSideOutput("name")
        node.name = name
        return self
    }

    @discardableResult
    public func parallelism(_ parallelism: Int) -> Self {
        refuseOnSideOutput("parallelism")
        node.parallelism = parallelism
        return self
    }

    private func refuseOnSideOutput(_ what: String) {
        guard let tag else { return }
        environment.refuse(
            "side output \"\(tag)\" has no \(what) of its own: it is the output of \"\(node.effectiveUID)\"; give the \(what) to that, or to the "
                + "operator behind")
    }

    /// The records that the operator emitted to the tag.
    @inlinable
    public func sideOutput<Side: Sendable>(_ tag: OutputTag<Side>) -> DataStream<Side> {
        if self.tag != nil {
            environment.refuse("side output \"\(tag.name)\" is requested from another side output: request it from the operator that emits it")
        }
        environment.take(tag.name, of: node, as: Side.self, fanOut: environment.fanOut(of: Side.self))
        return DataStream<Side>(environment: environment, node: node, tag: tag.name)
    }

    /// Merges several streams into one, in order per producer.
    @inlinable
    public func union(_ others: DataStream<Element>...) -> DataStream<Element> {
        let node = environment.add(
            name: "union", inputs: [forward] + others.map(\.forward),
            maker: .operator { site, downstream in
                site.context.register(OperatorHooks(uid: site.uid, advance: downstream.advance))
                return [AnyConsumer](repeating: downstream, count: others.count + 1)
            }, fanOut: environment.fanOut(of: Element.self))
        return DataStream(environment: environment, node: node)
    }

    @inlinable
    public func map<Output: Sendable>(_ transform: @escaping @Sendable (Element) throws -> Output) -> DataStream<Output> {
        environment.addOperator(name: "map", input: forward) { site, out, _ in
            { base, count in
                do {
                    for index in 0..<count { out.emit(try transform(base[index])) }
                } catch { site.context.fail(error) }
                out.flush()
            }
        }
    }

    @inlinable
    public func filter(_ isIncluded: @escaping @Sendable (Element) throws -> Bool) -> DataStream<Element> {
        environment.addOperator(name: "filter", input: forward) { site, out, _ in
            { base, count in
                do {
                    for index in 0..<count where try isIncluded(base[index]) { out.emit(base[index]) }
                } catch { site.context.fail(error) }
                out.flush()
            }
        }
    }

    /// Emits any number of records for each input record.
    @inlinable
    public func flatMap<Output: Sendable>(
        to type: Output.Type = Output.self, _ transform: @escaping @Sendable (Element, Emitter<Output>) throws -> Void
    ) -> DataStream<Output> {
        environment.addOperator(name: "flatMap", input: forward) { site, out, _ in
            { base, count in
                do {
                    for index in 0..<count { try transform(base[index], out) }
                } catch { site.context.fail(error) }
                out.flush()
            }
        }
    }

    /// Partitions by key: all records of a key reach the same subtask, in order per producer.
    @inlinable
    public func key<Key: StreamKey>(by selector: @escaping @Sendable (Element) -> Key) -> KeyedStream<Key, Element> {
        KeyedStream(environment: environment, edge: StreamEdge(from: node, tag: tag, isForward: false, exchange: .keyed(by: selector)), selector: selector)
    }

    /// Distributes the batches to the subtasks of the next operator in turn.
    @inlinable
    public func rebalance() -> DataStream<Element> {
        let edge = StreamEdge(from: node, tag: tag, isForward: false, exchange: .roundRobin(of: Element.self))
        return environment.addOperator(name: "rebalance", input: edge) { _, out, _ in
            { base, count in
                for index in 0..<count { out.emit(base[index]) }
                out.flush()
            }
        }
    }

    /// Sends every record to every subtask of the next operator.
    @inlinable
    public func broadcast() -> BroadcastStream<Element> {
        BroadcastStream(
            environment: environment, edge: StreamEdge(from: node, tag: tag, isForward: false, exchange: .broadcast(of: Element.self)))
    }

    /// Drops every record.
    @discardableResult
    public func discard() -> DataStream<Never> {
        environment.addOperator(name: "discard", input: forward) { (_: OperatorSite, _: Emitter<Never>, _: inout OperatorHooks) in
            { (_: UnsafeMutablePointer<Element>, _: Int) in }
        }
    }

    /// Prints one line per record to standard output: at-least-once, for inspecting a stream.
    @discardableResult
    public func print(_ text: @escaping @Sendable (Element) -> String = { String(describing: $0) }) -> DataStream<Never> {
        environment.addOperator(name: "print", input: forward) { (_: OperatorSite, _: Emitter<Never>, _: inout OperatorHooks) in
            { (base: UnsafeMutablePointer<Element>, count: Int) in
                for index in 0..<count { Swift.print(text(base[index])) }
            }
        }
    }

    @usableFromInline
    var forward: StreamEdge { StreamEdge(from: node, tag: tag, isForward: true, exchange: .roundRobin(of: Element.self)) }
}

/// A stream whose records all reach every subtask of the next operator: rules, settings, small tables. Used with `connect`.
public struct BroadcastStream<Element: Sendable> {
    @usableFromInline let environment: StreamEnvironment
    @usableFromInline let edge: StreamEdge

    @usableFromInline
    init(environment: StreamEnvironment, edge: StreamEdge) {
        self.environment = environment
        self.edge = edge
    }
}

/// A stream partitioned by key. Operators on it have state, one value per key.
public struct KeyedStream<Key: StreamKey, Element: Sendable> {
    @usableFromInline let environment: StreamEnvironment
    @usableFromInline let edge: StreamEdge
    @usableFromInline let selector: @Sendable (Element) -> Key

    @usableFromInline
    init(environment: StreamEnvironment, edge: StreamEdge, selector: @escaping @Sendable (Element) -> Key) {
        self.environment = environment
        self.edge = edge
        self.selector = selector
    }
}
