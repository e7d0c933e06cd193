/// Takes `count` records at `base`. They remain the caller's: the consumer copies any it keeps.
public typealias BatchConsumer<Element> = (_ base: UnsafeMutablePointer<Element>, _ count: Int) -> Void

/// The output of an operator: a batch that is passed on when full or flushed. A plain pointer, free to copy; owned by the operator's subtask and
/// used only on its thread.
public struct Emitter<Element> {
    @usableFromInline
    struct State {
        @usableFromInline var base: UnsafeMutablePointer<Element>
        @usableFromInline var count: Int
        @usableFromInline var capacity: Int
        @usableFromInline var consumer: BatchConsumer<Element>
        @inlinable init(capacity: Int, consumer: @escaping BatchConsumer<Element>) {
            base = .allocate(capacity: capacity)
            count = 0
            self.capacity = capacity
            self.consumer = consumer
        }
    }

    @usableFromInline let state: UnsafeMutablePointer<State>

    @inlinable
    init(consumer: @escaping BatchConsumer<Element>) {
        state = .allocate(capacity: 1)
        state.initialize(to: State(capacity: BatchSize.records(of: Element.self), consumer: consumer))
    }

    @inlinable @inline(__always)
    public func emit(_ record: Element) {
        (state.pointee.base + state.pointee.count).initialize(to: record)
        state.pointee.count += 1
        if state.pointee.count == state.pointee.capacity { flush() }
    }

    /// Emits `make(0)`, `make(1)`, ... `make(count - 1)`: like `emit` for each, with bookkeeping once per batch.
    @inlinable @inline(__always)
    public func emit(count: Int, _ make: (Int) -> Element) {
        var made = 0
        while made < count {
            let start = state.pointee.count
            let room = min(count &- made, state.pointee.capacity &- start)
            let place = state.pointee.base + start
            for index in 0..<room { (place + index).initialize(to: make(made &+ index)) }
            made &+= room
            state.pointee.count = start &+ room
            if state.pointee.count == state.pointee.capacity { flush() }
        }
    }

    /// Passes the batch on. Every operator flushes at the end of each input batch, so no record stays between batches.
    @inlinable
    public func flush() {
        let count = state.pointee.count
        guard count > 0 else { return }
        state.pointee.consumer(state.pointee.base, count)
        state.pointee.base.deinitialize(count: count)
        state.pointee.count = 0
    }

    @inlinable
    func release() {
        state.pointee.base.deinitialize(count: state.pointee.count)
        state.pointee.base.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }
}

/// Number of records per batch: about 8 KiB, 16 to 1,024 records. Large enough to amortise a hand-over, small enough for several batches in the
/// second-level cache.
@usableFromInline
enum BatchSize {
    @inlinable
    static func records<Element>(of type: Element.Type) -> Int { min(max(8192 / max(MemoryLayout<Element>.stride, 1), 16), 1024) }
}
