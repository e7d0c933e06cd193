/// Names a second output of an operator and the type of its records: late data, errors, anything but the main result.
///
/// Use one constant at both ends: the operator emits to it, `sideOutput(_:)` reads from it. Records for a tag without reader are dropped.
public struct OutputTag<Element: Sendable>: Sendable {
    public let name: String
    public init(_ name: String) { self.name = name }
}

/// The side outputs of one operator instance. Owned by the subtask's thread.
@usableFromInline
final class SideOutputs {
    private class AnySlot {
        func flush() {}
        func release() {}
    }

    private final class Slot<Element>: AnySlot {
        let emitter: Emitter<Element>
        init(_ consumer: @escaping BatchConsumer<Element>) { emitter = Emitter(consumer: consumer) }
        override func flush() { emitter.flush() }
        override func release() { emitter.release() }
    }

    private let uid: String
    /// Consumers by tag.
    private let consumers: [String: AnyConsumer]
    private var slots: [String: AnySlot] = [:]

    init(uid: String, consumers: [String: AnyConsumer]) {
        self.uid = uid
        self.consumers = consumers
    }

    /// The emitter for the records of the tag; the same one for every call.
    @usableFromInline
    func emitter<Element>(_ tag: OutputTag<Element>) throws -> Emitter<Element> {
        if let slot = slots[tag.name] {
            guard let slot = slot as? Slot<Element> else { throw mismatch(tag) }
            return slot.emitter
        }
        var consume: BatchConsumer<Element> = { _, _ in }
        if let consumer = consumers[tag.name] {
            guard let consumer = consumer as? Consumer<Element> else { throw mismatch(tag) }
            consume = consumer.consume
        }
        let slot = Slot(consume)
        slots[tag.name] = slot
        return slot.emitter
    }

    private func mismatch<Element>(_ tag: OutputTag<Element>) -> JobError {
        .invalidGraph("side output \"\(tag.name)\" of operator \"\(uid)\" is used with two record types, one of them \(Element.self)")
    }

    /// Flushes the outputs at the end of each batch.
    @usableFromInline
    func flush() {
        for slot in slots.values { slot.flush() }
    }

    @usableFromInline
    func advance(_ time: StreamTime) {
        flush()
        for consumer in consumers.values { consumer.advance(time) }
    }

    @usableFromInline
    func release() {
        for slot in slots.values { slot.release() }
        slots = [:]
    }
}
