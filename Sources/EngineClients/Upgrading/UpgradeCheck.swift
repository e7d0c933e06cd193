internal import CellGrid
internal import ConsoleCore
public import FlinkREST
public import StreamModel

/// Whether the state of a snapshot fits a program that was not launched yet. Pure.
///
/// Flink matches state by operator id: a hash of the operator's uid, or, without one, of its place in the graph. The plan of a program names the
/// heads of its chains; where the cluster can plan without chaining, every operator. An id that is the same in both comes from a uid, or from a
/// place that chaining does not touch; one that is the head of a chain and missing in the plan without chaining was generated. So generated ids
/// of operators behind a head stay unknown, and nothing is claimed of them.
public struct UpgradeCheck: Sendable, Equatable, Encodable {
    /// An operator of the snapshot.
    public struct State: Sendable, Equatable {
        public var id: OperatorID
        /// uid or name; nil = the snapshot has neither.
        public var name: String?
        /// The snapshot says that its id comes from a uid.
        public var isUID: Bool
        public var maxParallelism: Int
        public var size: ByteCount
        public var hasState: Bool
        /// All of it had finished.
        public var isFinished: Bool

        public init(
            id: OperatorID, name: String?, isUID: Bool = false, maxParallelism: Int, size: ByteCount, hasState: Bool, isFinished: Bool = false
        ) {
            (self.id, self.name, self.isUID, self.maxParallelism) = (id, name, isUID, maxParallelism)
            (self.size, self.hasState, self.isFinished) = (size, hasState, isFinished)
        }
    }

    /// What the cluster says of a program.
    public struct Plans: Sendable, Equatable {
        /// As it would run.
        public var chained: FlinkProgramPlan
        /// nil = the cluster cannot plan without chaining.
        public var unchained: FlinkProgramPlan?

        public init(chained: FlinkProgramPlan, unchained: FlinkProgramPlan?) { (self.chained, self.unchained) = (chained, unchained) }

        /// Operators whose ids were generated, as far as it shows.
        var generated: [FlinkProgramPlan.Vertex] {
            guard let unchained else { return [] }
            return chained.vertices.filter { !unchained.ids.contains($0.id) }
        }

        var ids: Set<OperatorID> { chained.ids.union(unchained?.ids ?? []) }

        /// The operators and chains of both are the same, and so are the ids that are generated from them.
        func isSameGraph(as other: Plans?) -> Bool {
            guard let other, unchained != nil, other.unchained != nil else { return false }
            return unchained?.ids == other.unchained?.ids && chained.ids == other.chained.ids
        }

        func vertex(_ id: OperatorID) -> FlinkProgramPlan.Vertex? {
            unchained?.vertices.first { $0.id == id } ?? chained.vertices.first { $0.id == id }
        }
    }

    /// Severity of a finding.
    public enum Weight: String, Sendable, Codable, Comparable {
        /// To be known.
        case note
        /// Cannot be told before the launch.
        case unknown
        /// Flink would refuse the launch.
        case blocks

        private var rank: Int { self == .note ? 0 : self == .unknown ? 1 : 2 }
        public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
    }

    public struct Finding: Sendable, Equatable, Encodable {
        public var weight: Weight
        public var text: String
        public init(_ weight: Weight, _ text: String) { (self.weight, self.text) = (weight, text) }
    }

    /// Worst first.
    public private(set) var findings: [Finding] = []
    /// Slots that the new program needs, as long as all of its operators share them; nil = it has no plan.
    public private(set) var slots: Int?

    public var weight: Weight { findings.map(\.weight).max() ?? .note }

    /// - Parameters:
    ///   - states: operators of the snapshot; nil = it could not be read.
    ///   - new: plans of the new program.
    ///   - old: plans of the running program; nil = its jar is not on the cluster.
    ///   - allowsUnmatched: state without an operator is dropped.
    public init(of states: [State]?, new: Plans, old: Plans?, allowsUnmatched: Bool) {
        slots = new.chained.vertices.map(\.parallelism).max()
        checkGenerated(new)
        guard let states else {
            findings.append(Finding(.unknown, "state: no snapshot of the job can be read from here, so whether its state fits cannot be told"))
            sort()
            return
        }
        checkParallelism(states, new)
        if !new.isSameGraph(as: old) {
            checkUnclaimed(states, new, old, allowsUnmatched)
            checkFinished(states)
            checkEmpty(states, new)
        }
        sort()
    }

    /// Of a program that has no plan.
    /// - Parameter isCertain: Flink says so, and would say it of the launch.
    public init(failure problem: String, isCertain: Bool) { findings = [Finding(isCertain ? .blocks : .unknown, problem)] }

    /// Adds what was found elsewhere.
    public mutating func add(_ finding: Finding) {
        findings.append(finding)
        sort()
    }

    private mutating func sort() {
        findings = findings.enumerated().sorted { ($1.element.weight, $0.offset) < ($0.element.weight, $1.offset) }.map(\.element)
    }

    private mutating func checkGenerated(_ new: Plans) {
        let generated = new.generated
        guard !generated.isEmpty else { return }
        let names = Self.list(generated.map { "\($0.name) (\($0.id.short))" })
        findings.append(
            Finding(.note, "operators without uid: \(names): their state is found again only as long as the graph stays as it is; give each a uid"))
    }

    private mutating func checkUnclaimed(_ states: [State], _ new: Plans, _ old: Plans?, _ allowsUnmatched: Bool) {
        let unclaimed = states.filter { $0.hasState && !new.ids.contains($0.id) }
        var gone: [State] = [], open: [State] = []
        for state in unclaimed {
            if Self.hasUID(state, new, old) { gone.append(state) } else { open.append(state) }
        }
        if !gone.isEmpty {
            let words = "state without an operator in the new program: \(Self.list(gone.map(Self.words)))"
            findings.append(
                allowsUnmatched
                    ? Finding(.note, "\(words): it is dropped, as asked for")
                    : Finding(.blocks, "\(words): Flink refuses that, unless setUidHash names it; keep the uids, or drop the state with --allow-unmatched"))
        }
        if !open.isEmpty {
            let why = new.unchained == nil ? "this version of Flink tells the heads of chains only" : "their operators have no uid, or stand behind one without"
            findings.append(Finding(.unknown, "state whose operator cannot be told: \(Self.list(open.map(Self.words))): \(why)"))
        }
    }

    /// Whether an operator that the new program does not show would have to be shown if it were there.
    private static func hasUID(_ state: State, _ new: Plans, _ old: Plans?) -> Bool {
        guard new.unchained != nil else { return false }
        // Its id is the same with and without chaining, in the snapshot and in the plan: no chain generated it.
        return state.isUID || old?.unchained?.ids.contains(state.id) == true
    }

    private mutating func checkParallelism(_ states: [State], _ new: Plans) {
        for state in states where state.hasState && state.maxParallelism > 0 {
            guard let vertex = new.vertex(state.id), vertex.parallelism > state.maxParallelism else { continue }
            findings.append(
                Finding(
                    .blocks, "parallelism: \(vertex.name) would run with \(vertex.parallelism), and its state can be split into \(state.maxParallelism) at most"
                ))
        }
    }

    /// A graph with operators that had finished is restored only as it was.
    private mutating func checkFinished(_ states: [State]) {
        let finished = states.filter(\.isFinished)
        guard !finished.isEmpty else { return }
        findings.append(
            Finding(
                .unknown, "operators that had finished: \(Self.list(finished.map(Self.words))): Flink restores them only where what is before them is as it was"
            ))
    }

    private mutating func checkEmpty(_ states: [State], _ new: Plans) {
        let known = Set(states.map(\.id)), shown = new.unchained ?? new.chained
        let generated = Set(new.generated.map(\.id))
        // One without a uid has another id in this plan than it will run with.
        let names = shown.vertices.filter { !known.contains($0.id) && !generated.contains($0.id) }.map(\.name)
        guard !names.isEmpty else { return }
        findings.append(Finding(.note, "operators that the snapshot does not name: \(Self.list(names)): new ones begin empty"))
    }

    private static func words(_ state: State) -> String { "\(state.name ?? state.id.short) (\(Figures.bytes(state.size)))" }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(6).joined(separator: ", ")
        return names.count > 6 ? "\(shown) and \(names.count - 6) more" : shown
    }
}
