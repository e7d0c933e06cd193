/// A running aggregate: one accumulator per key.
public protocol AggregateFunction: Sendable {
    associatedtype Input: Sendable
    associatedtype Accumulator: StateCodable
    associatedtype Output: Sendable
    func makeAccumulator() -> Accumulator
    func add(_ record: Input, to accumulator: inout Accumulator)
    func result(of accumulator: Accumulator) -> Output
}

/// Time of an aggregate's output.
public enum AggregateEmission: Sendable {
    /// Emit the new result of a key after every record.
    case everyUpdate
    /// Emit the result of every key once, at the end of the input.
    case endOfInput
}

/// A result with its key.
public struct Keyed<Key: Sendable, Value: Sendable>: Sendable {
    public var key: Key
    public var value: Value
    @inlinable public init(key: Key, value: Value) { (self.key, self.value) = (key, value) }
}

/// Counts records.
public struct Count<Input: Sendable>: AggregateFunction {
    public init() {}
    @inlinable public func makeAccumulator() -> UInt64 { 0 }
    @inlinable public func add(_ record: Input, to accumulator: inout UInt64) { accumulator += 1 }
    @inlinable public func result(of accumulator: UInt64) -> UInt64 { accumulator }
}

/// Arbitrary processing with keyed state and timers. A value type: each subtask has its own instance.
public protocol KeyedProcessFunction<Key, Input, Output> {
    associatedtype Key: StreamKey
    associatedtype Input: Sendable
    associatedtype Output: Sendable
    /// Obtains the states, the timers and the side outputs, before the first record. Only one of the two `open` is needed.
    mutating func open(_ context: KeyedContext<Key>) throws
    /// Obtains the states, before the first record.
    mutating func open(_ states: KeyedStates<Key>) throws
    mutating func process(_ record: Input, key: Key, out: Emitter<Output>) throws
    /// Handles a due timer, with the states of its key.
    mutating func onTimer(_ timer: Timer, key: Key, out: Emitter<Output>) throws
    /// Handles the end of the input. Called once, and again after a restore from a later checkpoint: clear emitted results.
    mutating func endOfInput(out: Emitter<Output>) throws
}

extension KeyedProcessFunction {
    @inlinable public mutating func open(_ context: KeyedContext<Key>) throws { try open(context.states) }
    @inlinable public mutating func open(_ states: KeyedStates<Key>) throws {}
    @inlinable public mutating func onTimer(_ timer: Timer, key: Key, out: Emitter<Output>) throws {}
    @inlinable public mutating func endOfInput(out: Emitter<Output>) throws {}
}

extension KeyedStream {
    @inlinable
    public func aggregate<Function: AggregateFunction>(
        _ function: Function, emit emission: AggregateEmission = .everyUpdate
    ) -> DataStream<Keyed<Key, Function.Output>> where Function.Input == Element {
        let selector = self.selector
        return environment.addOperator(name: "aggregate", input: edge) { site, out, hooks in
            let table = PagedTable<Key, Function.Accumulator>(range: site.context.keyGroups, maxParallelism: site.context.maxParallelism)
            let state = KeyedStates<Key>.Registered.table(table, name: "aggregate")
            hooks.snapshot = { [state.snapshot($0)] }
            hooks.restore = { try state.restore($0) }
            hooks.stateBytes = state.bytes
            let batch = KeyedBatch<Key, Element>()
            hooks.close = { batch.release() }
            switch emission {
            case .everyUpdate:
                return { base, count in
                    batch.forEach(base, count, by: selector, prefetch: { table.prefetch($0, $1) }, prefetchTexts: { table.prefetchTexts($0, $1) }) {
                        index, key, hash in
                        let entry = table.upsert(key, hash: hash) { function.makeAccumulator() }
                        function.add(base[index], to: &entry.pointee.value)
                        out.emit(Keyed(key: key, value: function.result(of: entry.pointee.value)))
                    }
                    out.flush()
                }
            case .endOfInput:
                hooks.endOfInput = {
                    table.forEach { out.emit(Keyed(key: $0.key, value: function.result(of: $0.value))) }
                    out.flush()
                    // A restore from a checkpoint after the end must not emit them again.
                    table.removeAll()
                }
                return { base, count in
                    batch.forEach(base, count, by: selector, prefetch: { table.prefetch($0, $1) }, prefetchTexts: { table.prefetchTexts($0, $1) }) {
                        index, key, hash in
                        let entry = table.upsert(key, hash: hash) { function.makeAccumulator() }
                        function.add(base[index], to: &entry.pointee.value)
                    }
                }
            }
        }
    }

    @inlinable
    public func process<Function: KeyedProcessFunction>(
        _ make: @escaping @Sendable () -> Function
    ) -> DataStream<Function.Output> where Function.Key == Key, Function.Input == Element {
        let selector = self.selector
        return environment.addOperator(name: "process", input: edge) { site, out, hooks in
            let context = KeyedContext<Key>(site: site)
            let states = context.states
            // Behind a pointer: a captured variable would be checked for exclusive access once per record.
            let function = UnsafeMutablePointer<Function>.allocate(capacity: 1)
            function.initialize(to: make())
            let batch = KeyedBatch<Key, Element>()
            hooks.close = {
                batch.release()
                function.deinitialize(count: 1)
                function.deallocate()
            }
            try function.pointee.open(context)
            context.install(in: &hooks, out: out) { timer, key in try function.pointee.onTimer(timer, key: key, out: out) }
            hooks.endOfInput = {
                try function.pointee.endOfInput(out: out)
                out.flush()
                context.sideOutputs.flush()
            }
            return { base, count in
                do {
                    try batch.forEach(base, count, by: selector, prefetch: { states.prefetch($0, $1) }, prefetchTexts: { states.prefetchTexts($0, $1) }) {
                        index, key, hash in
                        states.select(key, hash: hash)
                        try function.pointee.process(base[index], key: key, out: out)
                    }
                } catch { site.context.fail(error) }
                states.clean(afterRecords: count)
                out.flush()
                context.sideOutputs.flush()
            }
        }
    }

    /// Checks that every record is counted exactly once: the ordinals of a key and split must be 0, 1, 2, ... The next expected ordinal is
    /// checkpointed state, so after a restore a repeated record shows as a duplicate and a skipped one as lost. Passes records on unchanged.
    @inlinable
    public func verifySequence(
        uid: String, split: @escaping @Sendable (Element) -> Int, ordinal: @escaping @Sendable (Element) -> UInt64
    ) -> KeyedStream<Key, Element> {
        let selector = self.selector
        let checked: DataStream<Element> = environment.addOperator(name: "verify sequence", input: edge) { site, out, hooks in
            let table = PagedTable<Key, [UInt64]>(range: site.context.keyGroups, maxParallelism: site.context.maxParallelism)
            let state = KeyedStates<Key>.Registered.table(table, name: "next ordinals")
            let audit = site.context.audit
            audit.markUsed()
            let batch = KeyedBatch<Key, Element>()
            hooks.close = { batch.release() }
            hooks.snapshot = { [state.snapshot($0)] }
            hooks.restore = { try state.restore($0) }
            hooks.stateBytes = state.bytes
            return { base, count in
                var duplicates: UInt64 = 0, lost: UInt64 = 0
                batch.forEach(base, count, by: selector, prefetch: { table.prefetch($0, $1) }, prefetchTexts: { table.prefetchTexts($0, $1) }) {
                    index, key, hash in
                    let split = split(base[index]), ordinal = ordinal(base[index])
                    let entry = table.upsert(key, hash: hash) { [] }
                    while entry.pointee.value.count <= split { entry.pointee.value.append(0) }
                    let expected = entry.pointee.value[split]
                    if ordinal < expected {
                        duplicates += 1
                    } else {
                        lost += ordinal - expected
                        entry.pointee.value[split] = ordinal + 1
                    }
                    out.emit(base[index])
                }
                audit.count(verified: count, duplicates: duplicates, lost: lost)
                out.flush()
            }
        }
        checked.uid(uid)
        // Keyed even where the next operator has another parallelism and so cannot be chained.
        return KeyedStream(
            environment: environment, edge: StreamEdge(from: checked.node, isForward: true, exchange: .keyed(by: selector)), selector: selector)
    }
}
