extension DataStream {
    @inlinable
    public func process<Function: ProcessFunction>(
        _ make: @escaping @Sendable () -> Function
    ) -> DataStream<Function.Output> where Function.Input == Element {
        environment.addOperator(name: "process", input: forward) { site, out, hooks in
            let function = FunctionCell(make(), in: &hooks), context = ProcessContext(site: site)
            try function.value.pointee.open(context)
            context.operatorStates.install(in: &hooks)
            let flush = {
                out.flush()
                context.sideOutputs.flush()
            }
            hooks.endOfInput = {
                try function.value.pointee.endOfInput(out: out)
                flush()
            }
            let body = function.value
            return { base, count in
                do {
                    for index in 0..<count { try body.pointee.process(base[index], out: out) }
                } catch { site.context.fail(error) }
                flush()
            }
        }
    }
}

extension ConnectedStreams {
    /// Marks the stream as keyed by the same key.
    @inlinable
    public func key<Key: StreamKey>(
        by first: @escaping @Sendable (First) -> Key, and second: @escaping @Sendable (Second) -> Key
    ) -> KeyedConnectedStreams<Key, First, Second> {
        let edges = (
            StreamEdge(from: self.edges.0.from, tag: self.edges.0.tag, isForward: false, exchange: .keyed(by: first)),
            StreamEdge(from: self.edges.1.from, tag: self.edges.1.tag, isForward: false, exchange: .keyed(by: second))
        )
        return KeyedConnectedStreams(streams: ConnectedStreams(environment: environment, edges: edges), selectors: (first, second))
    }

    @inlinable
    public func process<Function: TwoInputFunction>(
        _ make: @escaping @Sendable () -> Function
    ) -> DataStream<Function.Output> where Function.First == First, Function.Second == Second {
        environment.addOperator(name: "process", inputs: edges) { site, out, hooks in
            let function = FunctionCell(make(), in: &hooks).value, context = ProcessContext(site: site)
            try function.pointee.open(context)
            context.operatorStates.install(in: &hooks)
            let flush = {
                out.flush()
                context.sideOutputs.flush()
            }
            hooks.endOfInput = {
                try function.pointee.endOfInput(out: out)
                flush()
            }
            return TwoInputConsumers<First, Second>(
                first: { base, count in
                    do {
                        for index in 0..<count { try function.pointee.processFirst(base[index], out: out) }
                    } catch { site.context.fail(error) }
                    flush()
                },
                second: { base, count in
                    do {
                        for index in 0..<count { try function.pointee.processSecond(base[index], out: out) }
                    } catch { site.context.fail(error) }
                    flush()
                },
                firstEnded: {
                    try function.pointee.firstEnded(out: out)
                    flush()
                },
                secondEnded: {
                    try function.pointee.secondEnded(out: out)
                    flush()
                })
        }
    }
}

extension KeyedConnectedStreams {
    @inlinable
    public func process<Function: KeyedTwoInputFunction>(
        _ make: @escaping @Sendable () -> Function
    ) -> DataStream<Function.Output> where Function.Key == Key, Function.First == First, Function.Second == Second {
        let selectors = self.selectors
        return streams.environment.addOperator(name: "process", inputs: streams.edges) { site, out, hooks in
            let function = FunctionCell(make(), in: &hooks).value, context = KeyedContext<Key>(site: site)
            let states = context.states
            try function.pointee.open(context)
            context.install(in: &hooks, out: out) { timer, key in try function.pointee.onTimer(timer, key: key, out: out) }
            let flush = {
                out.flush()
                context.sideOutputs.flush()
            }
            hooks.endOfInput = {
                try function.pointee.endOfInput(out: out)
                flush()
            }
            return TwoInputConsumers<First, Second>(
                first: { base, count in
                    do {
                        for index in 0..<count {
                            let key = selectors.0(base[index])
                            states.select(key, hash: key.stableHash)
                            try function.pointee.processFirst(base[index], key: key, out: out)
                        }
                    } catch { site.context.fail(error) }
                    states.clean(afterRecords: count)
                    flush()
                },
                second: { base, count in
                    do {
                        for index in 0..<count {
                            let key = selectors.1(base[index])
                            states.select(key, hash: key.stableHash)
                            try function.pointee.processSecond(base[index], key: key, out: out)
                        }
                    } catch { site.context.fail(error) }
                    states.clean(afterRecords: count)
                    flush()
                },
                firstEnded: {
                    try function.pointee.firstEnded(out: out)
                    flush()
                },
                secondEnded: {
                    try function.pointee.secondEnded(out: out)
                    flush()
                })
        }
    }
}

/// A function instance behind a pointer: a captured variable would be checked for exclusive access once per record. Freed with its operator.
@usableFromInline
struct FunctionCell<Function> {
    @usableFromInline let value: UnsafeMutablePointer<Function>

    @inlinable
    init(_ function: Function, in hooks: inout OperatorHooks) {
        let value = UnsafeMutablePointer<Function>.allocate(capacity: 1)
        value.initialize(to: function)
        self.value = value
        hooks.close = {
            value.deinitialize(count: 1)
            value.deallocate()
        }
    }
}
