internal import StreamModel

/// Makes the channels of an attempt and the chain of each subtask.
struct ChannelWiring {
    private typealias Channel = any InputChannel & OutputChannel
    private typealias Leg = ExecutionPlan.Leg

    /// Channels of one edge, by feeding and by receiving subtask.
    private struct Channels {
        var outputs: [[Channel]]
        var inputs: [[Channel]]
    }

    let plan: ExecutionPlan
    let contexts: [[SubtaskContext]]
    private var channels: [Leg: Channels] = [:]

    /// - Parameter goOn: called before the channels of each producer (one per consumer of an exchange); an error ends the wiring.
    init(plan: ExecutionPlan, contexts: [[SubtaskContext]], goOn: () throws -> Void) rethrows {
        self.plan = plan
        self.contexts = contexts
        for vertex in plan.vertices {
            let consumers = contexts[vertex.index]
            let edges = vertex.head.inputs.enumerated().map { input, edge in
                let producers = contexts[vertex.from[input]]
                return (
                    leg: Leg(node: vertex.head.id, input: input), edge: edge, producers: producers,
                    isPointwise: edge.isForward && producers.count == consumers.count
                )
            }
            // About 64 batches of room into each consumer's cache, whatever the number of producers.
            let producerCount = edges.reduce(0) { $0 + ($1.isPointwise ? 1 : $1.producers.count) }
            var slots = 64
            while slots > 8, slots * producerCount > 256 { slots /= 2 }
            for (leg, edge, producers, isPointwise) in edges {
                if isPointwise {
                    let rings = zip(producers, consumers).map { [edge.exchange.makeRing(slots, $0, $1)] }
                    channels[leg] = Channels(outputs: rings, inputs: rings)
                } else {
                    let rings = try producers.map { producer in
                        try goOn()
                        return consumers.map { edge.exchange.makeRing(slots, producer, $0) }
                    }
                    channels[leg] = Channels(outputs: rings, inputs: consumers.indices.map { consumer in rings.map { $0[consumer] } })
                }
            }
        }
    }

    func makeRole(of vertex: ExecutionPlan.Vertex, context: SubtaskContext, attempt: Int) throws -> Subtask.Role {
        let head = vertex.head
        context.hasInputs = !vertex.isSource
        let downstream = try consumer(behind: head, context: context, attempt: attempt)
        let site = try site(of: head, context: context, attempt: attempt)
        switch head.maker {
        case .source(let make): return .source(try make(site, downstream))
        case .operator(let make): return .inputs(gate(of: head, consumers: try make(site, downstream), context: context))
        }
    }

    private func gate(of head: StreamNode, consumers: [AnyConsumer], context: SubtaskContext) -> InputGate {
        let byInput = head.inputs.indices.map { channels[Leg(node: head.id, input: $0)]?.inputs[context.index] ?? [] }
        return InputGate(
            channels: byInput.flatMap { $0 }, inputOfChannel: byInput.indices.flatMap { input in byInput[input].map { _ in input } },
            inputs: zip(head.inputs, consumers).map { edge, consumer in
                InputGate.Input(receive: edge.exchange.makeReceiver(consumer), endOfData: consumer.endOfInput)
            }, advance: { consumers[0].advance($0) })
    }

    private func site(of node: StreamNode, context: SubtaskContext, attempt: Int) throws -> OperatorSite {
        var sides: [String: AnyConsumer] = [:]
        for (tag, output) in node.sideOutputs {
            sides[tag] = output.fanOut(try consumers(behind: node, tag: tag, context: context, attempt: attempt))
        }
        return OperatorSite(
            context: context, uid: node.effectiveUID, attempt: attempt, sideOutputs: SideOutputs(uid: node.effectiveUID, consumers: sides))
    }

    /// The consumer of a node's main output in this subtask.
    private func consumer(behind node: StreamNode, context: SubtaskContext, attempt: Int) throws -> AnyConsumer {
        node.fanOut(try consumers(behind: node, tag: nil, context: context, attempt: attempt))
    }

    /// The consumers of one output of a node: chained operators and channels to other vertices.
    private func consumers(behind node: StreamNode, tag: String?, context: SubtaskContext, attempt: Int) throws -> [AnyConsumer] {
        try plan.legs[node.id].compactMap { leg in
            let child = plan.allNodes[leg.node], edge = child.inputs[leg.input]
            guard edge.tag == tag else { return nil }
            if plan.vertexOfNode[child.id] == context.id.vertex, case .operator(let make) = child.maker {
                let next = try consumer(behind: child, context: context, attempt: attempt)
                return try make(try site(of: child, context: context, attempt: attempt), next)[0]
            }
            guard let own = channels[leg]?.outputs[context.index] else { preconditionFailure("an edge without channels") }
            context.outputs += own.map { $0 as any OutputChannel }
            return edge.exchange.makePartitioner(own, context)
        }
    }
}
