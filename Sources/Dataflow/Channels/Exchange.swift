extension Exchange {
    /// Sends each record to the subtask that owns its key group.
    @inlinable
    static func keyed<Key: StreamKey, Element>(by selector: @escaping @Sendable (Element) -> Key) -> Exchange {
        make(of: Element.self) { rings, producer in
            let routes = KeyRoutes(rings: rings, maxParallelism: producer.maxParallelism)
            let maxParallelism = producer.maxParallelism
            return { base, count in
                let open = routes.open, capacity = routes.batchCapacity
                for index in 0..<count {
                    let group = KeyGroups.group(ofHash: selector(base[index]).stableHash, maxParallelism: maxParallelism)
                    let slot = open[group]
                    (slot.pointee.base + slot.pointee.count).initialize(to: base[index])
                    slot.pointee.count += 1
                    if slot.pointee.count == capacity { routes.publish(group: group) }
                }
            }
        }
    }

    /// Sends batches to the subtasks in turn.
    @inlinable
    static func roundRobin<Element>(of type: Element.Type) -> Exchange {
        make(of: Element.self) { rings, _ in
            var next = 0
            return { base, count in
                let ring = rings[next]
                for index in 0..<count { ring.append(base[index]) }
                next = (next + 1) % rings.count
            }
        }
    }

    /// Sends every record to every subtask.
    @inlinable
    static func broadcast<Element>(of type: Element.Type) -> Exchange {
        make(of: Element.self) { rings, _ in
            { base, count in
                for ring in rings {
                    for index in 0..<count { ring.append(base[index]) }
                }
            }
        }
    }

    @inlinable
    static func make<Element>(
        of type: Element.Type, partitioner: @escaping (_ rings: [Ring<Element>], _ producer: SubtaskContext) -> BatchConsumer<Element>
    ) -> Exchange {
        Exchange(
            makeRing: { slots, producer, consumer in Ring<Element>(slotCount: slots, producer: producer, consumer: consumer) },
            makePartitioner: { rings, producer in
                let typed = rings.map { ring in
                    guard let ring = ring as? Ring<Element> else { preconditionFailure("an edge of the graph joins two record types") }
                    return ring
                }
                // Event time goes to every consumer, whatever records it gets.
                return Consumer(partitioner(typed, producer), advance: { time in for ring in typed { ring.send(.time(time)) } })
            },
            makeReceiver: { consumer in
                let consume = consumer.typed(Element.self).consume
                return { base, count in consume(base.assumingMemoryBound(to: Element.self), count) }
            })
    }
}

/// The open slot of every key group's ring: routing a record takes one look-up. Owned by the producing subtask.
@usableFromInline
final class KeyRoutes<Element> {
    @usableFromInline let open: UnsafeMutablePointer<UnsafeMutablePointer<Ring<Element>.Open>>
    @usableFromInline let batchCapacity: Int
    private let rings: [Ring<Element>]
    private let maxParallelism: Int

    @usableFromInline
    init(rings: [Ring<Element>], maxParallelism: Int) {
        self.rings = rings
        self.maxParallelism = maxParallelism
        batchCapacity = rings[0].batchCapacity
        open = .allocate(capacity: maxParallelism)
        for group in 0..<maxParallelism {
            let owner = KeyGroups.subtask(ofGroup: group, parallelism: rings.count, maxParallelism: maxParallelism)
            (open + group).initialize(to: rings[owner].open)
        }
    }

    deinit { open.deallocate() }

    @usableFromInline @inline(never)
    func publish(group: Int) {
        rings[KeyGroups.subtask(ofGroup: group, parallelism: rings.count, maxParallelism: maxParallelism)].publish(.data)
    }
}
