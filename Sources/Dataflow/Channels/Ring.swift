internal import Synchronization

/// An item sent in band between subtasks, at batch boundaries.
@usableFromInline
enum ChannelItem: Sendable {
    case data
    case barrier(Barrier)
    /// Progress of event time, behind the records sent before it.
    case time(StreamTime)
    /// The input has ended for good: operators emit their pending results. `channelEnd` follows.
    case endOfData
    /// Last item of this channel.
    case channelEnd
}

/// A bounded channel between two subtasks: a ring of batches with one producer, one consumer and no lock. The records lie in place in the slots:
/// the producer copies them in one by one, the consumer passes the whole slot to its chain and deinitialises it.
///
/// Invariants: `tail` counts published slots, written by the producer only; `head` counts freed ones, written by the consumer only;
/// 0 <= tail - head < slotCount. Slots in [head, tail) belong to the consumer, the others to the producer.
@usableFromInline
final class Ring<Element>: InputChannel, OutputChannel, @unchecked Sendable {
    // Sound: see the invariants; `head` and `tail` are atomics on separate cache lines.
    @usableFromInline
    struct Slot {
        @usableFromInline var item: ChannelItem
        @usableFromInline var count: Int
        @inlinable init() { (item, count) = (.data, 0) }
    }

    /// Producer's side: the open slot.
    @usableFromInline
    struct Open {
        @usableFromInline var base: UnsafeMutablePointer<Element>
        @usableFromInline var count: Int
        @usableFromInline var tail: Int
        /// The consumer's head as last seen: the remote index is read only when the ring looks full.
        @usableFromInline var knownHead: Int
        @inlinable init(base: UnsafeMutablePointer<Element>) { (self.base, count, tail, knownHead) = (base, 0, 0, 0) }
    }

    @usableFromInline let batchCapacity: Int
    @usableFromInline let slotCount: Int
    /// Number of remaining batches at which a sleeping producer is woken: half, so that the two sides do not wake each other for every batch, and
    /// never fewer free slots than the one to publish and the one to open next.
    private let wakesAt: Int
    @usableFromInline let records: UnsafeMutablePointer<Element>
    @usableFromInline let slots: UnsafeMutablePointer<Slot>
    @usableFromInline let open: UnsafeMutablePointer<Open>
    private let indices: UnsafeMutableRawPointer
    private let head: UnsafeMutablePointer<Atomic<Int>>
    private let tail: UnsafeMutablePointer<Atomic<Int>>
    private let producer: SubtaskContext
    private let consumer: SubtaskContext

    @usableFromInline
    init(slotCount: Int, producer: SubtaskContext, consumer: SubtaskContext) {
        precondition(slotCount >= 2 && slotCount.nonzeroBitCount == 1, "a ring has a power of two of slots")
        self.slotCount = slotCount
        wakesAt = min(slotCount / 2, slotCount - 2)
        self.producer = producer
        self.consumer = consumer
        batchCapacity = BatchSize.records(of: Element.self)
        records = .allocate(capacity: slotCount * batchCapacity)
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: Slot(), count: slotCount)
        open = .allocate(capacity: 1)
        open.initialize(to: Open(base: records))
        indices = .allocate(byteCount: 256, alignment: 128)
        head = indices.bindMemory(to: Atomic<Int>.self, capacity: 1)
        head.initialize(to: Atomic(0))
        tail = (indices + 128).bindMemory(to: Atomic<Int>.self, capacity: 1)
        tail.initialize(to: Atomic(0))
    }

    deinit {
        open.pointee.base.deinitialize(count: open.pointee.count)
        for index in head.pointee.load(ordering: .acquiring)..<tail.pointee.load(ordering: .acquiring) {
            let slot = slots[index & (slotCount - 1)]
            if case .data = slot.item { (records + (index & (slotCount - 1)) * batchCapacity).deinitialize(count: slot.count) }
        }
        head.deinitialize(count: 1)
        tail.deinitialize(count: 1)
        indices.deallocate()
        open.deallocate()
        slots.deallocate()
        records.deallocate()
    }

    // MARK: Producer

    @inlinable @inline(__always)
    func append(_ record: Element) {
        (open.pointee.base + open.pointee.count).initialize(to: record)
        open.pointee.count += 1
        if open.pointee.count == batchCapacity { publish(.data) }
    }

    @usableFromInline
    func flush() {
        if open.pointee.count > 0 { publish(.data) }
    }

    @usableFromInline
    func send(_ item: ChannelItem) {
        flush()
        publish(item)
    }

    /// Publishes the open slot and opens the next one. Waits for room first: the open slot is always the producer's own. A cancelled subtask drops
    /// the records instead of waiting.
    @usableFromInline @inline(never)
    func publish(_ item: ChannelItem) {
        let tail = open.pointee.tail
        if tail + 1 - open.pointee.knownHead >= slotCount { waitForRoom() }
        if producer.isCancelled {
            open.pointee.base.deinitialize(count: open.pointee.count)
            open.pointee.count = 0
            return
        }
        slots[tail & (slotCount - 1)].item = item
        slots[tail & (slotCount - 1)].count = open.pointee.count
        producer.countOut(open.pointee.count)
        self.tail.pointee.store(tail + 1, ordering: .releasing)
        consumer.parker.unpark()
        open.pointee.tail = tail + 1
        open.pointee.count = 0
        open.pointee.base = records + ((tail + 1) & (slotCount - 1)) * batchCapacity
    }

    private func waitForRoom() {
        let tail = open.pointee.tail
        open.pointee.knownHead = head.pointee.load(ordering: .acquiring)
        if tail + 1 - open.pointee.knownHead < slotCount { return }
        let hasRoom = { tail - self.head.pointee.load(ordering: .acquiring) <= self.wakesAt }
        producer.blocked {
            while !hasRoom() && !producer.isCancelled {
                producer.parker.park(until: nil) { hasRoom() || producer.isCancelled }
            }
        }
        open.pointee.knownHead = head.pointee.load(ordering: .acquiring)
    }

    // MARK: Consumer

    @usableFromInline
    var hasItem: Bool {
        let head = self.head.pointee.load(ordering: .relaxed)
        return tail.pointee.load(ordering: .acquiring) != head
    }

    @usableFromInline
    func takeNext(_ consume: (UnsafeMutableRawPointer, Int) -> Void) -> ChannelItem? {
        let head = self.head.pointee.load(ordering: .relaxed)
        guard tail.pointee.load(ordering: .acquiring) != head else { return nil }
        let slot = slots[head & (slotCount - 1)]
        if case .data = slot.item {
            let base = records + (head & (slotCount - 1)) * batchCapacity
            consume(base, slot.count)
            base.deinitialize(count: slot.count)
        }
        self.head.pointee.store(head + 1, ordering: .releasing)
        if tail.pointee.load(ordering: .relaxed) - head - 1 <= wakesAt { producer.parker.unpark() }
        return slot.item
    }
}

/// The consumer's view of a ring, without its element type.
@usableFromInline
protocol InputChannel: AnyObject {
    var hasItem: Bool { get }
    /// Takes the next item, passing batches to `consume` first. nil when the channel is empty.
    func takeNext(_ consume: (UnsafeMutableRawPointer, Int) -> Void) -> ChannelItem?
}

/// The producer's view of a ring, without its element type.
@usableFromInline
protocol OutputChannel: AnyObject {
    func flush()
    /// Publishes the open batch, then the item.
    func send(_ item: ChannelItem)
}
