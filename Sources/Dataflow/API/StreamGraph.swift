public import StreamModel

/// The logical graph described by a job's `build`: nodes with any number of inputs, each fed by an earlier node.
@usableFromInline
final class StreamNode {
    let id: Int
    /// uid set by `.uid(_:)`; otherwise derived from the name and the position, which changes with the graph.
    var uid: String?
    var name: String
    /// Parallelism; nil = the job's.
    var parallelism: Int?
    /// Inputs; none = a source.
    let inputs: [StreamEdge]
    let maker: Maker
    let fanOut: ([AnyConsumer]) -> AnyConsumer
    /// Side outputs with readers, by tag.
    var sideOutputs: [String: SideOutput] = [:]
    /// Claims a sink's place for the job, before its first attempt.
    @usableFromInline var claim: ((SinkClaim) throws -> OutputOwnership)?
    /// Runs on the job thread once before each attempt (sinks: discard output of earlier attempts).
    var prepare: ((SinkPreparation) throws -> Void)?
    /// Commits the outputs that a sink lists in checkpoints.
    @usableFromInline var committer: NodeCommitter?
    /// Finds a sink's published output before a recovery chooses its snapshot; nil = the node publishes nothing.
    @usableFromInline var published: ((SinkInquiry) throws -> PublishedOutput)?

    @usableFromInline
    enum Maker {
        case source((OperatorSite, AnyConsumer) throws -> SourceDriver)
        /// Makes one consumer per input, in the order of the inputs.
        case `operator`((OperatorSite, AnyConsumer) throws -> [AnyConsumer])
    }

    @usableFromInline
    struct SideOutput {
        let type: Any.Type
        let fanOut: ([AnyConsumer]) -> AnyConsumer
    }

    init(id: Int, name: String, inputs: [StreamEdge], maker: Maker, fanOut: @escaping ([AnyConsumer]) -> AnyConsumer) {
        self.id = id
        self.name = name
        self.inputs = inputs
        self.maker = maker
        self.fanOut = fanOut
    }

    var effectiveUID: String { uid ?? "\(name)-\(id)" }
    var isSource: Bool { inputs.isEmpty }
}

/// The transport of records from one node to the next.
@usableFromInline
struct StreamEdge {
    @usableFromInline let from: StreamNode
    /// Tag of the side output; nil = the main output.
    @usableFromInline let tag: String?
    /// Whether each subtask feeds the one of the same index when the parallelisms are equal: on the same thread if this is the only input, through
    /// one channel otherwise.
    @usableFromInline let isForward: Bool
    @usableFromInline let exchange: Exchange

    @usableFromInline init(from: StreamNode, tag: String? = nil, isForward: Bool, exchange: Exchange) {
        self.from = from
        self.tag = tag
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

/// A batch consumer whose record type only its neighbours know.
@usableFromInline
class AnyConsumer {
    /// Handles a change of event time between batches. An operator forwards it after emitting the results due.
    @usableFromInline let advance: (StreamTime) -> Void
    /// Handles the end of this input of the operator; others may continue.
    @usableFromInline let endOfInput: () throws -> Void
    @usableFromInline init(advance: @escaping (StreamTime) -> Void, endOfInput: @escaping () throws -> Void) {
        self.advance = advance
        self.endOfInput = endOfInput
    }
}

@usableFromInline
final class Consumer<Element>: AnyConsumer {
    @usableFromInline let consume: BatchConsumer<Element>
    @usableFromInline
    init(
        _ consume: @escaping BatchConsumer<Element>, advance: @escaping (StreamTime) -> Void, endOfInput: @escaping () throws -> Void = {}
    ) {
        self.consume = consume
        super.init(advance: advance, endOfInput: endOfInput)
    }
}

extension AnyConsumer {
    /// Both ends of an edge come from the same generic call, so a mismatch is a programming error of this module.
    @inlinable
    func typed<Element>(_ type: Element.Type = Element.self) -> Consumer<Element> {
        guard let typed = self as? Consumer<Element> else { preconditionFailure("an edge of the graph joins two record types") }
        return typed
    }
}

/// Site of an operator instance: its subtask, its uid, and the consumers of its side outputs.
@usableFromInline
struct OperatorSite {
    @usableFromInline let context: SubtaskContext
    @usableFromInline let uid: String
    let attempt: Int
    @usableFromInline let sideOutputs: SideOutputs
}

/// A source as seen by its subtask.
@usableFromInline
struct SourceDriver {
    /// Starts the source, once, before the first step and the first snapshot.
    @usableFromInline let start: (EngineInstant) throws -> Void
    @usableFromInline let step: (EngineInstant) throws -> SourceStatus
    /// Sends event time down the chain.
    @usableFromInline let advance: (StreamTime) -> Void
    @usableFromInline let position: () -> UInt64
    @usableFromInline let progress: () -> InputProgress?

    @usableFromInline
    init(
        start: @escaping (EngineInstant) throws -> Void, step: @escaping (EngineInstant) throws -> SourceStatus, advance: @escaping (StreamTime) -> Void,
        position: @escaping () -> UInt64,
        progress: @escaping () -> InputProgress?
    ) {
        self.start = start
        self.step = step
        self.advance = advance
        self.position = position
        self.progress = progress
    }
}

/// The graph cut into vertices: chains of nodes that run as one task.
struct ExecutionPlan {
    struct Vertex {
        let index: Int
        let head: StreamNode
        /// Nodes in topological order.
        var nodes: [StreamNode]
        let parallelism: Int
        /// Positions of the vertices that feed this one, in the order of the head's inputs; empty for sources.
        let from: [Int]

        var isSource: Bool { from.isEmpty }
        var uid: String { head.effectiveUID }
        var name: String { nodes.map(\.name).joined(separator: " -> ") }
    }

    /// An edge as seen by the node that feeds it: an input of another node.
    struct Leg: Hashable {
        let node: Int
        let input: Int
    }

    let vertices: [Vertex]
    /// Nodes by id.
    let allNodes: [StreamNode]
    /// Vertex of each node, by node id.
    let vertexOfNode: [Int]
    /// Legs by id of the feeding node.
    let legs: [[Leg]]
    let maxParallelism: Int

    init(nodes: [StreamNode], parallelism: Int, maxParallelism: Int) throws(JobError) {
        guard !nodes.isEmpty else { throw .invalidGraph("it has no source") }
        var seen: Set<String> = []
        for node in nodes where !seen.insert(node.effectiveUID).inserted {
            throw .invalidGraph("two operators have the uid \"\(node.effectiveUID)\": give each its own")
        }
        var vertices: [Vertex] = []
        var vertexOfNode: [Int] = []
        var legs = [[Leg]](repeating: [], count: nodes.count)
        for node in nodes {
            let own = node.parallelism ?? parallelism
            guard (1...maxParallelism).contains(own) else { throw .parallelism(own, maximum: maxParallelism) }
            for (index, input) in node.inputs.enumerated() {
                guard input.from.id < node.id, nodes[input.from.id] === input.from else {
                    throw .invalidGraph("operator \"\(node.effectiveUID)\" takes a stream of another job's graph")
                }
                legs[input.from.id].append(Leg(node: node.id, input: index))
            }
            if node.inputs.count == 1, let input = node.inputs.first, input.isForward {
                let upstream = vertexOfNode[input.from.id]
                if vertices[upstream].parallelism == own {
                    vertexOfNode.append(upstream)
                    vertices[upstream].nodes.append(node)
                    continue
                }
            }
            vertexOfNode.append(vertices.count)
            vertices.append(
                Vertex(
                    index: vertices.count, head: node, nodes: [node], parallelism: own, from: node.inputs.map { vertexOfNode[$0.from.id] }))
        }
        self.vertices = vertices
        allNodes = nodes
        self.vertexOfNode = vertexOfNode
        self.legs = legs
        self.maxParallelism = maxParallelism
    }

    var subtasks: [SubtaskID] {
        vertices.flatMap { vertex in (0..<vertex.parallelism).map { SubtaskID(vertex: vertex.index, index: $0) } }
    }

    var nodes: [StreamNode] { vertices.flatMap(\.nodes) }
}
