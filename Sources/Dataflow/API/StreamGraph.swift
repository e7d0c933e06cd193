public import StreamModel

/// The logical graph that a job's `build` describes: nodes with any number of inputs, each fed by a node that was made before it.
@usableFromInline
final class StreamNode {
    let id: Int
    /// Set by `.uid(_:)`; otherwise derived from the name and the position, which changes when the graph does.
    var uid: String?
    var name: String
    /// nil = the job's.
    var parallelism: Int?
    /// None = a source.
    let inputs: [StreamEdge]
    let maker: Maker
    let fanOut: ([AnyConsumer]) -> AnyConsumer
    /// The side outputs that somebody takes, by tag.
    var sideOutputs: [String: SideOutput] = [:]
    /// Makes a sink's place the job's own, before its first attempt.
    @usableFromInline var claim: ((SinkClaim) throws -> OutputOwnership)?
    /// Runs on the job thread before an attempt starts, once (sinks: give up what earlier attempts began).
    var prepare: ((SinkPreparation) throws -> Void)?
    /// How what a sink lists in checkpoints is committed.
    @usableFromInline var committer: NodeCommitter?
    /// What the sink has published; nil = the node publishes nothing. Asked before a recovery chooses its snapshot.
    @usableFromInline var published: ((SinkInquiry) throws -> PublishedOutput)?

    @usableFromInline
    enum Maker {
        case source((OperatorSite, AnyConsumer) throws -> SourceDriver)
        /// Makes one consumer an input, in the order of the inputs.
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

/// How records come from one node to the next.
@usableFromInline
struct StreamEdge {
    @usableFromInline let from: StreamNode
    /// The tag of the side output that is taken; nil = the main output.
    @usableFromInline let tag: String?
    /// From each subtask to the one of the same index when the parallelisms are equal: on the same thread if this is the only input,
    /// through one channel otherwise.
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

/// A batch consumer whose record type is known to its neighbours only.
@usableFromInline
class AnyConsumer {
    /// Takes what event time does, between batches. An operator forwards it when it has emitted what it makes due.
    @usableFromInline let advance: (StreamTime) -> Void
    /// This input of the operator has ended; others may go on.
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
    /// Both ends of an edge were made by the same generic call, so a mismatch is a programming error of this module.
    @inlinable
    func typed<Element>(_ type: Element.Type = Element.self) -> Consumer<Element> {
        guard let typed = self as? Consumer<Element> else { preconditionFailure("an edge of the graph joins two record types") }
        return typed
    }
}

/// Where an operator instance is made: its subtask, its uid, and who takes its side outputs.
@usableFromInline
struct OperatorSite {
    @usableFromInline let context: SubtaskContext
    @usableFromInline let uid: String
    let attempt: Int
    @usableFromInline let sideOutputs: SideOutputs
}

/// A source as its subtask sees it.
@usableFromInline
struct SourceDriver {
    /// Once, before the first step and the first snapshot.
    @usableFromInline let start: (EngineInstant) throws -> Void
    @usableFromInline let step: (EngineInstant) throws -> SourceStatus
    /// Sends event time down the chain.
    @usableFromInline let advance: (StreamTime) -> Void
    @usableFromInline let position: () -> UInt64
    @usableFromInline let progress: () -> InputProgress?

    @usableFromInline
    init(
        start: @escaping (EngineInstant) throws -> Void, step: @escaping (EngineInstant) throws -> SourceStatus, advance: @escaping (StreamTime) -> Void, position: @escaping () -> UInt64,
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
        /// In topological order.
        var nodes: [StreamNode]
        let parallelism: Int
        /// Positions of the vertices that feed this one, in the order of the head's inputs; empty for sources.
        let from: [Int]

        var isSource: Bool { from.isEmpty }
        var uid: String { head.effectiveUID }
        var name: String { nodes.map(\.name).joined(separator: " -> ") }
    }

    /// An edge as the node that feeds it sees it: an input of another node.
    struct Leg: Hashable {
        let node: Int
        let input: Int
    }

    let vertices: [Vertex]
    /// By id.
    let allNodes: [StreamNode]
    /// Vertex of each node, by node id.
    let vertexOfNode: [Int]
    /// By id of the node that feeds them.
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
