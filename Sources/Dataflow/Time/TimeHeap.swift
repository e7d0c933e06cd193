/// A binary heap of elements due at a time, the earliest first. Pure; a value.
@usableFromInline
struct TimeHeap<Element> {
    @usableFromInline typealias Node = (time: Int64, element: Element)
    @usableFromInline var nodes: [Node] = []

    @usableFromInline init() {}

    @inlinable var count: Int { nodes.count }
    @inlinable var first: Node? { nodes.first }

    @inlinable
    mutating func insert(_ element: Element, at time: Int64) {
        nodes.append((time, element))
        var child = nodes.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard nodes[child].time < nodes[parent].time else { return }
            nodes.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable
    mutating func removeFirst() -> Node? {
        guard let first = nodes.first else { return nil }
        let last = nodes.removeLast()
        guard !nodes.isEmpty else { return first }
        nodes[0] = last
        var parent = 0
        while true {
            var least = parent
            let children = min(2 * parent + 1, nodes.count)..<min(2 * parent + 3, nodes.count)
            for child in children where nodes[child].time < nodes[least].time { least = child }
            guard least != parent else { return first }
            nodes.swapAt(parent, least)
            parent = least
        }
    }

    /// Removes and returns the earliest if its time is not after `limit`.
    @inlinable
    mutating func removeFirst(dueBy limit: Int64) -> Node? {
        guard let first = nodes.first, first.time <= limit else { return nil }
        return removeFirst()
    }

    @inlinable
    mutating func removeAll() { nodes.removeAll(keepingCapacity: true) }
}
