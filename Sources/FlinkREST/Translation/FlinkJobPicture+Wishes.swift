internal import StreamModel

/// How much of a job somebody sees.
enum FlinkRegard: Sendable, Equatable {
    /// A line, one of `count` that are seen.
    case row(count: Int)
    /// All that is known.
    case screen
    /// Nothing; `turn` is the time, in milliseconds, in which each such job is asked one question.
    case unseen(turn: Int64)

    var isUnseen: Bool { if case .unseen = self { true } else { false } }
}

/// What is asked of a job, by kind, so that of all jobs the most wanted kind can come first.
enum FlinkWishKind: Int, Sendable, CaseIterable {
    case checkpoints, configuration, details, exceptions, restarts, names, flow, execution
}

// What to ask of a job, and how often. The periods are those of 20 questions a second: a row is at most 5 s old for 50 jobs, a screen for one
// of 300 vertices.
extension FlinkJobPicture {
    static let jobMetricNames = ["numRestarts", "fullRestarts"]

    func wish(_ kind: FlinkWishKind, _ regard: FlinkRegard, at now: WallTime, into wishes: inout [FlinkWish]) {
        switch kind {
        case .checkpoints: wish(.checkpoints(id), checkpoints?.at, checkpointPeriod(regard), regard, &wishes)
        case .configuration: wish(.checkpointConfiguration(id), configuration?.at, configurationPeriod(regard), regard, &wishes)
        case .details: wish(.job(id), details?.at, detailsPeriod(regard), regard, &wishes)
        case .exceptions: if let period = exceptionsPeriod(regard) { wish(.exceptions(id), exceptions?.at, period, regard, &wishes) }
        case .restarts: if !hasEnded, let period = restartsPeriod(regard) { wishes.append(FlinkWish(.jobMetrics(id), every: period)) }
        case .execution: if regard == .screen { wishes.append(FlinkWish(.executionConfiguration(id), every: execution == nil ? 10_000 : 3_600_000)) }
        case .names, .flow: if !regard.isUnseen, isFlowing { wishFlow(kind, regard, at: now, &wishes) }
        }
    }

    /// Of a job that has ended an answer stays true that was made after the end; what has none is asked for now and then.
    private func wish(_ question: FlinkQuestion, _ at: WallTime?, _ period: Int64, _ regard: FlinkRegard, _ wishes: inout [FlinkWish]) {
        guard let endedSeenAt else { return wishes.append(FlinkWish(question, every: period)) }
        if let at, at - endedSeenAt >= Self.statisticsLast { return }
        let slow: Int64 =
            switch regard {
            case .screen: 15_000
            case .row: 60_000
            case .unseen(let turn): max(120_000, turn * 4)
            }
        wishes.append(FlinkWish(question, every: unanswered.contains(question) ? slow : max(period, Self.statisticsLast.count)))
    }

    private func checkpointPeriod(_ regard: FlinkRegard) -> Int64 {
        switch regard {
        case .screen: 3000
        case .row: 4200
        case .unseen(let turn): max(30_000, turn)
        }
    }

    private func configurationPeriod(_ regard: FlinkRegard) -> Int64 {
        let isKnown = configuration != nil
        return switch regard {
        case .screen: isKnown ? 60_000 : 5000
        case .row: isKnown ? 300_000 : unanswered.contains(.checkpointConfiguration(id)) ? 10_000 : 4200
        case .unseen(let turn): isKnown ? 1_800_000 : max(60_000, turn * 2)
        }
    }

    private func detailsPeriod(_ regard: FlinkRegard) -> Int64 {
        switch regard {
        case .screen: 3000
        case .row: details == nil ? 4200 : detailsLag ? 2500 : 120_000
        case .unseen(let turn): details == nil || detailsLag ? max(60_000, turn * 2) : 1_800_000
        }
    }

    /// The cause of trouble is asked for where the list tells of any.
    private func exceptionsPeriod(_ regard: FlinkRegard) -> Int64? {
        let isTroubled = state?.known != .running && state?.known != .finished && state?.known != .canceled
        switch regard {
        case .screen: return isTroubled || exceptionsLag ? 2500 : 3500
        case .row:
            return isTroubled || exceptionsLag || hasFailedBefore ? (exceptions == nil || exceptionsLag ? 2500 : 10_000) : exceptions == nil ? 20_000 : 300_000
        case .unseen(let turn): return isTroubled || exceptionsLag ? max(10_000, turn) : nil
        }
    }

    /// A failure of the last minutes may be the first of many.
    private var hasFailedBefore: Bool {
        guard let newest = exceptions?.value.entries.first, let details else { return false }
        return (details.value.now ?? details.at) - newest.at < .minutes(3)
    }

    private func restartsPeriod(_ regard: FlinkRegard) -> Int64? {
        switch regard {
        case .screen: return 3500
        // Nothing restarts that has not failed.
        case .row: return exceptions?.value.entries.isEmpty ?? true ? nil : restartsLag || restarts == nil ? 5000 : 60_000
        case .unseen: return nil
        }
    }

    // MARK: Flow

    private func wishFlow(_ kind: FlinkWishKind, _ regard: FlinkRegard, at now: WallTime, _ wishes: inout [FlinkWish]) {
        let vertices = details?.value.vertices ?? []
        for vertex in vertices {
            guard let period = flowPeriod(vertex, of: vertices, regard) else { continue }
            let names = flows[vertex.id]?.names(at: now)
            switch (kind, names) {
            case (.names, nil): wishes.append(FlinkWish(.metricNames(id, vertex.id), every: max(period, 5000)))
            case (.flow, let names?): wishes.append(FlinkWish(.vertexMetrics(id, vertex.id, names), every: period))
            default: break
            }
        }
    }

    private func flowPeriod(_ vertex: FlinkVertex, of vertices: [FlinkVertex], _ regard: FlinkRegard) -> Int64? {
        // Where the answer does not tell when it was read, more looks tell it better.
        let isVague = flows[vertex.id]?.lacksClock ?? false
        switch regard {
        case .screen: return max(isVague ? 3000 : 4500, Int64(vertices.count) * 75)
        case .row(let count):
            let isFew = count <= 25
            if vertex.isSource { return (isFew ? isVague ? 3000 : 4200 : 8400) * Int64(max(1, vertices.count(where: \.isSource))) }
            return vertex.takesOutput && isFew ? 8400 * Int64(max(1, vertices.count(where: \.takesOutput))) : nil
        case .unseen: return nil
        }
    }
}

// What commands ask once.
extension FlinkJobPicture {
    /// What is missing of a whole report, the most wanted kind first; a line needs less than a screen.
    func missing(_ kind: FlinkWishKind, isWhole: Bool, at now: WallTime) -> [FlinkQuestion] {
        let vertices = (details?.value.vertices ?? []).filter { isWhole || $0.isSource || $0.takesOutput }
        func ask(_ question: FlinkQuestion, _ isKnown: Bool) -> [FlinkQuestion] { isKnown || unanswered.contains(question) ? [] : [question] }
        switch kind {
        case .checkpoints: return ask(.checkpoints(id), checkpoints != nil)
        case .configuration: return ask(.checkpointConfiguration(id), configuration != nil)
        case .details: return ask(.job(id), details != nil)
        case .exceptions: return ask(.exceptions(id), exceptions != nil)
        case .restarts: return hasEnded ? [] : ask(.jobMetrics(id), restarts != nil)
        case .execution: return ask(.executionConfiguration(id), execution != nil)
        case .names:
            guard isFlowing else { return [] }
            return vertices.filter { flows[$0.id]?.names(at: now) == nil }.flatMap { ask(.metricNames(id, $0.id), false) }
        case .flow:
            guard isFlowing else { return [] }
            return vertices.flatMap { vertex in
                flows[vertex.id]?.names(at: now).map { ask(.vertexMetrics(id, vertex.id, $0), flows[vertex.id]?.measuredAt != nil) } ?? []
            }
        }
    }
}
