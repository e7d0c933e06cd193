/// An aggregate with mergeable accumulators, as needed by session windows, whose parts may merge later.
public protocol MergingAggregateFunction: AggregateFunction {
    /// Merges the accumulator `other`.
    func merge(_ other: Accumulator, into accumulator: inout Accumulator)
}

extension Count: MergingAggregateFunction {
    @inlinable public func merge(_ other: UInt64, into accumulator: inout UInt64) { accumulator += other }
}

/// A window operator's work on its records, in a common form for both kinds of function.
@usableFromInline
protocol WindowFunction<Key, Element, Output>: Sendable {
    associatedtype Key: StreamKey
    associatedtype Element: Sendable
    associatedtype Accumulator: StateCodable
    associatedtype Output: Sendable
    func makeAccumulator() -> Accumulator
    func add(_ record: Element, to accumulator: inout Accumulator)
    func emit(_ accumulator: Accumulator, of key: Key, in window: TimeWindow, to out: Emitter<Output>) throws
}

@usableFromInline
protocol MergingWindowFunction: WindowFunction {
    func merge(_ other: Accumulator, into accumulator: inout Accumulator)
}

/// Keeps one accumulator per window.
@usableFromInline
struct AggregatingWindow<Key: StreamKey, Function: AggregateFunction>: WindowFunction {
    @usableFromInline let function: Function
    @inlinable init(_ function: Function) { self.function = function }
    @inlinable @inline(__always) func makeAccumulator() -> Function.Accumulator { function.makeAccumulator() }
    @inlinable @inline(__always)
    func add(_ record: Function.Input, to accumulator: inout Function.Accumulator) { function.add(record, to: &accumulator) }
    @inlinable
    func emit(_ accumulator: Function.Accumulator, of key: Key, in window: TimeWindow, to out: Emitter<WindowResult<Key, Function.Output>>) {
        out.emit(WindowResult(key: key, window: window, value: function.result(of: accumulator)))
    }
}

extension AggregatingWindow: MergingWindowFunction where Function: MergingAggregateFunction {
    @inlinable func merge(_ other: Function.Accumulator, into accumulator: inout Function.Accumulator) { function.merge(other, into: &accumulator) }
}

/// Keeps all records of a window.
@usableFromInline
struct CollectingWindow<Key: StreamKey, Element: StateCodable, Output: Sendable>: MergingWindowFunction {
    @usableFromInline let body: @Sendable (WindowContents<Key, Element>, Emitter<Output>) throws -> Void
    @inlinable init(_ body: @escaping @Sendable (WindowContents<Key, Element>, Emitter<Output>) throws -> Void) { self.body = body }
    @inlinable func makeAccumulator() -> [Element] { [] }
    @inlinable func add(_ record: Element, to accumulator: inout [Element]) { accumulator.append(record) }
    @inlinable func merge(_ other: [Element], into accumulator: inout [Element]) { accumulator += other }
    @inlinable
    func emit(_ accumulator: [Element], of key: Key, in window: TimeWindow, to out: Emitter<Output>) throws {
        try body(WindowContents(key: key, window: window, elements: accumulator), out)
    }
}
