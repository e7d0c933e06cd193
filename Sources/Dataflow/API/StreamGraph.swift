public import StreamModel

/// The logical graph that a job's `build` describes: nodes with one input each, a tree from the sources down.
@usableFromInline
final class StreamNode {
    let id: Int
    /// Set by `.uid(_:)`; otherwise derived from the name and the position, which changes when the graph does.
    var uid: String?
    var name: String
    /// nil = the job's.
    var parallelism: Int?
    let input: StreamEdge?
    let maker: Maker
    let fanOut: ([AnyConsumer]) -> AnyConsumer
    /// Runs on the job thread before an attempt starts, once (sinks: finish commits, claim the directory).
    var prepare: ((SinkPreparation) throws -> Void)?

    @usableFromInline
    enum Maker {
        case source((OperatorSite, AnyConsumer) throws -> SourceDriver)
        case `operator`((OperatorSite, AnyConsumer) throws -> AnyConsumer)
    }

    init(id: Int, name: String, input: StreamEdge?, maker: Maker, fanOut: @escaping ([AnyConsumer]) -> AnyConsumer) {
        self.id = id
        self.name = name
        self.input = input
        self.maker = maker
        self.fanOut = fanOut
    }

    var effectiveUID: String { uid ?? "\(name)-\(id)" }
    var isSource: Bool { input == nil }
}

/// How records come from one node to the next.
@usableFromInline
struct StreamEdge {
    @usableFromInline let from: StreamNode
    /// Same subtask, same thread, when the parallelisms are equal.
    @usableFromInline let isForward: Bool
    @usableFromInline let exchange: Exchange

    @usableFromInline init(from: StreamNode, isForward: Bool, exchange: Exchange) {
        self.from = from
        self.isForward = isForward
        self.exchange = exchange
    }
}

/// Makes the channels of an edge between subtasks; the closures know the record type.
@usableFromInline
struct Exchange {
    @usableFromInline let makeRing: (_ slots: Int, _ producer: SubtaskContext, _ consumer: SubtaskContext) -> any InputChannel & OutputChannel
    @usableFromInline let makePartitioner: (_ rings: [any InputChannel & OutputChannel], _ producer: SubtaskContext) -> AnyConsumer
    @usableFromInline let makeReceiver: (AnyConsumer) -> (UnsafeMutableRawPointer, Int) -> Void

    @usableFromInline
    init(
        makeRing: @escaping (Int, SubtaskContext, SubtaskContext) -> any InputChannel & OutputChannel,
        makePartitioner: @escaping ([any InputChannel & OutputChannel], SubtaskContext) -> AnyConsumer,
        makeReceiver: @escaping (AnyConsumer) -> (UnsafeMutableRawPointer, Int) -> Void
    ) {
        self.makeRing = makeRing
        self.makePartitioner = makePartitioner
        self.makeReceiver = makeReceiver
    }
}

/// A batch consumer whose record type is known to its neighbours only.
@usableFromInline
class AnyConsumer {
    @usableFromInline init() {}
}

@usableFromInline
final class Consumer<Element>: AnyConsumer {
    @usableFromInline let consume: BatchConsumer<Element>
    @usableFromInline init(_ consume: @escaping BatchConsumer<Element>) { self.consume = consume }
}

extension AnyConsumer {
    /// Both ends of an edge were made by the same generic call, so a mismatch is a programming error of this module.
    @inlinable
    func typed<Element>(_ type: Element.Type = Element.self) -> Consumer<Element> {
        guard let typed = self as? Consumer<Element> else { preconditionFailure("an edge of the graph joins two record types") }
        return typed
    }
}

/// Where an operator instance is made: its subtask and its uid.
@usableFromInline
struct OperatorSite {
    @usableFromInline let context: SubtaskContext
    @usableFromInline let uid: String
    let attempt: Int
}

/// A source as its subtask sees it.
@usableFromInline
struct SourceDriver {
    @usableFromInline let step: (EngineInstant) throws -> SourceStatus
    @usableFromInline let position: () -> UInt64
    @usableFromInline let progress: () -> InputProgress?

    @usableFromInline
    init(
        step: @escaping (EngineInstant) throws -> SourceStatus, position: @escaping () -> UInt64, progress: @escaping () -> InputProgress?
    ) {
        self.step = step
        self.position = position
        self.progress = progress
    }
}

/// The graph cut into vertices: chains of nodes that run as one task.
struct ExecutionPlan {
    struct Vertex {
        let index: Int
        let head: StreamNode
        /// In topological order.
        var nodes: [StreamNode]
        let parallelism: Int
        /// Position of the vertex that feeds this one; nil for sources.
        let from: Int?

        var uid: String { head.effectiveUID }
        var name: String { nodes.map(\.name).joined(separator: " -> ") }
    }

    let vertices: [Vertex]
    /// Vertex of each node, by node id.
    let vertexOfNode: [Int]
    let children: [[StreamNode]]
    let maxParallelism: Int

    init(nodes: [StreamNode], parallelism: Int, maxParallelism: Int) throws(JobError) {
        guard !nodes.isEmpty else { throw .invalidGraph("it has no source") }
        var seen: Set<String> = []
        for node in nodes where !seen.insert(node.effectiveUID).inserted {
            throw .invalidGraph("two operators have the uid \"\(node.effectiveUID)\": give each its own")
        }
        var vertices: [Vertex] = []
        var vertexOfNode: [Int] = []
        var children = [[StreamNode]](repeating: [], count: nodes.count)
        for node in nodes {
            let own = node.parallelism ?? parallelism
            guard (1...maxParallelism).contains(own) else { throw .parallelism(own, maximum: maxParallelism) }
            if let input = node.input {
                children[input.from.id].append(node)
                let upstream = vertexOfNode[input.from.id]
                if input.isForward, vertices[upstream].parallelism == own {
                    vertexOfNode.append(upstream)
                    vertices[upstream].nodes.append(node)
                    continue
                }
            }
            vertexOfNode.append(vertices.count)
            vertices.append(
                Vertex(
                    index: vertices.count, head: node, nodes: [node], parallelism: own, from: node.input.map { vertexOfNode[$0.from.id] }))
        }
        self.vertices = vertices
        self.vertexOfNode = vertexOfNode
        self.children = children
        self.maxParallelism = maxParallelism
    }

    var subtasks: [SubtaskID] {
        vertices.flatMap { vertex in (0..<vertex.parallelism).map { SubtaskID(vertex: vertex.index, index: $0) } }
    }

    var nodes: [StreamNode] { vertices.flatMap(\.nodes) }
}
