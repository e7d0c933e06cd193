/// An emitter that keeps its records, for tests of sources and functions outside a job.
public final class RecordCollector<Element> {
    public let emitter: Emitter<Element>
    private let box: Box

    private final class Box {
        var records: [Element] = []
    }

    public init() {
        let box = Box()
        self.box = box
        emitter = Emitter { base, count in box.records += UnsafeBufferPointer(start: base, count: count) }
    }

    deinit { emitter.release() }

    /// Returns the records emitted since the last call.
    public func take() -> [Element] {
        emitter.flush()
        defer { box.records = [] }
        return box.records
    }
}
