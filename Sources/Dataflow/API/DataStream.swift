/// A stream of records; describes, does not hold. Functions given to it run on the subtasks' threads, one instance a subtask.
public struct DataStream<Element: Sendable> {
    @usableFromInline let environment: StreamEnvironment
    @usableFromInline let node: StreamNode

    @usableFromInline
    init(environment: StreamEnvironment, node: StreamNode) {
        self.environment = environment
        self.node = node
    }

    /// The operator's identity across submissions: its state is found again by it.
    @discardableResult
    public func uid(_ uid: String) -> Self {
        node.uid = uid
        return self
    }

    /// What screens call the operator.
    @discardableResult
    public func name(_ name: String) -> Self {
        node.name = name
        return self
    }

    @discardableResult
    public func parallelism(_ parallelism: Int) -> Self {
        node.parallelism = parallelism
        return self
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

    /// Any number of records from one, through the emitter.
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
        KeyedStream(environment: environment, edge: StreamEdge(from: node, isForward: false, exchange: .keyed(by: selector)), selector: selector)
    }

    /// Deals the batches out to the subtasks of the next operator in turn.
    @inlinable
    public func rebalance() -> DataStream<Element> {
        let edge = StreamEdge(from: node, isForward: false, exchange: .roundRobin(of: Element.self))
        return environment.addOperator(name: "rebalance", input: edge) { _, out, _ in
            { base, count in
                for index in 0..<count { out.emit(base[index]) }
                out.flush()
            }
        }
    }

    /// Drops every record.
    @discardableResult
    public func discard() -> DataStream<Never> {
        environment.addOperator(name: "discard", input: forward) { (_: OperatorSite, _: Emitter<Never>, _: inout OperatorHooks) in
            { (_: UnsafeMutablePointer<Element>, _: Int) in }
        }
    }

    /// One line a record on standard output: at least once, for a look at a stream.
    @discardableResult
    public func print(_ text: @escaping @Sendable (Element) -> String = { String(describing: $0) }) -> DataStream<Never> {
        environment.addOperator(name: "print", input: forward) { (_: OperatorSite, _: Emitter<Never>, _: inout OperatorHooks) in
            { (base: UnsafeMutablePointer<Element>, count: Int) in
                for index in 0..<count { Swift.print(text(base[index])) }
            }
        }
    }

    @usableFromInline
    var forward: StreamEdge { StreamEdge(from: node, isForward: true, exchange: .roundRobin(of: Element.self)) }
}

/// A stream partitioned by key. Operators on it have state, one value a key.
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
